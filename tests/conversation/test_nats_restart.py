# SPDX-License-Identifier: Apache-2.0
"""NATS is away, comes, dies, hangs: what devices notice."""

import signal
import socket
import threading

import pytest

from conversation import nats
from conversation.deadline import until
from conversation.mqtt import PUBACK, Closed, connect_packet
from conversation.port import free_port

FILE_STREAM = {"storage": "file"}


def answers(b, **options):
    """The daemon's link to NATS is up."""
    b.linked(**options)


# Away

def test_the_daemon_starts_without_nats(start):
    nats_server = start.nats_server()
    nats_server.kill()
    b = start.join(start.daemon(nats_server), nats_server)
    subscriber, publisher = b.mqtt(), b.mqtt()
    assert subscriber.subscribe("a/+", qos=1) == [1]
    publisher.publish("a/b", b"local")
    assert subscriber.message().payload == b"local"
    nats_server.restart()
    answers(b)
    n = b.nats()
    n.publish("a.c", b"from nats")
    assert subscriber.message().payload == b"from nats"
    service = n.subscribe("x.y")
    publisher.publish("x/y", b"to nats")
    assert service.next().payload == b"to nats"


def test_a_daemon_without_any_nats(start):
    b = start.join(start.daemon(""), None)
    subscriber, publisher = b.mqtt(), b.mqtt()
    subscriber.subscribe("#", qos=1)
    for qos in (0, 1):
        publisher.publish("a", b"x", qos=qos)
        assert subscriber.message().qos == qos
    publisher.publish("b", b"kept", qos=1, retain=True)
    late = b.mqtt()
    late.subscribe("b")
    assert late.message().retain


@pytest.fixture
def b(start):
    return start.bridge(nats={"jetstream": True})


def test_local_traffic_goes_on(b):
    subscriber, publisher = b.mqtt(), b.mqtt()
    subscriber.subscribe("#", qos=1)
    b.nats_server.kill()
    for i in range(100):
        publisher.publish("a", str(i), qos=i % 2)
        assert subscriber.message().payload == str(i).encode()
    other = b.mqtt()
    assert other.subscribe("c", qos=1) == [1]
    publisher.publish("c", b"new subscriber", qos=1)
    assert other.message().payload == b"new subscriber"
    other.unsubscribe("c")
    b.nats_server.restart()
    answers(b)


def test_subscriptions_are_live_after_the_reconnect(b):
    old, new, gone = b.mqtt(), b.mqtt(), b.mqtt()
    old.subscribe("old/+", "x/#", qos=1)
    gone.subscribe("gone")
    b.nats_server.kill()
    new.subscribe("new/#", "x/y", qos=1)
    old.unsubscribe("x/#")
    gone.close()
    b.nats_server.restart()
    answers(b)
    n = b.nats()
    for subject in ("old.a", "new", "new.a.b", "x.y", "x.z"):
        n.publish(subject, subject)
    n.publish("old.end")
    n.publish("new.end")
    assert [m.topic for m in old.messages_until("old/end")] == ["old/a"]
    assert [m.topic for m in new.messages_until("new/end")] == [
        "new", "new/a/b", "x/y"]


def test_qos_0_is_kept_for_nats(b):
    n, publisher = b.nats(), b.mqtt()
    n.add_stream("S", "t.>", **FILE_STREAM)
    b.nats_server.kill()
    for i in range(200):
        publisher.publish("t/a", str(i))
    publisher.ping()
    b.nats_server.restart()
    n = b.nats()
    until(lambda: n.stream("S")["messages"] == 200, "what was kept")
    assert n.stream_payloads("S") == [b"%d" % i for i in range(200)]


def test_much_that_was_kept_goes_out_in_one_go(b):
    """More than one output buffer: nobody but the socket wakes the rest."""
    n, publisher = b.nats(), b.mqtt()
    n.add_stream("S", "t.>", **FILE_STREAM)
    b.nats_server.kill()
    for i in range(500):
        publisher.publish("t/a", b"%d " % i + b"x" * 10000)
    publisher.ping()
    b.nats_server.restart()
    n = b.nats()
    until(lambda: n.stream("S")["messages"] == 500, "what was kept",
          seconds=5)
    got = [int(p.split()[0]) for p in n.stream_payloads("S")]
    assert got == list(range(500))


