# SPDX-License-Identifier: Apache-2.0
"""What the PUBACK of a device waits for: DESIGN 5, the four policies."""

import json

import pytest

from conversation.deadline import until
from conversation.mqtt import PUBACK

ERROR = json.dumps({"error": {"code": 503, "err_code": 10077,
                              "description": "maximum messages exceeded"},
                    "stream": "S", "seq": 0})
PUB_ACK = json.dumps({"stream": "S", "seq": 1})


def has_puback(client):
    """After a round trip of this client."""
    client.ping()
    return any(p.type == PUBACK for p in client.pending)


def settled(bridge, n, topic="marker"):
    """A full trip from MQTT to NATS and back through its reply."""
    service = n.subscribe(bridge.subject(topic))
    beside = bridge.mqtt()
    beside.send_publish(bridge.topic(topic), qos=1)
    n.publish(service.next().reply, PUB_ACK)
    beside.wait(PUBACK)
    service.unsubscribe()


# reply, the default

def test_a_reply_acknowledges(bridge):
    client, n = bridge.mqtt(), bridge.nats()
    service = n.subscribe(bridge.subject("a"))
    packet_id = client.send_publish(bridge.topic("a"), b"x", qos=1)
    request = service.next()
    settled(bridge, n)
    assert not has_puback(client)
    n.publish(request.reply, b"any text")
    assert client.wait(PUBACK).packet_id == packet_id


def test_nobody_there_acknowledges_at_once(bridge):
    client = bridge.mqtt()
    for _ in range(50):
        client.publish(bridge.topic("nobody"), b"x", qos=1)


def test_a_session_that_took_it_acknowledges(bridge):
    """The server does not wait for the subscriber's own PUBACK."""
    client, subscriber, n = bridge.mqtt(), bridge.mqtt(), bridge.nats()
    subscriber.acks = False
    subscriber.subscribe(bridge.topic("a"), qos=1)
    silent = n.subscribe(bridge.subject("a"))
    client.publish(bridge.topic("a"), b"x", qos=1)
    assert silent.next().payload == b"x"
    assert subscriber.message().qos == 1


def test_an_absent_session_that_took_it_acknowledges(bridge):
    client, n = bridge.mqtt(), bridge.nats()
    away = bridge.mqtt(f"{bridge.tag}-away", clean=False)
    away.subscribe(bridge.topic("a"), qos=1)
    away.disconnect()
    silent = n.subscribe(bridge.subject("a"))
    client.publish(bridge.topic("a"), b"x", qos=1)
    assert silent.next().payload == b"x"
    bridge.mqtt(f"{bridge.tag}-away")


def test_local_subscribers_at_qos_0_count_as_delivered(bridge):
    client, subscriber = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(bridge.topic("a"))
    client.publish(bridge.topic("a"), b"x", qos=1)
    assert subscriber.message().payload == b"x"


def test_local_subscribers_at_qos_0_do_not_acknowledge_for_nats(bridge):
    client, subscriber = bridge.mqtt(), bridge.mqtt()
    n = bridge.nats()
    subscriber.subscribe(bridge.topic("a"))
    service = n.subscribe(bridge.subject("a"))
    client.send_publish(bridge.topic("a"), b"x", qos=1)
    subscriber.message()
    request = service.next()
    settled(bridge, n)
    assert not has_puback(client)
    n.publish(request.reply)
    client.wait(PUBACK)


def test_a_second_reply_does_nothing(bridge):
    client, n = bridge.mqtt(), bridge.nats()
    service = n.subscribe(bridge.subject("a"))
    client.send_publish(bridge.topic("a"), b"x", qos=1)
    request = service.next()
    for _ in range(3):
        n.publish(request.reply, b"yes")
    client.wait(PUBACK)
    settled(bridge, n)
    assert not has_puback(client)


def test_replies_settle_their_own_message(bridge):
    client, n = bridge.mqtt(), bridge.nats()
    service = n.subscribe(bridge.subject("a"))
    ids = [client.send_publish(bridge.topic("a"), str(i), qos=1)
           for i in range(20)]
    requests = [service.next() for _ in ids]
    assert len({m.reply for m in requests}) == 20
    for m in requests[:10]:
        n.publish(m.reply)
    for packet_id in ids[:10]:
        client.wait(PUBACK, packet_id)
    settled(bridge, n)
    assert not has_puback(client)
    for m in requests[10:]:
        n.publish(m.reply)
    for packet_id in ids[10:]:
        client.wait(PUBACK, packet_id)


