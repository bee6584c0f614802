# SPDX-License-Identifier: Apache-2.0
"""MQTT 5.0: CONNECT, CONNACK, DISCONNECT, AUTH."""

import signal

import pytest

from conversation.mqtt import (AUTH, CONNACK, CONNECT, DISCONNECT, PINGREQ,
                               PUBLISH, PUBREC, PUBREL, SUBSCRIBE, V5, Will,
                               ack_packet, binary, connect_packet, packet,
                               properties, publish_packet, subscribe_packet,
                               unsubscribe_packet, varint)


@pytest.fixture(autouse=True)
def served(bridge):
    if not bridge.daemon.serves("5"):
        pytest.skip("5.0 is not served")


def refused(client):
    """The code of the CONNACK or DISCONNECT before the end."""
    *_, last = client.expect_close()
    assert last.type in (CONNACK, DISCONNECT)
    assert last.code >= 0x80
    return last.code


def test_a_plain_connect_is_accepted(bridge):
    client = bridge.mqtt(version=V5)
    connack = client.connack
    assert not connack.session_present
    assert connack.prop("assigned_client_id") is None
    names = [name for name, _ in connack.properties]
    assert len(names) == len(set(names))
    client.disconnect()


def test_capabilities_are_told_where_they_are_limited(bridge):
    """Absent means all of it."""
    connack = bridge.mqtt(version=V5).connack
    assert connack.prop("retain_available") in (None, 1)
    assert connack.prop("wildcard_available") in (None, 1)
    assert connack.prop("subscription_ids_available") in (None, 1)
    assert connack.prop("receive_maximum") != 0
    assert connack.prop("maximum_packet_size") != 0


def test_an_empty_identifier_is_assigned_one(bridge):
    # v5 [MQTT-3.1.3-6] [MQTT-3.2.2-16]
    ids = set()
    for clean in (True, False):
        client = bridge.mqtt("", V5, clean=clean, session_expiry=60)
        ids.add(client.connack.prop("assigned_client_id"))
        client.disconnect(session_expiry=0)
    assert len(ids) == 2 and None not in ids and "" not in ids


# v5 [MQTT-3.1.3-7]
def test_an_assigned_identifier_can_be_used(bridge):
    client = bridge.mqtt("", V5, session_expiry=60)
    client_id = client.connack.prop("assigned_client_id")
    client.subscribe(bridge.topic("a"), qos=1)
    client.close()
    client = bridge.mqtt(client_id, V5, clean=False)
    assert client.connack.session_present
    assert client.connack.prop("assigned_client_id") is None
    client.disconnect()


def test_a_keep_alive_may_be_shortened(start):
    # v5 [MQTT-3.1.2-21]
    b = start.bridge({"limits": {"keepalive_max": "20s"}})
    for asked, given in ((100, 20), (0, 20), (10, None)):
        connack = b.mqtt(version=V5, keep_alive=asked).connack
        assert connack.prop("server_keep_alive") == given


# v5 [MQTT-3.1.3-8] [MQTT-3.1.4-2] [MQTT-4.13.2-1]
def test_an_identifier_that_is_too_long(start):
    b = start.bridge({"limits": {"max_client_id_length": 30}})
    b.mqtt("i" * 30, V5)
    client = b.socket(V5)
    client.send(connect_packet("i" * 31, V5))
    assert refused(client) == 0x85


