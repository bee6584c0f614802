# SPDX-License-Identifier: Apache-2.0
"""mqtt - a client of MQTT 3.1, 3.1.1 and 5.0 that can misbehave.

It does nothing by itself: no thread, no keep alive, no reconnect. A packet is
read when somebody waits for one; acknowledgements go out when a message is
taken, unless `acks` is false. `send` takes any bytes.

Packets that arrive while another one is waited for stay in `pending`, in
their order, until they are taken.
"""

import socket
import struct

from .deadline import Deadline

(CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE,
 SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT,
 AUTH) = range(1, 16)

NAMES = ("reserved CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP "
         "SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT "
         "AUTH").split()

V31, V311, V5 = 3, 4, 5

# v5 table 2-4: identifier, name, type
PROPERTIES = (
    (0x01, "payload_format", "byte"),
    (0x02, "message_expiry", "u32"),
    (0x03, "content_type", "string"),
    (0x08, "response_topic", "string"),
    (0x09, "correlation_data", "binary"),
    (0x0B, "subscription_id", "varint"),
    (0x11, "session_expiry", "u32"),
    (0x12, "assigned_client_id", "string"),
    (0x13, "server_keep_alive", "u16"),
    (0x15, "authentication_method", "string"),
    (0x16, "authentication_data", "binary"),
    (0x17, "request_problem_information", "byte"),
    (0x18, "will_delay", "u32"),
    (0x19, "request_response_information", "byte"),
    (0x1A, "response_information", "string"),
    (0x1C, "server_reference", "string"),
    (0x1F, "reason_string", "string"),
    (0x21, "receive_maximum", "u16"),
    (0x22, "topic_alias_maximum", "u16"),
    (0x23, "topic_alias", "u16"),
    (0x24, "maximum_qos", "byte"),
    (0x25, "retain_available", "byte"),
    (0x26, "user_property", "pair"),
    (0x27, "maximum_packet_size", "u32"),
    (0x28, "wildcard_available", "byte"),
    (0x29, "subscription_ids_available", "byte"),
    (0x2A, "shared_available", "byte"),
)
PROPERTY_BY_NAME = {name: (code, kind) for code, name, kind in PROPERTIES}
PROPERTY_BY_CODE = {code: (name, kind) for code, name, kind in PROPERTIES}

RETAIN, DUP = 0x01, 0x08
# v5 Subscription Options beside the QoS
NO_LOCAL, RETAIN_AS_PUBLISHED = 0x04, 0x08
RETAIN_IF_NEW, RETAIN_NEVER = 0x10, 0x20


class Closed(AssertionError):
    """The server has closed the connection; nothing more comes."""


def octets(text):
    return text.encode() if isinstance(text, str) else bytes(text)


# Writing.

def u16(number):
    return struct.pack(">H", number)


def u32(number):
    return struct.pack(">I", number)


def binary(value):
    value = octets(value)
    return u16(len(value)) + value


def varint(number):
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


WRITE = {
    "byte": lambda v: bytes([v]),
    "u16": u16,
    "u32": u32,
    "varint": varint,
    "string": binary,
    "binary": binary,
    "pair": lambda v: binary(v[0]) + binary(v[1]),
}


def properties(given):
    """Encode a dict or a list of pairs: {"user_property": ("a", "b")}."""
    out = b""
    for name, value in (given.items() if isinstance(given, dict)
                        else given or ()):
        code, kind = PROPERTY_BY_NAME[name]
        out += bytes([code]) + WRITE[kind](value)
    return varint(len(out)) + out


def packet(kind, flags, *parts):
    """Any Control Packet: fixed header, then the parts."""
    body = b"".join(parts)
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


class Will:
    def __init__(self, topic, payload=b"", qos=0, retain=False, **props):
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = props