def test_a_publisher_that_left_is_no_trouble(bridge):
    client, n = bridge.mqtt(), bridge.nats()
    service = n.subscribe(bridge.subject("a"))
    client.send_publish(bridge.topic("a"), b"x", qos=1)
    request = service.next()
    client.disconnect()
    n.publish(request.reply)
    settled(bridge, n)


# Without a reply: again, and again.

@pytest.fixture
def impatient(start):
    return start.bridge({"qos": {"ack_timeout": 200, "ack_attempts": 3}})


def test_without_a_reply_it_is_published_again(impatient):
    client, n = impatient.mqtt(), impatient.nats()
    service = n.subscribe("t.>")
    client.send_publish("t/a", b"x", qos=1)
    attempts = [service.next() for _ in range(3)]
    assert [m.payload for m in attempts] == [b"x"] * 3
    assert [m.header("Mqtt-Qos") for m in attempts] == ["1"] * 3
    assert [m.header("Mqtt-Dup") for m in attempts] == [None, "1", "1"]
    # Then never again: all attempts of the next one come first.
    client.send_publish("t/b", b"y", qos=1)
    again = [service.next() for _ in range(3)]
    assert [m.subject for m in again] == ["t.b"] * 3
    assert not has_puback(client)


def test_an_attempt_that_is_replied_to_is_the_last(impatient):
    client, n = impatient.mqtt(), impatient.nats()
    service = n.subscribe("t.>")
    client.send_publish("t/a", b"x", qos=1)
    service.next()
    n.publish(service.next().reply)
    client.wait(PUBACK)
    client.send_publish("t/b", b"y", qos=1)
    assert [service.next().subject for _ in range(3)] == ["t.b"] * 3


def test_the_reply_to_the_first_attempt_may_be_late(impatient):
    client, n = impatient.mqtt(), impatient.nats()
    service = n.subscribe("t.>")
    client.send_publish("t/a", b"x", qos=1)
    first = service.next()
    service.next()
    n.publish(first.reply)
    client.wait(PUBACK)


def test_what_was_given_up_may_be_sent_again(impatient):
    client, n = impatient.mqtt("again", clean=False), impatient.nats()
    service = n.subscribe("t.>")
    client.send_publish("t/a", b"x", qos=1, packet_id=9)
    for _ in range(3):
        service.next()
    client.close()
    client = impatient.mqtt("again", clean=False)
    client.send_publish("t/a", b"x", qos=1, packet_id=9, dup=True)
    n.publish(service.next().reply)
    assert client.wait(PUBACK).packet_id == 9


def test_an_error_of_jetstream_is_not_an_acknowledgement(impatient):
    client, n = impatient.mqtt(), impatient.nats()
    service = n.subscribe("t.>")
    client.send_publish("t/a", b"x", qos=1)
    n.publish(service.next().reply, ERROR)
    again = service.next()
    assert again.header("Mqtt-Dup") == "1"
    assert not has_puback(client)
    n.publish(again.reply, PUB_ACK)
    client.wait(PUBACK)


# stream

@pytest.fixture
def stream(start):
    return start.bridge({"qos": {"ack": "stream", "ack_timeout": 300,
                                 "ack_attempts": 2}},
                        nats={"jetstream": True})


def test_stream_counts_what_jetstream_has(stream):
    client, n = stream.mqtt(), stream.nats()
    n.add_stream("S", "t.>")
    for i in range(20):
        client.publish("t/a", str(i), qos=1)
    assert n.stream_payloads("S") == [b"%d" % i for i in range(20)]


def test_stream_does_not_count_other_replies(stream):
    client, n = stream.mqtt(), stream.nats()
    service = n.subscribe("t.>")
    client.send_publish("t/a", b"x", qos=1)
    n.publish(service.next().reply, b"got it")
    n.publish(service.next().reply, b"")
    assert not has_puback(client)
    client.send_publish("t/b", b"x", qos=1)
    n.publish(service.next().reply, PUB_ACK)
    assert client.wait(PUBACK).packet_id == client.packet_id


