# SPDX-License-Identifier: Apache-2.0
"""[auth] jwt_key_file: a JSON Web Token as the password."""

import json
import subprocess
import time

import pytest

from conversation.deadline import until
from conversation.jwt import Key, base64url, token
from conversation.mqtt import (CONNACK, DISCONNECT, PUBACK, V5, V311,
                               connect_packet)
from conversation.server import daemon_command


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys")
    return {kind: Key(path, kind) for kind in ("rsa", "ec", "secret")}


@pytest.fixture
def serve(start, tmp_path):
    """A daemon without NATS, with these keys."""
    def serve(keys, ini=None, **auth):
        path = tmp_path / "keys"
        path.write_text(keys if isinstance(keys, str) else json.dumps(keys))
        path.chmod(0o600)
        auth = {"jwt_key_file": path, "allow_anonymous": "no", **auth}
        b = start.join(start.daemon("", {"auth": auth, **(ini or {})}), None)
        b.keys_path = path
        return b
    return serve


def claims(**more):
    now = int(time.time())
    return {"sub": "al", "exp": now + 60, "iat": now, **more}


def outcome(b, password, user="al", version=V5):
    client = b.socket(version)
    client.send(connect_packet("", version, user=user, password=password))
    p = client.next()
    assert p.type == CONNACK
    if p.code:
        client.expect_close()
    return p.code


@pytest.mark.parametrize("kind", ["rsa", "ec", "secret"])
def test_who_has_a_token_comes_in(serve, keys, kind):
    key = keys[kind]
    b = serve({"keys": [key.jwk()]} if kind == "secret" else key.pem())
    good = token(key, claims())
    assert outcome(b, good) == 0
    assert outcome(b, good, version=V311) == 0
    # Its name is in there; a client that gives one gives the same.
    assert outcome(b, good, user="") == 0
    assert outcome(b, good, user="bo") == 0x86
    assert outcome(b, good, user="bo", version=V311) == 4
    for bad in ("", "x", "a.b.c", good[:-1], good + "A", good + ".x",
                good.rsplit(".", 1)[0] + ".", "." + good, good + "=",
                20000 * "a", "ey." + 20000 * "a" + ".b"):
        assert outcome(b, bad) == 0x86, bad


def test_algorithms_are_the_key_s(serve, keys):
    """Not the token's: neither none, nor a public key as a secret."""
    rsa = keys["rsa"]
    b = serve(rsa.pem())
    fake = Key.__new__(Key)
    fake.kind, fake.algorithm = "secret", "HS256"
    for secret in (rsa.pem().encode(), rsa.pem().encode().rstrip(), b""):
        fake.secret = secret
        assert outcome(b, token(fake, claims())) == 0x86
        assert outcome(b, token(fake, claims(), alg="RS256")) == 0x86
    for alg in ("none", "None", "NONE", "", None, 7, "ES256", "HS256", "XX"):
        assert outcome(b, token(rsa, claims(), alg=alg)) == 0x86, alg
        assert outcome(b, token(rsa, claims(), signature=b"\0",
                                alg=alg)) == 0x86, alg
    assert outcome(b, token(keys["ec"], claims())) == 0x86
    # A key that comes with the token is nobody's.
    assert outcome(b, token(keys["secret"], claims(),
                            jwk=keys["secret"].jwk())) == 0x86
    assert outcome(b, token(rsa, claims(), crit=["exp"])) == 0x86
    assert outcome(b, token(rsa, claims())) == 0


def test_many_keys(serve, keys, tmp_path):
    """With a key identifier, only that one counts."""
    new = Key(tmp_path, "secret", "new")
    old = Key(tmp_path, "secret", "old")
    b = serve({"keys": [old.jwk(kid="old"), new.jwk(kid="new"),
                        keys["secret"].jwk(use="enc")]})
    assert outcome(b, token(old, claims(), kid="old")) == 0
    assert outcome(b, token(new, claims(), kid="new")) == 0
    assert outcome(b, token(new, claims())) == 0
    assert outcome(b, token(new, claims(), kid="old")) == 0x86
    assert outcome(b, token(new, claims(), kid="other")) == 0x86
    assert outcome(b, token(keys["secret"], claims())) == 0x86