def connect_packet(client_id="", version=V311, clean=True, keep_alive=300,
                   will=None, user=None, password=None, flags=None,
                   name=None, level=None, **props):
    """A CONNECT; `flags`, `name` and `level` override what is right."""
    if name is None:
        name = "MQIsdp" if version == V31 else "MQTT"
    bits = 0x02 if clean else 0
    payload = binary(client_id)
    if will is not None:
        bits |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        if version == V5:
            payload += properties(will.properties)
        payload += binary(will.topic) + binary(will.payload)
    if user is not None:
        bits |= 0x80
        payload += binary(user)
    if password is not None:
        bits |= 0x40
        payload += binary(password)
    return packet(
        CONNECT, 0, binary(name),
        bytes([version if level is None else level]),
        bytes([bits if flags is None else flags]), u16(keep_alive),
        properties(props) if version == V5 else b"", payload)


def publish_packet(topic, payload=b"", qos=0, retain=False, dup=False,
                   packet_id=None, version=V311, **props):
    flags = (DUP if dup else 0) | qos << 1 | (RETAIN if retain else 0)
    return packet(
        PUBLISH, flags, binary(topic),
        u16(packet_id) if packet_id is not None else b"",
        properties(props) if version == V5 else b"", octets(payload))


def subscribe_packet(packet_id, filters, version=V311, **props):
    """`filters` are pairs of filter and options (the QoS in 3.x)."""
    return packet(
        SUBSCRIBE, 2, u16(packet_id),
        properties(props) if version == V5 else b"",
        *(binary(f) + bytes([options]) for f, options in filters))


def unsubscribe_packet(packet_id, filters, version=V311, **props):
    return packet(
        UNSUBSCRIBE, 2, u16(packet_id),
        properties(props) if version == V5 else b"",
        *(binary(f) for f in filters))


def ack_packet(kind, packet_id, code=0, version=V311, **props):
    tail = b""
    if version == V5 and (code or props):
        tail = bytes([code]) + (properties(props) if props else b"")
    return packet(kind, 2 if kind == PUBREL else 0, u16(packet_id), tail)


def disconnect_packet(version=V311, code=0, **props):
    tail = b""
    if version == V5 and (code or props):
        tail = bytes([code]) + (properties(props) if props else b"")
    return packet(DISCONNECT, 0, tail)


# Reading.

class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def bytes(self, n):
        assert self.at + n <= len(self.data), "packet too short"
        self.at += n
        return self.data[self.at - n:self.at]

    def rest(self):
        return self.bytes(len(self.data) - self.at)

    def more(self):
        return self.at < len(self.data)

    def byte(self):
        return self.bytes(1)[0]

    def u16(self):
        return struct.unpack(">H", self.bytes(2))[0]

    def u32(self):
        return struct.unpack(">I", self.bytes(4))[0]

    def varint(self):
        number = shift = 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
            assert shift < 28, "variable byte integer too long"

    def binary(self):
        return self.bytes(self.u16())

    def string(self):
        return self.binary().decode()

    def pair(self):
        return self.string(), self.string()

    def properties(self):
        inner = Reader(self.bytes(self.varint()))
        found = []
        while inner.more():
            name, kind = PROPERTY_BY_CODE[inner.varint()]
            found.append((name, getattr(inner, kind)()))
        return found


class Packet:
    """A Control Packet from the server, as attributes by its type."""

    def __init__(self, first, body, version):
        self.type = first >> 4
        self.flags = first & 0x0F
        self.body = body
        self.code = 0
        self.packet_id = None
        self.properties = []
        reader = Reader(body)
        decode = DECODE.get(self.type)
        assert decode, f"a server does not send {NAMES[self.type]}"
        decode(self, reader, version)
        assert not reader.more(), f"bytes left over in {self}"

    def prop(self, name):
        """The value of a property, None without it."""
        return next((v for n, v in self.properties if n == name), None)

    def props(self, name):
        return [v for n, v in self.properties if n == name]

    def __repr__(self):
        inner = " ".join(
            f"{k}={v!r}" for k, v in vars(self).items()
            if k not in ("type", "flags", "body") and v not in (None, []))
        return f"<{NAMES[self.type]} {inner}>"


