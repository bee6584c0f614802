# SPDX-License-Identifier: Apache-2.0
"""NATS may not know of our groups at once when it is there again. Nobody is
told that nobody was there, and no message is lost that way."""

import pytest

from conversation.mqtt import PUBACK
from conversation.slow_nats import SlowNats


@pytest.fixture
def slow():
    server = SlowNats()
    yield server
    server.lets_in.set()
    server.stop()


@pytest.fixture
def bridge(slow, start):
    return start.join(start.daemon(slow.url), None)


def published(slow, subject):
    return [reply for s, reply in slow.published if s == subject]


def test_a_message_waits_for_the_groups(slow, bridge):
    member, client = bridge.mqtt(version=5), bridge.mqtt(version=5)
    member.subscribe("$share/g/a/b", qos=1)
    slow.sid("a.b")
    slow.lose_groups()
    client.send_publish("a/b", b"x", 1, packet_id=7)
    # No responders: the server knows of nobody.
    slow.wait(lambda: len(published(slow, "a.b")) == 1, "a PUB")
    client.send_publish("other", b"x", 1, packet_id=8)
    slow.wait(lambda: published(slow, "other"), "another PUB")
    slow.lets_in.set()
    slow.wait(lambda: len(published(slow, "a.b")) == 2, "a PUB again")
    first, again = published(slow, "a.b")
    assert first == again
    slow.message_to_group("a.b", again, b"x")
    assert member.message().payload == b"x"
    acks = {}
    while len(acks) < 2:
        p = client.next()
        assert p.type == PUBACK
        acks[p.packet_id] = p.code
    assert acks == {7: 0, 8: 0x10}


def test_nobody_is_there_where_there_is_no_group(slow, bridge):
    client = bridge.mqtt(version=5)
    client.send_publish("a/b", b"x", 1, packet_id=7)
    p = client.next()
    assert (p.type, p.packet_id, p.code) == (PUBACK, 7, 0x10)