def test_of_too_much_the_oldest_is_dropped(start):
    b = start.bridge({"nats": {"pending_bytes": "64k"}},
                     nats={"jetstream": True})
    n, publisher = b.nats(), b.mqtt()
    n.add_stream("S", "t.>", **FILE_STREAM)
    b.nats_server.kill()
    for i in range(500):
        publisher.publish("t/a", b"%04d" % i + b"x" * 1000)
    publisher.publish("t/end")
    publisher.ping()
    b.nats_server.restart()
    n = b.nats()
    until(lambda: n.stream("S")["messages"] and
          n.stream_payloads("S")[-1] == b"", "the newest")
    got = [int(p[:4]) for p in n.stream_payloads("S")[:-1]]
    # Its size in memory counts, so somewhat less than the payloads.
    assert 20 < len(got) < 66
    assert got == list(range(500 - len(got), 500))


def test_qos_1_waits_unacknowledged(start):
    b = start.bridge({"qos": {"ack": "stream"}}, nats={"jetstream": True})
    n, publisher = b.nats(), b.mqtt()
    n.add_stream("S", "t.>", **FILE_STREAM)
    publisher.publish("t/a", b"0", qos=1)
    b.nats_server.kill()
    sent = [publisher.send_publish("t/a", str(i), qos=1)
            for i in range(1, 50)]
    publisher.ping()
    assert not publisher.pending
    b.nats_server.restart()
    for packet_id in sent:
        publisher.wait(PUBACK, packet_id)
    n = b.nats()
    got = n.stream_payloads("S")
    assert list(dict.fromkeys(got)) == [b"%d" % i for i in range(50)]


def test_replies_are_waited_for_anew(start):
    """The reply subject of the old connection is worth nothing."""
    b = start.bridge()
    n, publisher = b.nats(), b.mqtt()
    service = n.subscribe("t.>")
    publisher.send_publish("t/a", b"x", qos=1)
    service.next()
    b.nats_server.kill()
    publisher.ping()
    assert not publisher.pending
    b.nats_server.restart()
    # Either it is published again to the new service, or nobody is there
    # yet when it is; both acknowledge.
    n = b.nats()
    service = n.subscribe("t.>")
    try:
        publisher.wait(PUBACK, seconds=0.5)
    except AssertionError:
        again = service.next()
        assert again.payload == b"x"
        n.publish(again.reply)
        publisher.wait(PUBACK)


def test_answers_to_nats_survive_a_restart(b):
    """A stream that was not told repeats by itself."""
    n, device = b.nats(), b.mqtt()
    device.acks = False
    device.subscribe("job", qos=1)
    n.add_stream("S", "work", **FILE_STREAM)
    n.add_consumer("S", "c", "job", ack_wait=500000000)
    n.publish("work", b"1")
    first = device.message()
    b.nats_server.kill()
    device.send_ack(PUBACK, first.packet_id)
    device.ping()
    b.nats_server.restart()
    device.acks = True
    n = b.nats()
    until(lambda: n.consumer("S", "c")["num_ack_pending"] == 0
          and n.consumer("S", "c")["ack_floor"]["stream_seq"] == 1,
          "the job to be acknowledged, now or when repeated")


def test_new_clients_may_be_refused_meanwhile(start):
    b = start.bridge({"nats": {"when_down": "refuse"}})
    present = b.mqtt()
    b.nats_server.kill()

    def code_of(client):
        client.send(connect_packet("x"))
        return client.next().code

    until(lambda: code_of(b.socket()) == 3, "new clients to be refused")
    present.ping()
    b.nats_server.restart()
    until(lambda: code_of(b.socket()) == 0, "new clients to be served")


# Killed in mid-burst

@pytest.mark.parametrize("policy", ["stream", "reply"])
def test_nothing_acknowledged_is_lost(start, policy):
    """Publishers at QoS 1 while nats-server dies and comes back.

    With `reply` nobody being there acknowledges as well, so there the stream
    must exist whenever NATS accepts: file storage, and the daemon's link
    comes after it.
    """
    b = start.bridge({"qos": {"ack": policy, "ack_timeout": 300,
                              "ack_attempts": 100}},
                     nats={"jetstream": True})
    n = b.nats()
    n.add_stream("S", "t.>", **FILE_STREAM)
    acknowledged, stop = [], threading.Event()

    def publish(client, name):
        i = 0
        window = []
        while not stop.is_set() or window:
            while len(window) < 20 and not stop.is_set():
                payload = f"{name}-{i}".encode()
                window.append((client.send_publish(
                    f"t/{name}", payload, qos=1), payload))
                i += 1
            packet_id, payload = window.pop(0)
            client.wait(PUBACK, packet_id)
            acknowledged.append(payload)

    def watch(client, name):
        try:
            publish(client, name)
        except AssertionError as error:
            failures.append(error)

    failures = []
    threads = [threading.Thread(target=watch, args=(b.mqtt(), name))
               for name in "abc"]
    for t in threads:
        t.start()
    for _ in range(3):
        before = len(acknowledged)
        until(lambda: len(acknowledged) > before + 300 or failures,
              "a burst of acknowledgements")
        b.nats_server.kill()
        b.nats_server.restart()
    before = len(acknowledged)
    until(lambda: len(acknowledged) > before + 100 or failures,
          "acknowledgements after the last restart")
    stop.set()
    for t in threads:
        t.join()
    assert not failures
    kept = set(b.nats().stream_payloads("S"))
    lost = [p for p in acknowledged if p not in kept]
    if policy == "reply":
        # "No responders" in the moments before a stream is loaded is an
        # acknowledgement of this policy.
        assert len(lost) < len(acknowledged) / 2
    else:
        assert lost == []


