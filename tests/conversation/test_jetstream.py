# SPDX-License-Identifier: Apache-2.0
"""Devices and streams: durable publishes, push consumers end to end."""

import pytest

from conversation.deadline import until
from conversation.mqtt import PUBACK


@pytest.fixture
def n(bridge):
    return bridge.nats()


def test_a_stream_acknowledges_qos_1(bridge, n):
    n.add_stream(bridge.tag, bridge.subject(">"))
    client = bridge.mqtt()
    sent = [client.send_publish(bridge.topic("a"), str(i), qos=1)
            for i in range(200)]
    for packet_id in sent:
        client.wait(PUBACK, packet_id)
    assert n.stream_payloads(bridge.tag) == [b"%d" % i for i in range(200)]
    n.delete_stream(bridge.tag)


def test_a_stream_has_what_came_at_qos_0(bridge, n):
    n.add_stream(bridge.tag, bridge.subject(">"))
    client = bridge.mqtt()
    for i in range(100):
        client.publish(bridge.topic("a"), str(i))
    client.publish(bridge.topic("a"), b"100", qos=1)
    assert n.stream_payloads(bridge.tag) == [b"%d" % i for i in range(101)]
    n.delete_stream(bridge.tag)


@pytest.fixture
def work(bridge, n):
    """A stream, and a consumer that pushes it to `device/job`."""
    n.add_stream(bridge.tag, bridge.subject("work.>"))
    yield bridge.tag
    n.delete_stream(bridge.tag)


def add_consumer(bridge, n, **config):
    n.add_consumer(bridge.tag, "pusher", bridge.subject("device.job"),
                   **config)


def fill(bridge, n, count, first=0):
    for i in range(first, first + count):
        n.request(bridge.subject("work.a"), b"job %d" % i)


def test_a_push_consumer_works_a_device(bridge, n, work):
    device = bridge.mqtt()
    device.subscribe(bridge.topic("device/job"), qos=1)
    fill(bridge, n, 20)
    add_consumer(bridge, n)
    got = device.messages(20)
    assert [m.payload for m in got] == [b"job %d" % i for i in range(20)]
    assert {m.qos for m in got} == {1}
    until(lambda: n.consumer(work, "pusher")["ack_floor"]["stream_seq"] == 20,
          "every job to be acknowledged in the stream")
    assert n.consumer(work, "pusher")["num_ack_pending"] == 0


def test_a_push_consumer_beside_a_wildcard(start):
    """The cover has the wildcard only: NATS would hold the consumer back."""
    nats_server = start.nats_server(jetstream=True)
    b = start.join(start.daemon(nats_server, {
        "nats": {"push_subjects": "device.*"}}), nats_server)
    b.linked()
    n, device, all_of_it = b.nats(), b.mqtt(), b.mqtt()
    all_of_it.subscribe("device/#", qos=1)
    device.subscribe("device/job", qos=1)
    n.add_stream("S", "work.>")
    n.add_consumer("S", "pusher", "device.job")
    for i in range(20):
        n.request("work.a", b"job %d" % i)
    for client in (device, all_of_it):
        assert [m.payload for m in client.messages(20)] == [
            b"job %d" % i for i in range(20)]
    until(lambda: n.consumer("S", "pusher")["ack_floor"]["stream_seq"] == 20,
          "every job to be acknowledged in the stream")
    for client in (device, all_of_it):
        client.ping()
        assert client.pending == []


def test_the_stream_waits_for_the_device(bridge, n, work):
    device = bridge.mqtt()
    device.acks = False
    device.subscribe(bridge.topic("device/job"), qos=1)
    fill(bridge, n, 5)
    add_consumer(bridge, n)
    got = device.messages(5)
    device.ping()
    assert n.consumer(work, "pusher")["num_ack_pending"] == 5
    for m in got[:3]:
        device.send_ack(PUBACK, m.packet_id)
    until(lambda: n.consumer(work, "pusher")["num_ack_pending"] == 2,
          "three jobs to be acknowledged")
    assert n.consumer(work, "pusher")["ack_floor"]["stream_seq"] == 3


def test_the_stream_repeats_what_was_not_acknowledged(bridge, n, work):
    device = bridge.mqtt()
    device.acks = False
    device.subscribe(bridge.topic("device/job"), qos=1)
    add_consumer(bridge, n, ack_wait=200000000)
    fill(bridge, n, 1)
    first = device.message()
    second = device.message()
    assert first.payload == second.payload == b"job 0"
    assert first.packet_id != second.packet_id
    for m in (first, second):
        device.send_ack(PUBACK, m.packet_id)
    until(lambda: n.consumer(work, "pusher")["num_ack_pending"] == 0,
          "the job to be acknowledged")


def test_jobs_wait_for_a_device_that_is_away(bridge, n, work):
    """A push consumer pushes only where somebody is interested."""
    add_consumer(bridge, n)
    fill(bridge, n, 5)
    device = bridge.mqtt()
    device.subscribe(bridge.topic("device/job"), qos=1)
    assert [m.payload for m in device.messages(5)] == [
        b"job %d" % i for i in range(5)]
    until(lambda: n.consumer(work, "pusher")["num_ack_pending"] == 0,
          "every job to be acknowledged")


def test_one_job_at_a_time(bridge, n, work):
    device = bridge.mqtt()
    device.acks = False
    device.subscribe(bridge.topic("device/job"), qos=1)
    fill(bridge, n, 10)
    add_consumer(bridge, n, max_ack_pending=1)
    for i in range(10):
        m = device.message()
        assert m.payload == b"job %d" % i
        device.ping()
        assert not device.pending
        device.send_ack(PUBACK, m.packet_id)
