# SPDX-License-Identifier: Apache-2.0
"""Topics and subjects, in both modes and both directions: DESIGN 4."""

import random

import pytest

from conversation.deadline import until

# topic, subject: what nats-server's own MQTT does, and what we escape
NATS = [
    ("foo/bar", "foo.bar"),
    ("/foo", "/.foo"),
    ("foo/", "foo./"),
    ("foo//bar", "foo./.bar"),
    ("/", "/./"),
    ("//", "/././"),
    ("///foo//", "/././.foo././"),
    ("a.b", "a//b"),
    (".a", "//a"),
    ("a.", "a//"),
    ("..", "////"),
    ("a/.b", "a.//b"),
    ("a./b", "a//.b"),
    ("a/./b", "a.//.b"),
    (".", "//"),
    ("with space", "with/sspace"),
    (" ", "/s"),
    ("tab\there", "tab/there"),
    ("line\nend\r", "line/nend/r"),
    ("form\ffeed", "form/ffeed"),
    ("delete\x7f", "delete/d"),
    ("*", "/a"),
    (">", "/g"),
    ("a/*/b", "a./a.b"),
    ("a/>", "a./g"),
    ("a*b/c>d", "a*b.c>d"),
    ("**", "**"),
    ("* ", "*/s"),
    (". ", "///s"),
    ("gr\u00fcn/\u6f22\u5b57/\U0001f600", "gr\u00fcn.\u6f22\u5b57.\U0001f600"),
    ("spBv1.0/g/DDATA/n 1", "spBv1//0.g.DDATA.n/s1"),
    ("Mixed/CASE", "Mixed.CASE"),
]

SWAP = [
    ("foo/bar", "foo.bar"),
    ("a.b/c", "a/b.c"),
    ("a.b.c", "a/b/c"),
    ("foo//bar", "foo./.bar"),
    ("/foo", "/.foo"),
    ("foo/", "foo./"),
    ("with space.x", "with/sspace/x"),
    ("*", "/a"),
    (">", "/g"),
    ("tab\t", "tab/t"),
    (".", "//"),
    ("a.t", "a//t"),
    ("a..b", "a///b"),
    ("a.b", "a/b"),
]


@pytest.fixture
def mapped(start):
    """Starts a daemon of one mode."""
    return lambda mode: start.bridge({"mapping": {"mode": mode}})


@pytest.mark.parametrize("mode,table", [("nats", NATS), ("swap", SWAP)])
def test_a_topic_becomes_its_subject(mapped, mode, table):
    b = mapped(mode)
    n, client = b.nats(), b.mqtt()
    everything = n.subscribe(">", but="_")
    for topic, subject in table:
        client.publish(topic, topic)
        m = everything.next()
        assert (m.subject, m.payload.decode()) == (subject, topic)


@pytest.mark.parametrize("mode,table", [("nats", NATS), ("swap", SWAP)])
def test_a_subject_becomes_its_topic(mapped, mode, table):
    b = mapped(mode)
    n, client = b.nats(), b.mqtt()
    client.subscribe("#")
    for topic, subject in table:
        n.publish(subject, topic)
        m = client.message()
        assert (m.topic, m.payload.decode()) == (topic, topic)


@pytest.mark.parametrize("mode,table", [("nats", NATS), ("swap", SWAP)])
def test_a_filter_asks_for_the_subject(mapped, mode, table):
    """Each topic as an exact filter, of a client of its own."""
    b = mapped(mode)
    n = b.nats()
    clients = []
    for topic, _ in table:
        client = b.mqtt()
        client.subscribe(topic, "end")
        clients.append(client)
    for topic, subject in table:
        n.publish(subject, topic)
    n.publish("end")
    for client, (topic, _) in zip(clients, table):
        got = client.messages_until("end")
        assert [m.topic for m in got] == [topic]


