# SPDX-License-Identifier: Apache-2.0
"""Limits: what strikes whom, and that nobody else notices."""

import signal
import time

import pytest

from conversation.deadline import until
from conversation.mqtt import (V5, V311, Closed, Will, connect_packet,
                               publish_packet)
from conversation.server import ini_text

# Made by mosquitto_passwd: "secret".
SECRET = ("$7$101$Rbe5WboXImN9Or+c$EjfsoXNI2eRREyF26S5YvmUchC6X9odrldzG0hKE7"
          "/KMmt3AHuALGzHYK+XB8zd0YVLTrXS827hSRB6u6ddyxQ==")


@pytest.fixture
def serve(start):
    """A daemon without NATS, with these limits."""
    def serve(limits=None, **sections):
        ini = {"limits": limits or {}}
        for name, keys in sections.items():
            ini[name.replace("listener_", "listener ")] = keys
        return start.join(start.daemon("", ini), None)
    return serve


def struck(b, name):
    """The line that says so."""
    return b.daemon.wait_log(rf"limit {name}: (.*)")[1]


def code_of(b, client_id="", version=V311, **login):
    """What CONNACK says; -1: there is none."""
    client = b.socket(version)
    try:
        client.send(connect_packet(client_id, version, **login))
        return client.next().code
    except (Closed, OSError):
        return -1


def is_served(b):
    """Is a connection that is made now answered?"""
    return code_of(b) == 0


def n_served(b, n):
    return sum(is_served(b) for _ in range(n))


def test_connections_of_one_address(serve):
    b = serve({"max_connections_per_address": 3})
    first = b.mqtt("first")
    assert n_served(b, 5) == 2
    assert "127.0.0.1" in struck(b, "max_connections_per_address")
    first.ping()
    # Whoever goes makes room.
    first.disconnect()
    until(lambda: is_served(b), "room for another one")


def test_connects_of_one_address(serve):
    b = serve({"connect_rate_per_address": 1})
    # The harness has used some of them up by looking whether it is there.
    assert n_served(b, 6) <= 3
    struck(b, "connect_rate_per_address")
    until(lambda: is_served(b), "another turn")


def test_connects_of_a_listener_wait_for_their_turn(serve):
    b = serve({"connect_rate": 10})
    started = time.monotonic()
    assert n_served(b, 40) == 40
    # Twenty at once and two seconds for the others, or nearly so.
    assert time.monotonic() - started > 1
    struck(b, "connect_rate")


def test_clients_of_one_user(serve, tmp_path):
    path = tmp_path / "passwords"
    path.write_text(f"al:{SECRET}\nbo:{SECRET}\n")
    path.chmod(0o600)
    b = serve({"max_connections_per_user": 2},
              auth={"password_file": str(path)})
    al = {"user": "al", "password": "secret"}
    one = b.mqtt("one", **al)
    two = b.mqtt("two", **al)
    assert code_of(b, "three", **al) == 3
    assert code_of(b, "three", V5, **al) == 0x97
    b.mqtt("other", user="bo", password="secret")
    assert "three" in struck(b, "max_connections_per_user")
    # Another connection of the same client takes over, it is not one more.
    again = b.mqtt("one", **al)
    one.expect_close()
    two.disconnect()
    until(lambda: code_of(b, "three", **al) == 0, "room for another one")
    again.ping()


def test_time_to_connect_of_a_listener(serve):
    b = serve({"connect_timeout": "1h"},
              listener_main={"connect_timeout": "200ms"})
    client = b.socket()
    client.send(connect_packet("slow")[:-1])
    client.expect_close()
    struck(b, "connect_timeout")


def test_packet_sizes_of_a_listener(serve):
    b = serve(listener_main={"max_packet_size": "2k",
                             "max_connect_size": "1k"})
    client = b.socket(V5)
    client.send(connect_packet("x" * 1100, V5))
    client.expect_close()
    struck(b, "max_connect_size")
    client = b.socket(V5)
    assert client.connect("ok").prop("maximum_packet_size") == 2048
    client.send(publish_packet("t", b"x" * 3000, version=V5))
    assert client.next().code == 0x95
    struck(b, "max_packet_size")


