# SPDX-License-Identifier: Apache-2.0
"""A Client Identifier that connects while it is connected: v3.1.1 3.1.4-2."""

import threading

import pytest

from conversation.mqtt import CONNACK, Client, Closed, connect_packet


@pytest.mark.parametrize("old_clean", [True, False])
@pytest.mark.parametrize("new_clean", [True, False])
def test_the_old_connection_is_closed(bridge, old_clean, new_clean):
    client_id = f"{bridge.tag}-c"
    old = bridge.mqtt(client_id, clean=old_clean)
    new = bridge.mqtt(client_id, clean=new_clean)
    assert old.expect_close() == []
    assert new.connack.session_present == (not old_clean and not new_clean)
    new.ping()
    bridge.mqtt(client_id).disconnect()


def test_the_late_end_of_the_old_one_does_not_hurt(bridge):
    """It takes neither the session nor its subscriptions with it."""
    client_id = f"{bridge.tag}-c"
    publisher = bridge.mqtt()
    for i in range(30):
        client = bridge.mqtt(client_id, clean=i % 2)
        client.subscribe(bridge.topic("a"), qos=1)
        publisher.publish(bridge.topic("a"), str(i), qos=1)
        assert client.message().payload == str(i).encode()


def test_a_session_moves_with_all_it_has(bridge):
    client_id = f"{bridge.tag}-c"
    publisher = bridge.mqtt()
    old = bridge.mqtt(client_id, clean=False)
    old.acks = False
    old.subscribe(bridge.topic("#"), qos=1)
    for i in range(20):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
    first = old.messages(20)
    for n in range(4):
        new = bridge.mqtt(client_id, clean=False)
        new.acks = False
        assert new.connack.session_present
        again = new.messages(20)
        assert [(m.packet_id, m.payload) for m in again] == [
            (m.packet_id, m.payload) for m in first]
        assert all(m.dup for m in again)
    bridge.mqtt(client_id).disconnect()


def test_messages_keep_coming_during_takeovers(bridge):
    """Nothing that was acknowledged to the publisher is lost."""
    client_id = f"{bridge.tag}-c"
    publisher = bridge.mqtt()
    client = bridge.mqtt(client_id, clean=False)
    client.subscribe(bridge.topic("#"), qos=1)
    seen = []
    for i in range(200):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
        if i % 10 == 5:
            client = bridge.mqtt(client_id, clean=False)
        if i % 3 == 0:
            seen.append(client.message().payload)
    publisher.publish(bridge.topic("end"), qos=1)
    seen += [m.payload for m in client.messages_until(bridge.topic("end"))]
    assert list(dict.fromkeys(seen)) == [b"%d" % i for i in range(200)]
    bridge.mqtt(client_id).disconnect()


def test_the_old_one_may_have_much_to_read(bridge):
    client_id = f"{bridge.tag}-c"
    publisher = bridge.mqtt()
    old = bridge.mqtt(client_id, clean=False)
    old.subscribe(bridge.topic("#"), qos=0)
    for i in range(500):
        publisher.publish(bridge.topic("a"), b"x" * 5000)
    publisher.ping()
    new = bridge.mqtt(client_id, clean=False)
    new.subscribe(bridge.topic("b"))
    new.publish(bridge.topic("b"), b"here")
    while new.message().topic != bridge.topic("b"):
        pass
    old.expect_close()
    bridge.mqtt(client_id).disconnect()


# Many, over several workers.

@pytest.fixture
def crowd(start):
    return start.bridge({"server": {"workers": 4}})


def test_many_identifiers_each_taken_over(crowd):
    ids = [f"c{i}" for i in range(60)]
    clients = {}
    for turn in range(4):
        old = dict(clients)
        for client_id in ids:
            clients[client_id] = crowd.mqtt(client_id, clean=False)
            assert clients[client_id].connack.session_present == (turn > 0)
        for client in old.values():
            client.expect_close()
    for client_id, client in clients.items():
        client.subscribe(f"to/{client_id}", qos=1)
    publisher = crowd.mqtt()
    for client_id in ids:
        publisher.publish(f"to/{client_id}", client_id, qos=1)
    for client_id, client in clients.items():
        assert client.message().payload == client_id.encode()


def test_of_a_crowd_with_one_identifier_one_remains(crowd):
    for turn in range(10):
        clients = [crowd.socket() for _ in range(12)]
        for i, c in enumerate(clients):
            c.send(connect_packet("same", clean=(i + turn) % 3 == 0))
        remaining = []
        for c in clients:
            try:
                while c.next().type != CONNACK:
                    pass
                c.ping()
                remaining.append(c)
            except Closed:
                pass
        # Who answered a ping may have been replaced since.
        alive = []
        for c in remaining:
            try:
                c.ping()
                alive.append(c)
            except (Closed, ConnectionError):
                pass
        assert len(alive) == 1
        [winner] = alive
        winner.subscribe("t", qos=1)
        winner.publish("t", b"x", qos=1)
        assert winner.message().payload == b"x"


def test_a_storm_of_takeovers(crowd):
    """Threads that fight for few identifiers; the daemon stays sane."""
    port = crowd.daemon.port
    failures = []

    def fight(n):
        for i in range(40):
            with Client(port) as c:
                try:
                    c.connect(f"few{(n + i) % 3}", clean=i % 4 == 0)
                    c.subscribe("t/#", qos=1)
                    c.publish(f"t/{n}", str(i), qos=1)
                except (Closed, ConnectionError):
                    pass
                except AssertionError as error:
                    failures.append(error)

    threads = [threading.Thread(target=fight, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    for i in range(3):
        client = crowd.mqtt(f"few{i}")
        client.subscribe("end")
        client.publish("end", b"x")
        assert client.message().payload == b"x"
