# SPDX-License-Identifier: Apache-2.0
"""MQTT 5.0: PUBLISH and its properties, aliases, windows, reason codes."""

import time

import pytest

from conversation.deadline import until
from conversation.mqtt import (DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC,
                               PUBREL, V5, V311, Will, binary,
                               connect_packet, packet, properties,
                               publish_packet, u16)


@pytest.fixture(autouse=True)
def served(bridge):
    if not bridge.daemon.serves("5"):
        pytest.skip("5.0 is not served")


@pytest.fixture
def five(bridge):
    """Connect with 5.0."""
    return lambda *a, **options: bridge.mqtt(*a, version=V5, **options)


PROPERTIES = [
    ("payload_format", 1),
    ("content_type", "text/plain; charset=ü"),
    ("response_topic", "answer/here"),
    ("correlation_data", b"\0\xff\r\n"),
    ("user_property", ("b", "1")),
    ("user_property", ("a", "2")),
    ("user_property", ("b", "1")),
    ("user_property", ("", "")),
    ("user_property", ("with space: and colon", "with\r\nlines")),
    ("user_property", ("漢", "字")),
]


@pytest.mark.parametrize("qos", [0, 1])
def test_properties_are_passed_on_unchanged(bridge, five, qos):
    # v5 [MQTT-3.3.2-4] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]
    subscriber, publisher = five(), five()
    subscriber.subscribe(bridge.topic("a"), qos=1)
    publisher.send(packet(
        PUBLISH, qos << 1, binary(bridge.topic("a")), u16(1) if qos else b"",
        properties(PROPERTIES), "ü".encode()))
    m = subscriber.message()
    assert m.payload == "ü".encode()
    users = [p for p in m.properties if p[0] == "user_property"]
    assert users == [p for p in PROPERTIES if p[0] == "user_property"]
    for name, value in PROPERTIES[:4]:
        assert m.props(name) == [value]
    assert len(m.properties) == len(PROPERTIES)


def test_properties_do_not_reach_3_1_1(bridge, five):
    old, publisher = bridge.mqtt(version=V311), five()
    old.subscribe(bridge.topic("a"), qos=1)
    publisher.publish(bridge.topic("a"), b"x", qos=1, content_type="text",
                      user_property=("a", "b"), message_expiry=100)
    assert old.message().payload == b"x"


def test_3_1_1_reaches_5_without_properties(bridge, five):
    new, publisher = five(), bridge.mqtt(version=V311)
    new.subscribe(bridge.topic("a"), qos=1)
    publisher.publish(bridge.topic("a"), b"x", qos=1)
    m = new.message()
    assert (m.payload, m.properties) == (b"x", [])


def test_a_text_that_is_none_is_refused(bridge, five):
    """Payload Format Indicator 1 is checked: 0x99."""
    client = five()
    assert client.publish(bridge.topic("a"), b"\xff", qos=1,
                          payload_format=1).code == 0x99
    assert client.publish(bridge.topic("a"), "ü", qos=1,
                          payload_format=1).code in (0, 0x10)


# Reason codes

def test_nobody_there_is_told(bridge, five):
    assert five().publish(bridge.topic("nobody"), qos=1).code == 0x10


def test_somebody_there_is_told(bridge, five):
    subscriber, publisher = five(), five()
    for qos in (0, 1):
        subscriber.subscribe(bridge.topic("a"), qos=qos)
        assert publisher.publish(bridge.topic("a"), qos=1).code == 0
        subscriber.message()


def test_a_reply_of_nats_is_success(bridge, five):
    n, client = bridge.nats(), five()
    service = n.subscribe(bridge.subject("a"))
    client.send_publish(bridge.topic("a"), b"x", qos=1)
    n.publish(service.next().reply)
    assert client.wait(PUBACK).code == 0


def test_reserved_topics_are_refused(bridge, five):
    client = five()
    for topic in ("$JS/API/INFO", "_INBOX/x"):
        puback = client.publish(topic, b"x", qos=1)
        assert puback.code in (0x87, 0x90), topic
    client.ping()


def test_what_nats_cannot_carry_is_refused(start):
    b = start.bridge(nats={"config": "max_payload: 2048"})
    client = b.mqtt(version=V5)
    assert client.publish("a", b"x" * 3000, qos=1).code in (0x95, 0x97)
    assert client.publish("t" * 5000, b"x", qos=1).code in (0x90, 0x95)
    client.ping()


def test_no_reply_is_an_error(start):
    b = start.bridge({"qos": {"ack_timeout": 100, "ack_attempts": 2}})
    n, client = b.nats(), b.mqtt(version=V5)
    service = n.subscribe("a")
    assert client.publish("a", b"x", qos=1).code == 0x80
    assert len(service.take()) == 2


