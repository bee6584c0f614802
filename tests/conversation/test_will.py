# SPDX-License-Identifier: Apache-2.0
"""Wills: when they are published, and when not."""

import socket
import struct

import pytest

from conversation.deadline import until
from conversation.mqtt import PUBACK, Will, packet


@pytest.fixture
def heir(bridge):
    """Subscribes to the wills of this test at QoS 1."""
    client = bridge.mqtt()
    client.subscribe(bridge.topic("will/#"), bridge.topic("end"), qos=1)
    return client


def with_will(bridge, client_id=None, qos=0, retain=False, **options):
    return bridge.mqtt(client_id, will=Will(
        bridge.topic("will/a"), b"gone", qos, retain), **options)


def nothing_for(heir, bridge):
    bridge.mqtt().publish(bridge.topic("end"), qos=1)
    return heir.messages_until(bridge.topic("end")) == []


# v3.1.1 [MQTT-3.1.2-12]
@pytest.mark.parametrize("qos", [0, 1])
def test_a_dropped_connection_publishes_it(bridge, heir, qos):
    # v3.1.1 [MQTT-3.1.2-8]
    with_will(bridge, qos=qos).close()
    m = heir.message()
    assert (m.topic, m.payload) == (bridge.topic("will/a"), b"gone")
    assert (m.qos, m.retain) == (qos, False)


def test_a_disconnect_discards_it(bridge, heir):
    # v3.1.1 [MQTT-3.14.4-3]
    with_will(bridge).disconnect()
    assert nothing_for(heir, bridge)


def test_it_is_published_once(bridge, heir):
    with_will(bridge, qos=1).close()
    heir.message()
    assert nothing_for(heir, bridge)


def test_a_protocol_error_publishes_it(bridge, heir):
    client = with_will(bridge)
    client.send(b"\x00\x00")
    client.expect_close()
    assert heir.message().payload == b"gone"


def test_a_second_connect_publishes_it(bridge, heir):
    client = with_will(bridge)
    client.send(packet(1, 0, b"\0\4MQTT\4\2\0\0\0\1x"))
    client.expect_close()
    assert heir.message().payload == b"gone"


def test_a_keep_alive_timeout_publishes_it(bridge, heir):
    client = with_will(bridge, keep_alive=1)
    assert heir.message().payload == b"gone"
    client.expect_close()


@pytest.mark.parametrize("clean", [True, False])
def test_a_takeover_publishes_it(bridge, heir, clean):
    """No DISCONNECT was received."""
    client_id = f"{bridge.tag}-over"
    old = with_will(bridge, client_id, clean=clean)
    new = bridge.mqtt(client_id)
    old.expect_close()
    assert heir.message().payload == b"gone"
    new.ping()


def test_a_reset_connection_publishes_it(bridge, heir):
    client = with_will(bridge)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           struct.pack("ii", 1, 0))
    client.close()
    assert heir.message().payload == b"gone"


def test_half_a_packet_before_the_end(bridge, heir):
    client = with_will(bridge)
    client.send(b"\x30\x20\x00\x05abc")
    client.close()
    assert heir.message().payload == b"gone"


def test_a_refused_connect_has_no_will(bridge, heir):
    client = bridge.socket()
    client.connect("", clean=False, code=2,
                   will=Will(bridge.topic("will/a"), b"gone"))
    client.expect_close()
    assert nothing_for(heir, bridge)


def test_the_last_will_counts(bridge, heir):
    client_id = f"{bridge.tag}-c"
    for i in range(3):
        client = bridge.mqtt(client_id, will=Will(
            bridge.topic(f"will/{i}"), str(i)))
        client.disconnect()
    bridge.mqtt(client_id, will=Will(bridge.topic("will/4"), "4")).close()
    assert heir.message().payload == b"4"
    assert nothing_for(heir, bridge)


@pytest.mark.parametrize("payload", [b"", b"\0\xff", b"x" * 60000],
                         ids=["empty", "binary", "large"])
def test_any_payload(bridge, heir, payload):
    bridge.mqtt(will=Will(bridge.topic("will/a"), payload)).close()
    assert heir.message().payload == payload


def test_the_will_goes_to_present_and_retained(bridge, heir):
    # v3.1.1 [MQTT-3.1.2-17]
    with_will(bridge, qos=1, retain=True).close()
    assert not heir.message().retain
    late = bridge.mqtt()
    late.subscribe(bridge.topic("will/+"), qos=1)
    m = late.message()
    assert (m.payload, m.retain, m.qos) == (b"gone", True, 1)


