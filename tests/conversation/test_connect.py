# SPDX-License-Identifier: Apache-2.0
"""CONNECT and CONNACK in 3.1.1: what is accepted, what is refused and how."""

import time

import pytest

from conversation.mqtt import (CONNACK, PINGREQ, V5, V31, V311, Closed,
                               Will, connect_packet, packet, publish_packet,
                               subscribe_packet)


def closed_without_connack(client):
    return client.expect_close() == []


# v5 [MQTT-4.2.0-1]
def test_a_plain_connect_is_accepted(bridge):
    # v3.1.1 [MQTT-7.1.1-1]
    client = bridge.socket()
    connack = client.connect(f"{bridge.tag}-plain")
    assert connack.flags == 0 and connack.body == b"\0\0"


@pytest.mark.parametrize("level", [0, 1, 2, 6, 7, 127, 255])
def test_an_unknown_protocol_level_is_refused(bridge, level):
    # v3.1.1 [MQTT-3.1.2-2]; v5 has a CONNACK of its own for this.
    client = bridge.socket(V311 if level < V311 else V5)
    client.send(connect_packet("level", level=level))
    [connack] = client.expect_close()
    assert connack.type == CONNACK and not connack.session_present
    assert connack.code == 1 or level > V5 and connack.code == 0x84


@pytest.mark.parametrize("name", ["mqtt", "MQT", "MQTTT", "", "HTTP", "MQ\0T"])
def test_another_protocol_name_is_refused(bridge, name):
    # v3.1.1 [MQTT-3.1.2-1]
    client = bridge.socket()
    client.send(connect_packet("name", name=name))
    assert all(p.code for p in client.expect_close())


def test_version_3_1_is_known_by_its_own_name(bridge):
    if not bridge.daemon.serves("3.1"):
        pytest.skip("3.1 is not served")
    client = bridge.socket(V31)
    client.connect(f"{bridge.tag}-31")
    client.ping()


def test_zero_length_identifiers_with_a_clean_session(bridge):
    # v3.1.1 [MQTT-3.1.3-6]
    clients = [bridge.mqtt("") for _ in range(5)]
    for c in clients:
        c.ping()


def test_zero_length_identifier_without_clean_session_gets_code_2(bridge):
    # v3.1.1 [MQTT-3.1.3-8]
    client = bridge.socket()
    connack = client.connect("", clean=False, code=2)
    assert not connack.session_present
    assert closed_without_connack(client)


IDENTIFIERS = {
    "one letter": "x",
    "23 letters": "abcdefghijklmnopqrstuvw",
    "200 letters": "long" * 50,
    "spaces": "a b c",
    "dots": "a.b.>",
    "stars": "*",
    "slashes": "a/../../b\\c",
    "not ASCII": "gerät-ß-漢字-😀",
    "quotes": "q\"'x",
    "percent": "%s%n%d",
    "braces": "{}[]<>&|;`$(x)",
}


# v5 [MQTT-3.1.3-5]
# v3.1.1 [MQTT-3.1.3-3] [MQTT-3.1.3-4] [MQTT-3.1.3-5]
@pytest.mark.parametrize("name", IDENTIFIERS)
def test_any_utf8_is_an_identifier(bridge, name):
    client = bridge.mqtt(IDENTIFIERS[name], will=Will(bridge.topic("will")))
    client.subscribe(bridge.topic("a"), qos=1)
    client.publish(bridge.topic("a"), b"x", qos=1)
    assert client.message().payload == b"x"
    client.disconnect()


@pytest.mark.parametrize("client_id", [
    "i" * 65535, "control\x01\x1f\x7f", "two\r\nlines\n"],
    ids=["longest", "control", "lines"])
def test_odd_identifiers_are_taken_or_refused(bridge, client_id):
    client = bridge.socket()
    client.send(connect_packet(client_id))
    try:
        connack = client.wait(CONNACK)
    except Closed:
        return
    assert connack.code in (0, 2)


BAD_CONNECTS = {
    "reserved flag": connect_packet("x", flags=0x03),
    "will QoS 3": connect_packet("x", will=Will("w"), flags=0x1E),
    "will QoS without will": connect_packet("x", flags=0x0A),
    "will retain without will": connect_packet("x", flags=0x22),
    "password without user": connect_packet("x", password="p"),
    "flags of user without user": connect_packet("x", flags=0x82),
    "flags of will without will": connect_packet("x", flags=0x06),
    "bytes left over": packet(1, 0, b"\0\4MQTT\4\2\0\0\0\1x", b"more"),
    "no identifier": packet(1, 0, b"\0\4MQTT\4\2\0\0"),
    "no keep alive": packet(1, 0, b"\0\4MQTT\4\2"),
    "only a name": packet(1, 0, b"\0\4MQTT"),
    "nothing": packet(1, 0),
    "half a name": packet(1, 0, b"\0\4MQ"),
    "identifier too short": packet(1, 0, b"\0\4MQTT\4\2\0\0\0\5x"),
    "identifier not UTF-8": connect_packet(b"\xff\xfe"),
    "identifier with U+0000": connect_packet("a\0b"),
    "identifier with a surrogate": connect_packet(b"a\xed\xa0\x80b"),
    "overlong identifier": connect_packet(b"\xc0\xaf"),
    "user not UTF-8": connect_packet("x", user=b"\xff", password="p"),
    "user with U+0000": connect_packet("x", user="u\0v", password="p"),
    "will topic not UTF-8": connect_packet("x", will=Will(b"\xff")),
    "will topic with U+0000": connect_packet("x", will=Will("a\0")),
    "will topic with a wildcard": connect_packet("x", will=Will("a/#")),
    "will topic empty": connect_packet("x", will=Will("")),
    "flags in the fixed header": packet(1, 2, b"\0\4MQTT\4\2\0\0\0\1x"),
}


