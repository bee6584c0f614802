# SPDX-License-Identifier: Apache-2.0
"""What breaks the protocol ends one connection, and nobody else notices."""

import pytest

from conversation.mqtt import (DISCONNECT, PINGREQ, PUBACK, PUBLISH, PUBREL,
                               SUBSCRIBE, UNSUBSCRIBE, Closed, binary, packet,
                               publish_packet, subscribe_packet,
                               unsubscribe_packet)

# Each is sent after an accepted CONNECT of 3.1.1.
BAD_PACKETS = {
    # The fixed header: v3.1.1 [MQTT-2.2.2-1] [MQTT-2.2.2-2]
    "type 0": b"\x00\x00",
    "type 15": b"\xf0\x00",
    "PUBACK with flags": packet(PUBACK, 1, b"\0\1"),
    "PUBREL without its flag": packet(PUBREL, 0, b"\0\1"),
    "SUBSCRIBE without its flag": packet(SUBSCRIBE, 0, b"\0\1\0\1a\0"),
    "SUBSCRIBE with all flags": packet(SUBSCRIBE, 15, b"\0\1\0\1a\0"),
    "UNSUBSCRIBE without its flag": packet(UNSUBSCRIBE, 0, b"\0\1\0\1a"),
    "PINGREQ with flags": packet(PINGREQ, 1),
    "DISCONNECT with flags": packet(DISCONNECT, 4),
    "length of five bytes": b"\x30\xff\xff\xff\xff\x01",
    "length of endless zeros": b"\x30\x80\x80\x80\x80\x80",
    # What only a server sends.
    "CONNACK": packet(2, 0, b"\0\0"),
    "SUBACK": packet(9, 0, b"\0\1\0"),
    "UNSUBACK": packet(11, 0, b"\0\1"),
    "PINGRESP": packet(13, 0),
    # PUBLISH
    "QoS 3": packet(PUBLISH, 6, binary("a"), b"\0\1x"),
    "QoS 0 with DUP": packet(PUBLISH, 8, binary("a"), b"x"),
    "packet identifier 0": publish_packet("a", b"x", 1, packet_id=0),
    "no packet identifier": packet(PUBLISH, 2, binary("a")),
    "half a packet identifier": packet(PUBLISH, 2, binary("a"), b"\0"),
    "topic longer than the packet": packet(PUBLISH, 0, b"\0\x05a"),
    "no topic": packet(PUBLISH, 0),
    "half a topic length": packet(PUBLISH, 0, b"\0"),
    "empty topic": publish_packet("", b"x"),
    "topic with +": publish_packet("a/+/b", b"x"),
    "topic with #": publish_packet("a/#", b"x"),
    "topic is #": publish_packet("#", b"x"),
    "topic with + in a level": publish_packet("a+b", b"x"),
    "topic with U+0000": publish_packet("a\0b", b"x"),
    "topic not UTF-8": publish_packet(b"a\xff", b"x"),
    "topic ends in a sequence": publish_packet(b"a\xe2\x82", b"x"),
    "topic with an overlong slash": publish_packet(b"a\xc0\xafb", b"x"),
    "topic with a surrogate": publish_packet(b"\xed\xa0\x80", b"x"),
    "topic beyond U+10FFFF": publish_packet(b"\xf4\x90\x80\x80", b"x"),
    # Acknowledgements
    "PUBACK of one byte": packet(PUBACK, 0, b"\1"),
    "PUBACK of nothing": packet(PUBACK, 0),
    "PUBACK too long": packet(PUBACK, 0, b"\0\1\0"),
    "PUBACK of identifier 0": packet(PUBACK, 0, b"\0\0"),
    # SUBSCRIBE
    "SUBSCRIBE to nothing": packet(SUBSCRIBE, 2, b"\0\1"),
    "SUBSCRIBE without identifier": packet(SUBSCRIBE, 2),
    "SUBSCRIBE identifier 0": subscribe_packet(0, [("a", 0)]),
    "SUBSCRIBE at QoS 3": subscribe_packet(1, [("a", 3)]),
    "SUBSCRIBE with reserved bits": subscribe_packet(1, [("a", 0x81)]),
    "SUBSCRIBE second without QoS": packet(
        SUBSCRIBE, 2, b"\0\1", binary("a"), b"\0", binary("b")),
    "SUBSCRIBE filter too long": packet(SUBSCRIBE, 2, b"\0\1\0\x09ab\0"),
    "filter with U+0000": subscribe_packet(1, [("a\0", 0)]),
    "filter not UTF-8": subscribe_packet(1, [(b"\xff/#", 0)]),
    "filter with a surrogate": subscribe_packet(1, [(b"\xed\xbf\xbf", 0)]),
    # UNSUBSCRIBE
    "UNSUBSCRIBE from nothing": packet(UNSUBSCRIBE, 2, b"\0\1"),
    "UNSUBSCRIBE identifier 0": unsubscribe_packet(0, ["a"]),
    "UNSUBSCRIBE not UTF-8": unsubscribe_packet(1, [b"\xff"]),
    "UNSUBSCRIBE too short": packet(UNSUBSCRIBE, 2, b"\0\1\0\x05a"),
    # The rest
    "PINGREQ with a body": packet(PINGREQ, 0, b"x"),
    "DISCONNECT with a body": packet(DISCONNECT, 0, b"\0"),
}

