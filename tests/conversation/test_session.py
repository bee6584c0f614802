# SPDX-License-Identifier: Apache-2.0
"""Clean and persistent sessions: what is kept while a client is away."""

import pytest

from conversation.deadline import until
from conversation.mqtt import PUBACK


@pytest.fixture
def device(bridge):
    """Connects the device of this test; its session ends with the test."""
    client_id = f"{bridge.tag}-device"

    def connect(clean=False, **options):
        return bridge.mqtt(client_id, clean=clean, **options)

    yield connect
    connect(clean=True).disconnect()


@pytest.fixture
def publisher(bridge):
    return bridge.mqtt()


def payloads(messages):
    return [m.payload for m in messages]


def numbers(count, first=0):
    return [b"%d" % i for i in range(first, first + count)]


def test_a_clean_session_is_never_present(device):
    for _ in range(2):
        client = device(clean=True)
        assert not client.connack.session_present
        client.disconnect()


def test_a_persistent_session_is_present_the_second_time(device):
    # v3.1.1 [MQTT-3.2.2-2] [MQTT-3.2.2-3]
    for present in (False, True, True):
        client = device()
        assert client.connack.session_present == present
        client.disconnect()


# v5 [MQTT-4.1.0-1]
# v3.1.1 [MQTT-4.1.0-2]
def test_a_session_outlives_a_lost_connection(device):
    device().close()
    assert device().connack.session_present


def test_a_clean_connect_ends_the_session(device):
    # v3.1.1 [MQTT-3.1.2-6]
    device().disconnect()
    clean = device(clean=True)
    assert not clean.connack.session_present
    clean.disconnect()
    assert not device().connack.session_present


def test_identifiers_have_sessions_of_their_own(bridge, device):
    device().disconnect()
    for other in ("-Device", "-device ", "-devic", "-device2"):
        client = bridge.mqtt(bridge.tag + other, clean=False)
        assert not client.connack.session_present
        client.disconnect()
        bridge.mqtt(bridge.tag + other).disconnect()


def test_subscriptions_are_kept(bridge, device, publisher):
    client = device()
    client.subscribe((bridge.topic("a"), 1), (bridge.topic("b/+"), 0))
    client.disconnect()
    client = device()
    publisher.publish(bridge.topic("a"), b"1", qos=1)
    publisher.publish(bridge.topic("b/c"), b"2", qos=1)
    got = client.messages(2)
    assert [(m.payload, m.qos) for m in got] == [(b"1", 1), (b"2", 0)]


def test_subscriptions_of_a_clean_session_are_not(bridge, device, publisher):
    client = device(clean=True)
    client.subscribe(bridge.topic("#"), qos=1)
    client.disconnect()
    client = device()
    client.subscribe(bridge.topic("end"))
    publisher.publish(bridge.topic("a"), qos=1)
    publisher.publish(bridge.topic("end"))
    assert client.messages_until(bridge.topic("end")) == []


def test_an_unsubscribe_is_kept(bridge, device, publisher):
    client = device()
    client.subscribe(bridge.topic("a"), bridge.topic("end"), qos=1)
    client.unsubscribe(bridge.topic("a"))
    client.disconnect()
    publisher.publish(bridge.topic("a"), qos=1)
    publisher.publish(bridge.topic("end"), qos=1)
    assert device().messages_until(bridge.topic("end")) == []


# v5 [MQTT-4.5.0-1]
# v3.1.1 [MQTT-4.5.0-1]
@pytest.mark.parametrize("how", ["disconnect", "close"])
def test_qos_1_waits_for_the_client(bridge, device, publisher, how):
    # v3.1.1 [MQTT-3.1.2-5]
    client = device()
    client.subscribe(bridge.topic("#"), qos=1)
    getattr(client, how)()
    for i in range(50):
        publisher.publish(bridge.topic(i % 3), str(i), qos=1)
    got = device().messages(50)
    assert payloads(got) == numbers(50)
    assert {m.qos for m in got} == {1} and not any(m.retain for m in got)


def test_qos_0_does_not_wait(bridge, device, publisher):
    client = device()
    client.subscribe((bridge.topic("a"), 1), (bridge.topic("b"), 0),
                     (bridge.topic("end"), 1))
    client.disconnect()
    publisher.publish(bridge.topic("a"), b"published at 0", qos=0)
    publisher.publish(bridge.topic("b"), b"wanted at 0", qos=1)
    publisher.publish(bridge.topic("end"), qos=1)
    assert device().messages_until(bridge.topic("end")) == []


def test_qos_0_waits_where_that_is_wanted(start):
    b = start.bridge({"limits": {"queue_qos0": "yes"}})
    away, publisher = b.mqtt("away", clean=False), b.mqtt()
    away.subscribe("#", qos=1)
    away.disconnect()
    for i in range(10):
        publisher.publish("a", str(i), qos=i % 2)
    publisher.publish("a", "10", qos=1)
    assert payloads(b.mqtt("away", clean=False).messages(11)) == numbers(11)


