# SPDX-License-Identifier: Apache-2.0
"""What attackers try, and what a well-behaved pair of clients beside them
sees: it loses nothing, whatever happens. How long its messages take and what
the daemon's memory does is written down where ABUSE_TABLE names a file, which
`make abuse` shows; no time is asserted."""

import contextlib
import os
import socket
import ssl
import threading
import time

import pytest

from conversation import mqtt
from conversation.deadline import Deadline, until
from conversation.mqtt import V5
from conversation.pki import Authority
from conversation.port import free_port

PAUSE_S = 0.005
LIMITS = {"connect_timeout": "1s", "max_packet_size": "64k",
          "max_connect_size": "8k", "max_retained": 2000,
          "max_subscriptions": 5000, "max_output_bytes": "256k"}


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


class Bystanders:
    """One publishes at QoS 1 all the time, the other one gets it."""

    def __init__(self, bridge):
        self.publisher = bridge.mqtt("well-behaved-publisher")
        self.subscriber = bridge.mqtt("well-behaved-subscriber")
        self.subscriber.subscribe("bystander/#", qos=1)
        self.sent = []
        self.took_ms = []
        self.got = []
        self.ending = threading.Event()
        self.failure = None
        self.threads = [threading.Thread(target=self.guard, args=(f,))
                        for f in (self.publish, self.receive)]
        for t in self.threads:
            t.start()

    def guard(self, run):
        try:
            run()
        except BaseException as error:
            self.failure = self.failure or error

    def publish(self):
        n = 0
        while not self.ending.is_set():
            self.sent.append(n)
            self.publisher.publish("bystander/x",
                                   f"{n} {time.monotonic()}", qos=1)
            n += 1
            self.ending.wait(PAUSE_S)
        self.publisher.publish("bystander/end", "", qos=1)

    def receive(self):
        while True:
            m = self.subscriber.message()
            if m.topic == "bystander/end":
                return
            number, at = m.payload.split()
            self.got.append(int(number))
            self.took_ms.append(1000 * (time.monotonic() - float(at)))

    def end(self):
        self.ending.set()
        for t in self.threads:
            t.join()
        if self.failure:
            raise self.failure
        assert self.got == self.sent

    def percentile(self, part):
        took = sorted(self.took_ms)
        return took[min(len(took) - 1, int(part * len(took)))]


@pytest.fixture
def abuse(start, request):
    """A bridge with tight limits, watched by two who do nothing wrong."""
    yield from watch(start.bridge(ini={"limits": LIMITS}), request.node)


@pytest.fixture
def tls_abuse(start, request, tmp_path):
    """The same, with a listener for TLS that the abuse is for."""
    authority = Authority(tmp_path)
    cert, key = authority.server()
    port = free_port()
    bridge = start.bridge(ini={
        "limits": LIMITS, "listener main": {},
        "listener tls": {"port": port, "tls": "yes", "cert_file": cert,
                         "key_file": key}})
    bridge.authority, bridge.tls_port = authority, port
    yield from watch(bridge, request.node)


def watch(bridge, test):
    pid = bridge.daemon.pid()
    with contextlib.ExitStack() as stack:
        bridge.stack = stack
        quiet = Bystanders(bridge)
        until(lambda: len(quiet.got) > 50, "a quiet while")
        quiet.end()
        before = rss_kib(pid)
        watched = Bystanders(bridge)
        try:
            yield bridge
        finally:
            peak = rss_kib(pid)
            watched.end()
    bridge.daemon.check()
    until(lambda: bridge.mqtt("afterwards").connack.code == 0, "service")
    tell(test, quiet, watched, (before, peak, rss_kib(pid)))


def tell(test, quiet, watched, memory):
    path = os.environ.get("ABUSE_TABLE")
    if path:
        row = (test.name.removeprefix("test_").replace("_", " "),
               " ".join(test.function.__doc__.split()),
               f"{len(watched.got)} of {len(watched.sent)}",
               f"{quiet.percentile(.99):.1f}",
               f"{watched.percentile(.99):.1f}",
               *(str(kib) for kib in memory))
        with open(path, "a", encoding="ascii") as table:
            table.write("| " + " | ".join(row) + " |\n")


def dial(bridge, port=None):
    s = socket.create_connection(("127.0.0.1", port or bridge.daemon.port), 15)
    return bridge.stack.enter_context(s)


def is_closed(s, seconds=15):
    """Reads until the server closes; what it said."""
    s.settimeout(seconds)
    said = b""
    with contextlib.suppress(ConnectionError):
        while True:
            more = s.recv(65536)
            if not more:
                break
            said += more
    return said


