# SPDX-License-Identifier: Apache-2.0
"""SUBACK means live: what NATS publishes after it arrives."""

import random

import pytest


@pytest.fixture
def n(bridge):
    return bridge.nats()


def test_the_next_message_arrives(bridge, n):
    client = bridge.mqtt()
    for i in range(300):
        client.subscribe(bridge.topic(f"a/{i}"))
        n.publish(bridge.subject(f"a.{i}"), str(i))
        assert client.message().payload == str(i).encode()


def test_the_next_message_arrives_after_unsubscribing(bridge, n):
    client = bridge.mqtt()
    for i in range(200):
        client.subscribe(bridge.topic("a"))
        n.publish(bridge.subject("a"), str(i))
        assert client.message().payload == str(i).encode()
        client.unsubscribe(bridge.topic("a"))


def test_with_clients_that_come_and_go(bridge, n):
    for i in range(60):
        client = bridge.mqtt()
        client.subscribe(bridge.topic("a/+" if i % 2 else "a/b"), qos=1)
        n.publish(bridge.subject("a.b"), str(i))
        assert client.message().payload == str(i).encode()
        client.close()


def test_a_second_subscriber_is_live_as_well(bridge, n):
    """Its filter is known to NATS already."""
    clients = []
    for i in range(40):
        client = bridge.mqtt()
        client.subscribe(bridge.topic("a"))
        clients.append(client)
        n.publish(bridge.subject("a"), str(i))
        for c in clients:
            assert c.message().payload == str(i).encode()


def test_each_filter_of_one_subscribe_is_live(bridge, n):
    client = bridge.mqtt()
    for k in range(20):
        filters = [bridge.topic(f"{k}/{i}/x") for i in range(10)]
        client.subscribe(*filters)
        for f in filters:
            n.publish(f.replace("/", "."))
        assert [m.topic for m in client.messages(10)] == filters


def test_no_message_is_missed_while_filters_change(bridge, n):
    """Wider filters replace narrower ones towards NATS, and back."""
    steady, other = bridge.mqtt(), bridge.mqtt()
    steady.subscribe(bridge.topic("a/b/c"), qos=1)
    filters = ["a/#", "a/+/c", "a/b/+", "+/b/c", "#", "a/b/#", "+/+/+",
               "a/b/d", "+/b/#"]
    choose = random.Random(4)
    wanted = []
    for i in range(200):
        f = bridge.topic(choose.choice(filters))
        if choose.random() < 0.5:
            other.send_subscribe(f)
        else:
            other.unsubscribe(f)
        n.publish(bridge.subject("a.b.c"), str(i))
        wanted.append(str(i).encode())
    got = [steady.message().payload for _ in range(200)]
    # A message may come twice while NATS knows both filters, never not.
    seen = list(dict.fromkeys(got))
    while len(seen) < 200:
        seen = list(dict.fromkeys([*seen, steady.message().payload]))
    assert seen == wanted


def test_filters_that_overlap_bring_each_message_once(bridge, n):
    choose = random.Random(7)
    words = ["a", "b", "c", "+"]
    clients = []
    for _ in range(12):
        client = bridge.mqtt()
        client.filters = []
        for _ in range(6):
            levels = [choose.choice(words) for _ in range(3)]
            if choose.random() < 0.3:
                levels = [*levels[:choose.randrange(3)], "#"]
            f = bridge.topic("/".join(levels))
            client.filters.append(f)
            client.subscribe(f)
        client.subscribe(bridge.topic("end"))
        clients.append(client)
    topics = [f"{x}/{y}/{z}" for x in "abd" for y in "abd" for z in "abd"]
    for t in topics:
        n.publish(bridge.subject(t.replace("/", ".")))
    n.publish(bridge.subject("end"))
    for c in clients:
        wanted = [bridge.topic(t) for t in topics
                  if any(matches(f, bridge.topic(t)) for f in c.filters)]
        got = [m.topic for m in c.messages_until(bridge.topic("end"))]
        assert got == wanted, c.filters


def matches(filter, topic):
    """The naive model of v3.1.1 4.7."""
    filter, topic = filter.split("/"), topic.split("/")
    for i, level in enumerate(filter):
        if level == "#":
            return True
        if i >= len(topic) or level not in ("+", topic[i]):
            return False
    return len(filter) == len(topic)
