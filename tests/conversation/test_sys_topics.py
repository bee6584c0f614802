# SPDX-License-Identifier: Apache-2.0
"""$SYS/broker/...: mosquitto's names, retained, never to NATS."""

import pytest

NAMES = """version uptime timestamp clients/connected clients/disconnected
clients/total clients/maximum messages/received messages/sent
publish/messages/received publish/messages/sent publish/messages/dropped
bytes/received bytes/sent subscriptions/count
store/messages/count store/messages/bytes""".split()


@pytest.fixture
def found(start):
    """What a new subscriber is sent at once, by name."""
    b = start.bridge()
    n = b.nats()
    everything = n.subscribe(">", but="_")
    client = b.mqtt()
    if client.subscribe("$SYS/#")[0] >= 0x80:
        pytest.skip("$SYS is not served")
    client.subscribe("end")
    client.publish("end")
    got = client.messages_until("end")
    if not got:
        pytest.skip("$SYS is not served")
    assert [m.subject for m in everything.until("end")] == []
    return {m.topic: m for m in got}


def test_the_names_of_mosquitto_are_there(found):
    for name in NAMES:
        m = found[f"$SYS/broker/{name}"]
        assert m.retain and m.payload
    assert found["$SYS/broker/retained messages/count"]


def test_the_figures_are_figures(found):
    assert int(found["$SYS/broker/clients/connected"].payload) >= 0
    assert b"mqtt-natsd" in found["$SYS/broker/version"].payload