def test_errors_of_a_stream_are_told(start):
    b = start.bridge({"qos": {"ack": "stream", "ack_timeout": 300,
                              "ack_attempts": 2}},
                     nats={"jetstream": True})
    n, client = b.nats(), b.mqtt(version=V5)
    n.add_stream("S", "t.>", max_msgs=1, discard="new")
    assert client.publish("t/a", b"fits", qos=1).code == 0
    puback = client.publish("t/a", b"does not", qos=1)
    assert puback.code in (0x80, 0x97)
    assert "maximum messages" in puback.prop("reason_string")
    assert client.publish("elsewhere", b"x", qos=1).code in (0x80, 0x97)


# Message Expiry

def test_expiry_counts_down(bridge, five):
    # v5 [MQTT-3.3.2-6]
    client, publisher = five(f"{bridge.tag}-e", session_expiry=60), five()
    client.subscribe(bridge.topic("a"), qos=1)
    client.disconnect()
    publisher.publish(bridge.topic("a"), b"x", qos=1, message_expiry=100)
    early = time.monotonic()
    client = five(f"{bridge.tag}-e", clean=False)
    left = client.message().prop("message_expiry")
    assert 100 - (time.monotonic() - early) - 1 <= left <= 100


def test_expired_messages_are_not_delivered(bridge, five):
    # v5 [MQTT-3.3.2-5]
    client_id = f"{bridge.tag}-e"
    client, publisher = five(client_id, session_expiry=60), five()
    client.subscribe(bridge.topic("#"), qos=1)
    client.disconnect()
    publisher.publish(bridge.topic("a"), b"short", qos=1, message_expiry=1)
    publisher.publish(bridge.topic("kept"), b"short", qos=1, retain=True,
                      message_expiry=1)
    publisher.publish(bridge.topic("b"), b"long", qos=1, message_expiry=60)
    # The retained one is gone when nobody is sent it any more.
    def gone():
        probe = five()
        probe.subscribe(bridge.topic("kept"))
        probe.ping()
        return not probe.pending

    until(gone, "the retained message to expire")
    client = five(client_id, clean=False)
    publisher.publish(bridge.topic("end"), qos=1)
    got = client.messages_until(bridge.topic("end"))
    assert [m.payload for m in got] == [b"long"]


# Topic Alias

def test_aliases_of_the_client(bridge, five):
    subscriber, publisher = five(), five()
    highest = publisher.connack.prop("topic_alias_maximum")
    if not highest:
        pytest.skip("no aliases from clients")
    subscriber.subscribe(bridge.topic("#"))
    publisher.publish(bridge.topic("a"), b"1", topic_alias=1)
    publisher.publish("", b"2", topic_alias=1)
    publisher.publish(bridge.topic("b"), b"3", topic_alias=highest)
    publisher.publish(bridge.topic("c"), b"4", topic_alias=1)
    publisher.publish("", b"5", topic_alias=1)
    publisher.publish("", b"6", topic_alias=highest)
    got = subscriber.messages(6)
    assert [m.topic for m in got] == [
        bridge.topic(t) for t in ("a", "a", "b", "c", "c", "b")]
    assert all(m.prop("topic_alias") is None for m in got)


def test_aliases_end_with_the_connection(bridge, five):
    # v5 [MQTT-3.3.2-7]
    client_id = f"{bridge.tag}-a"
    client = five(client_id, session_expiry=60)
    if not client.connack.prop("topic_alias_maximum"):
        pytest.skip("no aliases from clients")
    client.publish(bridge.topic("a"), b"1", topic_alias=1)
    client.close()
    client = five(client_id, clean=False)
    client.send_publish("", b"2", topic_alias=1)
    assert client.expect_close()[-1].code in (0x82, 0x94)


# v5 [MQTT-3.1.2-26]
def test_aliases_of_the_server(bridge, five):
    # v5 [MQTT-3.1.2-26]
    client, publisher = five(topic_alias_maximum=2), five()
    client.subscribe(bridge.topic("#"), qos=1)
    known = {}
    used = 0
    for i in range(30):
        topic = bridge.topic(f"t{i % 4}")
        publisher.publish(topic, str(i), qos=1)
        m = client.message()
        alias = m.prop("topic_alias")
        if alias is not None:
            assert 1 <= alias <= 2
            if m.topic:
                known[alias] = m.topic
        used += not m.topic
        got = m.topic or known[alias]
        assert (got, m.payload) == (topic, str(i).encode())
    assert used > 10


# v5 [MQTT-3.1.2-27]
def test_no_aliases_unless_they_are_wanted(bridge, five):
    client, publisher = five(), five()
    client.subscribe(bridge.topic("#"))
    for _ in range(10):
        publisher.publish(bridge.topic("a"))
        assert client.message().prop("topic_alias") is None


# Windows and sizes

def test_receive_maximum_of_the_client(bridge, five):
    # v5 [MQTT-3.3.4-9]
    client, publisher = five(receive_maximum=3), five()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    for i in range(9):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
    got = []
    for _ in range(3):
        window = client.messages(3)
        client.ping()
        assert not client.pending
        got += window
        for m in window:
            client.send_ack(PUBACK, m.packet_id)
    assert [m.payload for m in got] == [b"%d" % i for i in range(9)]


