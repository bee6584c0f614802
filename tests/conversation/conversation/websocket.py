# SPDX-License-Identifier: Apache-2.0
"""websocket - an MQTT client in a WebSocket, which can misbehave."""

import struct

from . import mqtt
from .deadline import Deadline

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN = 0x80

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def request(path="/mqtt", protocol="mqtt", origin=None, more=""):
    """The request of a client that does everything right."""
    text = (f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n")
    if protocol:
        text += f"Sec-WebSocket-Protocol: {protocol}\r\n"
    if origin:
        text += f"Origin: {origin}\r\n"
    return (text + more + "\r\n").encode()


def frame(payload, opcode=BINARY, first=None, mask=True):
    """A frame as a client sends it; `first` overrides its first byte."""
    n = len(payload)
    bit = 0x80 if mask else 0
    head = bytes([FIN | opcode if first is None else first])
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", n)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", n)
    if not mask:
        return head + payload
    key = b"\x37\xfa\x21\x3d"
    keys = key * (n // 4 + 1)
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(keys[:n], "big")
    return head + key + masked.to_bytes(n, "big")


class WebSocket(mqtt.Client):
    """Packets travel in binary frames, one in each unless told otherwise."""

    def __init__(self, port, version=mqtt.V311, upgrade=request(), first=b""):
        self.raw = b""
        self.controls = []
        super().__init__(port, version)
        self.sock.sendall(first)
        if upgrade:
            self.sock.sendall(upgrade)
            self.head = self.read_head()

    def read_head(self):
        """What HTTP answers, up to the empty line."""
        deadline = Deadline()
        while b"\r\n\r\n" not in self.raw:
            self.fill_raw(deadline, "an answer of HTTP")
        head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        return head.decode()

    def fill_raw(self, deadline, waiting_for):
        before, self.in_buffer = self.in_buffer, b""
        try:
            super().fill(deadline, waiting_for)
            self.raw += self.in_buffer
        finally:
            self.in_buffer = before

    def send(self, data):
        super().send(frame(data))

    def send_raw(self, data):
        super().send(data)

    def next_frame(self, deadline=None, waiting_for="a frame"):
        """(opcode, payload) of the next one, which is never in parts."""
        deadline = deadline or Deadline()
        while True:
            found = self.cut_frame()
            if found:
                return found
            self.fill_raw(deadline, waiting_for)

    def cut_frame(self):
        if len(self.raw) < 2:
            return None
        first, n = self.raw[0], self.raw[1]
        assert first & 0xf0 == FIN and n < 128, "no frame of a server"
        at = 2
        if n == 126:
            at, n = 4, int.from_bytes(self.raw[2:4], "big")
        elif n == 127:
            at, n = 10, int.from_bytes(self.raw[2:10], "big")
        if len(self.raw) < at + n:
            return None
        payload, self.raw = self.raw[at:at + n], self.raw[at + n:]
        return first & 0xf, payload

    def fill(self, deadline, waiting_for):
        opcode, payload = self.next_frame(deadline, waiting_for)
        if opcode == BINARY:
            self.in_buffer += payload
        else:
            self.controls.append((opcode, payload))

    def close_code(self):
        """Of the server's close frame, behind which it closes."""
        while True:
            opcode, payload = self.next_frame(waiting_for="a close frame")
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")