def test_topics(serve):
    b = serve({"max_topic_length": 20},
              listener_main={"max_topic_levels": 3})
    client = b.mqtt("c", version=V5)
    assert client.publish("a/b/c", qos=1).code in (0, 0x10)
    assert client.publish("a/b/c/d", qos=1).code == 0x90
    assert client.publish("x" * 21, qos=1).code == 0x90
    assert client.subscribe("a/b/#", "a/b/c/#", "x" * 21) == [0, 0x8f, 0x8f]
    struck(b, "max_topic_levels")
    struck(b, "max_topic_length")
    will = b.socket(V5)
    assert will.connect("w", code=0x90, will=Will("a/b/c/d"))


def test_subscriptions_of_a_listener(serve):
    b = serve(listener_main={"max_subscriptions": 2})
    client = b.mqtt("c", version=V5)
    assert client.subscribe("a", "b", "c", "a") == [0, 0, 0x97, 0]
    struck(b, "max_subscriptions")
    old = b.mqtt("old")
    assert old.subscribe("a", "b", "c") == [0, 0, 0x80]


def test_a_client_that_is_too_fast_waits(serve):
    b = serve({"message_rate": 20})
    fast, other = b.mqtt("fast"), b.mqtt("other")
    other.subscribe("t", qos=1)
    started = time.monotonic()
    fast.send(b"".join(publish_packet("t", b"%d" % i, 1, packet_id=i + 1)
                       for i in range(50)))
    got = other.messages(50)
    # Nothing is lost, and it takes its time.
    assert [m.payload for m in got] == [b"%d" % i for i in range(50)]
    assert time.monotonic() - started > 1
    assert '"fast"' in struck(b, "message_rate")
    other.ping()


def test_bytes_count_too(serve):
    b = serve(listener_main={"byte_rate": "10k"})
    fast, other = b.mqtt("fast"), b.mqtt("other")
    other.subscribe("t")
    started = time.monotonic()
    for _ in range(10):
        fast.publish("t", b"x" * 2500)
    other.messages(10)
    assert time.monotonic() - started > 1
    struck(b, "byte_rate")


def test_a_client_that_is_too_fast_can_be_refused(serve):
    b = serve({"message_rate": 5, "rate_exceeded": "refuse"})
    fast = b.mqtt("fast", version=V5)
    codes = [fast.publish("t", qos=1).code for _ in range(8)]
    assert codes.count(0x97) >= 2
    assert set(codes[:5]) <= {0, 0x10}
    assert fast.publish("t", qos=2).code == 0x97
    until(lambda: fast.publish("t", qos=1).code in (0, 0x10),
          "that it may again")


def test_a_client_that_never_reads_is_given_up(serve):
    b = serve({"max_output_bytes": "64k", "max_behind_bytes": "1m"})
    slow = b.socket(V5, rcvbuf=4096)
    slow.connect("slow")
    slow.subscribe("t")
    fast, other = b.mqtt("fast"), b.mqtt("other")
    other.subscribe("t")
    for _ in range(400):
        fast.publish("t", b"x" * 32768)
        other.message()
    struck(b, "max_output_bytes")
    assert '"slow"' in struck(b, "max_behind_bytes")
    b.daemon.wait_log('"slow".*disconnected: .*reads too slowly')
    other.ping()


def test_what_waits_for_all_sessions(serve):
    b = serve({"max_queued_messages_total": 3})
    for name in ("one", "two"):
        away = b.mqtt(name, clean=False)
        away.subscribe("t", qos=1)
        away.disconnect()
    sender = b.mqtt("sender")
    for i in range(5):
        sender.publish("t", b"%d" % i, qos=1)
    struck(b, "max_queued_total")
    got = []
    for name in ("one", "two"):
        back = b.mqtt(name, clean=False)
        back.subscribe("end")
        sender.publish("end")
        got += back.messages_until("end")
    assert len(got) == 3


def test_bytes_of_what_is_retained(serve):
    b = serve({"max_retained_bytes": "10k"})
    client = b.mqtt("c")
    for i in range(10):
        client.publish(f"r/{i}", b"x" * 4000, retain=True, qos=1)
    struck(b, "max_retained_bytes")
    client.subscribe("r/+")
    client.publish("r/end", qos=0)
    assert len(client.messages_until("r/end")) == 2


def test_limits_change_with_a_reload(serve):
    b = serve({"max_connections_per_address": 2})
    b.mqtt("one")
    assert n_served(b, 3) == 1
    b.daemon.extra["limits"] = {"max_connections_per_address": 50}
    b.daemon.write("mqtt-nats.ini", ini_text(b.daemon.ini()))
    b.daemon.signal(signal.SIGHUP)
    b.daemon.wait_log("reload: done")
    assert n_served(b, 4) == 4
