# SPDX-License-Identifier: Apache-2.0
"""MQTT 5.0 properties as NATS headers, requests and replies: DESIGN 7."""

import base64

import pytest

from conversation.deadline import until
from conversation.mqtt import (PUBACK, PUBLISH, V5, binary, packet,
                               properties)


@pytest.fixture(autouse=True)
def served(bridge):
    if not bridge.daemon.serves("5"):
        pytest.skip("5.0 is not served")


@pytest.fixture
def five(bridge):
    """Connect with 5.0."""
    return lambda *a, **options: bridge.mqtt(*a, version=V5, **options)


@pytest.fixture
def n(bridge):
    return bridge.nats()


def test_a_message_without_properties_is_plain(bridge, five, n):
    service = n.subscribe(bridge.subject("a"))
    five().publish(bridge.topic("a"), b"x")
    m = service.next()
    assert (m.headers, m.reply) == ([], None)


def test_properties_become_headers(bridge, five, n):
    service = n.subscribe(bridge.subject("a"))
    five().publish(bridge.topic("a"), "ü", content_type="text/plain",
                   payload_format=1, message_expiry=100,
                   correlation_data=b"\0\xff", user_property=("Key", "value"))
    m = service.next()
    assert m.header("Mqtt-Content-Type") == "text/plain"
    assert m.header("Mqtt-Payload-Format") == "1"
    assert int(m.header("Mqtt-Expiry")) in (99, 100)
    assert base64.b64decode(m.header("Mqtt-Correlation")) == b"\0\xff"
    assert m.header("Key") == "value"


def test_user_properties_keep_their_order(bridge, five, n):
    service = n.subscribe(bridge.subject("a"))
    pairs = [("b", "1"), ("a", "2"), ("b", "3"), ("B", "4")]
    five().send(packet(PUBLISH, 0, binary(bridge.topic("a")), properties(
        [("user_property", p) for p in pairs])))
    m = service.next()
    # cnats has its own order of names, but not of values.
    assert m.header("Mqtt-Order") == "b a b B"
    assert [p for p in m.headers if p[0] == "b"] == [("b", "1"), ("b", "3")]
    assert sorted(m.headers) == sorted([*pairs, ("Mqtt-Order", "b a b B")])


@pytest.mark.parametrize("name", [
    "Nats-Expected-Stream", "Nats-TTL", "Nmqtt-Pub", "KV-Operation",
    "Mqtt-Qos", "Mqtt-Retain", "", "with space", "colon:", "line\r\nbreak",
    "ünicode", "nats-msg-id-not"])
def test_some_names_are_not_for_devices(bridge, five, n, name):
    service = n.subscribe(bridge.subject("a"))
    client = five()
    client.send(packet(PUBLISH, 0, binary(bridge.topic("a")), properties(
        [("user_property", (name, "evil")), ("user_property", ("x", "y"))])))
    m = service.next()
    if name != "nats-msg-id-not":
        assert m.headers == [("x", "y")]
    client.ping()


@pytest.mark.parametrize("value", ["two\r\nlines", "\r\n\r\nbody", "tab\t",
                                   " around ", ""])
def test_values_cannot_break_out(bridge, five, n, value):
    service = n.subscribe(bridge.subject("a"))
    five().publish(bridge.topic("a"), b"payload", user_property=("k", value))
    m = service.next()
    assert m.payload == b"payload"
    assert [name for name, _ in m.headers] in ([], ["k"])


@pytest.mark.parametrize("name", ["Nats-Msg-Id", "traceparent"])
def test_listed_names_are_passed(bridge, five, n, name):
    service = n.subscribe(bridge.subject("a"))
    five().publish(bridge.topic("a"), b"x", user_property=(name, "abc"))
    assert service.next().header(name) == "abc"


