# SPDX-License-Identifier: Apache-2.0
"""From one device to another: QoS 0 and 1, order, overlapping filters."""

import pytest

from conversation.mqtt import (PINGREQ, PINGRESP, PUBACK, packet,
                               publish_packet)

# (QoS of the publisher, QoS asked for, QoS of the delivery)
QOS = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 1)]


@pytest.mark.parametrize("published,asked,delivered", QOS)
def test_qos_is_the_lower_of_both(bridge, published, asked, delivered):
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    assert subscriber.subscribe(bridge.topic("a"), qos=asked) == [asked]
    publisher.publish(bridge.topic("a"), b"hello", qos=published)
    m = subscriber.message()
    assert (m.topic, m.payload) == (bridge.topic("a"), b"hello")
    assert (m.qos, m.retain, m.dup) == (delivered, False, False)


def test_qos_above_the_granted_one_is_not_delivered(bridge):
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    [granted] = subscriber.subscribe(bridge.topic("a"), qos=2)
    assert granted in (1, 2)
    publisher.publish(bridge.topic("a"), qos=1)
    assert subscriber.message().qos == 1


PAYLOADS = {
    "empty": b"",
    "zero byte": b"\0",
    "every byte": bytes(range(256)),
    "two length bytes": b"x" * 128,
    "three length bytes": b"y" * 16384,
    "large": bytes(range(256)) * 2000,
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_payload_arrives_as_it_was(bridge, payload):
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(bridge.topic("a"))
    publisher.publish(bridge.topic("a"), payload)
    assert subscriber.message().payload == payload


def test_a_client_receives_what_it_publishes(bridge):
    client = bridge.mqtt()
    client.subscribe(bridge.topic("a"), qos=1)
    client.publish(bridge.topic("a"), b"me", qos=1)
    assert client.message().payload == b"me"


def test_every_subscriber_gets_a_copy(bridge):
    subscribers = [bridge.mqtt() for _ in range(20)]
    for i, s in enumerate(subscribers):
        s.subscribe(bridge.topic("a"), qos=i % 2)
    bridge.mqtt().publish(bridge.topic("a"), b"all", qos=1)
    for i, s in enumerate(subscribers):
        m = s.message()
        assert (m.payload, m.qos) == (b"all", i % 2)


# v5 [MQTT-3.3.2-3]
# v3.1.1 [MQTT-3.3.2-3]
def test_a_message_goes_to_no_other_topic(bridge):
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(bridge.topic("a/b"), bridge.topic("end"))
    for other in ("a", "a/b/c", "A/B", "a/bb", "a/b/", "/a/b"):
        publisher.publish(bridge.topic(other))
    publisher.publish(bridge.topic("end"))
    assert subscriber.messages_until(bridge.topic("end")) == []


# v5 [MQTT-4.6.0-5] [MQTT-4.6.0-6]
# v3.1.1 [MQTT-4.6.0-5]
@pytest.mark.parametrize("qos", [0, 1])
def test_order_of_one_publisher_is_kept(bridge, qos):
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"), qos=qos)
    for i in range(500):
        publisher.send_publish(bridge.topic("a"), str(i), qos=qos)
    got = [m.payload for m in subscriber.messages(500)]
    assert got == [str(i).encode() for i in range(500)]


def test_order_is_kept_over_both_qos(bridge):
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(bridge.topic("a"), qos=1)
    for i in range(300):
        publisher.send_publish(bridge.topic("a"), str(i), qos=i % 2)
    got = subscriber.messages(300)
    assert [m.payload for m in got] == [str(i).encode() for i in range(300)]
    assert [m.qos for m in got] == [0, 1] * 150


# v5 [MQTT-3.3.4-1]
# v3.1.1 [MQTT-3.3.4-1]
def test_pubacks_come_in_order(bridge):
    publisher = bridge.mqtt()
    sent = [publisher.send_publish(bridge.topic("a"), qos=1)
            for _ in range(100)]
    assert [publisher.wait(PUBACK).packet_id for _ in sent] == sent


def test_overlapping_filters_deliver_one_copy_at_the_highest_qos(bridge):
    # v3.1.1 [MQTT-3.3.5-1]
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(
        (bridge.topic("a/#"), 0), (bridge.topic("a/+"), 1),
        (bridge.topic("a/b"), 0), (bridge.topic("end"), 0))
    publisher.publish(bridge.topic("a/b"), b"once", qos=1)
    publisher.publish(bridge.topic("end"))
    [m] = subscriber.messages_until(bridge.topic("end"))
    assert (m.payload, m.qos) == (b"once", 1)


def test_packet_identifiers_may_be_any(bridge):
    publisher = bridge.mqtt()
    for packet_id in (65535, 1, 32768, 2):
        publisher.publish(bridge.topic("a"), qos=1, packet_id=packet_id)


def test_a_repeated_publish_is_acknowledged_again(bridge):
    publisher = bridge.mqtt()
    publisher.publish(bridge.topic("a"), b"x", qos=1, packet_id=7)
    publisher.publish(bridge.topic("a"), b"x", qos=1, packet_id=7, dup=True)


# v5 [MQTT-3.3.1-3]
def test_dup_of_a_publisher_is_not_passed_on(bridge):
    # v3.1.1 [MQTT-3.3.1-3]
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(bridge.topic("a"), qos=1)
    publisher.publish(bridge.topic("a"), b"x", qos=1, dup=True)
    assert not subscriber.message().dup


def test_publishers_of_several_workers_reach_one_subscriber(bridge):
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"), qos=1)
    publishers = [bridge.mqtt() for _ in range(8)]
    for i in range(50):
        for n, p in enumerate(publishers):
            p.send_publish(bridge.topic(n), str(i), qos=1)
    by_topic = {}
    for m in subscriber.messages(400):
        by_topic.setdefault(m.topic, []).append(int(m.payload))
    assert len(by_topic) == 8
    assert all(got == list(range(50)) for got in by_topic.values())


def test_a_client_that_is_gone_is_not_missed(bridge):
    gone, stays, publisher = bridge.mqtt(), bridge.mqtt(), bridge.mqtt()
    for s in (gone, stays):
        s.subscribe(bridge.topic("a"), qos=1)
    gone.close()
    for i in range(50):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
    assert [m.payload for m in stays.messages(50)] == [
        str(i).encode() for i in range(50)]


def test_publishes_may_arrive_in_pieces(bridge):
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(bridge.topic("a"))
    data = b"".join(publish_packet(bridge.topic("a"), f"m{i}")
                    for i in range(20))
    # Every cut once: in the fixed header, the topic, the payload.
    for at in range(0, len(data), 7):
        publisher.send(data[at:at + 7])
    assert [m.payload for m in subscriber.messages(20)] == [
        b"m%d" % i for i in range(20)]


def test_acknowledged_and_pinged_at_once(bridge):
    """Many packets in one segment are answered each."""
    client = bridge.mqtt()
    client.send(publish_packet(bridge.topic("a"), qos=1, packet_id=5)
                + packet(PINGREQ, 0)
                + publish_packet(bridge.topic("a"), qos=1, packet_id=6)
                + packet(PINGREQ, 0))
    kinds = sorted(client.next().type for _ in range(4))
    assert kinds == [PUBACK, PUBACK, PINGRESP, PINGRESP]
