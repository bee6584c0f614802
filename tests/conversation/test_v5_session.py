# SPDX-License-Identifier: Apache-2.0
"""MQTT 5.0: Session Expiry, Clean Start, Will Delay."""

import time

import pytest

from conversation.deadline import until
from conversation.mqtt import V5, V311, Will

NEVER = 0xFFFFFFFF


@pytest.fixture(autouse=True)
def served(bridge):
    if not bridge.daemon.serves("5"):
        pytest.skip("5.0 is not served")


@pytest.fixture
def device(bridge):
    """Connects the device of this test; its session ends with the test."""
    client_id = f"{bridge.tag}-device"

    def connect(clean=False, version=V5, **options):
        return bridge.mqtt(client_id, clean=clean, version=version, **options)

    yield connect
    connect(clean=True).disconnect()


@pytest.fixture
def publisher(bridge):
    return bridge.mqtt(version=V5)


def test_without_an_expiry_it_ends_with_the_connection(device):
    device().close()
    assert not device().connack.session_present


def test_with_an_expiry_it_waits(device):
    device(session_expiry=60).close()
    assert device(session_expiry=60).connack.session_present


def test_clean_start_is_for_the_start_only(device):
    # v5 [MQTT-3.1.2-4]
    first = device(clean=True, session_expiry=60)
    assert not first.connack.session_present
    first.disconnect()
    assert device(session_expiry=60).connack.session_present
    assert not device(clean=True).connack.session_present


def test_the_expiry_of_the_last_connection_counts(device):
    device(session_expiry=60).close()
    device(session_expiry=0).close()
    assert not device().connack.session_present


def test_disconnect_may_change_it(device):
    device(session_expiry=60).disconnect(session_expiry=0)
    client = device(session_expiry=1)
    assert not client.connack.session_present
    client.disconnect(session_expiry=60)
    assert device().connack.session_present


def test_it_ends_in_time(bridge, device, publisher):
    # v5 [MQTT-4.1.0-2]
    n = bridge.nats()
    client = device(session_expiry=1)
    client.subscribe(bridge.topic("a"), qos=1)
    early = time.monotonic()
    client.close()
    inbox = n.subscribe(f"_INBOX.{bridge.tag}")

    def forgotten():
        n.publish(bridge.subject("a"), b"x", reply=inbox.subject)
        return any(m.status == "503" for m in inbox.take())

    until(forgotten, "the session to end")
    assert time.monotonic() - early >= 0.9
    assert not device().connack.session_present


def test_a_longer_expiry_than_allowed_is_told(start):
    b = start.bridge({"limits": {"session_expiry_max": "100s"}})
    for asked in (101, NEVER):
        connack = b.mqtt(version=V5, session_expiry=asked).connack
        assert connack.prop("session_expiry") == 100
    connack = b.mqtt(version=V5, session_expiry=50).connack
    assert connack.prop("session_expiry") in (None, 50)


def test_versions_share_sessions(bridge, device, publisher):
    """3.1.1 without Clean Session and 5.0 with an expiry are the same."""
    old = device(version=V311)
    old.subscribe(bridge.topic("a"), qos=1)
    old.disconnect()
    publisher.publish(bridge.topic("a"), b"1", qos=1, content_type="t")
    new = device(session_expiry=60)
    assert new.connack.session_present
    m = new.message()
    assert (m.payload, m.prop("content_type")) == (b"1", "t")
    new.disconnect()
    publisher.publish(bridge.topic("a"), b"2", qos=1, content_type="t")
    old = device(version=V311)
    assert old.connack.session_present
    assert old.message().payload == b"2"


def test_subscription_options_are_part_of_it(bridge, device, publisher):
    client = device(session_expiry=60)
    client.subscribe((bridge.topic("a"), 1 | 8))
    client.disconnect()
    publisher.publish(bridge.topic("a"), b"x", qos=1, retain=True)
    assert device().message().retain


# Wills

@pytest.fixture
def heir(bridge):
    client = bridge.mqtt(version=V5)
    client.subscribe(bridge.topic("will"), bridge.topic("end"), qos=1)
    return client


def will(bridge, **props):
    return Will(bridge.topic("will"), b"gone", 1, **props)


def nothing_for(heir, bridge):
    bridge.mqtt().publish(bridge.topic("end"), qos=1)
    return heir.messages_until(bridge.topic("end")) == []


def test_disconnect_0_discards_the_will(bridge, device, heir):
    device(will=will(bridge)).disconnect()
    assert nothing_for(heir, bridge)


def test_disconnect_4_publishes_the_will(bridge, device, heir):
    # v5 [MQTT-3.14.4-3]
    device(will=will(bridge)).disconnect(code=4)
    assert heir.message().payload == b"gone"


def test_an_error_of_the_client_publishes_the_will(bridge, device, heir):
    device(will=will(bridge)).disconnect(code=0x82)
    assert heir.message().payload == b"gone"


def test_a_will_has_properties(bridge, device, heir):
    device(will=will(bridge, content_type="text", payload_format=1,
                     user_property=("k", "v"), message_expiry=100,
                     correlation_data=b"c")).close()
    m = heir.message()
    assert m.prop("content_type") == "text"
    assert m.prop("user_property") == ("k", "v")
    assert m.prop("correlation_data") == b"c"
    assert m.prop("will_delay") is None
    assert 99 <= m.prop("message_expiry") <= 100


def test_a_delayed_will_waits(bridge, device, heir):
    # v5 [MQTT-3.1.3-9]
    client = device(will=will(bridge, will_delay=1), session_expiry=60)
    early = time.monotonic()
    client.close()
    assert heir.message().payload == b"gone"
    assert time.monotonic() - early >= 0.9


def test_a_resumed_session_has_no_will(bridge, device, heir):
    client = device(will=will(bridge, will_delay=1), session_expiry=60)
    client.close()
    client = device(session_expiry=60)
    # Another delayed will that is armed later is published first.
    other = bridge.mqtt(version=V5, session_expiry=60, will=Will(
        bridge.topic("end"), b"later", 1, will_delay=2))
    other.close()
    assert heir.messages_until(bridge.topic("end")) == []


def test_the_end_of_the_session_publishes_a_delayed_will(bridge, device,
                                                         heir):
    client = device(will=will(bridge, will_delay=3600), session_expiry=1)
    client.close()
    assert heir.message().payload == b"gone"


def test_a_session_without_expiry_has_no_delay(bridge, device, heir):
    device(will=will(bridge, will_delay=3600)).close()
    assert heir.message().payload == b"gone"


def test_a_clean_start_publishes_a_delayed_will(bridge, device, heir):
    device(will=will(bridge, will_delay=3600), session_expiry=3600).close()
    device(clean=True)
    assert heir.message().payload == b"gone"


def test_a_takeover_with_a_resumed_session(bridge, device, heir):
    """The will delay has begun and is over: v5 3.1.3.2.2, note."""
    device(will=will(bridge), session_expiry=60)
    device(session_expiry=60)
    assert heir.message().payload == b"gone"
