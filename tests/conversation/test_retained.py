# SPDX-License-Identifier: Apache-2.0
"""Retained messages between devices."""

import pytest


@pytest.fixture
def publisher(bridge):
    """Whatever it has published is kept when `publish` returns."""
    client = bridge.mqtt()
    publish = client.publish

    def publish_and_ping(*arguments, **options):
        publish(*arguments, **options)
        client.ping()

    client.publish = publish_and_ping
    return client


def subscriber(bridge, *filters, qos=1):
    client = bridge.mqtt()
    client.subscribe(*map(bridge.topic, filters), qos=qos)
    return client


def retained(bridge, *filters, qos=1):
    """What a new subscriber is sent at once, by topic."""
    client = subscriber(bridge, *filters, qos=qos)
    client.subscribe(bridge.topic("no/such/marker"))
    client.publish(bridge.topic("no/such/marker"))
    found = client.messages_until(bridge.topic("no/such/marker"))
    assert all(m.retain for m in found), found
    client.disconnect()
    start = len(bridge.topic(""))
    return {m.topic[start:]: m.payload for m in found}


def test_a_new_subscriber_is_sent_it(bridge, publisher):
    publisher.publish(bridge.topic("a"), b"kept", retain=True)
    client = subscriber(bridge, "a")
    m = client.message()
    assert (m.topic, m.payload) == (bridge.topic("a"), b"kept")
    assert (m.retain, m.dup, m.qos) == (True, False, 0)


def test_a_present_subscriber_sees_no_retain_flag(bridge, publisher):
    # v3.1.1 [MQTT-3.3.1-9]
    client = subscriber(bridge, "a")
    publisher.publish(bridge.topic("a"), b"kept", retain=True)
    m = client.message()
    assert (m.payload, m.retain) == (b"kept", False)


@pytest.mark.parametrize("published", [0, 1])
@pytest.mark.parametrize("asked", [0, 1])
def test_qos_is_the_lower_of_both(bridge, publisher, published, asked):
    publisher.publish(bridge.topic("a"), b"x", qos=published, retain=True)
    m = subscriber(bridge, "a", qos=asked).message()
    assert (m.qos, m.retain) == (min(published, asked), True)


def test_the_newest_one_is_kept(bridge, publisher):
    for i in range(10):
        publisher.publish(bridge.topic("a"), str(i), qos=i % 2, retain=True)
    assert retained(bridge, "a") == {"a": b"9"}


# v5 [MQTT-3.3.1-8]
def test_what_is_not_retained_changes_nothing(bridge, publisher):
    # v3.1.1 [MQTT-3.3.1-12]
    publisher.publish(bridge.topic("a"), b"kept", retain=True)
    publisher.publish(bridge.topic("a"), b"passing")
    publisher.publish(bridge.topic("a"), b"")
    assert retained(bridge, "a") == {"a": b"kept"}


def test_an_empty_payload_clears(bridge, publisher):
    # v3.1.1 [MQTT-3.3.1-10] [MQTT-3.3.1-11]
    client = subscriber(bridge, "a")
    publisher.publish(bridge.topic("a"), b"kept", retain=True)
    publisher.publish(bridge.topic("a"), b"", retain=True)
    got = client.messages(2)
    assert [(m.payload, m.retain) for m in got] == [
        (b"kept", False), (b"", False)]
    assert retained(bridge, "a") == {}


def test_clearing_twice_and_setting_again(bridge, publisher):
    for payload in (b"", b"one", b"", b"", b"two"):
        publisher.publish(bridge.topic("a"), payload, retain=True)
    assert retained(bridge, "#") == {"a": b"two"}


def test_every_subscribe_brings_it_again(bridge, publisher):
    # v3.1.1 [MQTT-3.8.4-3]
    publisher.publish(bridge.topic("a"), b"kept", retain=True)
    client = bridge.mqtt()
    for qos in (0, 1, 1, 0):
        client.subscribe(bridge.topic("a"), qos=qos)
        m = client.message()
        assert (m.payload, m.retain) == (b"kept", True)


# v3.1.1 [MQTT-3.1.2-7]
def test_it_survives_its_publisher(bridge):
    for how in ("disconnect", "close"):
        publisher = bridge.mqtt()
        publisher.publish(bridge.topic(how), b"kept", qos=1, retain=True)
        getattr(publisher, how)()
    assert retained(bridge, "#") == {"disconnect": b"kept",
                                     "close": b"kept"}


TREE = ["a", "a/b", "a/b/c", "a/c", "a/b/d", "b", "b/b", "b/b/c", "x/a/b/c",
        "a/", "/a", "a//c", "a/b/c/d/e/f"]

