# SPDX-License-Identifier: Apache-2.0
"""While a wider subscription takes the place of a narrower one, each message
comes once: whichever of them the server sends it by, in whatever order."""

import threading

import pytest

from conversation.slow_nats import SlowNats


@pytest.fixture
def slow():
    server = SlowNats()
    yield server
    server.stop()


@pytest.fixture
def client(slow, start):
    client = start.join(start.daemon(slow.url), None).mqtt()
    client.subscribe("a/b")
    return client


def widen(slow, client):
    """Both are there; returns their numbers."""
    narrow = slow.sid("a.b")
    client.subscribe("a/#")
    return narrow, slow.sid("a.>")


def expect(slow, client, sid, payloads):
    slow.message(sid, "a.end", b"end")
    got = [m.payload for m in client.messages_until("a/end")]
    assert got == payloads


def test_matched_before_and_sent_after(slow, client):
    """The answer of the fence overtakes it: SUBACK is there already."""
    narrow, wide = widen(slow, client)
    slow.message(narrow, "a.b", b"late")
    expect(slow, client, wide, [b"late"])


@pytest.mark.parametrize("wide_first", [False, True])
def test_copies_are_dropped(slow, client, wide_first):
    sids = widen(slow, client)
    sent = [b"%d" % (i // 3) for i in range(30)]  # some say the same
    for payload in sent:
        for sid in reversed(sids) if wide_first else sids:
            slow.message(sid, "a.b", payload)
    expect(slow, client, sids[1], sent)


@pytest.mark.parametrize("wide_first", [False, True])
def test_late_ones_that_all_say_the_same(slow, client, wide_first):
    """Some by the narrow one alone, many by both, then by the wide one."""
    narrow, wide = widen(slow, client)
    for _ in range(3):
        slow.message(narrow, "a.b", b"on")
    for _ in range(50):
        for sid in (wide, narrow) if wide_first else (narrow, wide):
            slow.message(sid, "a.b", b"on")
    slow.wait_ended(narrow)
    for _ in range(50):
        slow.message(wide, "a.b", b"on")
    expect(slow, client, wide, 103 * [b"on"])


def test_the_copy_of_one_that_has_ended(slow, client):
    narrow, wide = widen(slow, client)
    slow.message(narrow, "a.b", b"first")
    slow.wait_ended(narrow)
    slow.message(narrow, "a.b", b"nobody hears it")
    slow.message(wide, "a.b", b"second")
    expect(slow, client, wide, [b"first", b"second"])


def test_one_that_is_wanted_again_is_taken_back(slow, client):
    """Nobody wants the wide one any more, and the narrow one is still there."""
    narrow, wide = widen(slow, client)
    client.unsubscribe("a/b")
    client.unsubscribe("a/#")
    slow.wait_ended(wide)
    client.subscribe("a/b")
    # When this one ends the other one would have ended, too.
    client.subscribe("x/b")
    later = slow.sid("x.b")
    client.subscribe("x/#")
    slow.wait_ended(later)
    assert slow.sids["a.b"] == [narrow]
    assert narrow not in slow.ended
    slow.message(narrow, "a.b", b"1")
    assert client.message().payload == b"1"


def test_one_that_is_wanted_later_is_another(slow, client):
    narrow, _ = widen(slow, client)
    client.unsubscribe("a/#")
    other = slow.sid("a.>")
    slow.wait_ended(other)
    assert len(slow.sids["a.b"]) == 2 or narrow not in slow.ended
    now = slow.sids["a.b"][-1]
    client.subscribe("end")
    slow.message(now, "a.b", b"1")
    slow.message(slow.sid("end"), "end", b"")
    assert [m.payload for m in client.messages_until("end")] == [b"1"]


def test_pairs_while_many_overlap(bridge):
    """Each payload twice, the second time when the narrow ones may have
    ended."""
    n = bridge.nats()
    steady, other = bridge.mqtt(), bridge.mqtt()
    steady.subscribe(bridge.topic("a/b/c/d/e"), qos=1)
    for f in ("a/b/c/d/+", "a/b/c/+/+", "a/b/+/+/+", "a/+/+/+/+", "a/#"):
        other.subscribe(bridge.topic(f))
    pace, sent = threading.Event(), []
    for i in range(200):
        sent.append(i)
        n.publish(bridge.subject("a.b.c.d.e"), str(i))
        if i >= 30:
            sent.append(i - 30)
            n.publish(bridge.subject("a.b.c.d.e"), str(i - 30))
        n.flush()
        pace.wait(0.01)
    assert [int(m.payload) for m in steady.messages(len(sent))] == sent


def test_a_stream_that_always_says_the_same(bridge):
    """What a publisher sends while filters change arrives, and once."""
    n = bridge.nats()
    steady, other = bridge.mqtt(), bridge.mqtt()
    steady.subscribe(bridge.topic("a/b"), qos=1)
    stop = threading.Event()
    sent = 0

    def change():
        while not stop.is_set():
            for f in ("a/#", "a/+", "+/b"):
                other.subscribe(bridge.topic(f))
                other.unsubscribe(bridge.topic(f))

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(100):
            for _ in range(20):
                n.publish(bridge.subject("a.b"), "on")
                sent += 1
            n.flush()
    finally:
        stop.set()
        changer.join()
    n.publish(bridge.subject("a.b"), "end")
    got = 0
    while steady.message().payload != b"end":
        got += 1
    assert got == sent
