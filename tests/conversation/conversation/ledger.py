# SPDX-License-Identifier: Apache-2.0
"""ledger - who was promised what, while servers are killed.

Each of these is a thread with a client that connects again whenever its
connection breaks, and behaves as MQTT wants it to: what was not acknowledged
is sent again, with DUP and under its identifier; a QoS 2 message that has
been received is known until its PUBREL.

    Publisher    a stream of numbered messages; which were acknowledged
    Subscriber   a session that lasts; what it has received, how often
    Member       the same, of a Shared Subscription
    Retainer     retained messages, set and cleared; what must be there
    Sessions     sessions that begin and end; which must be there
    Requester    requests from NATS; which were answered

What must not be is an AssertionError, which is kept in `failure`.
"""

import random
import threading
import time
from collections import Counter, OrderedDict

from . import nats
from .mqtt import (PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Client, Closed)

# How long a new attempt to connect waits.
PAUSE = 0.005
# Messages that a publisher has not acknowledged.
WINDOW = 8


class Actor(threading.Thread):
    def __init__(self, port, name, seed):
        super().__init__(name=name, daemon=True)
        self.port = port
        self.random = random.Random(f"{seed}/{name}")
        self.ends = threading.Event()
        self.failure = None
        self.has_failed = threading.Event()
        self.known = False  # a session of ours has been promised
        self.start()

    def run(self):
        try:
            while not self.is_done():
                try:
                    self.talk()
                except (Closed, OSError, EOFError):
                    time.sleep(PAUSE)
        except BaseException as error:
            self.failure = error
            self.has_failed.set()
            raise

    def is_done(self):
        return self.ends.is_set()

    def end(self):
        self.ends.set()

    def joined(self):
        self.join(60)
        assert not self.is_alive(), f"{self.name} does not come to an end"
        self.check()

    def check(self):
        assert self.failure is None, f"{self.name}: {self.failure!r}"

    def connect(self, clean=False):
        """A session that was promised must be there."""
        client = Client(self.port)
        try:
            connack = client.connect(self.name, clean=clean)
        except BaseException:
            client.close()
            raise
        assert clean or not self.known or connack.session_present, (
            f"{self.name}: its session is lost")
        self.known = not clean
        return client


class Publisher(Actor):
    def __init__(self, port, name, seed, topic, qos, clean=False):
        self.topic = topic
        self.qos = qos
        self.clean = clean
        self.next_number = 0
        self.packet_id = 0
        self.outstanding = OrderedDict()  # identifier: [payload, released]
        self.acked = set()
        super().__init__(port, name, seed)

    def is_done(self):
        return self.ends.is_set() and not self.outstanding

    def talk(self):
        with self.connect(self.clean) as client:
            self.repeat(client)
            while not self.is_done():
                while (len(self.outstanding) < WINDOW
                       and not self.ends.is_set()):
                    self.next_number += 1
                    self.send(client, b"%s %d" % (self.name.encode(),
                                                  self.next_number))
                if self.outstanding:
                    self.on_ack(client, client.next())

    def repeat(self, client):
        """What the connection before has left."""
        for packet_id, (payload, released) in list(self.outstanding.items()):
            if self.clean:
                # Another session: nothing of it is known there.
                del self.outstanding[packet_id]
                self.send(client, payload)
            elif released:
                client.send_ack(PUBREL, packet_id)
            else:
                client.send_publish(self.topic, payload, self.qos,
                                    packet_id=packet_id, dup=True)

    def send(self, client, payload):
        self.packet_id = self.packet_id % 65535 + 1
        self.outstanding[self.packet_id] = [payload, False]
        client.send_publish(self.topic, payload, self.qos,
                            packet_id=self.packet_id)

    def on_ack(self, client, p):
        entry = self.outstanding.get(p.packet_id)
        assert entry or p.type == PUBREC, f"{self.name}: {p} for nothing"
        if p.type == PUBREC:
            if entry:
                entry[1] = True
            client.send_ack(PUBREL, p.packet_id)
            return
        assert p.type == (PUBACK if self.qos == 1 else PUBCOMP), p
        self.acked.add(entry[0])
        del self.outstanding[p.packet_id]


