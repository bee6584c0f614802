# SPDX-License-Identifier: Apache-2.0
"""QoS 2 in 3.1.1: exactly once, in both directions."""

import pytest

from conversation.mqtt import (PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL,
                               Closed, Will, packet, publish_packet)


@pytest.fixture(autouse=True)
def served(bridge):
    if not bridge.daemon.serves_qos2():
        pytest.skip("QoS 2 is not served")


@pytest.fixture
def device(bridge):
    """Connects the device of this test; its session ends with the test."""
    client_id = f"{bridge.tag}-device"

    def connect(clean=False, **options):
        client = bridge.mqtt(client_id, clean=clean, **options)
        client.acks = False
        return client

    yield connect
    connect(clean=True).disconnect()


@pytest.fixture
def publisher(bridge):
    return bridge.mqtt()


def payloads(messages):
    return [m.payload for m in messages]


@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("asked", [0, 1, 2])
def test_qos_is_the_lower_of_both(bridge, publisher, published, asked):
    subscriber = bridge.mqtt()
    assert subscriber.subscribe(bridge.topic("a"), qos=asked) == [asked]
    publisher.publish(bridge.topic("a"), b"x", qos=published)
    m = subscriber.message()
    assert (m.payload, m.qos, m.dup) == (b"x", min(published, asked), False)


# From the client

def test_a_repeated_publish_is_delivered_once(bridge, publisher):
    # v3.1.1 [MQTT-4.3.3-2]
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("a"), qos=2)
    for dup in (False, True, True):
        publisher.send_publish(bridge.topic("a"), b"once", 2, packet_id=5,
                               dup=dup)
        publisher.wait(PUBREC, 5)
    publisher.send_ack(PUBREL, 5)
    publisher.wait(PUBCOMP, 5)
    publisher.publish(bridge.topic("a"), b"next", qos=2, packet_id=5)
    assert payloads(subscriber.messages(2)) == [b"once", b"next"]


# v5 [MQTT-4.3.3-13]
def test_a_repeated_pubrel_is_answered(bridge, publisher):
    publisher.publish(bridge.topic("a"), b"x", qos=2, packet_id=5)
    for packet_id in (5, 5, 77):
        publisher.send_ack(PUBREL, packet_id)
        publisher.wait(PUBCOMP, packet_id)


def test_an_unfinished_publish_is_known_after_a_reconnect(bridge, device):
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"), qos=2)
    client = device()
    client.send_publish(bridge.topic("a"), b"once", 2, packet_id=9)
    client.wait(PUBREC, 9)
    client.close()
    client = device()
    client.send_publish(bridge.topic("a"), b"once", 2, packet_id=9, dup=True)
    client.wait(PUBREC, 9)
    client.close()
    client = device()
    client.send_ack(PUBREL, 9)
    client.wait(PUBCOMP, 9)
    client.publish(bridge.topic("end"), qos=2)
    assert payloads(subscriber.messages_until(bridge.topic("end"))) == [
        b"once"]


def test_a_clean_session_forgets_the_unfinished(bridge, device):
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"), qos=2)
    client = device()
    client.send_publish(bridge.topic("a"), b"1", 2, packet_id=9)
    client.wait(PUBREC, 9)
    client.close()
    client = device(clean=True)
    client.publish(bridge.topic("a"), b"2", qos=2, packet_id=9)
    assert payloads(subscriber.messages(2)) == [b"1", b"2"]


def test_many_at_a_time(bridge, publisher):
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("a"), qos=2)
    ids = [publisher.send_publish(bridge.topic("a"), str(i), 2)
           for i in range(100)]
    for packet_id in ids:
        publisher.wait(PUBREC, packet_id)
    for packet_id in ids:
        publisher.send_ack(PUBREL, packet_id)
    for packet_id in ids:
        publisher.wait(PUBCOMP, packet_id)
    assert payloads(subscriber.messages(100)) == [
        b"%d" % i for i in range(100)]


def test_all_three_qos_keep_their_order(bridge, publisher):
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("a"), qos=2)
    for i in range(150):
        packet_id = publisher.send_publish(bridge.topic("a"), str(i), i % 3)
        if i % 3 == 2:
            publisher.wait(PUBREC, packet_id)
            publisher.send_ack(PUBREL, packet_id)
    got = subscriber.messages(150)
    assert payloads(got) == [b"%d" % i for i in range(150)]
    assert [m.qos for m in got] == [0, 1, 2] * 50


# To the client

