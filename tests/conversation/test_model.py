# SPDX-License-Identifier: Apache-2.0
"""Random schedules against a model: at QoS 2 exactly once, at QoS 1 no loss.

Publishers and subscribers connect, vanish, come back, take over from
themselves and acknowledge when they like; each does what the specification
asks a client to do. Whatever a publisher was acknowledged, every subscriber
must have in the end, in the order of its publisher.

CONVERSATION_STEPS makes the schedules longer, CONVERSATION_SEED another one.
"""

import os
import random

import pytest

from conversation.mqtt import (PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, V5,
                               V311)

STEPS = int(os.environ.get("CONVERSATION_STEPS", "1200"))
SEED = int(os.environ.get("CONVERSATION_SEED", "1"))


class Party:
    """A client with a session that outlives its connections."""

    def __init__(self, bridge, name, choose):
        self.bridge = bridge
        self.name = name
        self.choose = choose
        self.client = None
        self.known = False

    def connect(self):
        """Also while connected: then it is a takeover."""
        version = V311
        options = {}
        if self.choose.random() < 0.5 and self.bridge.daemon.serves("5"):
            version = V5
            options = {"session_expiry": 3600}
        old = self.client
        self.client = self.bridge.mqtt(self.name, version, clean=False,
                                       **options)
        if old is not None:
            old.close()
        self.client.acks = False
        assert self.client.connack.session_present == self.known
        self.known = True

    def vanish(self):
        if self.client is not None:
            if self.choose.random() < 0.3:
                self.client.disconnect()
            self.client.close()
            self.client = None

    def arrived(self):
        """What has come, after a round trip."""
        self.client.ping()
        found, self.client.pending = self.client.pending, []
        return found


class Publisher(Party):
    def __init__(self, bridge, name, choose, topic, qos):
        super().__init__(bridge, name, choose)
        self.topic = topic
        self.qos = qos
        self.packet_id = 0
        self.sent = 0
        self.unfinished = {}  # Packet Identifier: payload, None once PUBREC
        self.acknowledged = []

    def publish(self):
        if self.client is None or len(self.unfinished) >= 50:
            return
        self.packet_id = self.packet_id % 60 + 1
        while self.packet_id in self.unfinished:
            self.packet_id = self.packet_id % 60 + 1
        payload = f"{self.name}:{self.sent}".encode()
        self.sent += 1
        self.unfinished[self.packet_id] = payload
        self.client.send_publish(self.topic, payload, self.qos,
                                 packet_id=self.packet_id)

    def connect(self):
        super().connect()
        # v3.1.1 [MQTT-4.4.0-1]
        for packet_id, payload in self.unfinished.items():
            if payload is None:
                self.client.send_ack(PUBREL, packet_id)
            else:
                self.client.send_publish(self.topic, payload, self.qos,
                                         packet_id=packet_id, dup=True)

    def read(self):
        if self.client is None:
            return
        for p in self.arrived():
            if p.type == PUBACK or p.type == PUBREC:
                payload = self.unfinished[p.packet_id]
                if payload is not None:
                    self.acknowledged.append(payload)
            if p.type == PUBREC:
                self.unfinished[p.packet_id] = None
                self.client.send_ack(PUBREL, p.packet_id)
            else:
                assert p.type in (PUBACK, PUBCOMP), p
                del self.unfinished[p.packet_id]


class Subscriber(Party):
    def __init__(self, bridge, name, choose, filter, qos):
        super().__init__(bridge, name, choose)
        self.filter = filter
        self.qos = qos
        self.received = []
        self.unreleased = set()
        self.owed = []

    def connect(self):
        new = not self.known
        super().connect()
        # Acknowledgements of the old connection were not sent.
        self.owed = []
        if new:
            assert self.client.subscribe(self.filter, qos=self.qos) == [
                self.qos]

    def read(self):
        if self.client is None:
            return
        for p in self.arrived():
            if p.type == PUBREL:
                self.unreleased.discard(p.packet_id)
                self.owed.append((PUBCOMP, p.packet_id))
                continue
            assert p.type == PUBLISH, p
            assert p.qos == self.qos
            if p.qos == 1:
                self.received.append(p.payload)
                self.owed.append((PUBACK, p.packet_id))
                continue
            if p.packet_id in self.unreleased:
                assert p.dup, p
            else:
                self.unreleased.add(p.packet_id)
                self.received.append(p.payload)
            self.owed.append((PUBREC, p.packet_id))

    def pay(self, count):
        """Send the oldest acknowledgements."""
        if self.client is None:
            return
        for kind, packet_id in self.owed[:count]:
            self.client.send_ack(kind, packet_id)
        del self.owed[:count]


