# SPDX-License-Identifier: Apache-2.0
"""MQTT 5.0: Subscription Options and Identifiers, codes of SUBACK."""

import pytest

from conversation.mqtt import (NO_LOCAL, RETAIN_AS_PUBLISHED, RETAIN_IF_NEW,
                               RETAIN_NEVER, V5)


@pytest.fixture(autouse=True)
def served(bridge):
    if not bridge.daemon.serves("5"):
        pytest.skip("5.0 is not served")


@pytest.fixture
def five(bridge):
    """Connect with 5.0."""
    return lambda *a, **options: bridge.mqtt(*a, version=V5, **options)


@pytest.fixture
def until_end(bridge):
    """What a client got before a marker that comes now."""
    def until_end(client):
        client.subscribe(bridge.topic("the/end"))
        bridge.mqtt().publish(bridge.topic("the/end"))
        return client.messages_until(bridge.topic("the/end"))
    return until_end


# No Local

def test_no_local_leaves_out_ones_own(bridge, five, until_end):
    # v5 [MQTT-3.8.3-3]
    client, other = five(), five()
    client.subscribe((bridge.topic("a"), 1 | NO_LOCAL))
    client.publish(bridge.topic("a"), b"mine", qos=1)
    other.publish(bridge.topic("a"), b"others", qos=1)
    assert [m.payload for m in until_end(client)] == [b"others"]


def test_no_local_does_not_leave_out_nats(bridge, five):
    client, n = five(), bridge.nats()
    client.subscribe((bridge.topic("a"), NO_LOCAL))
    n.publish(bridge.subject("a"), b"nats")
    assert client.message().payload == b"nats"


def test_no_local_is_of_the_identifier(bridge, five, until_end):
    """A session that comes back is the same client."""
    client_id = f"{bridge.tag}-l"
    client = five(client_id, session_expiry=60)
    client.subscribe((bridge.topic("a"), 1 | NO_LOCAL))
    client.close()
    client = five(client_id, clean=False)
    client.publish(bridge.topic("a"), b"mine", qos=1)
    assert until_end(client) == []


# Retain As Published, Retain Handling

def test_retain_as_published(bridge, five):
    # v5 [MQTT-3.3.1-12] [MQTT-3.3.1-13]
    plain, kept, publisher = five(), five(), five()
    plain.subscribe(bridge.topic("a"))
    kept.subscribe((bridge.topic("a"), RETAIN_AS_PUBLISHED))
    for retain in (True, False):
        publisher.publish(bridge.topic("a"), b"x", retain=retain)
        assert not plain.message().retain
        assert kept.message().retain == retain


# v5 [MQTT-3.8.4-4]
@pytest.mark.parametrize("option,first,again", [
    (0, True, True), (RETAIN_IF_NEW, True, False),
    (RETAIN_NEVER, False, False)], ids=["always", "if new", "never"])
def test_retain_handling(bridge, five, until_end, option, first, again):
    # v5 [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11]
    five().publish(bridge.topic("a"), b"kept", qos=1, retain=True)
    client = five()
    for expected in (first, again, again):
        client.subscribe((bridge.topic("a"), 1 | option))
        got = until_end(client)
        assert len(got) == expected
        assert all(m.retain for m in got)
    client.unsubscribe(bridge.topic("a"))
    client.subscribe((bridge.topic("a"), 1 | option))
    assert len(until_end(client)) == first


def test_retained_messages_keep_their_properties(bridge, five):
    five().publish(bridge.topic("a"), "ü", qos=1, retain=True,
                   payload_format=1, content_type="text",
                   user_property=("k", "v"), message_expiry=100)
    client = five()
    client.subscribe(bridge.topic("a"), subscription_id=7)
    m = client.message()
    assert m.retain and m.prop("content_type") == "text"
    assert m.prop("user_property") == ("k", "v")
    assert m.prop("subscription_id") == 7
    assert 90 <= m.prop("message_expiry") <= 100


# Subscription Identifiers

def test_identifiers_come_with_the_message(bridge, five):
    # v5 [MQTT-3.3.4-3]
    client, publisher = five(), five()
    client.subscribe(bridge.topic("a"), subscription_id=1)
    client.subscribe(bridge.topic("b/+"), subscription_id=268435455)
    client.subscribe(bridge.topic("c"))
    for topic, expected in (("a", [1]), ("b/x", [268435455]), ("c", [])):
        publisher.publish(bridge.topic(topic))
        assert client.message().props("subscription_id") == expected


def test_overlapping_filters_deliver_one_copy_with_all_identifiers(
        bridge, five, until_end):
    # v5 [MQTT-3.3.4-2] [MQTT-3.3.4-4]
    client, publisher = five(), five()
    client.subscribe(bridge.topic("a/#"), qos=0, subscription_id=3)
    client.subscribe(bridge.topic("a/+"), qos=1, subscription_id=5)
    client.subscribe(bridge.topic("a/b"), qos=0)
    client.subscribe(bridge.topic("+/b"), qos=0, subscription_id=9)
    publisher.publish(bridge.topic("a/b"), b"once", qos=1)
    [m] = until_end(client)
    assert m.qos == 1
    assert sorted(m.props("subscription_id")) == [3, 5, 9]


def test_identifiers_come_with_messages_from_nats(bridge, five):
    client, n = five(), bridge.nats()
    client.subscribe(bridge.topic("a/#"), subscription_id=3)
    n.publish(bridge.subject("a.b"))
    assert client.message().props("subscription_id") == [3]


def test_subscribing_again_replaces_the_identifier(bridge, five):
    client, publisher = five(), five()
    for number in (4, None, 8):
        props = {"subscription_id": number} if number else {}
        client.subscribe(bridge.topic("a"), **props)
        publisher.publish(bridge.topic("a"))
        assert client.message().props("subscription_id") == (
            [number] if number else [])


def test_identifiers_are_part_of_the_session(bridge, five):
    client_id = f"{bridge.tag}-i"
    client = five(client_id, session_expiry=60)
    client.subscribe(bridge.topic("a"), qos=1, subscription_id=6)
    client.close()
    five().publish(bridge.topic("a"), b"x", qos=1)
    client = five(client_id, clean=False)
    assert client.message().props("subscription_id") == [6]


# Codes

def test_unsuback_tells_what_was_there(bridge, five):
    client = five()
    client.subscribe(bridge.topic("a"))
    assert client.unsubscribe(bridge.topic("a"), bridge.topic("b"),
                              bridge.topic("a")) == [0, 0x11, 0x11]


# v5 [MQTT-3.8.4-7]
def test_suback_tells_what_was_granted(bridge, five):
    client = five()
    codes = client.subscribe((bridge.topic("a"), 0), (bridge.topic("b"), 1),
                             ("$JS/x", 1), (bridge.topic("c"), 0))
    assert codes[:2] == [0, 1] and codes[3] == 0
    assert codes[2] in (0x87, 0x8F)


@pytest.mark.parametrize("filter", ["a/#/b", "a#", "+a", ""])
def test_misplaced_wildcards_are_refused(five, filter):
    client = five()
    client.send_subscribe(filter)
    p = client.next()
    code = p.codes[0] if hasattr(p, "codes") else p.code
    assert code in (0x81, 0x82, 0x8F)


def test_too_many_subscriptions(start):
    b = start.bridge({"limits": {"max_subscriptions": 2}})
    client = b.mqtt(version=V5)
    assert client.subscribe("a", "b", "c") == [0, 0, 0x97]