def test_what_a_token_must_say(serve, keys):
    key = keys["secret"]
    b = serve(key.jwk(), jwt_issuer="us", jwt_audience="mqtt",
              jwt_user_claim="name")
    now = int(time.time())

    def check(**more):
        c = claims(iss="us", aud="mqtt", name="al", **{})
        c.update(more)
        return outcome(b, token(key, {k: v for k, v in c.items()
                                      if v is not None}), user="")

    assert check() == 0
    assert check(aud=["x", "mqtt"]) == 0
    assert check(exp=now - 10) == 0  # clocks differ
    assert check(nbf=now + 10) == 0
    assert check(sub=None) == 0
    for wrong in ({"exp": None}, {"exp": now - 60}, {"exp": str(now + 60)},
                  {"nbf": now + 60}, {"nbf": "x"}, {"iss": None},
                  {"iss": "them"}, {"iss": ["us"]}, {"aud": None},
                  {"aud": "x"}, {"aud": ["x"]}, {"aud": []}, {"name": None},
                  {"name": ""}, {"name": 7}, {"name": "a\0b"}):
        assert check(**wrong) == 0x86, wrong
    part = base64url(b"[1]")
    assert outcome(b, f"{part}.{part}.{part}") == 0x86


def test_it_ends_with_the_token(serve, keys):
    key = keys["secret"]
    b = serve(key.jwk())
    client = b.mqtt("", V5, user="al",
                    password=token(key, claims(exp=int(time.time()) + 2)))
    assert client.wait(DISCONNECT).code == 0xA0


def test_rules_are_for_its_name(serve, keys, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("user al\ntopic write a\n")
    key = keys["secret"]
    b = serve(key.jwk(), acl_file=acl)
    client = b.mqtt("", V5, user="", password=token(key, claims()))
    for topic, code in (("a", 0x10), ("b", 0x87)):
        client.send_publish(topic, b"", 1, packet_id=1)
        assert client.wait(PUBACK).code == code


def test_other_passwords_are_for_others(serve, keys, tmp_path):
    path = tmp_path / "passwords"
    path.write_text(  # secret
        "bo:$7$101$Rbe5WboXImN9Or+c$EjfsoXNI2eRREyF26S5YvmUchC6X9odrldzG0hKE7"
        "/KMmt3AHuALGzHYK+XB8zd0YVLTrXS827hSRB6u6ddyxQ==\n")
    path.chmod(0o600)
    key = keys["secret"]
    b = serve(key.jwk(), password_file=path)
    assert outcome(b, "secret", user="bo") == 0
    assert outcome(b, token(key, claims(sub="bo")), user="bo") == 0x86
    assert outcome(b, token(key, claims())) == 0
    assert outcome(b, "secret", user="al") == 0x86


def test_a_reload_takes_other_keys(serve, keys, tmp_path):
    key, other = keys["secret"], Key(tmp_path, "secret", "other")
    b = serve(key.jwk())
    client = b.mqtt("", V5, user="", password=token(key, claims()))
    b.keys_path.write_text(json.dumps(other.jwk()))
    b.daemon.reload()
    until(lambda: outcome(b, token(other, claims())) == 0, "the new key")
    assert outcome(b, token(key, claims())) == 0x86
    client.ping()


@pytest.mark.parametrize("text, why", [
    ("", "no key in it"), ("{}", "key 1 has no kty"),
    ("{\"keys\": []}", "no key in it"), ("{\"keys\": [7]}", "no kty"),
    ("{\"kty\": \"x\"}", "no kty"), ("{", "line 1"),
    ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
     "no key in it")])
def test_keys_that_are_none(start, tmp_path, text, why):
    (tmp_path / "keys").write_text(text)
    ini = tmp_path / "x.ini"
    ini.write_text(f"[auth]\njwt_key_file = {tmp_path}/keys\n")
    done = subprocess.run([*daemon_command(), "-t", "-c", str(ini)],
                          capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 2
    assert f"{ini}:2: [auth] jwt_key_file" in done.stderr
    assert why in done.stderr