def test_many_restarts(start):
    b = start.bridge()
    subscriber, publisher = b.mqtt(), b.mqtt()
    subscriber.subscribe("a", qos=1)
    for i in range(8):
        if i % 2:
            b.nats_server.kill()
        else:
            b.nats_server.stop()
        publisher.publish("local", str(i))
        b.nats_server.restart()
        answers(b)
        with b.nats_server.client() as n:
            n.publish("a", str(i))
            assert subscriber.message().payload == str(i).encode()


def test_the_log_says_each_change_once(start):
    b = start.bridge()
    b.nats_server.kill()
    b.mqtt().publish("a")
    b.nats_server.restart()
    answers(b)
    text = b.daemon.log_text()
    lines = [line for line in text.splitlines()
             if str(b.nats_server.port) in line
             or f"n{b.nats_server.port}" in line]
    # up, down, up; perhaps a word about trying in between.
    assert 3 <= len(lines) <= 8, lines


# Hanging

def test_a_stopped_server_does_not_stop_devices(b):
    subscriber, publisher = b.mqtt(), b.mqtt()
    subscriber.subscribe("#", qos=1)
    b.nats_server.signal(signal.SIGSTOP)
    try:
        for i in range(300):
            publisher.publish("a", str(i))
            assert subscriber.message().payload == str(i).encode()
        publisher.publish("a", b"x", qos=1)
        assert subscriber.message().payload == b"x"
    finally:
        b.nats_server.signal(signal.SIGCONT)
    answers(b)


def test_a_stopped_server_is_given_up(start):
    """Its socket stays open; only liveness can tell."""
    b = start.bridge({"nats": {"liveness": "1s"}})
    log = b.daemon.log_size()
    b.nats_server.signal(signal.SIGSTOP)
    try:
        b.daemon.wait_log(str(b.nats_server.port), log)
    finally:
        b.nats_server.signal(signal.SIGCONT)
    answers(b)


