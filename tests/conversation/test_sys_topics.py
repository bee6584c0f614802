# SPDX-License-Identifier: Apache-2.0
"""$SYS/broker/...: mosquitto's names, retained, never to NATS."""

import pytest

NAMES = """version uptime timestamp clients/connected clients/disconnected
clients/total clients/maximum clients/expired
messages/received messages/sent messages/stored
publish/messages/received publish/messages/sent publish/messages/dropped
publish/bytes/received publish/bytes/sent
bytes/received bytes/sent subscriptions/count shared_subscriptions/count
store/messages/count store/messages/bytes""".split()

LOADS = """messages/received messages/sent publish/received publish/sent
publish/dropped bytes/received bytes/sent sockets connections""".split()


def served(client):
    """What a new subscriber is sent at once, by name."""
    client.subscribe("$SYS/#", "end")
    client.publish("end")
    return {m.topic: m for m in client.messages_until("end")}


@pytest.fixture
def found(start):
    b = start.bridge()
    everything = b.nats().subscribe(">", but="_")
    got = served(b.mqtt())
    assert [m.subject for m in everything.until("end")] == []
    return got


def test_the_names_of_mosquitto_are_there(found):
    for name in NAMES:
        m = found[f"$SYS/broker/{name}"]
        assert m.retain and m.payload
    assert found["$SYS/broker/retained messages/count"]
    for name in LOADS:
        for span in ("1min", "5min", "15min"):
            float(found[f"$SYS/broker/load/{name}/{span}"].payload)


def test_the_figures_are_figures(found):
    assert int(found["$SYS/broker/clients/connected"].payload) >= 0
    assert b"mqtt-natsd" in found["$SYS/broker/version"].payload
    assert found["$SYS/broker/uptime"].payload.endswith(b" seconds")


def test_they_follow_what_happens(start):
    b = start.bridge({"server": {"sys_interval": "1s", "workers": 2}})
    everything = b.nats().subscribe(">", but="_")
    client = b.mqtt()
    others = [b.mqtt() for _ in range(3)]
    others[0].subscribe("a")
    others[1].publish("a", b"x" * 1000, retain=True)
    others[0].message()
    client.subscribe("$SYS/broker/#")
    wanted = {"clients/connected": 4, "publish/messages/received": 1,
              "publish/messages/sent": 1, "publish/bytes/received": 1000,
              "bytes/sent": 1000, "retained messages/count": 1,
              "subscriptions/count": 2}
    # As often as it takes: the counters only grow.
    while wanted:
        m = client.message()
        name = m.topic.replace("$SYS/broker/", "")
        if name in wanted and int(m.payload) >= wanted[name]:
            del wanted[name]
    others[1].publish("end")
    assert {m.subject for m in everything.until("end")} == {"a"}


def test_nobody_else_publishes_there(start):
    # nor does a wildcard of others see it: v5 [MQTT-4.7.2-1]
    b = start.bridge({"server": {"sys_interval": "1h"}})
    client, wide, n = b.mqtt(), b.mqtt(), b.nats()
    client.subscribe("$SYS/#", "end")
    wide.subscribe("#", "+/broker/#")
    b.mqtt().publish("$SYS/broker/version", b"mine", qos=1, retain=True)
    n.publish("$SYS.broker.version", b"mine")
    n.publish("mqtt.retained.set.$SYS.broker.version", b"mine")
    n.publish("end")
    version = "$SYS/broker/version"
    assert not [m for m in client.messages_until("end")
                if m.payload == b"mine"]
    assert not [m for m in wide.messages_until("end")
                if m.topic.startswith("$")]
    late = served(b.mqtt())
    assert late[version].payload != b"mine"
    ask = n.request("mqtt.retained.request", b"$SYS.>")
    assert ask.payload == b"[]"


def test_they_can_be_off(start):
    b = start.bridge({"server": {"sys_interval": 0}})
    assert served(b.mqtt()) == {}
