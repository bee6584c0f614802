# SPDX-License-Identifier: Apache-2.0
"""The ACL file: what users may publish and receive."""

import subprocess

import pytest

from conversation.mqtt import V5, Will, connect_packet
from conversation.server import daemon_command

SECRET = ("$7$101$Rbe5WboXImN9Or+c$EjfsoXNI2eRREyF26S5YvmUchC6X9odrldzG0hKE7"
          "/KMmt3AHuALGzHYK+XB8zd0YVLTrXS827hSRB6u6ddyxQ==")

RULES = """
topic read news/#
user al
topic news/#
topic read own/#
topic deny own/secret
pattern readwrite dev/%u/%c
user bo
topic #
"""


@pytest.fixture
def b(start, tmp_path):
    passwords, rules = tmp_path / "passwords", tmp_path / "acl"
    passwords.write_text(f"al:{SECRET}\nbo:{SECRET}\n")
    passwords.chmod(0o600)
    rules.write_text(RULES)
    return start.bridge({"auth": {"password_file": str(passwords),
                                  "acl_file": str(rules)}})


def al(b, *args, **options):
    return b.mqtt(*args, user="al", password="secret", **options)


def bo(b, *args, **options):
    return b.mqtt(*args, user="bo", password="secret", **options)


def test_each_receives_what_it_may(b):
    stranger, user = b.mqtt(), al(b, "phone")
    for client in (stranger, user):
        client.subscribe("#")
    publisher = bo(b)
    for topic in ("own/a", "own/secret", "dev/al/phone", "dev/al/other",
                  "news/1"):
        publisher.publish(topic, topic)
    assert stranger.message().topic == "news/1"
    assert [user.message().topic for _ in range(3)] == [
        "own/a", "dev/al/phone", "news/1"]


def test_nats_is_held_back_as_well(b):
    user, nats = al(b), b.nats()
    user.subscribe("own/#")
    nats.publish("own.secret", b"no")
    nats.publish("own.a", b"yes")
    assert user.message().topic == "own/a"


def test_each_publishes_what_it_may(b):
    listener = bo(b)
    listener.subscribe("#")
    user = al(b, "phone", version=V5)
    codes = [user.publish(topic, "x", qos=1).code & 0x80 for topic in
             ("own/a", "x", "dev/al/other", "news/1", "dev/al/phone")]
    assert codes == [0x80, 0x80, 0x80, 0, 0]
    assert [listener.message().topic for _ in range(2)] == [
        "news/1", "dev/al/phone"]


def test_a_refused_publish_of_3_1_1_is_acknowledged_and_dropped(b):
    listener, stranger = bo(b), b.mqtt()
    listener.subscribe("#")
    for qos in (0, 1, 2):
        stranger.publish("news/x", "no", qos=qos)
    bo(b).publish("news/y", "yes")
    assert listener.message().topic == "news/y"


def test_a_subscription_that_yields_nothing_is_refused(b):
    assert al(b).subscribe("x/#", "own/secret") == [0x80, 0x80]
    assert al(b, version=V5).subscribe("x", "own/+") == [0x87, 0]
    assert b.mqtt().subscribe("own/#") == [0x80]


def test_what_is_retained_is_held_back(b):
    publisher = bo(b)
    for topic in ("own/secret", "own/a", "x"):
        publisher.publish(topic, topic, qos=1, retain=True)
    user = al(b)
    user.subscribe("#")
    assert user.message().topic == "own/a"
    user.ping()
    assert not user.pending


def test_a_will_needs_the_right_as_well(b):
    client = b.socket(V5)
    client.send(connect_packet("", V5, user="al", password="secret",
                               will=Will("own/a", b"x")))
    [connack] = client.expect_close()
    assert connack.code == 0x87
    al(b, will=Will("news/a", b"x")).ping()


def test_a_damaged_file_is_named_with_its_line(mqtt_natsd, tmp_path):
    rules, ini = tmp_path / "acl", tmp_path / "x.ini"
    rules.write_text("user al\ntopic read a/#/b\n")
    ini.write_text(f"[auth]\nacl_file = {rules}\n")
    done = subprocess.run([*daemon_command(), "-t", "-c", str(ini)],
                          capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"{rules}:2: not a topic filter\n"