def test_nothing_is_delivered_twice(bridge, device, publisher):
    client = device()
    client.subscribe(bridge.topic("a"), qos=2)
    publisher.publish(bridge.topic("a"), b"x", qos=2)
    m = client.message()
    client.send_ack(PUBREC, m.packet_id)
    client.wait(PUBREL, m.packet_id)
    client.send_ack(PUBCOMP, m.packet_id)
    client.ping()
    client.close()
    client = device()
    client.subscribe(bridge.topic("end"))
    publisher.publish(bridge.topic("end"))
    assert client.messages_until(bridge.topic("end")) == []
    assert client.pending == []


def test_an_unreceived_publish_is_repeated(bridge, device, publisher):
    client = device()
    client.subscribe(bridge.topic("a"), qos=2)
    publisher.publish(bridge.topic("a"), b"x", qos=2)
    first = client.message()
    for _ in range(2):
        client.close()
        client = device()
        again = client.message()
        assert (again.packet_id, again.payload) == (first.packet_id, b"x")
        assert again.dup and again.qos == 2


# v5 [MQTT-4.3.3-5] [MQTT-4.3.3-6]
def test_after_pubrec_only_pubrel_is_repeated(bridge, device, publisher):
    # v3.1.1 [MQTT-4.3.3-1] [MQTT-4.4.0-1]
    client = device()
    client.subscribe(bridge.topic("a"), qos=2)
    publisher.publish(bridge.topic("a"), b"x", qos=2)
    m = client.message()
    client.send_ack(PUBREC, m.packet_id)
    client.wait(PUBREL, m.packet_id)
    for _ in range(2):
        client.close()
        client = device()
        assert client.next().type == PUBREL
    client.send_ack(PUBCOMP, m.packet_id)
    client.ping()
    client.close()
    client = device()
    client.ping()
    assert client.pending == []


def test_a_repeated_pubrec_is_answered(bridge, device, publisher):
    client = device()
    client.subscribe(bridge.topic("a"), qos=2)
    publisher.publish(bridge.topic("a"), b"x", qos=2)
    m = client.message()
    for _ in range(2):
        client.send_ack(PUBREC, m.packet_id)
        client.wait(PUBREL, m.packet_id)
    client.send_ack(PUBCOMP, m.packet_id)
    client.ping()


def test_unfinished_ones_come_back_in_order(bridge, device, publisher):
    client = device()
    client.subscribe(bridge.topic("a"), qos=2)
    for i in range(12):
        publisher.publish(bridge.topic("a"), str(i), qos=1 + i % 2)
    got = client.messages(12)
    released = [got[1], got[5]]
    for m in released:
        assert m.qos == 2
        client.send_ack(PUBREC, m.packet_id)
        client.wait(PUBREL, m.packet_id)
    client.send_ack(PUBACK, got[2].packet_id)
    client.ping()
    client.close()
    client = device()
    again = [client.next() for _ in range(11)]
    # Each kind in its order; between the two the standards ask for none.
    publishes = [p for p in again if p.type == PUBLISH]
    pubrels = [p for p in again if p.type == PUBREL]
    expected = [m for i, m in enumerate(got) if i != 2 and m not in released]
    assert [p.packet_id for p in pubrels] == [m.packet_id for m in released]
    assert [p.packet_id for p in publishes] == [m.packet_id for m in expected]
    for p, m in zip(publishes, expected):
        assert p.dup and p.payload == m.payload


def test_qos_2_waits_for_the_client(bridge, device, publisher):
    client = device()
    client.subscribe(bridge.topic("a"), qos=2)
    client.disconnect()
    for i in range(30):
        publisher.publish(bridge.topic("a"), str(i), qos=i % 2 + 1)
    client = device()
    client.acks = True
    got = client.messages(30)
    assert payloads(got) == [b"%d" % i for i in range(30)]
    assert [m.qos for m in got] == [1, 2] * 15


def test_the_window_counts_until_pubcomp(start):
    b = start.bridge({"qos": {"max_inflight": 2}})
    client, publisher = b.mqtt(), b.mqtt()
    client.acks = False
    client.subscribe("a", qos=2)
    for i in range(6):
        publisher.publish("a", str(i), qos=2)
    for i in range(0, 6, 2):
        window = client.messages(2)
        assert payloads(window) == [b"%d" % i, b"%d" % (i + 1)]
        for m in window:
            client.send_ack(PUBREC, m.packet_id)
            client.wait(PUBREL, m.packet_id)
        client.ping()
        assert client.pending == []
        for m in window:
            client.send_ack(PUBCOMP, m.packet_id)


def test_a_takeover_in_the_middle(bridge, device, publisher):
    client = device()
    client.subscribe(bridge.topic("a"), qos=2)
    publisher.publish(bridge.topic("a"), b"1", qos=2)
    publisher.publish(bridge.topic("a"), b"2", qos=2)
    one, two = client.messages(2)
    client.send_ack(PUBREC, one.packet_id)
    client.wait(PUBREL, one.packet_id)
    new = device()
    assert [new.next().type for _ in range(2)] == [PUBREL, PUBLISH]
    client.expect_close()
    new.send_ack(PUBCOMP, one.packet_id)
    new.send_ack(PUBREC, two.packet_id)
    new.wait(PUBREL, two.packet_id)
    new.send_ack(PUBCOMP, two.packet_id)
    new.ping()
    assert new.pending == []


