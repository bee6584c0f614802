# SPDX-License-Identifier: Apache-2.0
"""[auth] request_subject: a service on NATS says who may connect."""

import base64
import json
import subprocess
import threading

import pytest

from conversation.deadline import until
from conversation.mqtt import (CONNACK, DISCONNECT, PUBACK, SUBACK, V5, V311,
                               Client, Will, connect_packet)
from conversation.server import daemon_command, ini_text

SUBJECT = "auth.ask"


class Service(threading.Thread):
    """Answers with what `decide(question)` gives: an object, bytes as they
    are, or None, which is silence."""

    def __init__(self, nats_server, decide):
        super().__init__(daemon=True)
        self.client = nats_server.client()
        self.subscription = self.client.subscribe(SUBJECT)
        self.client.flush()
        self.decide = decide
        self.questions = []
        self.ends = False
        self.start()

    def run(self):
        while not self.ends:
            try:
                m = self.subscription.next(0.2)
            except (AssertionError, OSError, EOFError):
                continue
            question = json.loads(m.payload)
            self.questions.append(question)
            answer = self.decide(question)
            if answer is not None:
                self.client.publish(m.reply, answer if isinstance(
                    answer, bytes) else json.dumps(answer).encode())

    def stop(self):
        self.ends = True
        self.join()
        self.client.close()


@pytest.fixture
def serve(start):
    """A daemon that asks, and who answers; `auth` are keys of its own."""
    services = []

    def serve(decide=None, ini=None, **auth):
        auth = {"request_subject": SUBJECT, **auth}
        b = start.bridge(ini={"auth": auth, **(ini or {})})
        b.service = None
        if decide is not None:
            b.service = Service(b.nats_server, decide)
            services.append(b.service)
        return b

    yield serve
    for service in services:
        service.stop()


def outcome(b, version=V5, client_id=None, **login):
    """Code and Reason String of the CONNACK; each user has a session."""
    client = b.socket(version)
    if client_id is None:
        client_id = "of " + login.get("user", "nobody")
    client.send(connect_packet(client_id, version, **login))
    p = client.next()
    assert p.type == CONNACK
    if p.code:
        client.expect_close()
    return p.code, p.prop("reason_string") if version == V5 else None


def test_what_is_asked(serve):
    b = serve(lambda q: {"allow": True})
    b.mqtt("one", V5, user="al", password="se\"cr\\et\n\u00e4")
    b.mqtt("two", V311)
    b.mqtt("", V311, user="", password=b"\xff\x00\x80")
    one, two, three = b.service.questions
    assert one == {"client_id": "one", "username": "al",
                   "password": "se\"cr\\et\n\u00e4", "address": "127.0.0.1",
                   "listener": "main", "protocol": "5.0", "identity": None}
    assert two == {**one, "client_id": "two", "username": None,
                   "password": None, "protocol": "3.1.1"}
    assert three["username"] == "" and "password" not in three
    assert base64.b64decode(three["password_base64"]) == b"\xff\x00\x80"


def test_who_is_refused(serve):
    b = serve(lambda q: {"allow": False, "reason": "not paid"}
              if q["username"] == "al" else {"allow": False})
    assert outcome(b, user="al") == (0x87, "not paid")
    assert outcome(b, V311, user="al") == (5, None)
    assert outcome(b, user="bo")[0] == 0x87


@pytest.mark.parametrize("reply", [
    b"", b"yes", b"null", b"[]", b"{}", b"{\"allow\": 1}", b"\0",
    b"{\"allow\": true, \"allow\": false}", b"{\"allow\": true",
    b"{\"allow\": true, \"acls\": []}", b"{\"allow\": true, \"acl\": \"x\"}",
    b"{\"allow\": true, \"acl\": [\"user bo\"]}",
    b"{\"allow\": true, \"acl\": [\"topic read a\\nuser bo\"]}",
    b"{\"allow\": true, \"acl\": [\"topic nonsense a b\", 7]}",
    b"{\"allow\": true, \"username\": \"\"}",
    b"{\"allow\": true, \"client_id\": 7}",
    b"{\"allow\": true, \"client_id\": \"a\\u0000b\"}",
    b"{\"allow\": true, \"limits\": {\"rate\": 7}}",
    b"{\"allow\": true, \"limits\": {\"message_rate\": 0}}",
    b"{\"allow\": true, \"expires\": -1}",
    b"{\"allow\": true, \"expires\": 1e99}",
    b"{\"allow\": true}" + 65536 * b" "],
    ids=lambda reply: reply.decode(errors="replace")[:50])
def test_a_reply_that_is_none_lets_nobody_in(serve, reply):
    b = serve(lambda q: reply)
    assert outcome(b)[0] == 0x88
    assert outcome(b, V311)[0] == 3
    b.daemon.wait_log(r"warning .*\[auth\] request_subject: .*nobody comes in")
    assert len(b.service.questions) == 2  # such a thing is not kept


def test_silence_lets_nobody_in(serve):
    b = serve(lambda q: None, request_timeout="100ms")
    assert outcome(b)[0] == 0x88
    b.daemon.wait_log("no reply in time")


