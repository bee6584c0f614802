# SPDX-License-Identifier: Apache-2.0
"""SUBSCRIBE and UNSUBSCRIBE: wildcards, $ topics, what SUBACK says."""

import pytest

from conversation.mqtt import (SUBACK, UNSUBACK, Closed, subscribe_packet)

TOPICS = ("a a/b a/b/c /a a/ / // a//b b a/bb A $a $a/b a/$b "
          "sport/tennis/player1 sport/tennis/player1/ranking").split()

# v3.1.1 4.7: a filter, and all of TOPICS that it matches.
FILTERS = {
    "#": "a a/b a/b/c /a a/ / // a//b b a/bb A a/$b sport/tennis/player1 "
         "sport/tennis/player1/ranking",
    "+": "a b A",
    "+/+": "a/b /a a/ / a/bb a/$b",
    "/+": "/a /",
    "+/b": "a/b",
    "a": "a",
    "a/#": "a a/b a/b/c a/ a//b a/bb a/$b",
    "a/+": "a/b a/ a/bb a/$b",
    "a/+/c": "a/b/c",
    "a/+/b": "a//b",
    "a//b": "a//b",
    "/#": "/a / //",
    "+/#": "a a/b a/b/c /a a/ / // a//b b a/bb A a/$b sport/tennis/player1 "
           "sport/tennis/player1/ranking",
    "$a/#": "$a $a/b",
    "$a/+": "$a/b",
    "sport/tennis/player1/#":
        "sport/tennis/player1 sport/tennis/player1/ranking",
    "sport/tennis/+": "sport/tennis/player1",
    "sport/+": "",
    "//": "//",
    "+/+/+": "a/b/c // a//b sport/tennis/player1",
}


def test_filters_match_as_the_specification_says(start):
    b = start.bridge()
    subscribers = {}
    for f in FILTERS:
        subscribers[f] = b.mqtt()
        subscribers[f].subscribe(f, "end/of/all/topics")
    publisher = b.mqtt()
    for topic in TOPICS:
        publisher.publish(topic)
    publisher.publish("end/of/all/topics")
    for f, s in subscribers.items():
        got = [m.topic for m in s.messages_until("end/of/all/topics")]
        expected = FILTERS[f].split()
        if f in ("#", "+/#"):
            # The filter of the end and this one deliver one copy.
            assert s.pending == []
        assert got == expected, f


def test_suback_has_one_code_per_filter_in_order(bridge):
    client = bridge.mqtt()
    assert client.subscribe((bridge.topic("a"), 1), (bridge.topic("b"), 0),
                            (bridge.topic("c"), 1)) == [1, 0, 1]


def test_a_hundred_filters_in_one_subscribe(bridge):
    client, publisher = bridge.mqtt(), bridge.mqtt()
    filters = [(bridge.topic(i), i % 2) for i in range(100)]
    assert client.subscribe(*filters) == [0, 1] * 50
    for f, _ in filters:
        publisher.publish(f)
    assert [m.topic for m in client.messages(100)] == [f for f, _ in filters]


# v5 [MQTT-3.8.4-3]
def test_subscribing_again_replaces_the_qos(bridge):
    # v3.1.1 [MQTT-3.8.4-3]
    client, publisher = bridge.mqtt(), bridge.mqtt()
    for qos in (0, 1, 0):
        client.subscribe(bridge.topic("a"), qos=qos)
        publisher.publish(bridge.topic("a"), qos=1)
        assert client.message().qos == qos
    client.subscribe(bridge.topic("end"))
    publisher.publish(bridge.topic("end"))
    assert client.messages_until(bridge.topic("end")) == []


# v5 [MQTT-3.10.4-3]
# v3.1.1 [MQTT-3.10.4-3]
def test_unsubscribe_ends_delivery(bridge):
    client, publisher = bridge.mqtt(), bridge.mqtt()
    client.subscribe(*map(bridge.topic, ("a", "b", "c", "end")), qos=1)
    client.unsubscribe(bridge.topic("a"), bridge.topic("c"))
    for topic in ("a", "b", "c", "end"):
        publisher.publish(bridge.topic(topic), qos=1)
    got = client.messages_until(bridge.topic("end"))
    assert [m.topic for m in got] == [bridge.topic("b")]


def test_unsubscribe_compares_filters_as_they_are_written(bridge):
    # v3.1.1 [MQTT-3.10.4-1]
    client, publisher = bridge.mqtt(), bridge.mqtt()
    client.subscribe(bridge.topic("a/+"))
    client.unsubscribe(bridge.topic("a/b"), bridge.topic("a/#"))
    publisher.publish(bridge.topic("a/b"), b"still")
    assert client.message().payload == b"still"


def test_unsubscribe_of_nothing_is_acknowledged(bridge):
    # v3.1.1 [MQTT-3.10.4-5]
    client = bridge.mqtt()
    client.unsubscribe(bridge.topic("never"))
    client.ping()


def test_packet_identifiers_come_back(bridge):
    client = bridge.mqtt()
    for packet_id in (1, 255, 256, 65535):
        client.send(subscribe_packet(packet_id, [(bridge.topic("a"), 0)]))
        assert client.wait(SUBACK).packet_id == packet_id
    client.packet_id = 65534
    client.unsubscribe(bridge.topic("a"))
    assert client.new_packet_id() == 1


@pytest.mark.parametrize("filter", ["a/#/b", "a#", "#/", "a+", "a/+b", "+a",
                                    "a/b#", ""])
def test_misplaced_wildcards_are_refused(bridge, filter):
    # v3.1.1 [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-1]
    client = bridge.mqtt()
    try:
        assert client.subscribe(filter) == [0x80]
        client.ping()
    except Closed:
        pass


def test_a_good_filter_beside_others_is_granted(bridge):
    client, publisher = bridge.mqtt(), bridge.mqtt()
    client.subscribe(bridge.topic("a"), bridge.topic("+/#"))
    publisher.publish(bridge.topic("a"), b"x")
    assert client.message().payload == b"x"


def test_many_subscriptions_of_many_clients(bridge):
    publisher = bridge.mqtt()
    clients = [bridge.mqtt() for _ in range(20)]
    for n, c in enumerate(clients):
        c.subscribe(*(bridge.topic(f"{n}/{i}") for i in range(50)))
    for n in range(20):
        for i in range(50):
            publisher.publish(bridge.topic(f"{n}/{i}"))
    for n, c in enumerate(clients):
        got = [m.topic for m in c.messages(50)]
        assert got == [bridge.topic(f"{n}/{i}") for i in range(50)]
        assert c.pending == []


def test_a_deep_filter_and_topic(bridge):
    client, publisher = bridge.mqtt(), bridge.mqtt()
    deep = bridge.topic("/".join(["l"] * 60))
    client.subscribe(deep.replace("l", "+"))
    publisher.publish(deep, b"deep")
    assert client.message().topic == deep


def test_unsuback_answers_each_packet(bridge):
    client = bridge.mqtt()
    client.subscribe(bridge.topic("a"))
    client.unsubscribe(bridge.topic("a"))
    client.unsubscribe(bridge.topic("a"))
    assert not [p for p in client.pending if p.type == UNSUBACK]
