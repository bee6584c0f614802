# SPDX-License-Identifier: Apache-2.0
"""The servers under test, each started fresh for one run and stopped after.

A system is what a user would install for the work: one process, or the
daemon together with nats-server. All listen on free ports of 127.0.0.1 and
keep their files in a temporary directory.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

START_SECONDS = 15
STOP_SECONDS = 15
STREAM = "BENCH"


class ServerError(Exception):
    """A server that does not start, or does not stop cleanly."""


def find_program(name):
    """Debian keeps servers in sbin, which is not in every PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    return shutil.which(name, path=path)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class System:
    """One system under test; a context manager that starts and stops it."""

    name = ""  # the column's name
    label = ""  # how the chart and the text call it

    def __init__(self, needs):
        self.needs = needs  # of the row: "stream", "ack"
        self.children = []  # (name, Popen), in the order of their start
        self.endpoints = {}  # "mqtt", "nats" -> URL
        self.directory = None

    def start(self):
        raise NotImplementedError

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="bench-")
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        faults = [self.stop(*c) for c in reversed(self.children)]
        shutil.rmtree(self.directory, ignore_errors=True)
        for fault in faults:
            if fault:
                raise ServerError(fault)

    def stop(self, name, child):
        """Returns what was wrong, if anything was."""
        if child.poll() is not None:
            return (f"{name} ended by itself with {child.returncode}\n"
                    + self.log_tail(name))
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return f"{name} did not stop"
        return None

    def pids(self):
        return [(name, child.pid) for name, child in self.children]

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def log_tail(self, name):
        path = os.path.join(self.directory, name + ".log")
        with open(path, encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-20:])

    def launch(self, name, command, port):
        """Start a process and wait until it listens."""
        log = os.path.join(self.directory, name + ".log")
        with open(log, "wb") as f:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                     stdout=f, stderr=f)
        self.children.append((name, child))
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit and child.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return child
            except OSError:
                time.sleep(0.02)
        raise ServerError(f"{name} does not listen\n{self.log_tail(name)}")

    def launch_nats(self, mqtt_port=None):
        port = free_port()
        lines = [f"listen: 127.0.0.1:{port}", "server_name: bench"]
        if mqtt_port is not None or self.needs.get("stream"):
            lines.append(f'jetstream {{ store_dir: "{self.directory}/js" }}')
        if mqtt_port is not None:
            lines.append(f"mqtt {{ listen: 127.0.0.1:{mqtt_port} }}")
        conf = self.write("nats.conf", "\n".join(lines) + "\n")
        child = self.launch("nats-server",
                            [find_program("nats-server"), "-c", conf], port)
        wait_listening(child, mqtt_port)
        self.endpoints["nats"] = f"nats://127.0.0.1:{port}"
        if self.needs.get("stream"):
            nats_create_stream(port)
        return port


def wait_listening(child, port):
    limit = time.monotonic() + START_SECONDS
    while port is not None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > limit or child.poll() is not None:
                raise
            time.sleep(0.02)


class NatsWire:
    """A NATS client of a few lines, for what is not measured."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.file = self.socket.makefile("rb")
        self.send('CONNECT {"verbose":false,"headers":true}\r\n')

    def send(self, text):
        self.socket.sendall(text.encode())

    def next_message(self):
        """The next message's body; other lines are skipped."""
        while True:
            words = self.file.readline().split()
            if not words:
                raise ServerError("nats-server closed the connection")
            if words[0] in (b"MSG", b"HMSG"):
                return self.file.read(int(words[-1]) + 2)[:-2]

    def close(self):
        self.file.close()
        self.socket.close()


def nats_create_stream(port):
    config = json.dumps({
        "name": STREAM, "subjects": ["bench.>"], "storage": "file",
        "retention": "limits", "discard": "old", "max_bytes": 256 << 20})
    wire = NatsWire(port)
    wire.send("SUB _INBOX.bench 1\r\n"
              f"PUB $JS.API.STREAM.CREATE.{STREAM} _INBOX.bench {len(config)}"
              f"\r\n{config}\r\n")
    reply = json.loads(wire.next_message())
    wire.close()
    if "error" in reply:
        raise ServerError(f"stream: {reply['error']}")