LOOKUPS = {
    "#": TREE,
    "a": ["a"],
    "a/b": ["a/b"],
    "a/#": ["a", "a/b", "a/b/c", "a/c", "a/b/d", "a/", "a//c",
            "a/b/c/d/e/f"],
    "a/+": ["a/b", "a/c", "a/"],
    "+": ["a", "b"],
    "+/b": ["a/b", "b/b"],
    "+/+": ["a/b", "a/c", "b/b", "a/", "/a"],
    "+/b/#": ["a/b", "a/b/c", "a/b/d", "b/b", "b/b/c", "a/b/c/d/e/f"],
    "a/+/c": ["a/b/c", "a//c"],
    "+/+/c": ["a/b/c", "b/b/c", "a//c"],
    "a/b/+": ["a/b/c", "a/b/d"],
    "x/+/+/c": ["x/a/b/c"],
    "x/a/#": ["x/a/b/c"],
    "a/b/c/#": ["a/b/c", "a/b/c/d/e/f"],
    "/+": ["/a"],
    "/#": ["/a"],
    "a//+": ["a//c"],
    "c/#": [],
    "+/+/+/+/+/+": ["a/b/c/d/e/f"],
    "A": [],
    "b/b/c/d": [],
}


def test_wildcards_find_what_they_match(bridge, publisher):
    for topic in TREE:
        publisher.publish(bridge.topic(topic), topic, retain=True)
    for f, topics in LOOKUPS.items():
        found = retained(bridge, f)
        assert found == {t: t.encode() for t in topics}, f


def test_leading_wildcards_do_not_find_dollar_topics(start):
    # v3.1.1 [MQTT-4.7.2-1]
    b = start.bridge()
    publisher = b.mqtt()
    for topic in ("$x", "$x/a", "x/a", "x"):
        publisher.publish(topic, topic, qos=1, retain=True)
    for f, topics in {"#": {"x", "x/a"}, "+/a": {"x/a"}, "+": {"x"},
                      "$x/#": {"$x", "$x/a"}, "$x/+": {"$x/a"}}.items():
        client = b.mqtt()
        client.subscribe(f)
        client.subscribe("end")
        client.publish("end")
        assert {m.topic for m in client.messages_until("end")} == topics, f
        client.disconnect()


def test_several_filters_each_bring_their_own(bridge, publisher):
    for topic in ("a/1", "a/2", "b/1"):
        publisher.publish(bridge.topic(topic), topic, retain=True)
    assert retained(bridge, "a/1", "b/+") == {"a/1": b"a/1", "b/1": b"b/1"}


def test_a_thousand_of_them(bridge, publisher):
    for i in range(1000):
        publisher.publish(bridge.topic(f"{i % 10}/{i}"), str(i), retain=True)
    publisher.publish(bridge.topic("done"), qos=1)
    assert len(retained(bridge, "#")) == 1000
    assert len(retained(bridge, "+/+", qos=0)) == 1000
    assert len(retained(bridge, "3/+")) == 100
    assert retained(bridge, "+/777") == {"7/777": b"777"}


def test_more_than_a_session_may_queue(start):
    """Retained messages on subscribe obey the windows, and all come."""
    b = start.bridge({"qos": {"max_inflight": 5}})
    publisher, client = b.mqtt(), b.mqtt()
    for i in range(300):
        publisher.publish(f"t/{i}", str(i), qos=1, retain=True)
    client.subscribe("t/#", qos=1)
    assert len({m.topic for m in client.messages(300)}) == 300


@pytest.mark.parametrize("payload", [b"\0", bytes(range(256)), b"x" * 500000],
                         ids=["zero", "every byte", "large"])
def test_payloads_are_kept_as_they_were(bridge, publisher, payload):
    publisher.publish(bridge.topic("a"), payload, qos=1, retain=True)
    assert retained(bridge, "a") == {"a": payload}


def test_qos_1_is_repeated_like_any_other(bridge, publisher):
    publisher.publish(bridge.topic("a"), b"kept", qos=1, retain=True)
    client_id = f"{bridge.tag}-again"
    client = bridge.mqtt(client_id, clean=False)
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    first = client.message()
    client.close()
    client = bridge.mqtt(client_id, clean=False)
    again = client.message()
    assert (again.packet_id, again.payload) == (first.packet_id, b"kept")
    assert again.dup and again.retain
    client.disconnect()
    bridge.mqtt(client_id)


def test_it_does_not_come_with_the_session(bridge, publisher):
    """Only SUBSCRIBE brings retained messages, not a resumed session."""
    client_id = f"{bridge.tag}-resumed"
    client = bridge.mqtt(client_id, clean=False)
    client.subscribe(bridge.topic("a"), bridge.topic("end"), qos=1)
    client.disconnect()
    publisher.publish(bridge.topic("a"), b"kept", qos=0, retain=True)
    client = bridge.mqtt(client_id, clean=False)
    publisher.publish(bridge.topic("end"))
    assert client.messages_until(bridge.topic("end")) == []
    client.disconnect()
    bridge.mqtt(client_id)
