# SPDX-License-Identifier: Apache-2.0
"""Clients that do not read, floods, garbage: memory is bounded."""

import random
import resource
import select
import signal
import socket

import pytest

from conversation.deadline import until
from conversation.mqtt import PUBACK, connect_packet, publish_packet
from conversation.server import sanitized

MEGA = 1 << 20
LIMITS = {"server": {"workers": 2, "drain_timeout": "1s"},
          "limits": {"max_packet_size": "64k", "max_output_bytes": "1m",
                     "max_queued_bytes": "1m"}}


def may_grow(megabytes):
    """In bytes. Sanitizers keep freed memory: their figures mean little."""
    return megabytes * MEGA + (400 * MEGA if sanitized() else 0)


def lazy_client(b, client_id, qos):
    client = b.socket(rcvbuf=4096)
    client.connect(client_id)
    client.subscribe("flood/#", qos=qos)
    return client


def flood(client, total, size=20000):
    """Publish at QoS 0; the daemon may stop reading, but not for ever."""
    data = publish_packet("flood/a", b"x" * size)
    for _ in range(total // size):
        client.send(data)
    client.ping()


@pytest.mark.parametrize("qos", [0, 1])
def test_a_client_that_never_reads(start, qos):
    b = start.bridge(LIMITS)
    lazy = [lazy_client(b, f"lazy{i}", qos) for i in range(3)]
    bystander, publisher = b.mqtt(), b.mqtt()
    bystander.subscribe("mine")
    flood(publisher, 10 * MEGA)
    before = b.daemon.rss()
    for _ in range(6):
        flood(publisher, 10 * MEGA)
        bystander.publish("mine", b"here")
        assert bystander.message().payload == b"here"
    assert b.daemon.rss() - before < may_grow(20)
    for c in lazy:
        c.close()


def test_a_client_that_never_reads_at_qos_1(start):
    """What it has not taken is bounded by the window and the queue."""
    b = start.bridge({"qos": {"max_inflight": 10},
                      "limits": {"max_queued_messages": 100}})
    lazy, publisher, other = (lazy_client(b, "lazy", 1), b.mqtt(), b.mqtt())
    other.subscribe("flood/#", qos=1)
    for i in range(1000):
        publisher.send_publish("flood/a", b"x" * 1000, qos=1)
        other.message()
    publisher.ping()
    assert len([p for p in publisher.pending if p.type == PUBACK]) <= 1000
    lazy.close()


def test_a_slow_reader_gets_what_fits_and_then_goes_on(start):
    b = start.bridge(LIMITS)
    slow, publisher = lazy_client(b, "slow", 0), b.mqtt()
    flood(publisher, 10 * MEGA)
    publisher.publish("flood/end", qos=1)
    # Something was dropped, the connection was not; the end may be.
    slow.ping()
    slow.subscribe("flood/after")
    publisher.publish("flood/after", b"x")
    while slow.message().topic != "flood/after":
        pass


def test_a_flood_from_nats(start):
    b = start.bridge(LIMITS)
    lazy, bystander = lazy_client(b, "lazy", 0), b.mqtt()
    bystander.subscribe("mine")
    n = b.nats()
    before = None
    for turn in range(8):
        for _ in range(400):
            n.publish("flood.a", b"x" * 20000)
        n.publish("mine", b"here")
        assert bystander.message().payload == b"here"
        before = before or b.daemon.rss()
    assert b.daemon.rss() - before < may_grow(20)
    lazy.close()


def test_a_flood_to_nats_that_hangs(start):
    """QoS 0 is dropped, or the publisher waits; local clients go on."""
    b = start.bridge({"nats": {"pending_bytes": "1m", "liveness": "30s"},
                      "server": {"drain_timeout": "1s"}})
    publisher, bystander = b.mqtt(), b.mqtt()
    bystander.subscribe("mine")
    publisher.publish("flood/a", b"x")
    before = b.daemon.rss()
    b.nats_server.signal(signal.SIGSTOP)
    try:
        publisher.sock.setblocking(False)
        data = publish_packet("flood/a", b"x" * 20000)
        sent = 0
        while sent < 60 * MEGA:
            if not select.select([], [publisher.sock], [], 0.3)[1]:
                break
            try:
                sent += publisher.sock.send(data[sent % len(data):])
            except BlockingIOError:
                continue
        assert b.daemon.rss() - before < may_grow(40)
    finally:
        b.nats_server.signal(signal.SIGCONT)
    bystander.publish("mine", b"here")
    assert bystander.message().payload == b"here"


def test_a_publisher_with_many_unacknowledged_messages(start):
    """More than receive_maximum are not read, and not lost."""
    b = start.bridge({"qos": {"receive_maximum": 10}})
    n, publisher = b.nats(), b.mqtt()
    service = n.subscribe("t.>")
    sent = [publisher.send_publish("t/a", str(i), qos=1) for i in range(100)]
    replies = []
    for _ in range(10):
        replies.append(service.next())
    assert service.take() == []
    for i in range(90):
        n.publish(replies[i].reply)
        replies.append(service.next())
    for m in replies[90:]:
        n.publish(m.reply)
    assert [m.payload for m in replies] == [b"%d" % i for i in range(100)]
    for packet_id in sent:
        publisher.wait(PUBACK, packet_id)


# Connections

def test_no_more_connections_than_allowed(start):
    b = start.bridge({"limits": {"max_connections": 20}})
    clients = [b.mqtt() for _ in range(20)]
    extra = b.socket()
    extra.send(connect_packet("extra"))
    assert all(p.code for p in extra.expect_close())
    for c in clients:
        c.ping()
    clients.pop().disconnect()

    def admitted():
        client = b.socket()
        client.send(connect_packet("next"))
        try:
            return client.next().code == 0
        except (AssertionError, ConnectionError):
            return False

    until(admitted, "room for another one")


def garbage(choose):
    kind = choose.randrange(5)
    if kind == 0:
        return choose.randbytes(choose.randrange(1, 400))
    if kind == 1:
        return connect_packet("g")[:choose.randrange(1, 14)]
    if kind == 2:
        return connect_packet("g") + choose.randbytes(60)
    if kind == 3:
        return b"\x10\xff\xff\xff\x7f" + choose.randbytes(300)
    data = bytearray(connect_packet("g" * 20) + publish_packet("a", b"x" * 9))
    data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
    return bytes(data)


def attack(port, choose, count):
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port)) as s:
            try:
                s.sendall(garbage(choose))
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass


def test_garbage_leaves_memory_where_it_was(start):
    b = start.bridge()
    bystander = b.mqtt()
    bystander.subscribe("mine")
    choose = random.Random(1883)
    attack(b.daemon.port, choose, 300)
    before = b.daemon.rss()
    attack(b.daemon.port, choose, 1000)
    assert b.daemon.rss() - before < may_grow(3)
    bystander.publish("mine", b"here")
    assert bystander.message().payload == b"here"
    assert bystander.pending == []


def test_a_thousand_idle_connections(start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4000, hard), hard))
    b = start.bridge()
    clients = [b.mqtt() for _ in range(1000)]
    for c in clients[::100]:
        c.ping()
    clients[0].subscribe("a")
    clients[-1].publish("a", b"x")
    assert clients[0].message().payload == b"x"