def step(publishers, subscribers, choose):
    what = choose.random()
    if what < 0.55:
        choose.choice(publishers).publish()
    elif what < 0.70:
        choose.choice(publishers).read()
    elif what < 0.82:
        choose.choice(subscribers).read()
    elif what < 0.92:
        choose.choice(subscribers).pay(choose.randrange(1, 20))
    elif what < 0.96:
        choose.choice(publishers + subscribers).vanish()
    else:
        choose.choice(publishers + subscribers).connect()


def finish(publishers, subscribers):
    """Everybody comes back and does what is left to do."""
    for party in publishers + subscribers:
        party.connect()
    while any(p.unfinished for p in publishers):
        for party in publishers + subscribers:
            party.read()
        for s in subscribers:
            s.pay(1000)
    quiet = 0
    while quiet < 3:
        before = sum(len(s.received) for s in subscribers)
        for s in subscribers:
            s.read()
            quiet = 0 if s.owed else quiet
            s.pay(1000)
        quiet += before == sum(len(s.received) for s in subscribers)


def first_of_each(payloads):
    return list(dict.fromkeys(payloads))


@pytest.mark.parametrize("qos", [1, 2])
def test_no_loss(start, qos):
    b = start.bridge({"server": {"workers": 3},
                      "limits": {"max_queued_messages": 1000000,
                                 "max_queued_bytes": "1g"},
                      "qos": {"max_inflight": 20}})
    if qos == 2 and not b.daemon.serves_qos2():
        pytest.skip("QoS 2 is not served")
    choose = random.Random(SEED)
    publishers = [Publisher(b, f"p{i}", choose, f"t/{i}", qos)
                  for i in range(3)]
    subscribers = [Subscriber(b, f"s{i}", choose, f, qos)
                   for i, f in enumerate(("#", "t/+", "t/#"))]
    for party in subscribers + publishers:
        party.connect()
    for _ in range(STEPS):
        step(publishers, subscribers, choose)
    finish(publishers, subscribers)
    for s in subscribers:
        for p in publishers:
            mine = [m for m in s.received if m.startswith(
                p.name.encode() + b":")]
            assert first_of_each(mine) == [
                f"{p.name}:{i}".encode() for i in range(p.sent)]
            assert qos == 1 or len(mine) == p.sent, "a duplicate"


@pytest.mark.parametrize("qos", [1, 2])
def test_no_loss_while_nats_flaps(start, qos):
    """Every step as above, and nats-server dies now and then."""
    b = start.bridge({"limits": {"max_queued_messages": 1000000,
                                 "max_queued_bytes": "1g"}})
    if qos == 2 and not b.daemon.serves_qos2():
        pytest.skip("QoS 2 is not served")
    choose = random.Random(SEED + 1)
    publishers = [Publisher(b, f"p{i}", choose, f"t/{i}", qos)
                  for i in range(2)]
    subscribers = [Subscriber(b, f"s{i}", choose, "t/#", qos)
                   for i in range(2)]
    for party in subscribers + publishers:
        party.connect()
    for i in range(STEPS // 2):
        step(publishers, subscribers, choose)
        if i % 100 == 50:
            b.nats_server.kill()
        if i % 100 == 80:
            b.nats_server.restart()
    if not b.nats_server.alive():
        b.nats_server.restart()
    finish(publishers, subscribers)
    for s in subscribers:
        for p in publishers:
            mine = [m for m in s.received if m.startswith(
                p.name.encode() + b":")]
            assert set(mine) >= set(p.acknowledged)
            assert qos == 1 or len(mine) == len(set(mine)), "a duplicate"
