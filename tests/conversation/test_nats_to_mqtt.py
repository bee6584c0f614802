# SPDX-License-Identifier: Apache-2.0
"""What services on NATS publish, as devices see it."""

import pytest

from conversation.mqtt import PUBACK


@pytest.fixture
def n(bridge):
    return bridge.nats()


@pytest.mark.parametrize("asked", [0, 1])
def test_without_a_reply_subject_it_is_qos_0(bridge, n, asked):
    client = bridge.mqtt()
    client.subscribe(bridge.topic("a/+"), qos=asked)
    n.publish(bridge.subject("a.b"), b"hello")
    m = client.message()
    assert (m.topic, m.payload) == (bridge.topic("a/b"), b"hello")
    assert (m.qos, m.retain, m.dup) == (0, False, False)


@pytest.mark.parametrize("payload", [
    b"", b"\0\r\n\0", bytes(range(256)), b"x" * 1000000],
    ids=["empty", "line end", "every byte", "large"])
def test_payload_arrives_as_it_was(bridge, n, payload):
    client = bridge.mqtt()
    client.subscribe(bridge.topic("#"))
    n.publish(bridge.subject("a"), payload)
    assert client.message().payload == payload


def test_headers_of_others_do_no_harm(bridge, n):
    client = bridge.mqtt()
    client.subscribe(bridge.topic("#"), qos=1)
    n.publish(bridge.subject("a"), b"x", headers=[
        ("Key", "value"), ("Nats-Msg-Id", "1"), ("Empty", ""),
        ("Long", "v" * 5000), ("Key", "again")])
    m = client.message()
    assert (m.payload, m.qos) == (b"x", 0)


@pytest.mark.parametrize("asked", [0, 1])
def test_order_of_a_publisher_is_kept(bridge, n, asked):
    client = bridge.mqtt()
    client.subscribe(bridge.topic("#"), qos=asked)
    inbox = n.subscribe(f"_INBOX.{bridge.tag}")
    for i in range(1000):
        n.publish(bridge.subject("a"), str(i),
                  reply=inbox.subject if asked else "")
    got = client.messages(1000)
    assert [int(m.payload) for m in got] == list(range(1000))
    assert {m.qos for m in got} == {asked}


def test_every_subscriber_gets_a_copy(bridge, n):
    clients = [bridge.mqtt() for _ in range(30)]
    for i, c in enumerate(clients):
        c.subscribe(bridge.topic("#" if i % 2 else "a"))
    for k in range(10):
        n.publish(bridge.subject("a"), str(k))
    for c in clients:
        assert [int(m.payload) for m in c.messages(10)] == list(range(10))


def test_overlapping_filters_deliver_one_copy(bridge, n):
    client, other = bridge.mqtt(), bridge.mqtt()
    client.subscribe((bridge.topic("a/#"), 0), (bridge.topic("a/+"), 1),
                     (bridge.topic("a/b"), 0), (bridge.topic("end"), 0))
    other.subscribe(bridge.topic("+/b"))
    inbox = n.subscribe(f"_INBOX.{bridge.tag}")
    n.publish(bridge.subject("a.b"), b"once", reply=inbox.subject)
    n.publish(bridge.subject("end"))
    [m] = client.messages_until(bridge.topic("end"))
    assert (m.payload, m.qos) == (b"once", 1)


def test_a_filter_with_hash_matches_the_parent(bridge, n):
    client = bridge.mqtt()
    client.subscribe(bridge.topic("a/#"))
    n.publish(bridge.subject("a"), b"parent")
    n.publish(bridge.subject("ab"), b"no")
    n.publish(bridge.subject("a.b.c"), b"child")
    assert [m.payload for m in client.messages(2)] == [b"parent", b"child"]


def test_unsubscribe_ends_delivery(bridge, n):
    client = bridge.mqtt()
    client.subscribe(bridge.topic("a"), bridge.topic("end"))
    client.unsubscribe(bridge.topic("a"))
    n.publish(bridge.subject("a"))
    n.publish(bridge.subject("end"))
    assert client.messages_until(bridge.topic("end")) == []


# A message with a reply subject: end-to-end acknowledgement.

def test_a_reply_subject_makes_it_qos_1(bridge, n):
    client = bridge.mqtt()
    client.subscribe(bridge.topic("a"), qos=1)
    inbox = n.send_request(bridge.subject("a"), b"please")
    m = client.message()
    assert (m.qos, m.payload) == (1, b"please")
    reply = inbox.next()
    assert (reply.payload, reply.headers, reply.status) == (b"", [], None)


def test_the_reply_waits_for_the_puback(bridge, n):
    client = bridge.mqtt()
    client.acks = False
    client.subscribe(bridge.topic("#"), qos=1)
    inbox = n.send_request(bridge.subject("a"), b"first")
    first = client.message()
    # Both ways once more: whatever was under way has arrived.
    n.publish(bridge.subject("b"), b"second")
    client.message()
    client.publish(bridge.topic("c"), b"third", qos=1)
    client.ping()
    assert inbox.take() == []
    client.send_ack(PUBACK, first.packet_id)
    assert inbox.next().payload == b""


def test_pubacks_answer_each_message(bridge, n):
    client = bridge.mqtt()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    inbox = n.subscribe(f"_INBOX.{bridge.tag}.*")
    for i in range(50):
        n.publish(bridge.subject("a"), str(i),
                  reply=f"_INBOX.{bridge.tag}.{i}")
    got = client.messages(50)
    for m in reversed(got):
        client.send_ack(PUBACK, m.packet_id)
    replied = [inbox.next().subject for _ in range(50)]
    assert replied == [f"_INBOX.{bridge.tag}.{i}" for i in range(49, -1, -1)]


def test_of_several_acknowledgers_the_first_answers(bridge, n):
    clients = [bridge.mqtt() for _ in range(5)]
    for c in clients:
        c.subscribe(bridge.topic("a"), qos=1)
    inbox = n.send_request(bridge.subject("a"), b"x")
    for c in clients:
        c.message()
        c.ping()
    assert inbox.next().payload == b""
    again = n.send_request(bridge.subject("a"), b"y")
    for c in clients:
        c.message()
        c.ping()
    again.next()
    assert inbox.take() == []


def test_qos_0_subscribers_do_not_answer(bridge, n):
    silent, answers = bridge.mqtt(), bridge.mqtt()
    silent.subscribe(bridge.topic("a"))
    inbox = n.send_request(bridge.subject("a"), b"x")
    assert silent.message().qos == 0
    silent.ping()
    # The way back is proven free by somebody who does answer.
    answers.subscribe(bridge.topic("b"), qos=1)
    other = n.send_request(bridge.subject("b"), b"y")
    answers.message()
    other.next()
    assert inbox.take() == []


def test_nobody_there_is_told_by_nats(bridge, n):
    """The daemon subscribes to nothing that no device wants."""
    reply = n.request(bridge.subject("nobody"), b"x")
    assert reply.status == "503"


def test_a_device_that_leaves_does_not_answer(bridge, n):
    client = bridge.mqtt()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    inbox = n.send_request(bridge.subject("a"), b"x")
    client.message()
    client.disconnect()
    other = bridge.mqtt()
    other.subscribe(bridge.topic("b"), qos=1)
    beside = n.send_request(bridge.subject("b"), b"y")
    other.message()
    beside.next()
    assert inbox.take() == []