@pytest.mark.parametrize("name", BAD_CONNECTS)
def test_a_malformed_connect_is_closed(bridge, name):
    client = bridge.socket()
    client.send(BAD_CONNECTS[name])
    assert all(p.code for p in client.expect_close())


FIRST_PACKETS = {
    "PUBLISH": publish_packet("a", b"early"),
    "PUBLISH at QoS 1": publish_packet("a", b"early", 1, packet_id=1),
    "SUBSCRIBE": subscribe_packet(1, [("a", 0)]),
    "PINGREQ": packet(PINGREQ, 0),
    "DISCONNECT": packet(14, 0),
    "PUBACK": packet(4, 0, b"\0\1"),
    "CONNACK": packet(2, 0, b"\0\0"),
    "type 0": b"\0\0",
    "type 15": b"\xf0\0",
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\n"
            b"Accept: */*\r\nConnection: Upgrade\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"x" * 100,
}


# v5 [MQTT-3.1.0-1]
@pytest.mark.parametrize("name", FIRST_PACKETS)
def test_the_first_packet_is_connect(bridge, name):
    # v3.1.1 [MQTT-3.1.0-1]
    client = bridge.socket()
    client.send(FIRST_PACKETS[name])
    assert closed_without_connack(client)


def test_what_was_sent_before_connect_has_no_effect(bridge):
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"))
    early = bridge.socket()
    early.send(publish_packet(bridge.topic("early"), b"x")
               + connect_packet("early"))
    assert closed_without_connack(early)
    publisher.publish(bridge.topic("end"))
    assert subscriber.messages_until(bridge.topic("end")) == []


# v5 [MQTT-3.1.0-2]
def test_a_second_connect_closes(bridge):
    # v3.1.1 [MQTT-3.1.0-2]
    client = bridge.mqtt("twice")
    client.send(connect_packet("twice"))
    assert closed_without_connack(client)


def test_a_second_connect_with_the_first_closes(bridge):
    client = bridge.socket()
    client.send(connect_packet("twice") * 2)
    assert len(client.expect_close()) <= 1


def test_packets_may_follow_connect_at_once(bridge):
    # v3.1.1 3.1.4: clients need not wait for CONNACK.
    client = bridge.socket()
    client.send(connect_packet(f"{bridge.tag}-eager")
                + subscribe_packet(9, [(bridge.topic("a"), 1)])
                + publish_packet(bridge.topic("a"), b"x", 1, packet_id=10))
    assert client.next().type == CONNACK
    assert client.message().payload == b"x"


def test_one_byte_at_a_time(bridge):
    client = bridge.socket()
    data = (connect_packet(f"{bridge.tag}-slow")
            + subscribe_packet(1, [(bridge.topic("a"), 1)])
            + publish_packet(bridge.topic("a"), b"slow", 1, packet_id=2))
    for i in range(len(data)):
        client.send(data[i:i + 1])
    assert client.next().type == CONNACK
    assert client.message().payload == b"slow"


def test_a_disconnect_is_followed_by_the_end(bridge):
    client = bridge.mqtt()
    client.disconnect()


def test_nothing_after_disconnect_has_an_effect(bridge):
    # v3.1.1 [MQTT-3.14.4-2]
    subscriber, publisher = bridge.mqtt(), bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"))
    publisher.send(packet(14, 0) + publish_packet(bridge.topic("late")))
    publisher.expect_close()
    bridge.mqtt().publish(bridge.topic("end"))
    assert subscriber.messages_until(bridge.topic("end")) == []


def test_user_and_password_are_taken_where_nobody_asks(bridge):
    client = bridge.mqtt(user="anna", password=b"\0\xff any bytes")
    client.ping()
    bridge.mqtt(user="only a user").ping()


def test_many_connect_and_leave(bridge):
    for i in range(200):
        client = bridge.mqtt(f"{bridge.tag}-many{i % 10}")
        if i % 2:
            client.disconnect()
        else:
            client.close()
    bridge.mqtt().ping()


# A daemon that does not wait long.

@pytest.fixture
def hasty(start):
    return start.bridge({"limits": {"connect_timeout": "1s"}})


def test_a_connect_that_never_comes_is_not_waited_for(hasty):
    silent = hasty.socket()
    early = time.monotonic()
    assert closed_without_connack(silent)
    assert time.monotonic() - early > 0.5


def test_a_connect_that_does_not_end_is_not_waited_for(hasty):
    """Some bytes now and then do not keep a connection open."""
    client = hasty.socket()
    data = connect_packet("never done" * 100)
    client.sock.settimeout(0.1)
    for i in range(len(data)):
        try:
            client.send(data[i:i + 1])
            client.sock.settimeout(0.1)
            if not client.sock.recv(1):
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    else:
        raise AssertionError("the server waited for every byte")


def test_the_time_for_connect_is_over_once_it_came(hasty):
    quick, silent = hasty.mqtt(), hasty.socket()
    assert closed_without_connack(silent)
    quick.ping()


@pytest.mark.parametrize("version", [V311])
def test_connack_is_the_first_packet(bridge, version):
    # v3.1.1 [MQTT-3.2.0-1]
    client_id = f"{bridge.tag}-queued"
    first = bridge.mqtt(client_id, version, clean=False)
    first.subscribe(bridge.topic("a"), qos=1)
    first.disconnect()
    bridge.mqtt().publish(bridge.topic("a"), b"waiting", qos=1)
    again = bridge.socket(version)
    again.connect(client_id, clean=False)
    assert again.message().payload == b"waiting"
    again.disconnect()
    bridge.mqtt(client_id, version)