def test_a_late_reply_lets_nobody_in(serve):
    """It is for those who ask later."""
    wait = threading.Event()

    def decide(_):
        wait.wait(15)
        return {"allow": True}

    b = serve(decide, request_timeout="100ms")
    assert outcome(b)[0] == 0x88
    wait.set()
    until(lambda: outcome(b)[0] == 0, "a good answer")


def test_nobody_there_lets_nobody_in(serve):
    b = serve()
    assert outcome(b)[0] == 0x88
    b.daemon.wait_log("nobody answers requests")


def test_without_nats_nobody_comes_in(serve):
    b = serve(lambda q: {"allow": True}, request_cache="0s")
    assert outcome(b)[0] == 0
    b.nats_server.kill()
    b.daemon.wait_log("lost NATS server")
    assert outcome(b)[0] == 0x88
    assert outcome(b, V311)[0] == 3


def test_those_who_are_in_stay_in(serve):
    b = serve(lambda q: {"allow": True})
    client = b.mqtt()
    b.nats_server.kill()
    b.daemon.wait_log("lost NATS server")
    client.ping()


def test_the_same_question_is_not_asked_twice(serve):
    b = serve(lambda q: {"allow": q["username"] == "al"}, request_cache="1h")
    for _ in range(5):
        assert outcome(b, user="al", password="x")[0] == 0
        assert outcome(b, user="bo", password="x")[0] == 0x87
    assert len(b.service.questions) == 2
    assert outcome(b, user="al", password="y")[0] == 0
    assert outcome(b, user="al", password="x", client_id="d")[0] == 0
    assert len(b.service.questions) == 4
    # Who has changed something in the service can have them forgotten.
    b.daemon.reload()
    assert outcome(b, user="al", password="x")[0] == 0
    assert len(b.service.questions) == 5


def test_the_reply_says_how_long_it_holds(serve):
    b = serve(lambda q: {"allow": True, "cache": int(q["username"])},
              request_cache="1h")
    for user, n in (("0", 3), ("3600", 1)):
        before = len(b.service.questions)
        for _ in range(3):
            assert outcome(b, user=user)[0] == 0
        assert len(b.service.questions) - before == n


def test_the_password_file_has_the_first_word(serve, tmp_path):
    path = tmp_path / "passwords"
    path.write_text(  # secret
        "al:$7$101$Rbe5WboXImN9Or+c$EjfsoXNI2eRREyF26S5YvmUchC6X9odrldzG0hKE7"
        "/KMmt3AHuALGzHYK+XB8zd0YVLTrXS827hSRB6u6ddyxQ==\n")
    path.chmod(0o600)
    b = serve(lambda q: {"allow": True}, password_file=path)
    assert outcome(b, user="al", password="secret")[0] == 0
    assert outcome(b, user="al", password="wrong")[0] == 0x86
    assert b.service.questions == []
    assert outcome(b, user="bo", password="any")[0] == 0
    assert len(b.service.questions) == 1


ACL = ["topic read in/#", "topic write out/#", "topic deny in/secret",
       "pattern readwrite own/%u/%c/#"]


def test_rules_of_the_reply(serve):
    """On SUBSCRIBE, on PUBLISH, on what is delivered, and for Wills."""
    b = serve(lambda q: {"allow": True, "acl": ACL}
              if q["username"] == "al" else {"allow": True})
    al = b.mqtt("c", V5, user="al")
    other = b.mqtt("d", V5)
    al.send_subscribe("in/#", "out/x", "own/al/c/#", "own/al/d/#", "#", qos=1)
    # What a filter matches in part is granted, and held back one by one.
    codes = al.wait(SUBACK).codes
    assert codes[:4] == [1, 0x87, 1, 0x87]
    for topic, code in (("out/x", 0x10), ("in/x", 0x87), ("own/al/c/x", 0),
                        ("own/bo/c/x", 0x87)):
        al.send_publish(topic, b"1", 1, packet_id=9)
        assert al.wait(PUBACK).code == code, topic
    assert al.message().topic == "own/al/c/x"
    for topic in ("in/x", "in/secret", "out/x", "in/y"):
        other.publish(topic, b"2", qos=1)
    assert [al.message().topic for _ in range(2)] == ["in/x", "in/y"]
    for topic, code in (("in/x", 0x87), ("out/w", 0)):
        assert outcome(b, client_id="e", user="al",
                       will=Will(topic, b"w"))[0] == code
    # Nobody else has them.
    other.send_publish("in/x", b"1", 1, packet_id=9)
    assert other.wait(PUBACK).code in (0, 0x10)


def test_rules_may_be_others_when_the_client_comes_back(serve):
    """Then also what waits for it is looked at again."""
    rules = [["topic read a/#", "topic read b/#"], ["topic read b/#"]]
    b = serve(lambda q: {"allow": True, "acl": rules[0]}
              if q["client_id"] == "c" else {"allow": True},
              request_cache="0s")
    client = b.mqtt("c", V311, clean=False)
    client.subscribe("a/#", "b/#", qos=1)
    client.close()
    until(lambda: "\"c\"" in b.daemon.log_text()
          and "disconnected" in b.daemon.log_text(), "its end")
    other = b.mqtt()
    other.publish("a/1", b"1", qos=1)
    other.publish("b/1", b"1", qos=1)
    rules.pop(0)
    client = b.mqtt("c", V311, clean=False)
    assert client.message().topic == "b/1"


