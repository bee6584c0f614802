# SPDX-License-Identifier: Apache-2.0
"""What devices may not touch: the subjects of NATS itself, and $SYS."""

import pytest

from conversation.mqtt import Closed

RESERVED = ["$JS/API/INFO", "$KV/bucket/key", "$O/store/x", "$SRV/PING",
            "$MQTT/x", "$NRG/x", "$SYS/REQ/x", "_INBOX/x/y", "$JS", "_INBOX"]


def subject(topic):
    return topic.replace("/", ".")


@pytest.fixture
def own(start):
    return start.bridge()


@pytest.mark.parametrize("qos", [0, 1])
def test_publishes_do_not_reach_nats(own, qos):
    n = own.nats()
    everything = [n.subscribe(s) for s in (
        "$KV.>", "$O.>", "$SRV.>", "$MQTT.>", "$NRG.>", "_INBOX.x.>",
        "$JS.>", "$JS", "$SYS.>")]
    end = n.subscribe("end")
    for topic in RESERVED:
        client = own.mqtt()
        client.send_publish(topic, b"x", qos=qos)
        try:
            client.ping()
        except Closed:
            pass
    client = own.mqtt()
    client.publish("end")
    end.next()
    for s in everything:
        assert s.messages == [], s.subject


@pytest.mark.parametrize("topic", RESERVED)
def test_filters_are_refused(bridge, topic):
    client = bridge.mqtt()
    if topic == "$SYS/REQ/x":
        # Ours: served here, never asked from NATS.
        assert client.subscribe(topic, qos=1)[0] in (0, 1, 0x80)
    else:
        assert client.subscribe(topic, qos=1) == [0x80]
    client.subscribe(bridge.topic("a"))
    client.publish(bridge.topic("a"), b"x")
    assert client.message().payload == b"x"


@pytest.mark.parametrize("filter", ["$JS/#", "$KV/+", "$MQTT/#", "_INBOX/#",
                                    "_INBOX/+/x", "$SRV/+/+"])
def test_filters_with_wildcards_are_refused(bridge, filter):
    assert bridge.mqtt().subscribe(filter, qos=1) == [0x80]


def test_leading_wildcards_do_not_deliver_them(own):
    n, client = own.nats(), own.mqtt()
    client.subscribe("#", "+/#", "+/x/y", "+/+/+", qos=1)
    for topic in RESERVED:
        if not topic.startswith("$JS"):
            n.publish(subject(topic), b"secret")
    n.publish("_INBOX.x.y", b"secret", reply="_INBOX.z")
    n.publish("end")
    assert client.messages_until("end") == []


def test_requests_of_others_stay_private(own):
    """`#` is `>` for NATS, which brings every inbox."""
    n, m, client = own.nats(), own.nats(), own.mqtt()
    client.subscribe("#")
    service = m.subscribe("service")
    inbox = n.send_request("service", b"question")
    m.publish(service.next().reply, b"answer")
    assert inbox.next().payload == b"answer"
    n.publish("end")
    got = client.messages_until("end")
    assert [x.topic for x in got] == ["service"]


def test_the_daemons_own_traffic_is_not_delivered(own):
    """Its inboxes and fences come back through `>`."""
    client, watcher = own.mqtt(), own.mqtt()
    watcher.subscribe("#", qos=1)
    n = own.nats()
    n.subscribe("silent")
    for i in range(20):
        client.publish(f"t/{i}", qos=1)
        client.subscribe(f"f/{i}")
    client.publish("end", qos=1)
    got = [m.topic for m in watcher.messages_until("end")]
    assert got == [f"t/{i}" for i in range(20)]


def test_sys_topics_never_go_to_nats(own):
    n, client = own.nats(), own.mqtt()
    watch = n.subscribe(">")
    client.send_publish("$SYS/broker/uptime", b"lie")
    client.subscribe("$SYS/broker/#")
    client.publish("end")
    assert watch.until("end") == []


def test_other_dollar_topics_are_ordinary(own):
    n, client = own.nats(), own.mqtt()
    watch = n.subscribe("$aws.>")
    client.subscribe("$aws/#")
    client.publish("$aws/things/x", b"1")
    assert watch.next().subject == "$aws.things.x"
    assert client.message().payload == b"1"
    n.publish("$aws.things.y", b"2")
    assert client.message().payload == b"2"


def test_leading_wildcards_do_not_deliver_dollar_topics_of_nats(own):
    n, client = own.nats(), own.mqtt()
    client.subscribe("#", "+/x")
    n.publish("$aws.x")
    n.publish("end")
    assert client.messages_until("end") == []