def attacker(bridge, client_id, version=mqtt.V311, **options):
    c = bridge.stack.enter_context(mqtt.Client(bridge.daemon.port, version))
    c.connect(client_id, **options)
    return c


# --- slow ones ---------------------------------------------------------------

STAGES = {
    "silent": b"",
    "first_byte": b"\x10",
    "half_a_length": b"\x10\xff",
    "half_a_connect": mqtt.connect_packet("slow")[:-3],
}


@pytest.mark.parametrize("stage", STAGES)
def test_slow_loris(abuse, stage):
    """300 connections that stop there: closed when their second is over."""
    conns = [dial(abuse) for _ in range(300)]
    for s in conns:
        s.sendall(STAGES[stage])
    for s in conns:
        assert is_closed(s) == b""


def first_flight(bridge):
    """What a client of TLS says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = bridge.authority.context().wrap_bio(incoming, outgoing,
                                              server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("part", ["nothing", "half", "all"])
def test_half_open_tls(tls_abuse, part):
    """300 handshakes that stop after so much of the first flight: closed when
    their second is over."""
    flight = first_flight(tls_abuse)
    said = {"nothing": b"", "half": flight[:len(flight) // 2], "all": flight}
    conns = [dial(tls_abuse, tls_abuse.tls_port) for _ in range(300)]
    for s in conns:
        s.sendall(said[part])
    for s in conns:
        is_closed(s)


def test_tls_and_not_a_word(tls_abuse):
    """100 with a handshake that is done and nothing behind it: closed when
    their second is over."""
    context = tls_abuse.authority.context()
    conns = [tls_abuse.stack.enter_context(context.wrap_socket(
        dial(tls_abuse, tls_abuse.tls_port), server_hostname="localhost"))
        for _ in range(100)]
    for s in conns:
        is_closed(s)


def test_a_byte_now_and_then(abuse):
    """100 at once; CONNECT must be whole in time all the same: closed."""
    conns = [dial(abuse) for _ in range(100)]
    packet = mqtt.connect_packet("x" * 200)
    deadline, pace = Deadline(), threading.Event()
    with contextlib.suppress(ConnectionError):
        for i in range(len(packet)):
            deadline.left("the end")
            for s in conns:
                s.send(packet[i:i + 1])
            pace.wait(0.02)
        pytest.fail("nobody minded")


def test_half_a_packet_after_connect(abuse):
    """50 at once: closed when their Keep Alive is over."""
    slow = [attacker(abuse, f"slow-{i}", keep_alive=1) for i in range(50)]
    for c in slow:
        c.send(b"\x30\xff\x7f\x00\x03a/b")
    for c in slow:
        c.expect_close()


def test_one_that_never_reads(abuse):
    """It floods itself: what waits for its socket is bounded."""
    c = attacker(abuse, "never-reads")
    c.send_subscribe("flood/#")
    packet = mqtt.packet(mqtt.PUBLISH, 0, mqtt.binary("flood/x"),
                         32000 * b"x")
    c.sock.settimeout(0.5)
    with contextlib.suppress(TimeoutError, ConnectionError):
        for _ in range(1000):
            c.sock.sendall(packet)


# --- many --------------------------------------------------------------------

def test_connects_from_one_address(abuse):
    """5,000, one after the other: they are accepted and forgotten."""
    for _ in range(5000):
        s = socket.socket()
        with contextlib.suppress(OSError):
            s.connect(("127.0.0.1", abuse.daemon.port))
        s.close()


def test_connects_that_say_connect(abuse):
    """3,000: each a client for a moment."""
    packet = mqtt.connect_packet("")
    for _ in range(3000):
        with socket.create_connection(
                ("127.0.0.1", abuse.daemon.port)) as s:
            s.sendall(packet)


def test_takeover_storm(abuse):
    """1,000 with one Client Identifier: the last one has the session."""
    packet = mqtt.connect_packet("me", clean=False)
    for _ in range(1000):
        dial(abuse).sendall(packet)

    def has_it():
        """Some of those may still be on their way."""
        try:
            attacker(abuse, "me", clean=False).ping()
        except mqtt.Closed:
            return False
        return True

    until(has_it, "a session of one's own")


def test_sessions_of_nobody(abuse):
    """2,000 sessions, left behind: kept, as many as max_sessions allows."""
    for i in range(2000):
        with socket.create_connection(
                ("127.0.0.1", abuse.daemon.port)) as s:
            s.sendall(mqtt.connect_packet(f"left-{i}", clean=False)
                      + b"\x82\x09\x00\x01\x00\x04a/+c\x01")


# --- large -------------------------------------------------------------------

def test_oversized_everything(abuse):
    """Packets of 256 MB and more announced: closed at the fixed header."""
    for first in range(1, 16):
        s = dial(abuse)
        s.sendall(bytes([first << 4]) + b"\xff\xff\xff\x7f")
        is_closed(s)
        s = dial(abuse)
        s.sendall(bytes([first << 4]) + b"\xff\xff\xff\xff\x7f")
        is_closed(s)
    for _ in range(50):
        s = dial(abuse)
        s.sendall(b"\x10\x80\x80\x04" + 16384 * b"x")
        is_closed(s)


def test_oversized_publish(abuse):
    """100 that announce 256 MB: closed, nothing of it is kept."""
    for version in (mqtt.V311, V5):
        for _ in range(50):
            c = attacker(abuse, "large", version)
            c.send(b"\x30\xff\xff\xff\x7f\x00\x01a" + 10000 * b"x")
            c.expect_close()


def test_subscription_bomb(abuse):
    """100,000 filters: max_subscriptions of them, the others refused."""
    c = attacker(abuse, "bomb")
    codes = []
    for i in range(100):
        filters = [f"bomb/{i}/{k}/+/x" for k in range(1000)]
        codes += c.subscribe(*filters)
    assert codes.count(0) == 5000
    assert codes.count(0x80) == 95000


def test_deep_filters(abuse):
    """`+/+/+/...` against topics with as many levels as they may have."""
    c = attacker(abuse, "deep")
    for n in range(1, 128):
        c.send_subscribe("/".join(n * "+"))
        c.send_subscribe("/".join([*(n * "+"), "#"]))
        c.send_subscribe("/".join((n + 1) // 2 * ["+", "a"]))
    topic = "/".join(128 * "a")
    for _ in range(200):
        c.send_publish(topic, "x")
    c.send_subscribe("/".join(20000 * "+"))
    with contextlib.suppress(mqtt.Closed):
        c.ping()


def test_retained_bomb(abuse):
    """20,000 retained messages: max_retained of them are kept."""
    c = attacker(abuse, "retains")
    for i in range(20000):
        c.send_publish(f"retained/{i}", 100 * "x", retain=True)
    c.ping()
    reader = attacker(abuse, "reads")
    reader.send_subscribe("retained/#")
    reader.ping()


def test_will_bomb(abuse):
    """200 Wills as large as they may be, and all of their clients die."""
    conns = []
    for i in range(200):
        s = dial(abuse)
        s.sendall(mqtt.connect_packet(
            f"will-{i}", will=mqtt.Will("wills/x", 7000 * "w", 1, True)))
        conns.append(s)
    for s in conns:
        s.close()


# --- odd ---------------------------------------------------------------------

ODD = ["+", "#", "a/#", "+/+", "$SYS", "a\x01b", "\x7f", "a\nb", "\u0085",
       "\ufeff", "\U0010ffff", "a b", "*", ">", "a.b", "..", " ", "%u", "%c"]


def test_odd_names_everywhere(abuse):
    """In identifiers, users, topics, filters: served or refused, no more."""
    for version in (mqtt.V311, V5):
        for odd in ODD:
            s = dial(abuse)
            none = b"\x00" if version == V5 else b""
            with contextlib.suppress(ConnectionError):
                s.sendall(mqtt.connect_packet(odd, version, user=odd,
                                              password=odd))
                s.sendall(mqtt.packet(mqtt.PUBLISH, 0, mqtt.binary(odd), none,
                                      mqtt.octets(odd)))
                s.sendall(mqtt.packet(mqtt.SUBSCRIBE, 2, b"\x00\x01", none,
                                      mqtt.binary(odd), b"\x00"))
                s.sendall(b"\xe0\x00")
            is_closed(s)


def test_no_utf8_at_all(abuse):
    """Closed, each of them."""
    for bad in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
                b"\x00", b"a\x00b"):
        s = dial(abuse)
        s.sendall(mqtt.packet(
            mqtt.CONNECT, 0, mqtt.binary("MQTT"), b"\x04\x02\x00\x00",
            mqtt.binary(bad)))
        is_closed(s)
        c = attacker(abuse, "good")
        c.send(mqtt.packet(mqtt.PUBLISH, 0, mqtt.binary(bad), b"x"))
        c.expect_close()


def test_rubbish(abuse):
    """300 times 200 bytes that nobody has thought of: closed."""
    state = 1
    for _ in range(300):
        out = bytearray()
        for _ in range(200):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            out.append(state >> 56)
        s = dial(abuse)
        with contextlib.suppress(ConnectionError):
            s.sendall(out)
            s.shutdown(socket.SHUT_WR)
        is_closed(s)
