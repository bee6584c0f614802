# SPDX-License-Identifier: Apache-2.0
"""[nats] identity = user: NATS knows each device and judges what it does."""

import pytest

from conversation.deadline import until
from conversation.mqtt import (PUBACK, PUBREC, SUBACK, V5, V311, Closed, Will,
                               connect_packet)

CONFIG = """
authorization {
	users: [
		{user: daemon, password: d}
		{user: test, password: t}
		{user: anna, password: a, permissions: {
			publish: ["anna.>", "shared.>", "_INBOX.>", "_MQ.>"]
			subscribe: ["anna.>", "shared.>", "_INBOX.>", "_MQ.>"]
		}}
		{user: bert, password: b, permissions: {
			publish: ["bert.>", "shared.>"]
			subscribe: ["bert.>", "shared.>"]
		}}
	]
}
"""

TEST = {"user": "test", "pass": "t"}
ANNA = {"user": "anna", "password": "a"}
BERT = {"user": "bert", "password": "b"}


@pytest.fixture
def b(start):
    nats_server = start.nats_server(CONFIG)
    daemon = start.daemon(nats_server, {"nats": {
        "user": "daemon", "password": "d", "identity": "user"}})
    bridge = start.join(daemon, nats_server)
    bridge.linked(**TEST)
    return bridge


def test_nats_admits_who_has_the_password(b):
    b.mqtt(**ANNA).ping()
    b.mqtt(**BERT).ping()


@pytest.mark.parametrize("login", [
    {"user": "anna", "password": "wrong"}, {"user": "nobody", "password": "x"},
    {"user": "anna"}, {"user": "anna", "password": ""}, {},
    {"user": "", "password": ""}, {"user": 'anna","x":"', "password": '"'}],
    ids=["password", "user", "no password", "empty password", "nothing",
         "empty", "JSON"])
def test_nats_refuses_others(b, login):
    client = b.socket()
    client.send(connect_packet("x", **login))
    connack = client.next()
    assert connack.code in (4, 5)
    assert client.expect_close() == []
    b.mqtt(**ANNA).ping()


def test_publishes_are_judged(b):
    n = b.nats(**TEST)
    everything = n.subscribe(">", but="_")
    anna = b.mqtt(**ANNA)
    for topic in ("bert/x", "anna/x", "other", "shared/x"):
        anna.publish(topic, topic)
    anna.publish("anna/end")
    got = [m.subject for m in everything.until("anna.end")]
    assert got == ["anna.x", "shared.x"]
    anna.ping()


def test_subscriptions_are_judged(b):
    n = b.nats(**TEST)
    anna = b.mqtt(**ANNA)
    anna.subscribe("anna/#", "bert/#", "other", "shared/+")
    for subject in ("bert.x", "anna.x", "other", "shared.x", "anna.end"):
        n.publish(subject, subject)
    got = [m.topic for m in anna.messages_until("anna/end")]
    assert got == ["anna/x", "shared/x"]


def codes(client, *filters):
    packet_id = client.send_subscribe(*filters)
    return list(client.wait(SUBACK, packet_id).codes)


@pytest.mark.parametrize("version,refused", [(V311, 0x80), (V5, 0x87)])
def test_a_refused_subscription_is_no_success(b, version, refused):
    anna = b.mqtt(version=version, **ANNA)
    assert codes(anna, "anna/#", "bert/#", "other", "shared/+", "#") == [
        0, refused, refused, 0, refused]
    assert codes(anna, "bert/x") == [refused]
    b.nats(**TEST).publish("anna.x", b"x")
    assert anna.message().topic == "anna/x"


@pytest.mark.parametrize("ack", ["reply", "server"])
def test_a_refused_publish_says_so(start, ack):
    nats_server = start.nats_server(CONFIG)
    daemon = start.daemon(nats_server, {
        "nats": {"user": "daemon", "password": "d", "identity": "user"},
        "qos": {"ack": ack, "ack_timeout": "60s"}})
    b = start.join(daemon, nats_server)
    b.linked(**TEST)
    for login in (ANNA, BERT):
        for qos, type_ in ((1, PUBACK), (2, PUBREC)):
            client = b.mqtt(version=V5, **login)
            packet_id = client.send_publish("other", b"x", qos=qos)
            answer = client.wait(type_, packet_id)
            assert answer.code == 0x87
            assert "other" in answer.prop("reason_string")
            old = b.mqtt(version=V311, **login)
            packet_id = old.send_publish("other", b"x", qos=qos)
            old.wait(type_, packet_id)  # 3.1.1 has no word for it


def test_devices_meet_where_both_may_be(b):
    anna, bert = b.mqtt(**ANNA), b.mqtt(**BERT)
    anna.subscribe("shared/#")
    bert.subscribe("shared/#")
    anna.publish("bert/x", b"not allowed")
    anna.publish("shared/a", b"1")
    assert anna.message().payload == b"1"
    assert bert.message().payload == b"1"
    bert.publish("shared/b", b"2")
    assert anna.message().payload == b"2"
    assert bert.message().payload == b"2"


def test_a_device_does_not_get_behind_the_permissions_locally(b):
    """Local delivery would: it is off."""
    anna, bert = b.mqtt(**ANNA), b.mqtt(**BERT)
    bert.subscribe("anna/#", "shared/end", qos=1)
    anna.publish("anna/secret", b"x", qos=0)
    anna.publish("shared/end", b"x")
    assert bert.messages_until("shared/end") == []