def test_a_will_that_is_not_retained_leaves_nothing(bridge, heir):
    # v3.1.1 [MQTT-3.1.2-16]
    with_will(bridge, qos=1).close()
    heir.message()
    late = bridge.mqtt()
    late.subscribe(bridge.topic("will/+"), bridge.topic("end"))
    late.publish(bridge.topic("end"))
    assert late.messages_until(bridge.topic("end")) == []


def test_an_empty_retained_will_clears(bridge, heir):
    bridge.mqtt().publish(bridge.topic("will/a"), b"online", qos=1,
                          retain=True)
    assert heir.message().payload == b"online"
    bridge.mqtt(will=Will(bridge.topic("will/a"), b"", retain=True)).close()
    assert heir.message().payload == b""
    late = bridge.mqtt()
    late.subscribe(bridge.topic("will/+"), bridge.topic("end"))
    late.publish(bridge.topic("end"))
    assert late.messages_until(bridge.topic("end")) == []


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retain", [False, True])
def test_a_subscriber_that_was_away(bridge, qos, retain):
    client_id = f"{bridge.tag}-heir"
    away = bridge.mqtt(client_id, clean=False)
    away.subscribe(bridge.topic("will/#"), bridge.topic("end"), qos=1)
    away.disconnect()
    # It has been published when others have seen it, on every worker.
    watchers = [bridge.mqtt() for _ in range(6)]
    for w in watchers:
        w.subscribe(bridge.topic("will/#"), qos=1)
    with_will(bridge, qos=qos, retain=retain).close()
    for w in watchers:
        w.message()
    back = bridge.mqtt(client_id, clean=False)
    bridge.mqtt().publish(bridge.topic("end"), qos=1)
    got = back.messages_until(bridge.topic("end"))
    assert [(m.payload, m.qos) for m in got] == [(b"gone", 1)] * qos
    bridge.mqtt(client_id)


# On NATS

@pytest.fixture
def n(bridge):
    return bridge.nats()


def test_nats_sees_a_will(bridge, n):
    service = n.subscribe(bridge.subject("will.>"))
    with_will(bridge).close()
    m = service.next()
    assert (m.subject, m.payload) == (bridge.subject("will.a"), b"gone")
    assert (m.reply, m.headers) == (None, [])


def test_nats_sees_a_retained_will(bridge, n):
    service = n.subscribe(bridge.subject("will.>"))
    with_will(bridge, qos=1, retain=True).close()
    m = service.next()
    assert m.header("Mqtt-Retain") == "1" and m.header("Mqtt-Qos") == "1"
    n.publish(m.reply)


def test_a_will_is_repeated_until_acknowledged(start):
    """ack_attempts is for devices that can be told; a will is not."""
    b = start.bridge({"qos": {"ack_timeout": 100, "ack_attempts": 2}})
    n = b.nats()
    service = n.subscribe("will.>")
    b.mqtt(will=Will("will/a", b"gone", 1)).close()
    got = [service.next() for _ in range(5)]
    assert {m.payload for m in got} == {b"gone"}
    assert [m.header("Mqtt-Dup") for m in got] == [None, "1", "1", "1", "1"]
    n.publish(got[-1].reply)
    # Another one proves that the first has ended.
    b.mqtt(will=Will("will/b", b"gone", 1)).close()
    while service.next().subject == "will.a":
        pass
    assert [service.next().subject for _ in range(4)] == ["will.b"] * 4


def test_a_will_that_a_stream_takes_is_published_once(bridge, n):
    n.add_stream(bridge.tag, bridge.subject(">"))
    with_will(bridge, qos=1).close()
    until(lambda: n.stream(bridge.tag)["messages"] == 1,
          "the will in the stream")
    n.delete_stream(bridge.tag)


def test_wills_of_many(bridge, heir):
    clients = [bridge.mqtt(will=Will(bridge.topic(f"will/{i}"), str(i),
                                     i % 2)) for i in range(50)]
    for c in clients:
        c.close()
    got = heir.messages(50)
    assert {int(m.payload) for m in got} == set(range(50))
    assert all(m.qos == int(m.payload) % 2 for m in got)


def test_a_will_is_not_published_while_its_client_lives(bridge, heir):
    client = with_will(bridge)
    client.publish(bridge.topic("end"), qos=1)
    assert heir.messages_until(bridge.topic("end")) == []
    assert not [p for p in client.pending if p.type == PUBACK]