def test_retained_and_wills(bridge, publisher):
    heir = bridge.mqtt()
    heir.subscribe(bridge.topic("#"), qos=2)
    bridge.mqtt(will=Will(bridge.topic("will"), b"w", 2, True)).close()
    assert heir.message().qos == 2
    late = bridge.mqtt()
    late.subscribe(bridge.topic("#"), qos=2)
    m = late.message()
    assert (m.qos, m.retain, m.payload) == (2, True, b"w")


BAD = {
    "PUBREC of one byte": packet(PUBREC, 0, b"\0"),
    "PUBREC with flags": packet(PUBREC, 2, b"\0\1"),
    "PUBCOMP with flags": packet(PUBCOMP, 1, b"\0\1"),
    "PUBREL with other flags": packet(PUBREL, 3, b"\0\1"),
    "PUBREL of identifier 0": packet(PUBREL, 2, b"\0\0"),
    "PUBREC of identifier 0": packet(PUBREC, 0, b"\0\0"),
    "PUBLISH of identifier 0": publish_packet("a", b"", 2, packet_id=0),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_packets_close(bridge, name):
    client = bridge.mqtt()
    client.send(BAD[name])
    assert client.expect_close() == []


def test_acknowledgements_of_the_wrong_kind_do_no_harm(bridge, publisher):
    client = bridge.mqtt()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=2)
    publisher.publish(bridge.topic("a"), b"1", qos=1)
    publisher.publish(bridge.topic("a"), b"2", qos=2)
    one, two = client.messages(2)
    try:
        client.send_ack(PUBREC, one.packet_id)
        client.send_ack(PUBACK, two.packet_id)
        client.send_ack(PUBCOMP, 4711)
        client.ping()
    except (Closed, ConnectionError):
        pass
    bridge.mqtt().ping()


# With NATS

@pytest.fixture
def n(bridge):
    return bridge.nats()


def test_pubrec_waits_for_the_reply(bridge, n, publisher):
    service = n.subscribe(bridge.subject("a"))
    packet_id = publisher.send_publish(bridge.topic("a"), b"x", 2)
    request = service.next()
    assert request.header("Mqtt-Qos") == "2"
    publisher.ping()
    assert publisher.pending == []
    n.publish(request.reply)
    publisher.wait(PUBREC, packet_id)
    publisher.send_ack(PUBREL, packet_id)
    publisher.wait(PUBCOMP, packet_id)


def test_message_ids_differ_although_packet_identifiers_do_not(bridge, n,
                                                               publisher):
    service = n.subscribe(bridge.subject("a"))
    seen = set()
    for _ in range(5):
        publisher.send_publish(bridge.topic("a"), b"x", 2, packet_id=1)
        m = service.next()
        seen.add(m.header("Nats-Msg-Id"))
        n.publish(m.reply)
        publisher.wait(PUBREC, 1)
        publisher.send_ack(PUBREL, 1)
        publisher.wait(PUBCOMP, 1)
    assert len(seen) == 5 and None not in seen


def test_a_stream_drops_what_is_published_again(start):
    """The first PubAck is lost; the second says duplicate, and counts."""
    b = start.bridge({"qos": {"ack": "stream", "ack_timeout": 300,
                              "ack_attempts": 10}},
                     nats={"jetstream": True})
    n, client = b.nats(), b.mqtt()
    n.add_stream("S", "t.>")
    service = n.subscribe("t.>")
    client.publish("t/a", b"x", qos=2)
    first = service.next()
    n.publish("t.a", b"x", reply="_INBOX.again", headers=[
        ("Nats-Msg-Id", first.header("Nats-Msg-Id"))])
    client.publish("t/a", b"y", qos=2)
    assert n.stream_payloads("S") == [b"x", b"y"]


def test_a_message_from_nats_is_answered_at_the_end(bridge, n):
    client = bridge.mqtt()
    client.acks = False
    client.subscribe(bridge.topic("#"), qos=2)
    inbox = n.send_request(bridge.subject("a"), b"x")
    m = client.message()
    if m.qos == 1:
        client.send_ack(PUBACK, m.packet_id)
    else:
        client.send_ack(PUBREC, m.packet_id)
        client.wait(PUBREL, m.packet_id)
        n.publish(bridge.subject("b"), b"marker")
        client.message()
        assert inbox.take() == []
        client.send_ack(PUBCOMP, m.packet_id)
    assert inbox.next().payload == b""