@pytest.mark.parametrize("mode", ["nats", "swap"])
def test_two_nodes_agree_on_any_topic(start, mode):
    """encode on one node, decode on the other."""
    ini = {"mapping": {"mode": mode}}
    nats_server = start.nats_server()
    one, two = (start.join(start.daemon(nats_server, ini), nats_server)
                for _ in range(2))
    one.linked()
    two.linked()
    publisher, subscriber = one.mqtt(), two.mqtt()
    subscriber.subscribe("#")

    # A SUBACK comes at once while the link is on its way.
    def joined():
        publisher.publish("probe")
        subscriber.ping()
        return subscriber.pending

    until(joined, "a message from node to node")
    choose = random.Random(11)
    letters = list("ab./*> \t\r\n\f\x7fstnrfdg") + ["\u00e9", "\u6f22"]
    topics = []
    while len(topics) < 300:
        t = "".join(choose.choice(letters)
                    for _ in range(choose.randrange(1, 12)))
        if not t.startswith("$"):
            topics.append(t)
    for t in topics:
        publisher.publish(t, t)
    got = []
    while len(got) < len(topics):
        m = subscriber.message()
        if m.topic != "probe":
            got.append(m.topic)
            assert m.payload.decode() == m.topic
    assert got == topics


# Subjects that have no legal topic

@pytest.mark.parametrize("subject", [
    "a.+", "a.#", "+", "#", "a+b", "a./x", "a/b", "/x", "b/", "a//./s/",
    "x/y", "/q", "a//b/", "+.+.a", "a.#.b"])
def test_subjects_without_a_topic_are_not_delivered(bridge, subject):
    n, client = bridge.nats(), bridge.mqtt()
    client.subscribe(bridge.topic("#"))
    n.publish(bridge.subject(subject), b"x")
    n.publish(bridge.subject("end"), b"x")
    assert client.messages_until(bridge.topic("end")) == []


def test_a_subject_with_empty_tokens_is_not_delivered(bridge):
    n, client = bridge.nats(), bridge.mqtt()
    client.subscribe(bridge.topic("#"))
    for subject in ("a..b", "a."):
        n.publish(bridge.subject(subject), b"x")
    n.publish(bridge.subject("end"), b"x")
    assert client.messages_until(bridge.topic("end")) == []


def test_published_wildcards_are_no_wildcards(bridge):
    """`*` and `>` are letters in MQTT."""
    n, client, other = bridge.nats(), bridge.mqtt(), bridge.mqtt()
    service = n.subscribe(bridge.subject(">"))
    other.subscribe(bridge.topic("a/b"), bridge.topic("end"))
    client.publish(bridge.topic("a/*"), b"star")
    client.publish(bridge.topic(">"), b"arrow")
    client.publish(bridge.topic("end"))
    assert [service.next().subject for _ in range(3)] == [
        bridge.subject(s) for s in ("a./a", "/g", "end")]
    assert other.messages_until(bridge.topic("end")) == []


def test_filters_with_stars_are_no_wildcards(bridge):
    n, client = bridge.nats(), bridge.mqtt()
    client.subscribe(bridge.topic("*/>"), bridge.topic("end"))
    for s in ("a.b", "/a./g", "end"):
        n.publish(bridge.subject(s), s)
    got = client.messages_until(bridge.topic("end"))
    assert [m.topic for m in got] == [bridge.topic("*/>")]


# Prefixes

def test_a_subject_prefix(start):
    b = start.bridge({"mapping": {"subject_prefix": "edge.one"}})
    n, client = b.nats(), b.mqtt()
    service = n.subscribe(">", but="_")
    client.subscribe("#")
    client.publish("a/b", b"out")
    assert service.next().subject == "edge.one.a.b"
    assert client.message().topic == "a/b"
    n.publish("a.b", b"not below the prefix")
    n.publish("edge.one.c", b"in")
    assert client.message().topic == "c"


def test_a_topic_prefix(start):
    b = start.bridge({"mapping": {"topic_prefix": "plant"}})
    n, client = b.nats(), b.mqtt()
    service = n.subscribe(">", but="_")
    client.subscribe("#")
    for topic in ("elsewhere/a", "plant/a", "plantation/b"):
        client.publish(topic)
    assert [client.message().topic for _ in range(3)] == [
        "elsewhere/a", "plant/a", "plantation/b"]
    assert service.next().subject == "a"
    n.publish("x.y", b"in")
    assert client.message().topic == "plant/x/y"
    assert service.next().subject == "x.y"
    n.publish("end")
    assert service.until("end") == []
