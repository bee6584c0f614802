# SPDX-License-Identifier: Apache-2.0
"""What a device publishes, as services on NATS see it."""

import pytest

from conversation.mqtt import PUBACK, disconnect_packet, publish_packet


@pytest.fixture
def n(bridge):
    return bridge.nats()


def test_qos_0_is_a_plain_message(bridge, n):
    """No headers, no reply: nothing to say, nothing said."""
    everything = n.subscribe(bridge.subject(">"))
    bridge.mqtt().publish(bridge.topic("a/b"), b"hello")
    m = everything.next()
    assert (m.subject, m.payload) == (bridge.subject("a.b"), b"hello")
    assert (m.reply, m.headers) == (None, [])


def test_qos_1_asks_for_a_reply(bridge, n):
    everything = n.subscribe(bridge.subject(">"))
    client = bridge.mqtt()
    client.send_publish(bridge.topic("a"), b"hello", qos=1)
    m = everything.next()
    assert m.reply and m.header("Mqtt-Qos") == "1"
    assert m.header("Mqtt-Dup") is None
    assert m.header("Mqtt-Client") is None
    n.publish(m.reply)
    client.wait(PUBACK)


def test_retain_is_a_header(bridge, n):
    everything = n.subscribe(bridge.subject(">"))
    bridge.mqtt().publish(bridge.topic("a"), b"kept", retain=True)
    assert everything.next().headers == [("Mqtt-Retain", "1")]


@pytest.mark.parametrize("payload", [
    b"", b"\0", b"\r\n", b"PUB x 1\r\ny\r\n", bytes(range(256)),
    b"x" * 1000000], ids=["empty", "zero", "line end", "protocol",
                          "every byte", "large"])
@pytest.mark.parametrize("retain", [False, True])
def test_payload_arrives_as_it_was(bridge, n, payload, retain):
    everything = n.subscribe(bridge.subject(">"))
    bridge.mqtt().publish(bridge.topic("a"), payload, retain=retain)
    assert everything.next().payload == payload


@pytest.mark.parametrize("qos", [0, 1])
def test_order_of_a_publisher_is_kept(bridge, n, qos):
    everything = n.subscribe(bridge.subject(">"))
    client = bridge.mqtt()
    for i in range(1000):
        client.send_publish(bridge.topic(i % 3), str(i), qos=qos)
    got = []
    while len(got) < 1000:
        m = everything.next()
        got.append(m)
        if m.reply:
            n.publish(m.reply)
    assert [int(m.payload) for m in got] == list(range(1000))
    if qos:
        assert len([client.wait(PUBACK) for _ in range(1000)]) == 1000


def test_local_subscribers_take_nothing_from_nats(bridge, n):
    """Everything is published to NATS in every case."""
    everything = n.subscribe(bridge.subject(">"))
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"), qos=1)
    bridge.mqtt().publish(bridge.topic("a"), b"x", qos=1)
    assert subscriber.message().payload == b"x"
    assert everything.next().payload == b"x"


def test_local_subscribers_get_one_copy(bridge, n):
    """The daemon's own publish does not come back to it."""
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"))
    publisher = bridge.mqtt()
    everything = n.subscribe(bridge.subject(">"))
    for i in range(20):
        publisher.publish(bridge.topic("a"), str(i))
    for i in range(20):
        everything.next()
    n.publish(bridge.subject("end"))
    assert len(subscriber.messages_until(bridge.topic("end"))) == 20


def test_many_publishers(bridge, n):
    everything = n.subscribe(bridge.subject(">"))
    clients = [bridge.mqtt() for _ in range(20)]
    for i in range(50):
        for k, c in enumerate(clients):
            c.send_publish(bridge.topic(k), str(i))
    by_subject = {}
    for _ in range(1000):
        m = everything.next()
        by_subject.setdefault(m.subject, []).append(int(m.payload))
    assert len(by_subject) == 20
    assert all(v == list(range(50)) for v in by_subject.values())


def test_a_queue_group_shares_the_messages(bridge, n):
    workers = [n.subscribe(bridge.subject("job"), queue="w")
               for _ in range(3)]
    all_of_it = n.subscribe(bridge.subject("job"))
    client = bridge.mqtt()
    for i in range(60):
        client.publish(bridge.topic("job"), str(i))
    assert len([all_of_it.next() for _ in range(60)]) == 60
    n.flush()
    assert sum(len(w.messages) for w in workers) == 60


def test_the_last_words_of_a_device_arrive(bridge, n):
    """PUBLISH and DISCONNECT in one segment."""
    everything = n.subscribe(bridge.subject(">"))
    for i in range(30):
        client = bridge.mqtt()
        client.send(publish_packet(bridge.topic("a"), str(i))
                    + disconnect_packet())
        assert everything.next().payload == str(i).encode()


def test_the_client_identifier_is_a_header_where_wanted(start):
    b = start.bridge({"nats": {"send_client_id": "yes"}})
    service = b.nats().subscribe("a")
    b.mqtt("pump-7").publish("a", b"x")
    assert service.next().headers == [("Mqtt-Client", "pump-7")]
