# SPDX-License-Identifier: Apache-2.0
"""Retained messages asked for, and set, by NATS clients: DESIGN 7."""

import base64
import json

import pytest

from conversation.nats import responds

REQUEST = "mqtt.retained.request"
SET = "mqtt.retained.set"


@pytest.fixture
def n(bridge):
    return bridge.nats()


def keep(bridge, topic, payload):
    client = bridge.mqtt()
    client.publish(bridge.topic(topic), payload, qos=1, retain=True)
    client.disconnect()


def row(bridge, subject, payload):
    return '{"subject":"%s","payload":"%s"}' % (
        bridge.subject(subject), payload)


def test_the_answer_to_the_letter(bridge, n):
    keep(bridge, "a/b", b"text")
    reply = n.request(REQUEST, bridge.subject("a.b"))
    assert reply.payload.decode() == "[" + row(bridge, "a.b", "text") + "]"
    assert reply.headers == []


def test_nothing_is_an_empty_list(bridge, n):
    assert n.request(REQUEST, bridge.subject("none")).payload == b"[]"


def test_order_of_first_retention(bridge, n):
    for topic in ("c", "a", "b/x", "a", "b", "c"):
        keep(bridge, topic, b"1")
    reply = n.request(REQUEST, bridge.subject(">"))
    assert reply.payload.decode() == "[" + ",".join(
        row(bridge, s, "1") for s in ("c", "a", "b.x", "b")) + "]"


def test_order_over_different_first_levels(start):
    b = start.bridge()
    n, client = b.nats(), b.mqtt()
    topics = [f"{x}/t" for x in "qhzapbcnmlkdefg"]
    for t in topics:
        client.publish(t, b"1", qos=1, retain=True)
    rows = n.request(REQUEST, ">").json()
    assert [r["subject"] for r in rows] == [
        t.replace("/", ".") for t in topics]


def test_set_again_after_clearing_is_a_new_one(bridge, n):
    for topic, payload in (("a", b"1"), ("b", b"1"), ("a", b""),
                           ("a", b"2")):
        keep(bridge, topic, payload)
    rows = n.request(REQUEST, bridge.subject("*")).json()
    assert [(r["subject"], r["payload"]) for r in rows] == [
        (bridge.subject("b"), "1"), (bridge.subject("a"), "2")]


@pytest.mark.parametrize("payload", [
    b"plain", b"with \"quotes\" and \\", b"/slash", b" ~", b"{}[]<>&'"],
    ids=["plain", "quotes", "slash", "ends", "brackets"])
def test_printable_payloads_are_text(bridge, n, payload):
    keep(bridge, "a", payload)
    [r] = n.request(REQUEST, bridge.subject("a")).json()
    assert r == {"subject": bridge.subject("a"), "payload": payload.decode()}


@pytest.mark.parametrize("payload", [
    b"\0", b"\n", b"tab\t", b"\x7f", "gr\u00fcn".encode(), b"\xff\xfe",
    bytes(range(256)), b"x\r\n"],
    ids=["zero", "line", "tab", "delete", "not ASCII", "not UTF-8",
         "every byte", "lines"])
def test_other_payloads_are_base64(bridge, n, payload):
    keep(bridge, "a", payload)
    reply = n.request(REQUEST, bridge.subject("a"))
    assert reply.payload.decode() == '[{"subject":"%s","payloadEnc":"%s"}]' % (
        bridge.subject("a"), base64.b64encode(payload).decode())


def test_several_subscriptions_in_one_request(bridge, n):
    for topic in ("a/1", "a/2", "b/1", "c/1"):
        keep(bridge, topic, b"x")
    for body in ("a.*,c.>", "c.1,a.>", "a.1,a.*,c.1,c.*"):
        wanted = ",".join(bridge.subject(s) for s in body.split(","))
        rows = n.request(REQUEST, wanted).json()
        assert [r["subject"] for r in rows] == [
            bridge.subject(s) for s in ("a.1", "a.2", "c.1")], body


LOOKUPS = {
    "a": ["a"], "*": ["a", "b"], ">": ["a", "a.b", "a.b.c", "b", "b.b"],
    "a.>": ["a.b", "a.b.c"], "*.b": ["a.b", "b.b"], "*.*": ["a.b", "b.b"],
    "*.>": ["a.b", "a.b.c", "b.b"], "a.*.c": ["a.b.c"], "b.*.c": [],
}


def test_subscriptions_match_as_in_nats(bridge, n):
    """`a.>` does not match `a`: it is NATS that asks."""
    for topic in ("a", "a/b", "a/b/c", "b", "b/b"):
        keep(bridge, topic, b"x")
    for s, wanted in LOOKUPS.items():
        rows = n.request(REQUEST, bridge.subject(s)).json()
        assert [r["subject"] for r in rows] == [
            bridge.subject(w) for w in wanted], s


@pytest.mark.parametrize("body", [
    "", ",", ",,a", "a,,b", "a b", "a..b", "a.", ".a", "a.>.b", "\0", "[]",
    "\xff" * 3, "a," * 10000, ">" * 4000, "x" * 60000],
    ids=["empty", "comma", "commas", "hole", "space", "empty token",
         "trailing dot", "leading dot", "wildcard inside", "zero", "JSON",
         "not UTF-8", "very many", "arrows", "long"])