# The log says why: it was not the client that ended it.
REASON = "disconnected: (?!connection closed by client).+"


@pytest.fixture
def bystander(bridge):
    """A client that has a conversation of its own and keeps it."""
    client = bridge.mqtt(f"{bridge.tag}-bystander")
    client.subscribe(bridge.topic("mine/#"), qos=1)
    yield client
    client.publish(bridge.topic("mine/end"), b"here", qos=1)
    assert client.message().payload == b"here"
    client.ping()
    assert client.pending == []


# v3.1.1 [MQTT-1.5.3-1] [MQTT-1.5.3-2]
@pytest.mark.parametrize("name", BAD_PACKETS)
def test_bad_packets_close_the_connection(bridge, bystander, name):
    # v3.1.1 [MQTT-4.8.0-1]
    client_id = f"{bridge.tag}-bad"
    client = bridge.mqtt(client_id)
    start = bridge.daemon.log_size()
    client.send(BAD_PACKETS[name])
    assert client.expect_close() == []
    if bridge.daemon.name == "mqtt-natsd":
        bridge.daemon.wait_log(f'"{client_id}".*{REASON}', start)


@pytest.mark.parametrize("name", BAD_PACKETS)
def test_bad_packets_after_good_ones(bridge, bystander, name):
    """What came before in the same segment counts."""
    client = bridge.mqtt()
    bystander.subscribe(bridge.topic("good"))
    client.send(publish_packet(bridge.topic("good"), b"good")
                + BAD_PACKETS[name])
    client.expect_close()
    assert bystander.message().payload == b"good"


def test_an_unknown_puback_is_ignored(bridge, bystander):
    client = bridge.mqtt()
    client.send_ack(PUBACK, 4711)
    client.ping()


def test_half_a_packet_and_gone(bridge, bystander):
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"))
    whole = publish_packet(bridge.topic("half"), b"x" * 300)
    for n in range(1, len(whole), 37):
        client = bridge.mqtt()
        client.send(whole[:n])
        client.close()
    bridge.mqtt().publish(bridge.topic("end"))
    assert subscriber.messages_until(bridge.topic("end")) == []


def test_utf8_is_kept_as_it_is(bridge, bystander):
    # v3.1.1 [MQTT-1.5.3-3]: U+FEFF stays.
    subscriber = bridge.mqtt()
    subscriber.subscribe(bridge.topic("#"))
    for text in ("\ufeffbom", "é", "e\u0301", "漢字", "😀",
                 "\U0010fffd"):
        subscriber.publish(bridge.topic(text))
        assert subscriber.message().topic == bridge.topic(text)