def decode_connack(p, r, version):
    p.session_present = bool(r.byte() & 1)
    p.code = r.byte()
    # A server that does not know version 5 answers as 3.1.1 does.
    if version == V5 and r.more():
        p.properties = r.properties()


def decode_publish(p, r, version):
    p.qos = p.flags >> 1 & 3
    p.retain = bool(p.flags & RETAIN)
    p.dup = bool(p.flags & DUP)
    p.topic = r.string()
    if p.qos:
        p.packet_id = r.u16()
        assert p.packet_id, "packet identifier 0"
    if version == V5:
        p.properties = r.properties()
    p.payload = r.rest()


def decode_ack(p, r, version):
    p.packet_id = r.u16()
    if version == V5 and r.more():
        p.code = r.byte()
        if r.more():
            p.properties = r.properties()


def decode_suback(p, r, version):
    p.packet_id = r.u16()
    if version == V5:
        p.properties = r.properties()
    p.codes = list(r.rest())


def decode_disconnect(p, r, version):
    assert version == V5, "a server sends DISCONNECT in 5.0 only"
    if r.more():
        p.code = r.byte()
        if r.more():
            p.properties = r.properties()


DECODE = {
    CONNACK: decode_connack,
    PUBLISH: decode_publish,
    PUBACK: decode_ack,
    PUBREC: decode_ack,
    PUBREL: decode_ack,
    PUBCOMP: decode_ack,
    SUBACK: decode_suback,
    UNSUBACK: decode_suback,
    PINGRESP: lambda p, r, version: None,
    DISCONNECT: decode_disconnect,
    AUTH: decode_disconnect,
}


