# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: drain, then exit with status 0. SIGINT is the same."""

import os
import signal

import pytest

from conversation.mqtt import Will


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_clients_do_not_hold_it_up(start, number):
    b = start.bridge()
    clients = [b.mqtt() for _ in range(30)]
    clients.append(b.socket())
    b.daemon.signal(number)
    assert b.daemon.wait() == 0
    for c in clients:
        assert c.expect_close() == []


def test_what_was_taken_reaches_nats(start):
    b = start.bridge()
    n, client = b.nats(), b.mqtt()
    service = n.subscribe("t.>")
    for i in range(3000):
        client.send_publish("t/a", str(i))
    client.ping()
    b.daemon.stop()
    for i in range(3000):
        assert service.next().payload == str(i).encode()


def test_what_was_taken_reaches_devices(start):
    b = start.bridge()
    subscriber, client = b.mqtt(), b.mqtt()
    subscriber.subscribe("t/#")
    for i in range(1000):
        client.send_publish("t/a", b"%d " % i + b"x" * 500)
    client.ping()
    b.daemon.signal(signal.SIGTERM)
    got = [p.payload for p in subscriber.expect_close()]
    assert [int(p.split()[0]) for p in got] == list(range(1000))
    assert b.daemon.wait() == 0


def test_nobody_new_is_admitted(start):
    b = start.bridge()
    b.daemon.stop()
    with pytest.raises(ConnectionError):
        b.mqtt()


def test_without_nats(start):
    daemon = start.daemon("")
    start.join(daemon, None).mqtt().publish("a", qos=1)
    daemon.stop()


def test_with_nats_away(start):
    b = start.bridge()
    client = b.mqtt()
    b.nats_server.kill()
    client.publish("a", b"x")
    client.send_publish("a", b"x", qos=1)
    client.ping()
    b.daemon.stop()


def test_with_nats_hanging(start):
    b = start.bridge({"server": {"drain_timeout": "1s"}})
    client = b.mqtt()
    b.nats_server.signal(signal.SIGSTOP)
    try:
        for _ in range(100):
            client.publish("a", b"x" * 1000)
        client.ping()
        b.daemon.stop()
    finally:
        b.nats_server.signal(signal.SIGCONT)


def test_with_a_client_that_does_not_read(start):
    b = start.bridge({"server": {"drain_timeout": "1s"}})
    lazy, client = b.socket(rcvbuf=4096), b.mqtt()
    lazy.connect("lazy")
    lazy.subscribe("#")
    for _ in range(300):
        client.publish("a", b"x" * 10000)
    client.ping()
    b.daemon.stop()


def test_with_unacknowledged_messages_in_both_directions(start):
    b = start.bridge({"server": {"drain_timeout": "1s"}})
    n, client = b.nats(), b.mqtt("c", clean=False)
    n.subscribe("t.>")
    client.acks = False
    client.subscribe("in", qos=1)
    for i in range(20):
        client.send_publish("t/a", str(i), qos=1)
        n.publish("in", str(i), reply="_INBOX.x")
    client.messages(20)
    b.daemon.stop()


def test_twice(start):
    b = start.bridge()
    b.mqtt()
    for _ in range(2):
        b.daemon.signal(signal.SIGTERM)
    assert b.daemon.wait() == 0


def test_at_once(start):
    """While it still starts."""
    nats_server = start.nats_server()
    for _ in range(5):
        daemon = start.daemon(nats_server)
        daemon.stop()


def test_it_comes_back_on_the_same_port(start):
    b = start.bridge()
    for _ in range(3):
        client = b.mqtt()
        client.ping()
        b.daemon.stop()
        b.daemon.restart()
        client.close()
    b.mqtt().ping()


def test_wills_of_connected_clients(start):
    """The server leaves, not the client: 3.1.1 does not ask for wills."""
    b = start.bridge()
    n = b.nats()
    service = n.subscribe("will.>")
    b.mqtt(will=Will("will/a", b"x"))
    b.daemon.stop()
    n.publish("will.end")
    assert len(service.until("will.end")) <= 1


def test_the_pid_file_goes(start):
    daemon = start.daemon("", {"server": {"pid_file": "daemon.pid"}})
    with open(daemon.path("daemon.pid"), encoding="ascii") as f:
        assert int(f.read()) == daemon.pid()
    daemon.stop()
    assert not os.path.exists(daemon.path("daemon.pid"))


def test_sighup_and_sigusr1_do_not_end_it(start):
    b = start.bridge()
    client = b.mqtt()
    for number in (signal.SIGHUP, signal.SIGUSR1):
        b.daemon.signal(number)
        client.ping()
    b.mqtt().ping()