# Limits.

def test_a_packet_above_the_limit_closes(start):
    b = start.bridge({"limits": {"max_packet_size": "1k"}})
    bystander = b.mqtt()
    bystander.subscribe("#")
    client = b.mqtt("large")
    client.publish("small", b"x" * 900)
    client.send(publish_packet("large", b"x" * 2000))
    client.expect_close()
    b.mqtt().publish("end")
    assert [m.topic for m in bystander.messages_until("end")] == ["small"]


def test_the_announcement_of_a_large_packet_is_enough(start):
    """Nobody collects 256 MB in order to refuse them."""
    b = start.bridge({"limits": {"max_packet_size": "64k"}})
    client = b.mqtt()
    client.send(b"\x30\xff\xff\xff\x7f")
    client.expect_close()
    early = b.socket()
    early.send(b"\x10\xff\xff\xff\x7f")
    early.expect_close()


def test_a_packet_of_just_the_limit_passes(start):
    b = start.bridge({"limits": {"max_packet_size": "1k"}})
    client = b.mqtt()
    client.subscribe("a")
    overhead = len(publish_packet("a", b"x" * 1000)) - 1000
    client.publish("a", b"x" * (1024 - overhead))
    assert len(client.message().payload) == 1024 - overhead
    client.send(publish_packet("a", b"x" * (1025 - overhead)))
    client.expect_close()


# What NATS cannot carry: DESIGN 8.

def test_a_topic_of_65535_bytes(bridge, bystander):
    client = bridge.mqtt()
    n = bridge.nats()
    topic = bridge.topic("x" * 65535)[:65535]
    everything = n.subscribe(bridge.subject(">"))
    client.publish(topic, b"x", qos=1)
    client.publish(topic, b"x", qos=0)
    client.publish(bridge.topic("end"), b"x")
    assert everything.until(bridge.subject("end")) == []


def test_a_filter_of_65535_bytes(bridge, bystander):
    client = bridge.mqtt()
    long = bridge.topic("x" * 65535)[:65533] + "/#"
    try:
        assert client.subscribe(long)[0] in (0, 0x80)
        client.ping()
    except Closed:
        pass


def test_a_filter_of_many_levels(bridge, bystander):
    client = bridge.mqtt()
    long = bridge.topic("+/" * 20000)[:-1]
    try:
        assert client.subscribe(long)[0] in (0, 0x80)
        client.ping()
    except Closed:
        pass


@pytest.mark.parametrize("qos", [0, 1])
def test_payloads_above_max_payload_do_not_reach_nats(start, qos):
    b = start.bridge(nats={"config": "max_payload: 2048"})
    client, n = b.mqtt(), b.nats()
    everything = n.subscribe("t.>")
    client.publish("t/large", b"x" * 3000, qos=qos)
    client.send_publish("t/small", b"x" * 1000, qos=qos)
    client.publish("t/end", b"x")
    got = [m.subject for m in everything.until("t.end")]
    assert got == ["t.small"]
    client.ping()


def test_headers_count_against_max_payload(start):
    b = start.bridge(nats={"config": "max_payload: 2048"})
    client, n = b.mqtt(), b.nats()
    everything = n.subscribe("t.>")
    for size in range(1990, 2060, 3):
        client.publish("t/close", b"x" * size, retain=True)
    client.publish("t/end", b"")
    for m in everything.until("t.end"):
        assert m.subject == "t.close" and len(m.payload) <= 2048
    # Retained they may be, or not; the daemon's link has lived on.
    assert b.daemon.log_text().lower().count("maximum payload") == 0


def test_refused_publishes_close_where_that_is_wanted(start):
    b = start.bridge({"limits": {"v3_refuse": "close"}},
                     nats={"config": "max_payload: 2048"})
    client = b.mqtt()
    client.send_publish("t/large", b"x" * 3000, qos=1)
    assert client.expect_close() == []
    b.mqtt().ping()