def test_headers_become_properties(bridge, five, n):
    client = five()
    client.subscribe(bridge.topic("a"), qos=1)
    n.publish(bridge.subject("a"), b"x", headers=[
        ("Mqtt-Content-Type", "text/plain"), ("Mqtt-Payload-Format", "1"),
        ("Mqtt-Expiry", "100"), ("Key", "1"), ("Other", "2"), ("Key", "3"),
        ("Mqtt-Correlation", base64.b64encode(b"\0\xff").decode())])
    m = client.message()
    assert m.prop("content_type") == "text/plain"
    assert m.prop("payload_format") == 1
    assert m.prop("message_expiry") in (99, 100)
    assert m.prop("correlation_data") == b"\0\xff"
    # Those of one name in order, the names sorted.
    assert m.props("user_property") == [
        ("Key", "1"), ("Key", "3"), ("Other", "2")]


def test_headers_become_properties_in_the_order_that_is_told(bridge, five, n):
    client = five()
    client.subscribe(bridge.topic("a"), qos=1)
    n.publish(bridge.subject("a"), b"x", headers=[
        ("Key", "1"), ("Other", "2"), ("Key", "3"),
        ("Mqtt-Order", "Other Key Key")])
    assert client.message().props("user_property") == [
        ("Other", "2"), ("Key", "1"), ("Key", "3")]


@pytest.mark.parametrize("header", [
    ("Mqtt-Expiry", "soon"), ("Mqtt-Expiry", "-1"), ("Mqtt-Expiry", "9" * 30),
    ("Mqtt-Payload-Format", "2"), ("Mqtt-Payload-Format", "x"),
    ("Mqtt-Correlation", "not base64!"), ("Mqtt-Response-Topic", "a/#"),
    ("Mqtt-Response-Topic", ""), ("Mqtt-Content-Type", "x" * 70000)],
    ids=range(9))
def test_bad_headers_do_no_harm(bridge, five, n, header):
    """What NATS sends must never make us break the protocol."""
    client = five()
    client.subscribe(bridge.topic("#"))
    n.publish(bridge.subject("a"), b"x", headers=[header])
    n.publish(bridge.subject("end"))
    assert len(client.messages_until(bridge.topic("end"))) <= 1
    bridge.daemon.check()


def test_properties_survive_a_way_through_nats(start):
    """Two nodes: what one makes of it the other takes back."""
    nats_server = start.nats_server()
    one, two = (start.join(start.daemon(nats_server), nats_server)
                for _ in range(2))
    one.linked()
    client = two.mqtt(version=V5)
    client.subscribe("a", qos=1)
    publisher = one.mqtt(version=V5)
    given = [("payload_format", 1), ("message_expiry", 1000),
             ("content_type", "t"), ("response_topic", "answer/to"),
             ("correlation_data", b"c")]
    users = [("k", "v"), ("b", "1"), ("a", "2"), ("k", "3"), ("a", "4")]
    # Until both links are up.
    def arrived():
        publisher.send(packet(PUBLISH, 0, binary("a"), properties(
            given + [("user_property", u) for u in users]), b"x"))
        publisher.ping()
        client.ping()
        return client.pending

    until(arrived, "a message through NATS")
    m = client.message()
    for name, value in given:
        if name != "message_expiry":
            assert m.prop(name) == value
    assert m.props("user_property") == users
    assert m.prop("message_expiry") in (998, 999, 1000)


# Requests

def test_a_device_asks_a_service(bridge, five, n):
    """Response Topic becomes the reply subject, at QoS 0."""
    service = n.subscribe(bridge.subject("service"))
    client = five()
    client.subscribe(bridge.topic("answers/1"), qos=1)
    client.publish(bridge.topic("service"), b"question",
                   response_topic=bridge.topic("answers/1"),
                   correlation_data=b"42")
    m = service.next()
    assert m.reply == bridge.subject("answers.1")
    n.publish(m.reply, b"answer", headers={
        "Mqtt-Correlation": m.header("Mqtt-Correlation")})
    m = client.message()
    assert m.payload == b"answer"
    assert m.prop("correlation_data") == b"42"