def test_devices_with_one_identity_share_a_link(b):
    clients = [b.mqtt(**ANNA) for _ in range(10)]
    for c in clients:
        c.subscribe("anna/all")
    n = b.nats(**TEST)
    n.publish("anna.all", b"x")
    for c in clients:
        assert c.message().payload == b"x"
    clients[0].publish("anna/all", b"y")
    for c in clients:
        assert c.message().payload == b"y"
    for c in clients[1:]:
        c.disconnect()
    n.publish("anna.all", b"z")
    assert clients[0].message().payload == b"z"


def test_suback_means_live(b):
    n = b.nats(**TEST)
    anna = b.mqtt(**ANNA)
    for i in range(50):
        anna.subscribe(f"anna/{i}")
        n.publish(f"anna.{i}", str(i))
        assert anna.message().payload == str(i).encode()


def test_replies_acknowledge_qos_1(b):
    n = b.nats(**TEST)
    service = n.subscribe("anna.job")
    anna = b.mqtt(**ANNA)
    packet_id = anna.send_publish("anna/job", b"x", qos=1)
    n.publish(service.next().reply)
    assert anna.wait(PUBACK).packet_id == packet_id


def test_replies_acknowledge_without_rights_on_inboxes(b):
    """Devices never need rights on our internal subjects."""
    n = b.nats(**TEST)
    service = n.subscribe("bert.job")
    bert = b.mqtt(**BERT)
    packet_id = bert.send_publish("bert/job", b"x", qos=1)
    n.publish(service.next().reply)
    assert bert.wait(PUBACK).packet_id == packet_id


def test_messages_to_nobody_are_acknowledged(b):
    """The 503 comes to the link's own inbox: anna may have one."""
    b.mqtt(**ANNA).publish("anna/nobody", b"x", qos=1)


def test_a_session_stays_with_its_identity(b):
    first = b.mqtt("device", clean=False, **ANNA)
    first.subscribe("anna/#", "shared/#", qos=1)
    first.disconnect()
    again = b.mqtt("device", clean=False, **ANNA)
    n = b.nats(**TEST)
    n.publish("anna.x", b"x")
    assert again.message().payload == b"x"


def test_another_identity_does_not_inherit_rights(b):
    """bert takes the Client Identifier of anna: CVE-2026-33215."""
    first = b.mqtt("device", clean=False, **ANNA)
    first.subscribe("anna/#", qos=1)
    first.disconnect()
    client = b.socket()
    client.send(connect_packet("device", clean=False, **BERT))
    try:
        if client.next().code:
            return
    except Closed:
        return
    n = b.nats(**TEST)
    client.subscribe("bert/end")
    n.publish("anna.x", b"secret", reply="_INBOX.x")
    n.publish("bert.end")
    assert client.messages_until("bert/end") == []


def test_nats_away_is_code_3(b):
    b.mqtt(**ANNA)
    b.nats_server.kill()

    def code():
        client = b.socket()
        client.send(connect_packet("x", **BERT))
        return client.next().code

    assert code() == 3
    b.nats_server.restart()
    until(lambda: code() == 0, "bert to be admitted again")


def test_links_come_back_after_a_restart(b):
    anna = b.mqtt(**ANNA)
    anna.subscribe("anna/#", qos=1)
    b.nats_server.kill()
    b.nats_server.restart()
    b.linked(**TEST)
    n = b.nats(**TEST)

    def back():
        n.publish("anna.x", b"x")
        anna.ping()
        return anna.pending

    until(back, "the subscription of anna's link")


def test_a_password_of_one_does_not_admit_the_other(b):
    """A link that exists is not proof: its password is asked again."""
    b.mqtt(**ANNA)
    client = b.socket()
    client.send(connect_packet("x", user="anna", password="not a"))
    assert client.next().code in (4, 5)


def test_wills_are_published_under_the_identity(b):
    n = b.nats(**TEST)
    everything = n.subscribe(">", but="_")
    b.mqtt(will=Will("bert/will", b"no"), **ANNA).close()
    b.mqtt(will=Will("anna/will", b"yes"), **ANNA).close()
    assert everything.until("anna.will") == []


def test_many_identities(start):
    users = ", ".join("{user: u%d, password: p%d, permissions: {publish: "
                     "[\"u%d.>\"], subscribe: [\"u%d.>\"]}}" % (i, i, i, i)
                     for i in range(40))
    nats_server = start.nats_server(
        "authorization { users: [{user: test, password: t}, %s] }" % users)
    daemon = start.daemon(nats_server, {"nats": {
        "user": "test", "password": "t", "identity": "user"}})
    b = start.join(daemon, nats_server)
    b.linked(**TEST)
    clients = [b.mqtt(user=f"u{i}", password=f"p{i}") for i in range(40)]
    for i, c in enumerate(clients):
        c.subscribe("#")
        c.subscribe(f"u{i}/#")
    n = b.nats(**TEST)
    for i in range(40):
        n.publish(f"u{i}.x", str(i))
    for i, c in enumerate(clients):
        assert c.message().payload == str(i).encode()


def test_groups_are_of_one_identity(b):
    """The members of anna's group are hers, and so is what they may have."""
    members = [b.mqtt(version=V5, **ANNA) for _ in range(2)]
    for m in members:
        assert codes(m, "$share/g/anna/job") == [0]
        assert codes(m, "$share/g/bert/job") == [0x87]
    bert = b.mqtt(version=V5, **BERT)
    assert codes(bert, "$share/g/shared/#") == [0]
    publisher = b.mqtt(**ANNA)
    for i in range(20):
        publisher.publish("anna/job", str(i))
    got = []

    def all_there():
        for m in members:
            m.ping()
            while m.pending:
                got.append(m.message().payload)
        return len(got) >= 20

    until(all_there, "every job to be taken")
    assert sorted(got, key=int) == [b"%d" % i for i in range(20)]
    bert.ping()
    assert bert.pending == []