def test_bad_requests_are_answered_with_what_matches(bridge, n, body):
    reply = n.request(REQUEST, body.encode("latin-1"))
    assert isinstance(reply.json(), list)
    bridge.daemon.check()


def test_a_request_without_reply_subject_is_nobodys(bridge, n):
    n.publish(REQUEST, bridge.subject("a"))
    assert n.request(REQUEST, bridge.subject("a")).payload == b"[]"


def test_long_answers_come_in_pieces(start):
    """Each a list of its own; an empty message ends them."""
    b = start.bridge(nats={"config": "max_payload: 4096"})
    n, client = b.nats(), b.mqtt()
    for i in range(100):
        client.publish(f"t/{i}", b"x" * 200, qos=1, retain=True)
    inbox = n.send_request(REQUEST, "t.>")
    pieces = []
    while True:
        piece = inbox.next().payload
        if not piece:
            break
        assert len(piece) <= 4096
        pieces.append(piece)
    assert len(pieces) > 1
    rows = [r for piece in pieces for r in json.loads(piece)]
    assert [r["subject"] for r in rows] == [f"t.{i}" for i in range(100)]


def test_subjects_that_topics_cannot_have_are_escaped(bridge, n):
    keep(bridge, "with space/v1.2//*", b"x")
    [r] = n.request(REQUEST, bridge.subject(">")).json()
    assert r["subject"] == bridge.subject("with/sspace.v1//2././a")


# Setting

def test_set_is_published_and_kept(bridge, n):
    present = bridge.mqtt()
    present.subscribe(bridge.topic("#"), qos=1)
    service = n.subscribe(bridge.subject(">"))
    n.publish(f"{SET}.{bridge.subject('a.b')}", b"from nats")
    m = present.message()
    assert (m.topic, m.payload) == (bridge.topic("a/b"), b"from nats")
    assert not m.retain
    m = service.next()
    assert (m.subject, m.payload) == (bridge.subject("a.b"), b"from nats")
    late = bridge.mqtt()
    late.subscribe(bridge.topic("+/b"), qos=1)
    m = late.message()
    assert (m.topic, m.payload, m.retain) == (
        bridge.topic("a/b"), b"from nats", True)


def test_set_and_ask(bridge, n):
    n.publish(f"{SET}.{bridge.subject('a')}", b"one")
    n.publish(f"{SET}.{bridge.subject('b')}", b"two")
    n.publish(f"{SET}.{bridge.subject('a')}", b"three")
    reply = n.request(REQUEST, bridge.subject(">"))
    assert reply.payload.decode() == "[%s,%s]" % (
        row(bridge, "a", "three"), row(bridge, "b", "two"))


def test_an_empty_body_clears(bridge, n):
    keep(bridge, "a", b"from a device")
    present = bridge.mqtt()
    present.subscribe(bridge.topic("a"))
    assert present.message().retain
    n.publish(f"{SET}.{bridge.subject('a')}", b"")
    m = present.message()
    assert (m.payload, m.retain) == (b"", False)
    assert n.request(REQUEST, bridge.subject("a")).payload == b"[]"


@pytest.mark.parametrize("subject", ["$JS.API.INFO", "_INBOX.x", "$SYS.x",
                                     "$KV.b.k", "$MQTT.x"])
def test_reserved_subjects_are_not_set(bridge, n, subject):
    n.publish(f"{SET}.{subject}", b"x")
    assert n.request(REQUEST, subject).payload == b"[]"


@pytest.mark.parametrize("subject", ["", ".", ".*", ".a.>", ".a..b", ".+",
                                     ".a.#"], ids=range(7))
def test_bad_subjects_are_not_set(bridge, n, subject):
    """They may not reach the daemon at all; it lives on in any case."""
    n.publish(SET + subject, b"x")
    assert n.request(REQUEST, bridge.subject(">")).payload == b"[]"
    bridge.daemon.check()


# Other names, other mapping

def test_the_subjects_are_options(start):
    daemon_ini = {"nats": {"retained_request_subject": "ask.here",
                           "retained_set_subject": "put.here"}}
    nats_server = start.nats_server()
    b = start.join(start.daemon(nats_server, daemon_ini), nats_server)
    n = b.nats()
    responds(n, "ask.here", "x")
    n.publish("put.here.a", b"1")
    assert n.request("ask.here", "a").payload == (
        b'[{"subject":"a","payload":"1"}]')
    assert n.request(REQUEST, "a").status == "503"


def test_in_mode_swap(start):
    b = start.bridge({"mapping": {"mode": "swap"}})
    n, client = b.nats(), b.mqtt()
    client.publish("a/b.c/d", b"x", qos=1, retain=True)
    n.publish(f"{SET}.e.f/g", b"y")
    assert n.request(REQUEST, "a.>,e.*").payload == (
        b'[{"subject":"a.b/c.d","payload":"x"},'
        b'{"subject":"e.f/g","payload":"y"}]')
    late = b.mqtt()
    late.subscribe("e/f.g")
    assert late.message().payload == b"y"