def mqtt_packet(first, body):
    assert len(body) < 128
    return bytes([first, len(body)]) + body


def mqtt_string(text):
    return len(text).to_bytes(2, "big") + text.encode()


def wait_bridged(mqtt_port, nats_port):
    """Until what an MQTT client publishes arrives at a NATS client."""
    wire = NatsWire(nats_port)
    wire.send("SUB probe.bench 1\r\n")
    wire.socket.settimeout(START_SECONDS)
    with socket.create_connection(("127.0.0.1", mqtt_port), 5) as s:
        s.sendall(mqtt_packet(0x10, mqtt_string("MQTT") + b"\x04\x02\0\x3c"
                              + mqtt_string("probe")))
        s.recv(4)
        publish = mqtt_packet(0x30, mqtt_string("probe/bench") + b"x")
        wire.socket.settimeout(0.2)
        for _ in range(5 * START_SECONDS):
            s.sendall(publish)
            try:
                wire.socket.recv(4096).index(b"probe.bench")
                return wire.close()
            except (TimeoutError, ValueError):
                pass
    raise ServerError("nothing arrives at NATS")


class Ours(System):
    name = "ours"
    label = "mqtt-natsd"
    program = "./mqtt-natsd"
    extra = ""  # lines of ini, from the command line

    def url(self):
        self.nats_port = self.launch_nats()
        return f"nats://127.0.0.1:{self.nats_port}"

    def start(self):
        self.nats_port = None
        url, port = self.url(), free_port()
        ini = self.write("mqtt-nats.ini", "\n".join([
            "[server]", "core_dumps=yes",  # its memory is to be looked at
            "[listener bench]", "address=127.0.0.1", f"port={port}",
            "[nats]", f"url={url}",
            "[qos]", f"ack={self.needs.get('ack', 'local')}",
            "max_inflight=1000",
            "[limits]", "max_queued_messages=1000000",
            "max_queued_bytes=1g", "max_output_bytes=256m",
            "[log]", "level=warning", self.extra, ""]))
        self.launch("mqtt-natsd", [self.program, "-c", ini], port)
        self.endpoints["mqtt"] = f"mqtt://127.0.0.1:{port}"
        if self.nats_port is not None:
            wait_bridged(port, self.nats_port)

    def pids(self):
        """The daemon first: its share is the one that the chart is about."""
        return list(reversed(super().pids()))


class OursAlone(Ours):
    name = "ours-alone"
    label = "mqtt-natsd, NATS off"

    def url(self):
        return ""


class Mosquitto(System):
    name = "mosquitto"
    label = "mosquitto"

    def start(self):
        port = free_port()
        conf = self.write("mosquitto.conf", "\n".join([
            f"listener {port} 127.0.0.1", "allow_anonymous true",
            "persistence false", "max_inflight_messages 0",
            "max_queued_messages 0", "set_tcp_nodelay true",
            "log_type error", ""]))
        self.launch("mosquitto", [find_program("mosquitto"), "-c", conf], port)
        self.endpoints["mqtt"] = f"mqtt://127.0.0.1:{port}"


class Nats(System):
    name = "nats"
    label = "nats-server's MQTT"

    def start(self):
        port = free_port()
        self.launch_nats(port)
        self.endpoints["mqtt"] = f"mqtt://127.0.0.1:{port}"


class Relay(System):
    """The load generator's own forwarder: what no broker can be below."""

    name = "floor"
    label = "floor"
    program = "bench/load"

    def start(self):
        port = free_port()
        self.endpoints["mqtt"] = f"mqtt://127.0.0.1:{port}"
        self.launch("floor", [self.program, "relay",
                              f"from={self.endpoints['mqtt']}"], port)

    def stop(self, name, child):
        child.kill()
        child.wait()


def peer_system(spec):
    """A broker that somebody else has started: NAME=IP:PORT:PID."""
    label, _, where = spec.partition("=")
    host, port, pid = where.split(":")

    class Peer(System):
        def start(self):
            self.endpoints["mqtt"] = f"mqtt://{host}:{port}"

        def pids(self):
            return [(label, int(pid))]

    Peer.name = Peer.label = label
    return Peer
