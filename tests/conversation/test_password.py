# SPDX-License-Identifier: Apache-2.0
"""The password file: who gets in, and that others do not notice."""

import shutil
import subprocess

import pytest

from conversation.mqtt import V5, V311, connect_packet

# Made by mosquitto_passwd -H sha512 and -H sha512-pbkdf2.
SECRET = ("$7$101$Rbe5WboXImN9Or+c$EjfsoXNI2eRREyF26S5YvmUchC6X9odrldzG0hKE7"
          "/KMmt3AHuALGzHYK+XB8zd0YVLTrXS827hSRB6u6ddyxQ==")
GEHEIM = ("$6$g/7XFZie2UCfOQYW$2jVbGsEwaF9v0X9kOZgb2vQrgZRZMQ75ni2Mm+DOwM2Qy"
          "hPMBKRK/UTwigS7hp/D0E9F9mTAXBshKr0EObSTSA==")
# The same as SECRET's, but it takes a while to find that out.
DEAR = SECRET.replace("$101$", "$1000000$")


@pytest.fixture
def serve(start, tmp_path):
    """A daemon without NATS, with this password file."""
    def serve(*lines, **auth):
        path = tmp_path / "passwords"
        path.write_text("".join(f"{line}\n" for line in lines))
        path.chmod(0o600)
        auth["password_file"] = str(path)
        return start.join(start.daemon("", {"auth": auth}), None)
    return serve


def outcome(b, version=V311, **login):
    client = b.socket(version)
    client.send(connect_packet("", version, **login))
    code = client.next().code
    if code:
        client.expect_close()
    return code


def test_only_who_knows_the_password_comes_in(serve):
    b = serve("# people", f"al:{SECRET}", f"bo:{GEHEIM}")
    assert outcome(b, user="al", password="secret") == 0
    assert outcome(b, user="bo", password="geheim") == 0
    assert outcome(b, V5, user="bo", password="geheim") == 0
    for login in ({"user": "al", "password": "geheim"}, {"user": "al"},
                  {"user": "cy", "password": "secret"},
                  {"user": "", "password": ""},
                  {"user": "al", "password": b"secret\0"},
                  {"user": "al", "password": b"x" * 65535}):
        assert outcome(b, **login) == 4
        assert outcome(b, V5, **login) == 0x86


def test_anonymous_clients_are_another_matter(serve):
    b = serve(f"al:{SECRET}")
    assert outcome(b) == 0
    b = serve(f"al:{SECRET}", allow_anonymous="no")
    assert outcome(b) == 5
    assert outcome(b, V5) == 0x87
    assert outcome(b, user="al", password="secret") == 0


def test_a_session_belongs_to_its_user(serve):
    b = serve(f"al:{SECRET}", f"bo:{GEHEIM}")
    al = b.mqtt("theirs", clean=False, user="al", password="secret")
    thief = b.socket()
    thief.connect("theirs", clean=False, user="bo", password="geheim", code=5)
    al.ping()
    again = b.socket()
    again.connect("theirs", clean=False, user="al", password="secret")


def test_identifiers_begin_with_the_name_of_their_user(serve):
    b = serve(f"al:{SECRET}", client_id_prefix="%u-")
    login = {"user": "al", "password": "secret"}
    b.mqtt("al-1", **login).ping()
    b.socket().connect("bo-1", code=2, **login)
    b.socket().connect("al-1", code=5)
    connack = b.socket(V5).connect("", **login)
    assert connack.prop("assigned_client_id").startswith("al-")


def test_nobody_waits_for_the_hash_of_another(serve):
    b = serve(f"al:{SECRET}", f"dear:{DEAR}")
    bystanders = [b.mqtt() for _ in range(8)]
    slow = [b.socket() for _ in range(3)]
    for client in slow:
        client.send(connect_packet("", user="dear", password="secret"))
    # Every worker has bystanders, and all of them are served first.
    for client in bystanders:
        client.ping()
    assert b.mqtt() is not None
    for client in slow:
        assert not client.pending and not client.in_buffer
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.sock.recv(1)
        client.sock.setblocking(True)


def test_what_is_sent_behind_a_connect_waits_with_it(serve):
    b = serve(f"al:{SECRET}")
    client = b.socket()
    client.send(connect_packet("", user="al", password="secret") +
                b"\xc0\0" * 50)
    assert client.next().code == 0
    for _ in range(50):
        client.next()


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None,
                    reason="needs mosquitto_passwd")
@pytest.mark.parametrize("form", ["sha512", "sha512-pbkdf2"])
def test_mosquitto_passwd_writes_it(start, tmp_path, form):
    path = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-H", form, "-c", "-b", str(path),
                    "müller", "geheim"], check=True, stdin=subprocess.DEVNULL)
    path.chmod(0o600)
    b = start.join(start.daemon("", {"auth": {"password_file": str(path)}}),
                   None)
    assert outcome(b, user="müller", password="geheim") == 0
    assert outcome(b, user="müller", password="Geheim") == 4