def test_messages_from_nats_wait_as_well(bridge, device):
    n = bridge.nats()
    client = device()
    client.subscribe(bridge.topic("#"), qos=1)
    client.disconnect()
    inbox = n.subscribe(f"_INBOX.{bridge.tag}.*")
    for i in range(20):
        n.publish(bridge.subject("a"), str(i),
                  reply=f"_INBOX.{bridge.tag}.{i}")
    got = device().messages(20)
    assert payloads(got) == numbers(20)
    assert {m.qos for m in got} == {1}
    replies = [inbox.next().subject for _ in range(20)]
    assert replies == [f"_INBOX.{bridge.tag}.{i}" for i in range(20)]


def test_messages_from_nats_at_qos_0_do_not_wait(bridge, device):
    n = bridge.nats()
    client = device()
    client.subscribe(bridge.topic("#"), qos=1)
    client.disconnect()
    # Enough of them to have one on every worker.
    watchers = [bridge.mqtt() for _ in range(6)]
    for w in watchers:
        w.subscribe(bridge.topic("end"))
    n.publish(bridge.subject("a"), b"no reply subject")
    n.publish(bridge.subject("end"), b"", reply=f"_INBOX.{bridge.tag}")
    for w in watchers:
        w.message()
    assert device().messages_until(bridge.topic("end")) == []


def test_both_kinds_wait_in_order(bridge, device, publisher):
    n = bridge.nats()
    client = device()
    client.subscribe(bridge.topic("#"), qos=1)
    client.disconnect()
    for i in range(0, 20, 2):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
        n.publish(bridge.subject("b"), str(i), reply=f"_INBOX.{bridge.tag}")
    got = device().messages(20)
    for topic in ("a", "b"):
        assert [int(m.payload) for m in got
                if m.topic == bridge.topic(topic)] == list(range(0, 20, 2))


def test_a_message_for_several_filters_waits_once(bridge, device, publisher):
    client = device()
    client.subscribe(*map(bridge.topic, ("a/#", "a/+", "a/b", "end")), qos=1)
    client.disconnect()
    publisher.publish(bridge.topic("a/b"), b"once", qos=1)
    publisher.publish(bridge.topic("end"), qos=1)
    assert payloads(device().messages_until(bridge.topic("end"))) == [b"once"]


# Unacknowledged messages

# v5 [MQTT-3.3.1-1]
# v3.1.1 [MQTT-3.3.1-1]
def test_unacknowledged_messages_are_repeated_on_reconnect(bridge, device,
                                                           publisher):
    # v3.1.1 [MQTT-4.4.0-1]
    client = device()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    for i in range(10):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
    first = client.messages(10)
    assert not any(m.dup for m in first)
    client.send_ack(PUBACK, first[2].packet_id)
    client.send_ack(PUBACK, first[7].packet_id)
    client.ping()
    client.close()
    client = device()
    again = client.messages(8)
    left = [m for i, m in enumerate(first) if i not in (2, 7)]
    assert all(m.dup for m in again)
    assert [(m.packet_id, m.payload) for m in again] == [
        (m.packet_id, m.payload) for m in left]


def test_new_messages_come_after_repeated_ones(bridge, device, publisher):
    client = device()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    for i in range(5):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
    client.messages(5)
    client.close()
    # The daemon may notice the end only now.
    for i in range(5, 10):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
    got = device().messages(10)
    assert payloads(got) == numbers(10)
    assert [m.dup for m in got[:5]] == [True] * 5


def test_nothing_is_repeated_on_a_live_connection(bridge, device, publisher):
    client = device()
    client.acks = False
    client.subscribe(bridge.topic("#"), qos=1)
    for i in range(20):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
        client.ping()
    assert payloads(client.messages(20)) == numbers(20)
    assert not client.pending


def test_acknowledged_messages_are_not_repeated(bridge, device, publisher):
    client = device()
    client.subscribe(bridge.topic("#"), qos=1)
    for i in range(10):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
    client.messages(10)
    client.ping()
    client.close()
    client = device()
    publisher.publish(bridge.topic("end"), qos=1)
    assert client.messages_until(bridge.topic("end")) == []


def test_repeated_over_and_over_until_acknowledged(bridge, device,
                                                   publisher):
    client = device()
    client.subscribe(bridge.topic("#"), qos=1)
    client.disconnect()
    publisher.publish(bridge.topic("a"), b"x", qos=1)
    ids = []
    for _ in range(4):
        client = device()
        client.acks = False
        m = client.message()
        ids.append((m.packet_id, m.dup))
        client.close()
    first = ids[0][0]
    assert ids == [(first, False)] + [(first, True)] * 3


def test_a_clean_connect_forgets_them(bridge, device, publisher):
    client = device()
    client.acks = False
    client.subscribe(bridge.topic("#"), qos=1)
    publisher.publish(bridge.topic("a"), b"x", qos=1)
    client.message()
    client.close()
    device(clean=True).disconnect()
    client = device()
    client.subscribe(bridge.topic("end"), qos=1)
    publisher.publish(bridge.topic("end"), qos=1)
    assert client.messages_until(bridge.topic("end")) == []