def test_stream_with_a_service_beside_it(stream):
    """The service may be first; the stream's word is what counts."""
    client, n = stream.mqtt(), stream.nats()
    n.add_stream("S", "t.>")
    service = n.subscribe("t.>")
    for i in range(10):
        client.send_publish("t/a", str(i), qos=1)
        n.publish(service.next().reply, b"me first")
        client.wait(PUBACK)
    assert len(n.stream_payloads("S")) == 10


def test_stream_does_not_count_local_sessions(stream):
    client, subscriber = stream.mqtt(), stream.mqtt()
    subscriber.subscribe("t/a", qos=1)
    client.send_publish("t/a", b"x", qos=1)
    assert subscriber.message().payload == b"x"
    n = stream.nats()
    n.add_stream("S", "end")
    client.publish("end", qos=1)
    assert not has_puback(client)


def test_stream_errors_are_no_acknowledgement(stream):
    client, n = stream.mqtt(), stream.nats()
    n.add_stream("S", "t.>", max_msgs=1, discard="new")
    client.publish("t/a", b"fits", qos=1)
    client.send_publish("t/a", b"does not", qos=1)
    n.add_stream("E", "end")
    client.send_publish("end", qos=1)
    client.wait(PUBACK, client.packet_id)
    assert not has_puback(client)
    assert n.stream_payloads("S") == [b"fits"]


# server

def test_server_does_not_wait_for_replies(start):
    b = start.bridge({"qos": {"ack": "server"}})
    client, n = b.mqtt(), b.nats()
    silent = n.subscribe("t.>")
    for i in range(100):
        client.publish("t/a", str(i), qos=1)
    n.flush()
    assert [m.payload for m in silent.messages] == [
        b"%d" % i for i in range(100)]


def test_server_has_what_is_acknowledged(start):
    """By the time of the PUBACK every subscriber has been sent it."""
    b = start.bridge({"qos": {"ack": "server"}})
    client, n = b.mqtt(), b.nats()
    silent = n.subscribe("t.>")
    for i in range(300):
        client.send_publish("t/a", str(i), qos=1)
    acknowledged = 0
    while acknowledged < 300:
        client.wait(PUBACK)
        acknowledged += 1
        if acknowledged % 50 == 0:
            n.flush()
            assert len(silent.messages) >= acknowledged


# local

def test_local_waits_for_nobody(start):
    b = start.bridge({"qos": {"ack": "local"}})
    client, n = b.mqtt(), b.nats()
    silent = n.subscribe("t.>")
    client.publish("t/a", b"x", qos=1)
    assert silent.next().payload == b"x"


def test_local_needs_no_nats(start):
    daemon = start.daemon("", {"qos": {"ack": "local"}})
    b = start.join(daemon, None)
    client, subscriber = b.mqtt(), b.mqtt()
    subscriber.subscribe("t/#", qos=1)
    client.publish("t/a", b"x", qos=1)
    assert subscriber.message().payload == b"x"


# Rows of [ack]

def test_rows_override_the_policy_by_filter(start):
    b = start.bridge({"qos": {"ack": "stream", "ack_timeout": 60000},
                      "ack": {"sensors/#": "server", "local/+": "local",
                              "asked/a": "reply"}})
    client, n = b.mqtt(), b.nats()
    silent = n.subscribe(">", but="_")
    client.publish("sensors/a/b", qos=1)
    client.publish("sensors", qos=1)
    client.publish("local/x", qos=1)
    for _ in range(3):
        silent.next()
    client.send_publish("asked/a", qos=1)
    n.publish(silent.next().reply, b"yes")
    client.wait(PUBACK)
    client.send_publish("asked/b", qos=1)
    n.publish(silent.next().reply, b"not a stream")
    settled(b, n, "end")
    assert not has_puback(client)


@pytest.mark.parametrize("policy", ["reply", "stream", "server", "local"])
def test_every_policy_can_be_named_in_a_row(start, policy):
    b = start.bridge({"ack": {"t/#": policy}}, nats={"jetstream": True})
    n = b.nats()
    n.add_stream("S", "t.>")
    b.mqtt().publish("t/a", b"x", qos=1)
    # With `local` the PUBACK may be earlier than the stream.
    until(lambda: n.stream_payloads("S") == [b"x"], "it in the stream")