BAD = {
    "receive maximum 0": connect_packet("x", V5, receive_maximum=0),
    "packet size 0": connect_packet("x", V5, maximum_packet_size=0),
    "problem information 2": connect_packet(
        "x", V5, request_problem_information=2),
    "response information 2": connect_packet(
        "x", V5, request_response_information=2),
    "data without method": connect_packet("x", V5, authentication_data=b"x"),
    "a property of others": connect_packet("x", V5, topic_alias=1),
    "a will property of others": connect_packet(
        "x", V5, will=Will("a", topic_alias=1)),
    "will format 2": connect_packet("x", V5, will=Will("a",
                                                       payload_format=2)),
    "response topic with a wildcard": connect_packet(
        "x", V5, will=Will("a", response_topic="a/#")),
    "unknown property": packet(
        CONNECT, 0, b"\0\4MQTT\5\2\0\0", varint(2), b"\x7e\0", b"\0\1x"),
    "twice the same": packet(
        CONNECT, 0, b"\0\4MQTT\5\2\0\0", varint(10),
        b"\x11\0\0\0\1\x11\0\0\0\1", b"\0\1x"),
    "properties too long": packet(
        CONNECT, 0, b"\0\4MQTT\5\2\0\0", varint(20), b"\0\1x"),
    "no properties": packet(CONNECT, 0, b"\0\4MQTT\5\2\0\0"),
    "reserved flag": connect_packet("x", V5, flags=3),
    "will QoS 3": connect_packet("x", V5, will=Will("a"), flags=0x1E),
    "user property not UTF-8": connect_packet(
        "x", V5, user_property=(b"\xff", b"x")),
    "bytes left over": packet(
        CONNECT, 0, b"\0\4MQTT\5\2\0\0\0\0\1x", b"more"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_connect_is_refused(bridge, name):
    # v5 [MQTT-3.1.4-1] [MQTT-4.13.1-1]
    client = bridge.socket(V5)
    client.send(BAD[name])
    for p in client.expect_close():
        assert p.type == CONNACK and p.code in (0x81, 0x82, 0x90, 0x99, 0x9B)


def test_a_password_needs_no_user(bridge):
    # v5 3.1.2.9
    client = bridge.socket(V5)
    client.send(connect_packet("x", V5, password=b"token"))
    assert client.next().code in (0, 0x86, 0x87)


def test_an_unknown_authentication_method(bridge):
    # v5 [MQTT-4.12.0-1]
    client = bridge.socket(V5)
    client.send(connect_packet("x", V5, authentication_method="no-such"))
    assert refused(client) == 0x8C


def test_auth_out_of_the_blue(bridge):
    client = bridge.mqtt(version=V5)
    client.send(packet(AUTH, 0, b"\x19", properties(
        {"authentication_method": "x"})))
    assert refused(client) in (0x82, 0x8C)


# DISCONNECT of the server says why: v5 3.14.2.1

BAD_PACKETS = {
    "type 0": (b"\x00\x00", {0x81, 0x82}),
    "CONNECT again": (connect_packet("x", V5), {0x82}),
    "SUBACK": (packet(9, 0, b"\0\1\0\0"), {0x81, 0x82}),
    "PINGREQ with flags": (packet(PINGREQ, 1), {0x81}),
    "length of five bytes": (b"\x30\xff\xff\xff\xff\x01", {0x81, 0x95}),
    "QoS 3": (packet(PUBLISH, 6, binary("a"), b"\0\1\0"), {0x81}),
    "topic with #": (publish_packet("a/#", version=V5), {0x81, 0x82, 0x90}),
    "topic not UTF-8": (publish_packet(b"\xff", version=V5), {0x81, 0x90}),
    "topic with U+0000": (publish_packet("\0", version=V5), {0x81, 0x90}),
    "no topic, no alias": (publish_packet("", version=V5), {0x82}),
    "alias 0": (publish_packet("a", version=V5, topic_alias=0),
                {0x82, 0x94}),
    "alias too high": (publish_packet("a", version=V5, topic_alias=65535),
                       {0x94}),
    "unknown alias": (publish_packet("", version=V5, topic_alias=1),
                      {0x82, 0x94}),
    "packet identifier 0": (publish_packet(
        "a", b"", 1, packet_id=0, version=V5), {0x81, 0x82}),
    "subscription identifier in PUBLISH": (publish_packet(
        "a", version=V5, subscription_id=1), {0x81, 0x82}),
    "response topic with +": (publish_packet(
        "a", version=V5, response_topic="a/+"), {0x81, 0x82, 0x90}),
    "payload format 2": (publish_packet("a", version=V5, payload_format=2),
                         {0x81, 0x82, 0x99}),
    "expiry twice": (packet(
        PUBLISH, 0, binary("a"), varint(10),
        b"\x02\0\0\0\1\x02\0\0\0\1"), {0x81, 0x82}),
    "SUBSCRIBE to nothing": (packet(SUBSCRIBE, 2, b"\0\1\0"), {0x81, 0x82}),
    "SUBSCRIBE reserved option": (subscribe_packet(
        1, [("a", 0xC0)], V5), {0x81, 0x82}),
    "SUBSCRIBE retain handling 3": (subscribe_packet(
        1, [("a", 0x30)], V5), {0x81, 0x82}),
    "SUBSCRIBE identifier 0": (subscribe_packet(
        1, [("a", 0)], V5, subscription_id=0), {0x81, 0x82}),
    "No Local and shared": (subscribe_packet(
        1, [("$share/g/a", 4)], V5), {0x82}),
    "DISCONNECT with an unknown property": (
        packet(DISCONNECT, 0, b"\0\2\x7e\0"), {0x81, 0x82}),
    "session expiry after none": (packet(
        DISCONNECT, 0, b"\0", properties({"session_expiry": 5})), {0x82}),
}


@pytest.mark.parametrize("name", BAD_PACKETS)
def test_a_bad_packet_is_answered_with_its_reason(bridge, name):
    # v5 [MQTT-4.13.1-1]
    data, codes = BAD_PACKETS[name]
    client = bridge.mqtt(version=V5)
    client.send(data)
    assert refused(client) in codes


def test_a_takeover_is_told(bridge):
    # v5 [MQTT-3.1.4-3]
    old = bridge.mqtt("same", V5)
    bridge.mqtt("same", V5)
    assert refused(old) == 0x8E


def test_a_keep_alive_timeout_is_told(bridge):
    assert refused(bridge.mqtt(version=V5, keep_alive=1)) == 0x8D


def test_a_packet_that_is_too_large_is_told(start):
    b = start.bridge({"limits": {"max_packet_size": "2k"}})
    client = b.mqtt(version=V5)
    assert client.connack.prop("maximum_packet_size") == 2048
    client.send(publish_packet("a", b"x" * 3000, version=V5))
    assert refused(client) == 0x95


def test_a_shutdown_is_told(start):
    b = start.bridge()
    client = b.mqtt(version=V5)
    b.daemon.signal(signal.SIGTERM)
    assert refused(client) == 0x8B
    assert b.daemon.wait() == 0


def test_a_shutdown_sends_to_another_server(start):
    # v5 4.11
    b = start.bridge({"server": {"server_reference": "b.example c:1884"}})
    client, old = b.mqtt(version=V5), b.mqtt()
    b.daemon.signal(signal.SIGTERM)
    last = client.expect_close()[-1]
    assert last.code == 0x9C
    assert last.prop("server_reference") == "b.example c:1884"
    assert old.expect_close() == []
    assert b.daemon.wait() == 0


def test_reason_strings_may_be_unwanted(bridge):
    """Request Problem Information 0 leaves them out of all but three."""
    client = bridge.mqtt(version=V5, request_problem_information=0)
    client.subscribe("$JS/x")
    client.unsubscribe("never", "a#")
    client.send(ack_packet(PUBREL, 77, version=V5))
    assert client.next().properties == []
    client.publish("$JS/x", qos=1)
    client = bridge.mqtt(version=V5, request_problem_information=0)
    client.send_subscribe("$JS/x", bridge.topic("a"))
    suback = client.next()
    assert suback.codes[0] >= 0x80 and suback.codes[1] == 0
    assert suback.properties == []


def test_every_refusal_has_a_reason_string(bridge):
    # v5 [MQTT-3.6.2-2] [MQTT-3.7.2-2] [MQTT-3.11.2-1]
    client = bridge.mqtt(version=V5)
    for data, code in (
            (ack_packet(PUBREL, 77, version=V5), 0x92),
            (ack_packet(PUBREC, 77, version=V5), 0x92),
            (publish_packet("$JS/x", b"", 1, packet_id=1, version=V5), 0x87),
            (publish_packet("$JS/x", b"", 2, packet_id=2, version=V5), 0x87),
            (unsubscribe_packet(3, ["never", "a#"], V5), 0x8F),
            (subscribe_packet(3, [("a", 0), ("a#", 0)], V5), 0x8F)):
        client.send(data)
        answer = client.next()
        assert code in (answer.code, *getattr(answer, "codes", ()))
        assert answer.prop("reason_string")


def test_reason_strings_help(bridge):
    client = bridge.mqtt(version=V5)
    client.send_subscribe("$JS/x")
    suback = client.next()
    assert suback.codes[0] >= 0x80
    assert suback.prop("reason_string")


def test_a_listener_may_offer_less(start):
    # v5 [MQTT-3.2.2-9] [MQTT-3.2.2-11] [MQTT-3.2.2-12]
    b = start.bridge({"listener main": {
        "max_qos": 0, "retain_available": "no", "wildcard_available": "no",
        "subscription_ids_available": "no", "shared_available": "no"}})

    connack = b.mqtt(version=V5).connack
    assert connack.prop("maximum_qos") == 0
    for name in ("retain", "wildcard", "subscription_ids", "shared"):
        assert connack.prop(f"{name}_available") == 0
    assert b.mqtt(version=V5).subscribe("a", qos=2) == [0]
    for data, code in (
            (publish_packet("a", b"", 1, packet_id=1, version=V5), 0x9B),
            (publish_packet("a", retain=True, version=V5), 0x9A),
            (subscribe_packet(1, [("a/#", 0)], V5), 0xA2),
            (subscribe_packet(1, [("$share/g/a", 0)], V5), 0x9E),
            (subscribe_packet(1, [("a", 0)], V5, subscription_id=1), 0xA1)):
        client = b.mqtt(version=V5)
        client.send(data)
        assert refused(client) == code
    client = b.socket(V5)
    client.send(connect_packet("x", V5, will=Will("a", qos=1)))
    assert refused(client) == 0x9B


def test_response_information_for_those_who_ask(start):
    # v5 [MQTT-3.1.2-28]
    b = start.bridge({"server": {"response_information": "answers"}})
    assert b.mqtt(version=V5).connack.prop("response_information") is None
    asker = b.mqtt("pump", V5, request_response_information=1)
    topic = asker.connack.prop("response_information")
    assert topic == "answers/pump"
    asker.subscribe(f"{topic}/#")
    b.mqtt().publish(f"{topic}/now", b"yes")
    assert asker.message().payload == b"yes"