class Client:
    """One Network Connection."""

    def __init__(self, port, version=V311, host="127.0.0.1", rcvbuf=None):
        self.version = version
        self.acks = True
        self.pending = []
        self.packet_id = 0
        self.in_buffer = b""
        self.client_id = None
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(Deadline().left())
        self.sock.connect((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # Bytes.

    def send(self, data):
        self.sock.settimeout(Deadline().left())
        self.sock.sendall(data)

    def fill(self, deadline, waiting_for):
        self.sock.settimeout(deadline.left(waiting_for))
        try:
            more = self.sock.recv(65536)
        except socket.timeout:
            deadline.end = 0
            deadline.left(waiting_for)
        except ConnectionError as error:
            raise Closed(f"{error} instead of {waiting_for}") from error
        if not more:
            raise Closed(f"closed by the server instead of {waiting_for}")
        self.in_buffer += more

    def cut(self):
        """The first whole packet of in_buffer, None without one."""
        for n in range(2, min(len(self.in_buffer), 5) + 1):
            if self.in_buffer[n - 1] < 0x80:
                break
        else:
            return None
        end = n + Reader(self.in_buffer[1:n]).varint()
        if len(self.in_buffer) < end:
            return None
        first, body = self.in_buffer[0], self.in_buffer[n:end]
        self.in_buffer = self.in_buffer[end:]
        return Packet(first, body, self.version)

    # Packets.

    def read(self, deadline=None, waiting_for="a packet"):
        """The next packet from the wire, whatever is pending."""
        deadline = deadline or Deadline()
        while True:
            found = self.cut()
            if found:
                return found
            self.fill(deadline, waiting_for)

    def next(self, seconds=None):
        """The next packet in order."""
        if self.pending:
            return self.pending.pop(0)
        return self.read(Deadline(seconds))

    def wait(self, kind, packet_id=None, seconds=None):
        """The next packet of this type (and identifier); others stay."""
        def wanted(p):
            return p.type == kind and packet_id in (None, p.packet_id)

        for i, p in enumerate(self.pending):
            if wanted(p):
                return self.pending.pop(i)
        deadline = Deadline(seconds)
        name = NAMES[kind]
        if packet_id is not None:
            name += f" {packet_id}"
        while True:
            p = self.read(deadline, f"{name}, have {self.pending[-3:]}")
            if wanted(p):
                return p
            self.pending.append(p)

    def new_packet_id(self):
        self.packet_id = self.packet_id % 65535 + 1
        return self.packet_id

    # Conversations.

    def connect(self, client_id="", code=0, **options):
        """CONNECT, and a CONNACK with this code."""
        self.client_id = client_id
        self.send(connect_packet(client_id, self.version, **options))
        connack = self.next()
        assert connack.type == CONNACK, connack
        assert connack.code == code, connack
        return connack

    def ping(self):
        self.send(packet(PINGREQ, 0))
        self.wait(PINGRESP)

    def send_subscribe(self, *filters, qos=0, **props):
        packet_id = self.new_packet_id()
        pairs = [(f, qos) if isinstance(f, (str, bytes)) else f
                 for f in filters]
        self.send(subscribe_packet(packet_id, pairs, self.version, **props))
        return packet_id

    def subscribe(self, *filters, qos=0, **props):
        """SUBSCRIBE to filters or pairs of filter and options; the codes."""
        packet_id = self.send_subscribe(*filters, qos=qos, **props)
        codes = self.wait(SUBACK, packet_id).codes
        assert len(codes) == len(filters), codes
        return codes

    def unsubscribe(self, *filters, **props):
        packet_id = self.new_packet_id()
        self.send(unsubscribe_packet(packet_id, filters, self.version,
                                     **props))
        return self.wait(UNSUBACK, packet_id).codes

    def send_publish(self, topic, payload=b"", qos=0, packet_id=None,
                     **options):
        """PUBLISH and do not wait; the Packet Identifier."""
        if qos and packet_id is None:
            packet_id = self.new_packet_id()
        self.send(publish_packet(topic, payload, qos, packet_id=packet_id,
                                 version=self.version, **options))
        return packet_id

    def publish(self, topic, payload=b"", qos=0, **options):
        """PUBLISH with all that belongs to its QoS; the last ack."""
        packet_id = self.send_publish(topic, payload, qos, **options)
        if qos == 1:
            return self.wait(PUBACK, packet_id)
        if qos == 2:
            pubrec = self.wait(PUBREC, packet_id)
            if pubrec.code >= 0x80:
                return pubrec
            self.send_ack(PUBREL, packet_id)
            return self.wait(PUBCOMP, packet_id)
        return None

    def send_ack(self, kind, packet_id, code=0, **props):
        self.send(ack_packet(kind, packet_id, code, self.version, **props))

    def acknowledge(self, message):
        """What the QoS of a received message asks for."""
        if message.qos == 1:
            self.send_ack(PUBACK, message.packet_id)
        elif message.qos == 2:
            self.send_ack(PUBREC, message.packet_id)
            self.wait(PUBREL, message.packet_id)
            self.send_ack(PUBCOMP, message.packet_id)

    def message(self, seconds=None):
        """The next PUBLISH; acknowledged if `acks`."""
        found = self.wait(PUBLISH, seconds=seconds)
        if self.acks:
            self.acknowledge(found)
        return found

    def messages(self, n):
        return [self.message() for _ in range(n)]

    def messages_until(self, topic):
        """The messages before the one on `topic`: nothing else came."""
        found = []
        while True:
            m = self.message()
            if m.topic == topic:
                return found
            found.append(m)

    def disconnect(self, code=0, **props):
        """DISCONNECT, and the server closes."""
        self.send(disconnect_packet(self.version, code, **props))
        self.expect_close()

    def expect_close(self, seconds=None):
        """The server closes; returns the packets that came before."""
        deadline = Deadline(seconds)
        found, self.pending = self.pending, []
        try:
            while True:
                found.append(self.read(deadline, "the server to close"))
        except Closed:
            self.sock.close()
            return found

    def close(self):
        """The connection is gone, without DISCONNECT."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