def test_an_answer_to_nats_waits_for_the_reconnect(bridge, device):
    n = bridge.nats()
    client = device()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    inbox = n.send_request(bridge.subject("a"), b"x")
    client.message()
    client.close()
    assert inbox.take() == []
    client = device()
    assert client.message().dup
    assert inbox.next().payload == b""


# Packet Identifiers

def test_packet_identifiers_go_on(bridge, device, publisher):
    """They do not start at 1 again when nothing is in flight."""
    client = device()
    client.subscribe(bridge.topic("a"), qos=1)
    ids = []
    for i in range(30):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
        ids.append(client.message().packet_id)
        if i % 10 == 9:
            client.ping()
            client.disconnect()
            client = device()
    assert ids == list(range(ids[0], ids[0] + 30))


def test_packet_identifiers_in_flight_differ(bridge, device, publisher):
    client = device()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    for i in range(60):
        publisher.publish(bridge.topic("a"), str(i), qos=1)
    got = client.messages(60)
    assert len({m.packet_id for m in got}) == 60


def test_both_directions_have_identifiers_of_their_own(bridge, device):
    client = device()
    client.acks = False
    client.subscribe(bridge.topic("a"), qos=1)
    for i in range(1, 20):
        client.publish(bridge.topic("a"), str(i), qos=1, packet_id=i)
    got = client.messages(19)
    for m in got:
        client.send_ack(PUBACK, m.packet_id)
    client.ping()
    assert payloads(got) == numbers(19, 1)


# Limits

def test_no_more_than_max_inflight_are_sent(start):
    b = start.bridge({"qos": {"max_inflight": 4}})
    client, publisher = b.mqtt(), b.mqtt()
    client.acks = False
    client.subscribe("a", qos=1)
    for i in range(20):
        publisher.publish("a", str(i), qos=1)
    window = client.messages(4)
    client.ping()
    assert not client.pending
    got = list(window)
    while window:
        client.send_ack(PUBACK, window.pop(0).packet_id)
        client.ping()
        if len(got) < 20:
            assert len(client.pending) == 1
            got.append(client.message())
            window.append(got[-1])
        assert not client.pending
    assert payloads(got) == numbers(20)


def test_any_order_of_acknowledgements(start):
    b = start.bridge({"qos": {"max_inflight": 5}})
    client, publisher = b.mqtt(), b.mqtt()
    client.acks = False
    client.subscribe("a", qos=1)
    for i in range(15):
        publisher.publish("a", str(i), qos=1)
    got = []
    for _ in range(3):
        window = client.messages(5)
        got += window
        for m in reversed(window):
            client.send_ack(PUBACK, m.packet_id)
    assert payloads(got) == numbers(15)


def test_a_session_queues_no_more_than_it_may(start):
    b = start.bridge({"limits": {"max_queued_messages": 10}})
    away, publisher = b.mqtt("away", clean=False), b.mqtt()
    away.subscribe("a", "end", qos=1)
    away.disconnect()
    for i in range(30):
        publisher.send_publish("a", str(i), qos=1)
    publisher.ping()
    back = b.mqtt("away", clean=False)
    publisher.publish("end", qos=1)
    got = payloads(back.messages_until("end"))
    # The newest is refused: whoever was told "taken" loses nothing.
    assert got == numbers(10)


def test_a_session_queues_no_more_bytes_than_it_may(start):
    b = start.bridge({"limits": {"max_queued_bytes": "20k"}})
    away, publisher = b.mqtt("away", clean=False), b.mqtt()
    away.subscribe("a", "end", qos=1)
    away.disconnect()
    for i in range(50):
        publisher.send_publish("a", b"%4d" % i + b"x" * 1000, qos=1)
    publisher.ping()
    back = b.mqtt("away", clean=False)
    publisher.publish("end", qos=1)
    got = back.messages_until("end")
    assert 10 <= len(got) <= 20


def test_a_session_expires(start):
    b = start.bridge({"limits": {"session_expiry_max": "1s"}})
    client = b.mqtt("short", clean=False)
    client.subscribe("a", qos=1)
    client.disconnect()
    n = b.nats()
    # While it lasts NATS finds somebody interested.
    inbox = n.subscribe("_INBOX.a")

    def forgotten():
        n.publish("a", b"x", reply=inbox.subject)
        return any(m.status == "503" for m in inbox.take())

    until(forgotten, "the session to be forgotten")
    assert not b.mqtt("short", clean=False).connack.session_present


def test_a_session_has_no_more_subscriptions_than_it_may(start):
    b = start.bridge({"limits": {"max_subscriptions": 5}})
    client = b.mqtt()
    codes = client.subscribe(*(f"t/{i}" for i in range(8)))
    assert codes == [0] * 5 + [0x80] * 3
    client.unsubscribe("t/0")
    assert client.subscribe("t/7") == [0]
    assert client.subscribe("t/1") == [0]
