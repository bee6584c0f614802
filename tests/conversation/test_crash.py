# SPDX-License-Identifier: Apache-2.0
"""Servers are killed at any moment, and nothing promised is broken.

`make check` kills a few times; `make torture` CONVERSATION_KILLS times.
"""

import os
import random

import pytest

from conversation.deadline import until
from conversation.ledger import (Member, Publisher, Requester, Retainer,
                                 Sessions, Subscriber)

KILLS = int(os.environ.get("CONVERSATION_KILLS", "5"))
SEED = os.environ.get("CONVERSATION_SEED") or str(random.getrandbits(32))

INI = {
    "limits": {"max_queued_messages": 1000000, "max_queued_bytes": "1g"},
    "log": {"level": os.environ.get("CONVERSATION_LOG", "notice")},
}


class Scene:
    """Everybody who talks with the bridge, and what they know."""

    def __init__(self, bridge):
        port = bridge.daemon.port
        topic = bridge.topic
        self.bridge = bridge
        self.subscribers = [
            Subscriber(port, "exact", SEED, topic("m/#"), qos=2),
            Subscriber(port, "flapping", SEED, topic("m/#"), qos=2,
                       flaps=True),
            Subscriber(port, "once", SEED, topic("m/#"), qos=1, flaps=True),
        ]
        self.members = [
            Member(port, f"member{n}", SEED, "$share/g/" + topic("s/#"),
                   qos=1, flaps=True) for n in range(3)]
        for s in self.subscribers + self.members:
            assert s.is_ready.wait(15), f"{s.name} cannot subscribe"
        self.publishers = [
            Publisher(port, "p1", SEED, topic("m/1"), qos=1),
            Publisher(port, "p1clean", SEED, topic("m/2"), qos=1, clean=True),
            Publisher(port, "p2", SEED, topic("m/3"), qos=2),
            Publisher(port, "p2too", SEED, topic("m/4"), qos=2),
        ]
        self.to_members = Publisher(port, "p1shared", SEED, topic("s/1"),
                                    qos=1)
        self.requester = Requester(bridge.nats_server.port, "requests", SEED,
                                   bridge.subject("m.5"))
        self.retainer = Retainer(port, "retainer", SEED, topic("r"))
        self.sessions = Sessions(port, "sessions", SEED)
        until(self.all_have_begun, "a promise to each of them")

    def all_have_begun(self):
        self.check()
        return (all(a.acked for a in [*self.publishers, self.to_members,
                                      self.requester])
                and self.retainer.n_looks and self.sessions.n_checked)

    def actors(self):
        return [*self.subscribers, *self.members, *self.publishers,
                self.to_members, self.requester, self.retainer, self.sessions]

    def go_on(self, seconds):
        """For so long, unless the first subscriber finds a fault."""
        self.subscribers[0].has_failed.wait(seconds)

    def check(self):
        for actor in self.actors():
            actor.check()

    def finish(self):
        """All come to their end; then the ledger must be right."""
        readers = self.subscribers + self.members
        others = [a for a in self.actors() if a not in readers]
        for actor in others:
            actor.end()
        for actor in others:
            actor.joined()
        for s in self.subscribers:
            s.until_marker(b"marker")
        self.bridge.mqtt().publish(self.bridge.topic("m/marker"), b"marker",
                                   qos=2)
        acked = set().union(self.requester.acked,
                            *(p.acked for p in self.publishers))
        for s in self.subscribers:
            s.joined()
            s.check_has(acked)
        self.finish_members()
        for s in self.subscribers:
            for p in self.publishers:
                if s.qos == 2 and p.qos == 2:
                    s.check_once(p.name)
        return len(acked) + len(self.to_members.acked)

    def finish_members(self):
        """What one of them has not taken before it goes, others get."""
        acked = self.to_members.acked

        def have_all():
            self.check()
            return all(any(m.received[p] for m in self.members)
                       for p in acked)

        try:
            until(have_all, "all that was acknowledged")
        except AssertionError:
            Member.check_have(self.members, acked)
        for m in self.members:
            m.end()

@pytest.mark.parametrize("victims", [("daemon",), ("nats_server",),
                                     ("daemon", "nats_server")],
                         ids="+".join)
def test_nothing_acknowledged_is_lost(start, tmp_path, victims):
    print(f"CONVERSATION_SEED={SEED}")
    chance = random.Random(f"{SEED}/{victims}")
    bridge = start.bridge(ini={**INI, "store": {"path": tmp_path / "store"}})
    scene = Scene(bridge)
    for n in range(KILLS):
        # The moment is random; nothing is waited for but a failure.
        scene.go_on(chance.random() * 0.3)
        struck = [v for v in victims
                  if len(victims) == 1 or chance.random() < 0.7]
        for victim in struck:
            getattr(bridge, victim).kill()
        for victim in reversed(struck):
            getattr(bridge, victim).restart()
        scene.check()
    bridge.linked()
    n_acked = scene.finish()
    print(f"{KILLS} kills, {n_acked} messages acknowledged")