def test_a_device_asks_a_service_at_qos_1(bridge, five, n):
    """The reply subject acknowledges; the topic is in a header."""
    service = n.subscribe(bridge.subject("service"))
    client = five()
    client.subscribe(bridge.topic("answers"))
    client.send_publish(bridge.topic("service"), b"question", qos=1,
                        response_topic=bridge.topic("answers"))
    m = service.next()
    assert m.header("Mqtt-Response-Topic")
    n.publish(m.reply, b"taken")
    client.wait(PUBACK)
    n.publish(bridge.subject("answers"), b"answer")
    assert client.message().payload == b"answer"


def test_a_response_topic_may_not_be_reserved(bridge, five, n):
    service = n.subscribe(bridge.subject("service"))
    client = five()
    client.publish(bridge.topic("service"), b"x",
                   response_topic="$JS/API/STREAM/DELETE/S")
    assert service.next().reply is None


def test_a_service_asks_a_device(start):
    """[nats] request_subjects: the PUBACK does not answer, the device does."""
    b = start.bridge({"nats": {"request_subjects": "device.*.call"}})
    n, device = b.nats(), b.mqtt(version=V5)
    device.subscribe("device/+/call", qos=1)
    inbox = n.send_request("device.7.call", b"question")
    m = device.message()
    answer_to = m.prop("response_topic")
    assert m.payload == b"question" and answer_to
    device.ping()
    assert inbox.take() == []
    device.publish(answer_to, b"answer")
    assert inbox.next().payload == b"answer"


@pytest.mark.parametrize("qos", [1, 2])
def test_an_answer_is_acknowledged_when_nats_has_it(start, qos):
    b = start.bridge({"nats": {"request_subjects": "device.>"},
                      "qos": {"ack_timeout": "60s"}})
    n, device = b.nats(), b.mqtt(version=V5)
    device.subscribe("device/#", qos=1)
    inbox = n.send_request("device.7", b"question")
    answer_to = device.message().prop("response_topic")
    for payload in (b"one", b"two"):
        device.publish(answer_to, payload, qos=qos, retain=True)
        m = inbox.next()
        assert m.payload == payload
        assert m.header("Mqtt-Retain") is None


def test_only_what_was_asked_may_be_answered(start):
    b = start.bridge({"nats": {"request_subjects": "device.>"}})
    n, device, old = b.nats(), b.mqtt(version=V5), b.mqtt()
    stranger = n.subscribe("_INBOX.stranger")
    device.subscribe("device/#", qos=1)
    old.subscribe("device/#", qos=1)
    inbox = n.send_request("device.7", b"question")
    assert device.message().prop("response_topic")
    old.message()  # 3.1.1 is not told
    packet_id = device.send_publish("_INBOX/stranger", b"x", qos=1)
    assert device.wait(PUBACK, packet_id).code == 0x87
    device.ping()
    old.ping()
    assert inbox.take() == [] and stranger.take() == []


def test_a_response_topic_of_the_caller_comes_first(start):
    b = start.bridge({"nats": {"request_subjects": "device.>"}})
    n, device = b.nats(), b.mqtt(version=V5)
    device.subscribe("device/#", qos=1)
    n.publish("device.7", b"question", reply="_INBOX.x.y",
              headers=[("Mqtt-Response-Topic", "answers/7")])
    assert device.message().prop("response_topic") == "answers/7"


def test_other_subjects_are_answered_by_the_puback(start):
    b = start.bridge({"nats": {"request_subjects": "device.*.call"}})
    n, device = b.nats(), b.mqtt(version=V5)
    device.subscribe("device/+/tell", qos=1)
    inbox = n.send_request("device.7.tell", b"news")
    assert device.message().prop("response_topic") is None
    assert inbox.next().payload == b""


def test_inbound_qos_gives_messages_without_reply_a_qos(start):
    b = start.bridge({"nats": {"inbound_qos": "important.> = 1"}})
    n, device = b.nats(), b.mqtt()
    device.subscribe("#", qos=1)
    for subject, qos in (("important.a", 1), ("other", 0)):
        n.publish(subject)
        assert device.message().qos == qos