def test_a_silent_listener_is_no_nats_server(start):
    """It accepts and says nothing: cnats blocks, devices do not."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", free_port()))
        silent.listen(16)
        url = f"nats://127.0.0.1:{silent.getsockname()[1]}"
        b = start.join(start.daemon(url), None)
        subscriber, publisher = b.mqtt(), b.mqtt()
        subscriber.subscribe("#", qos=1)
        for i in range(500):
            publisher.publish("a", str(i))
            assert subscriber.message().payload == str(i).encode()
        b.daemon.stop()


def test_from_one_server_to_the_next(start):
    first, second = start.nats_server(), start.nats_server()
    url = f"{first.url()},{second.url()}"
    b = start.join(start.daemon(url), None)
    subscriber = b.mqtt()
    subscriber.subscribe("a", qos=1)

    def reached():
        for server in (first, second):
            if not server.alive():
                continue
            with server.client() as n:
                if n.request("mqtt.retained.request", "x").status is None:
                    n.publish("a", b"hello")
                    return server
        return None

    current = until(reached, "a link to either")
    assert subscriber.message().payload == b"hello"
    current.kill()
    other = until(reached, "a link to the other")
    assert other is not current
    assert subscriber.message().payload == b"hello"


# What makes cnats close for good

def test_too_many_subscriptions_for_the_server(start):
    """-ERR 'maximum subscriptions exceeded' must not end the bridge."""
    b = start.bridge(nats={"config": "max_subscriptions: 30"})
    client, n = b.mqtt(), b.nats()
    client.subscribe("first")
    for i in range(60):
        client.subscribe(f"many/{i}/x")
    for i in range(60):
        client.unsubscribe(f"many/{i}/x")
    answers(b)
    service = n.subscribe("out")

    def through():
        client.publish("out", b"x")
        n.publish("first", b"y")
        client.ping()
        return service.take() and client.pending

    until(through, "both ways to work")


def test_a_password_that_changes_and_comes_back(start):
    def config(password):
        return ('authorization { users: ['
                '{user: d, password: "%s"}, {user: t, password: t}] }'
                % password)

    nats_server = start.nats_server(config("one"))
    b = start.join(start.daemon(
        nats_server, {"nats": {"user": "d", "password": "one"}}),
        nats_server)
    login = {"user": "t", "pass": "t"}
    answers(b, **login)
    client = b.mqtt()
    client.subscribe("a", qos=1)
    nats_server.reload(config("two"))
    until(lambda: nats_server.client(**login).request(
        "mqtt.retained.request", "x").status == "503",
        "the daemon to be thrown out")
    log = nats_server.log_size()
    # Refused more than once, and it goes on trying.
    until(lambda: nats_server.log_text(log).count("authentication error") > 3,
          "several attempts")
    client.publish("a", b"local", qos=1)
    assert client.message().payload == b"local"
    nats_server.reload(config("one"))
    answers(b, **login)
    n = nats_server.client(**login)
    n.publish("a", b"from nats")
    assert client.message().payload == b"from nats"
    n.close()


def test_a_permission_violation_is_survived(start):
    config = ('authorization { users: [{user: d, password: d, permissions: {'
              'publish: {deny: "secret.>"}, subscribe: {deny: "hidden.>"} }},'
              '{user: t, password: t}] }')
    nats_server = start.nats_server(config)
    b = start.join(start.daemon(
        nats_server, {"nats": {"user": "d", "password": "d"}}), nats_server)
    login = {"user": "t", "pass": "t"}
    answers(b, **login)
    n = b.nats(**login)
    everything = n.subscribe(">", but="_")
    client = b.mqtt()
    client.subscribe("hidden/a", "open/a", qos=1)
    client.publish("secret/x", b"no")
    client.publish("open/x", b"yes")
    assert [m.subject for m in everything.until("open.x")
            if m.subject.startswith("secret")] == []
    n.publish("hidden.a", b"no")
    n.publish("open.a", b"yes")
    assert client.message().payload == b"yes"


def test_a_smaller_max_payload_after_a_restart(start):
    b = start.bridge()
    client = b.mqtt()
    n = b.nats()
    service = n.subscribe("t.>")
    client.publish("t/a", b"x" * 5000)
    assert len(service.next().payload) == 5000
    b.nats_server.kill()
    b.nats_server.restart("max_payload: 2048")
    answers(b)
    n = b.nats()
    service = n.subscribe("t.>")
    client.publish("t/a", b"x" * 5000, qos=1)
    client.publish("t/end")
    assert service.until("t.end") == []


def test_clients_come_and_go_while_nats_flaps(start):
    b = start.bridge()
    stop, failures = threading.Event(), []

    def churn(n):
        i = 0
        while not stop.is_set():
            i += 1
            try:
                c = b.mqtt(f"churn{n}", clean=i % 2)
                c.subscribe(f"t/{i % 7}/+", "t/#", qos=1)
                c.publish("t/1/x", str(i), qos=i % 2)
                c.message()
                c.close()
            except (AssertionError, Closed) as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=churn, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for _ in range(5):
        b.nats_server.kill()
        b.nats_server.restart()
        answers(b)
    stop.set()
    for t in threads:
        t.join()
    assert not failures
    nats.responds(b.nats(), "mqtt.retained.request", "x")


def cluster(start):
    """Two servers that know of each other; the URL of the first only."""
    routes = [free_port() for _ in range(2)]
    config = """cluster {{ name: c, host: "127.0.0.1", port: {},
        routes: ["nats-route://127.0.0.1:{}"] }}"""
    return [start.nats_server(config.format(routes[i], routes[1 - i]))
            for i in range(2)]


def test_it_goes_to_a_server_that_it_was_told_of(start):
    """It knows one by its configuration, and the other from that one."""
    one, two = cluster(start)
    for server in (one, two):
        server.wait_log("Route connection created")
    b = start.join(start.daemon(one), one)
    b.linked()
    client = b.mqtt()
    client.subscribe("a", qos=1)
    one.kill()
    n = two.client()

    def arrives():
        n.publish("a", b"x")
        client.ping()
        return client.pending

    until(arrives, "a message by the other server")
    b.daemon.wait_log(f"at nats://127.0.0.1:{two.port}")
