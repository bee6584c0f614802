# SPDX-License-Identifier: Apache-2.0
"""Enhanced authentication of MQTT 5.0 with SCRAM-SHA-256, v5 4.12."""

import subprocess

import pytest

from conversation.mqtt import (AUTH, CONNACK, DISCONNECT, PINGREQ, V5, Closed,
                               connect_packet, packet, properties)
from conversation.scram import METHOD, Scram
from conversation.server import daemon_command

SECRET = ("$7$101$Rbe5WboXImN9Or+c$EjfsoXNI2eRREyF26S5YvmUchC6X9odrldzG0hKE7"
          "/KMmt3AHuALGzHYK+XB8zd0YVLTrXS827hSRB6u6ddyxQ==")
CONTINUE, REAUTHENTICATE = 0x18, 0x19


def entry(user, password):
    """A line of the password file, made by the daemon itself."""
    return subprocess.run(
        [*daemon_command(), f"--scram={user}"], input=f"{password}\n",
        check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def password_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("scram") / "passwords"
    path.write_text(entry("bo", "pencil") + entry("a,b=c", "pencil") +
                    f"al:{SECRET}\n")
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def b(start, password_file):
    daemon = start.daemon("", {"auth": {"password_file": password_file,
                                        "allow_anonymous": "no"}})
    return start.join(daemon, None)


def auth(code, data, method=METHOD):
    return packet(AUTH, 0, bytes([code]), properties(
        {"authentication_method": method, "authentication_data": data}))


def begin(b, proof, **options):
    """CONNECT, and the server's first message."""
    client = b.socket(V5)
    client.send(connect_packet(
        options.pop("client_id", ""), V5, authentication_method=METHOD,
        authentication_data=proof.first(), **options))
    return client, challenge(client)


def challenge(client):
    asked = client.wait(AUTH)
    # v5 [MQTT-4.12.0-2] [MQTT-4.12.0-5]
    assert asked.code == CONTINUE
    assert asked.prop("authentication_method") == METHOD
    return asked.prop("authentication_data")


def online(b, user="bo", password="pencil", **options):
    proof = Scram(user, password)
    client, asked = begin(b, proof, **options)
    client.send(auth(CONTINUE, proof.final(asked)))
    connack = client.next()
    assert connack.type == CONNACK and connack.code == 0, connack
    # v5 [MQTT-4.12.0-5]
    assert connack.prop("authentication_method") == METHOD
    proof.check(connack.prop("authentication_data"))
    return client


def test_both_prove_that_they_know_the_password(b):
    online(b).ping()
    online(b, user="a,b=c").ping()


def test_the_password_itself_is_good_as_well(b):
    b.mqtt(user="bo", password="pencil").ping()


@pytest.mark.parametrize("user, password", [
    ("bo", "pencils"), ("cy", "pencil"), ("al", "secret")])
def test_others_are_refused_at_the_end(b, user, password):
    # v5 [MQTT-4.12.0-4]
    proof = Scram(user, password)
    client, asked = begin(b, proof)
    client.send(auth(CONTINUE, proof.final(asked)))
    [connack] = client.expect_close()
    assert connack.type == CONNACK and connack.code == 0x86


def test_a_stranger_looks_like_anybody_else(b):
    seen = []
    for user in ("bo", "cy", "cy", "dy"):
        proof = Scram(user, "x")
        _, asked = begin(b, proof)
        proof.final(asked)
        seen.append((proof.iterations, len(proof.salt), proof.salt))
    bo, cy, again, dy = seen
    assert bo[:2] == cy[:2] == dy[:2]
    assert cy == again != dy


def test_a_message_cannot_be_said_twice(b):
    proof = Scram("bo", "pencil", nonce="always-the-same")
    client, asked = begin(b, proof)
    old = proof.final(asked)
    client.send(auth(CONTINUE, old))
    assert client.next().code == 0
    client, _ = begin(b, Scram("bo", "pencil", nonce="always-the-same"))
    client.send(auth(CONTINUE, old))
    [connack] = client.expect_close()
    assert connack.code == 0x86


def test_nothing_else_is_taken_meanwhile(b):
    # v5 [MQTT-3.1.2-30]
    client, _ = begin(b, Scram("bo", "pencil"))
    client.send(packet(PINGREQ, 0))
    [connack] = client.expect_close()
    assert connack.type == CONNACK and connack.code == 0x82


def test_a_large_message_is_not_waited_for(b):
    client, _ = begin(b, Scram("bo", "pencil"))
    try:
        client.send(b"\xf0\xff\xff\x7f" + b"x" * 100000)
    except ConnectionError:
        return
    with pytest.raises(Closed):
        while client.next().type != CONNACK:
            pass


def test_the_session_is_the_users(b):
    first = online(b, client_id="same", clean=False, session_expiry=60)
    online(b, client_id="same", clean=False)
    assert first.wait(DISCONNECT).code == 0x8E
    other = Scram("a,b=c", "pencil")
    client, asked = begin(b, other, client_id="same", clean=False)
    client.send(auth(CONTINUE, other.final(asked)))
    [connack] = client.expect_close()
    assert connack.code == 0x87


def reauthenticate(client, proof):
    client.send(auth(REAUTHENTICATE, proof.first()))
    client.send(auth(CONTINUE, proof.final(challenge(client))))


def test_a_client_may_prove_itself_again(b):
    # v5 4.12.1
    client = online(b)
    listener = b.mqtt(user="bo", password="pencil")
    listener.subscribe("t")
    for n in range(3):
        proof = Scram("bo", "pencil")
        client.send(auth(REAUTHENTICATE, proof.first()))
        asked = challenge(client)
        client.publish("t", str(n))
        client.send(auth(CONTINUE, proof.final(asked)))
        done = client.wait(AUTH)
        assert done.code == 0
        assert done.prop("authentication_method") == METHOD
        proof.check(done.prop("authentication_data"))
        assert listener.message().payload == str(n).encode()


@pytest.mark.parametrize("user, password", [
    ("bo", "pencils"), ("a,b=c", "pencil"), ("cy", "x")])
def test_who_cannot_is_disconnected(b, user, password):
    # v5 [MQTT-4.12.1-2]
    client = online(b)
    reauthenticate(client, Scram(user, password))
    assert client.wait(DISCONNECT).code == 0x87
    client.expect_close()


def test_the_method_stays_the_same(b):
    # v5 [MQTT-4.12.1-1]
    client = online(b)
    client.send(auth(REAUTHENTICATE, b"", method="PLAIN"))
    assert client.wait(DISCONNECT).code == 0x82


def test_who_named_no_method_has_none(b):
    # v5 [MQTT-4.12.0-6] [MQTT-4.12.0-7]
    client = b.socket(V5)
    connack = client.connect("", user="bo", password="pencil")
    assert connack.prop("authentication_method") is None
    client.send(auth(REAUTHENTICATE, b"n,,n=bo,r=abc"))
    assert client.wait(DISCONNECT).code == 0x82


@pytest.mark.parametrize("method", ["PLAIN", "SCRAM-SHA-1", "", "x" * 1000])
def test_other_methods_are_refused(b, method):
    # v5 [MQTT-4.12.0-1]
    client = b.socket(V5)
    client.send(connect_packet("", V5, authentication_method=method))
    [connack] = client.expect_close()
    assert connack.code == 0x8C