def test_qos_0_is_not_held_by_the_window(bridge, five):
    client, publisher = five(receive_maximum=1), five()
    client.acks = False
    client.subscribe(bridge.topic("#"), qos=1)
    publisher.publish(bridge.topic("a"), b"1", qos=1)
    client.message()
    publisher.publish(bridge.topic("b"), b"0")
    assert client.message().payload == b"0"


def test_the_window_is_of_the_connection(bridge, five):
    client_id = f"{bridge.tag}-w"
    client, publisher = five(client_id, receive_maximum=10,
                             session_expiry=60), five()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    for i in range(10):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
    client.messages(10)
    client.close()
    client = five(client_id, clean=False, receive_maximum=4)
    client.acks = False
    got = client.messages(4)
    client.ping()
    assert not client.pending and all(m.dup for m in got)
    for m in got:
        client.send_ack(PUBACK, m.packet_id)
    assert len(client.messages(4)) == 4


def test_receive_maximum_of_the_server(start):
    """Who sends more is stopped, or not read: nothing is lost."""
    b = start.bridge({"qos": {"receive_maximum": 5}})
    n, client = b.nats(), b.mqtt(version=V5)
    assert client.connack.prop("receive_maximum") == 5
    n.subscribe("t.>")
    for i in range(6):
        client.send_publish("t/a", str(i), qos=1)
    last = client.next()
    assert last.type == DISCONNECT and last.code == 0x93


def test_packets_that_are_too_large_for_the_client(bridge, five):
    # v5 [MQTT-3.1.2-24] [MQTT-3.1.2-25]
    small, large, publisher = five(maximum_packet_size=200), five(), five()
    for c in (small, large):
        c.subscribe(bridge.topic("#"), qos=1)
    publisher.publish(bridge.topic("a"), b"x" * 300, qos=1)
    publisher.publish(bridge.topic("a"), b"x" * 10, qos=1)
    assert len(large.message().payload) == 300
    assert len(small.message().payload) == 10


def test_acknowledgements_fit_as_well(bridge, five):
    """A reason string is left out before it is too much."""
    client = five(maximum_packet_size=20)
    client.send_subscribe("$JS/x")
    suback = client.next()
    assert suback.codes[0] >= 0x80


# QoS 2

def test_qos_2_and_its_codes(bridge, five):
    if not bridge.daemon.serves_qos2():
        pytest.skip("QoS 2 is not served")
    client, subscriber = five(), five()
    packet_id = client.send_publish(bridge.topic("nobody"), b"x", 2)
    assert client.wait(PUBREC, packet_id).code == 0x10
    client.send_ack(PUBREL, packet_id)
    assert client.wait(PUBCOMP, packet_id).code == 0
    client.send_ack(PUBREL, 4711)
    # v5 3.6.2.1: Packet Identifier not found
    assert client.wait(PUBCOMP, 4711).code == 0x92
    subscriber.subscribe(bridge.topic("a"), qos=2)
    assert client.publish(bridge.topic("a"), b"x", qos=2).code == 0
    assert subscriber.message().qos == 2


def test_a_refused_qos_2_is_over(bridge, five):
    if not bridge.daemon.serves_qos2():
        pytest.skip("QoS 2 is not served")
    client = five()
    pubrec = client.publish("$JS/API/INFO", b"x", qos=2, packet_id=3)
    assert pubrec.type == PUBREC and pubrec.code >= 0x80
    # v5 [MQTT-4.3.3-9]: the identifier is free again.
    assert client.publish(bridge.topic("a"), b"x", qos=2,
                          packet_id=3).code == 0


def test_a_client_that_sends_too_much_may_be_served(start):
    # v5 [MQTT-3.3.4-7]
    for key, served in (("disconnect", False), ("warn", True)):
        b = start.bridge({"qos": {"receive_maximum": 2, "ack_attempts": 1,
                                  "ack_timeout": "1h",
                                  "receive_maximum_exceeded": key}})
        n = b.nats()
        jobs = n.subscribe("a")
        client = b.mqtt(version=V5)
        # In one go: it may be closed before the last.
        client.send(b"".join(publish_packet("a", str(i), 1, packet_id=i,
                                            version=V5)
                             for i in range(1, 6)))
        if not served:
            assert client.expect_close()[-1].code == 0x93
            continue
        for i in range(1, 6):
            n.publish(jobs.next().reply, b"")
            assert client.wait(PUBACK, i).code == 0
        assert b.daemon.log_text().count("more than its Receive Maximum") == 1


def test_a_will_that_is_no_text(bridge):
    # v5 3.1.3.2.3
    client = bridge.socket(V5)
    client.send(connect_packet("x", V5, will=Will("a", b"\xff",
                                                  payload_format=1)))
    assert client.next().code == 0x99