def test_another_name_and_identifier(serve):
    b = serve(lambda q: {"allow": True, "username": "real",
                         "client_id": "fleet-7",
                         "acl": ["pattern write %u/%c/#"]})
    client = b.mqtt("any", V5, user="token")
    client.send_publish("real/fleet-7/x", b"1", 1, packet_id=1)
    assert client.wait(PUBACK).code in (0, 0x10)
    client.send_publish("token/any/x", b"1", 1, packet_id=1)
    assert client.wait(PUBACK).code == 0x87
    b.daemon.wait_log(r'"fleet-7".* connected')
    # It is the same client, whatever it calls itself.
    b.mqtt("other", V5, user="token2")
    assert client.wait(DISCONNECT).code == 0x8E
    # Who has no identifier learns it.
    connack = b.mqtt("", V5).connack
    assert connack.prop("assigned_client_id") == "fleet-7"


def test_limits_of_the_reply(serve):
    b = serve(lambda q: {"allow": True, "limits": {
        "max_subscriptions": 2, "max_packet_size": 100, "max_inflight": 1}}
        if q["username"] == "al" else {"allow": True})
    client = b.mqtt("c", V5, user="al")
    assert client.connack.prop("maximum_packet_size") == 100
    client.send_subscribe("a", "b", "c", qos=1)
    assert client.wait(SUBACK).codes == [1, 1, 0x97]
    other = b.mqtt("d", V5)
    assert other.connack.prop("maximum_packet_size") != 100
    for payload in (b"1", b"2"):
        other.publish("a", payload, qos=1)
    first = client.next()
    assert first.payload == b"1"
    client.ping()
    assert not client.pending  # one at a time
    client.acknowledge(first)
    assert client.message().payload == b"2"
    client.send_publish("a", 200 * b"x")
    assert client.wait(DISCONNECT).code == 0x95


def test_what_was_granted_ends(serve):
    b = serve(lambda q: {"allow": True, "expires": 1})
    client = b.mqtt("c", V5)
    old = b.mqtt("d", V311)
    assert client.wait(DISCONNECT).code == 0xA0
    client.expect_close()
    old.expect_close()


def test_a_client_moves_with_its_grant(serve):
    """Its session may be at home on another worker."""
    b = serve(lambda q: {"allow": True, "acl": ["topic write ok"]},
              ini={"server": {"workers": 4}})
    for _ in range(12):
        client = b.mqtt("c", V311, clean=False)
        client.close()
        client = b.mqtt("c", V5, clean=False)
        client.send_publish("no", b"1", 1, packet_id=1)
        assert client.wait(PUBACK).code == 0x87
        client.send_publish("ok", b"1", 1, packet_id=1)
        assert client.wait(PUBACK).code in (0, 0x10)
        client.close()


def test_a_client_that_does_not_wait(serve):
    wait = threading.Event()

    def decide(_):
        wait.wait(15)
        return {"allow": True}

    b = serve(decide)
    for i in range(20):
        client = b.socket()
        client.send(connect_packet(f"c{i}", V311))
        client.close()
    wait.set()
    assert outcome(b)[0] == 0


def test_questions_are_bounded(serve):
    wait = threading.Event()

    def decide(_):
        wait.wait(15)
        return {"allow": True}

    b = serve(decide, ini={"limits": {"max_logins": 10}},
              request_timeout="15s")
    clients = [b.socket(V5) for _ in range(60)]
    for i, client in enumerate(clients):
        client.send(connect_packet(f"c{i}", V5))
    until(lambda: b.daemon.log_text().count("too many logins") == 50,
          "50 of them to be refused")
    wait.set()
    codes = [client.next().code for client in clients]
    assert (codes.count(0), codes.count(0x89)) == (10, 50)


def test_many_at_once(serve):
    b = serve(lambda q: {"allow": True})
    clients = [Client(b.daemon.port, V5) for _ in range(500)]
    for i, client in enumerate(clients):
        client.send(connect_packet(f"c{i}", V5))
    assert all(client.next().code == 0 for client in clients)
    for client in clients:
        client.close()


@pytest.mark.parametrize("ini, why", [
    ({"nats": {"url": ""}}, "needs NATS"),
    ({"nats": {"identity": "user"}}, "cannot be used together"),
    ({"auth": {"request_subject": "a.*"}}, "request_subject")])
def test_what_does_not_fit(start, tmp_path, ini, why):
    path = tmp_path / "x.ini"
    path.write_text(ini_text({"auth": {"request_subject": "x"}, **ini}))
    done = subprocess.run([*daemon_command(), "-t", "-c", str(path)],
                          capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 2 and why in done.stderr