class Subscriber(Actor):
    """With `flaps`, its connection breaks now and then."""

    def __init__(self, port, name, seed, topic_filter, qos, flaps=False):
        self.filter = topic_filter
        self.qos = qos
        self.flaps = flaps
        self.is_ready = threading.Event()
        self.received = Counter()
        self.order = []
        self.held = {}  # QoS 2 identifiers that await their PUBREL
        self.marker = None
        super().__init__(port, name, seed)

    def until_marker(self, marker):
        """End when this payload has come."""
        self.marker = marker

    def is_done(self):
        return self.marker is not None and self.received[self.marker] > 0

    def talk(self):
        with self.connect() as client:
            if not self.is_ready.is_set():
                client.subscribe(self.filter, qos=self.qos)
                self.is_ready.set()
            left = None
            if self.flaps and self.marker is None:
                left = self.random.randrange(1, 400)
            while not self.is_done() and left != 0:
                self.await_packet(client)
                left = left and left - 1

    def await_packet(self, client):
        self.on_packet(client, client.next(60))

    def on_packet(self, client, p):
        if p.type == PUBREL:
            self.held.pop(p.packet_id, None)
            client.send_ack(PUBCOMP, p.packet_id)
            return
        assert p.type == PUBLISH, p
        if p.qos == 2:
            if p.packet_id in self.held:
                assert p.dup and p.payload == self.held[p.packet_id], (
                    f"{self.name}: {p} under the identifier of "
                    f"{self.held[p.packet_id]}")
            else:
                self.held[p.packet_id] = p.payload
                self.take(p.payload)
            client.send_ack(PUBREC, p.packet_id)
            return
        self.take(p.payload)
        if p.qos == 1:
            client.send_ack(PUBACK, p.packet_id)

    def take(self, payload):
        self.received[payload] += 1
        self.order.append(payload)

    def check_has(self, payloads):
        lost = sorted(p for p in payloads if not self.received[p])
        assert not lost, (f"{self.name}: {len(lost)} acknowledged and "
                          f"lost: {lost[:10]}")

    def check_once(self, name):
        """Everything of this publisher came once, and in its order."""
        prefix = name.encode() + b" "
        twice = [p for p, n in self.received.items()
                 if n > 1 and p.startswith(prefix)]
        assert not twice, f"{self.name}: more than once: {twice[:10]}"
        numbers = [int(p[len(prefix):]) for p in self.order
                   if p.startswith(prefix)]
        assert numbers == sorted(numbers), f"{self.name}: out of order"


class Member(Subscriber):
    """Of a Shared Subscription: what it has not got, another one has."""

    def is_done(self):
        return self.ends.is_set()

    def await_packet(self, client):
        """It may be that the others get all that there is."""
        try:
            p = client.next(1)
        except AssertionError:
            client.ping()
        else:
            self.on_packet(client, p)

    @staticmethod
    def check_have(members, payloads):
        lost = sorted(p for p in payloads
                      if not any(m.received[p] for m in members))
        assert not lost, f"{len(lost)} acknowledged and lost: {lost[:10]}"


class Retainer(Actor):
    """One change at a time; all of them are looked at after each start."""

    N_TOPICS = 10

    def __init__(self, port, name, seed, topic):
        self.topic = topic
        self.kept = {}
        self.pending = None
        self.n_looks = 0
        super().__init__(port, name, seed)

    def talk(self):
        with self.connect(clean=True) as client:
            if self.pending:
                self.change(client, *self.pending)
            self.look()
            while not self.is_done():
                topic = f"{self.topic}/{self.random.randrange(self.N_TOPICS)}"
                value = b"" if self.random.random() < 0.3 else (
                    b"%d" % self.random.getrandbits(64))
                self.change(client, topic, value)

    def change(self, client, topic, value):
        self.pending = topic, value
        client.publish(topic, value, qos=1, retain=True)
        self.pending = None
        if value:
            self.kept[topic] = value
        else:
            self.kept.pop(topic, None)

    def look(self):
        with Client(self.port) as client:
            client.connect(self.name + "-looks")
            client.subscribe(self.topic + "/#")
            client.ping()
            found = {p.topic: p.payload for p in client.pending
                     if p.type == PUBLISH}
        assert found == self.kept, (
            f"{self.name}: retained {found}, should be {self.kept}")
        self.n_looks += 1


class Sessions(Actor):
    N_CLIENTS = 5

    def __init__(self, port, name, seed):
        self.there = {}  # identifier: is it there? None: not known
        self.n_checked = 0
        super().__init__(port, name, seed)

    def talk(self):
        client_id = f"{self.name}-{self.random.randrange(self.N_CLIENTS)}"
        clean = self.random.random() < 0.4
        expected = self.there.get(client_id, False)
        self.there[client_id] = None
        with Client(self.port) as client:
            present = client.connect(client_id, clean=clean).session_present
            if not clean and expected is not None:
                assert present == expected, (
                    f"{client_id}: " + ("resurrected" if present else "lost"))
                self.n_checked += 1
        self.there[client_id] = not clean


class Requester(Actor):
    """Its `port` is that of nats-server."""

    def __init__(self, port, name, seed, subject):
        self.subject = subject
        self.acked = set()
        self.next_number = 0
        super().__init__(port, name, seed)

    def talk(self):
        try:
            with nats.Client(self.port) as client:
                while not self.is_done():
                    self.request(client)
        except AssertionError:
            time.sleep(PAUSE)  # no answer, or no server

    def request(self, client):
        payload = b"%s %d" % (self.name.encode(), self.next_number)
        self.next_number += 1
        if client.request(self.subject, payload, seconds=1).status is None:
            self.acked.add(payload)
