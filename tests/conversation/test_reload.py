# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: another configuration for a daemon that runs."""

import re
import signal

import pytest

from conversation.deadline import until
from conversation.mqtt import DISCONNECT, V5, Will, connect_packet

SECRET = ("$7$101$Rbe5WboXImN9Or+c$EjfsoXNI2eRREyF26S5YvmUchC6X9odrldzG0hKE7"
          "/KMmt3AHuALGzHYK+XB8zd0YVLTrXS827hSRB6u6ddyxQ==")
GEHEIM = ("$6$g/7XFZie2UCfOQYW$2jVbGsEwaF9v0X9kOZgb2vQrgZRZMQ75ni2Mm+DOwM2Qy"
          "hPMBKRK/UTwigS7hp/D0E9F9mTAXBshKr0EObSTSA==")


class Site:
    """A daemon with files that can be changed."""

    def __init__(self, start, directory):
        self.passwords = directory / "passwords"
        self.acl = directory / "acl"
        self.write(self.passwords, f"al:{SECRET}", f"bo:{GEHEIM}")
        self.write(self.acl, "topic #", "user al", "topic #", "user bo",
                   "topic #")
        self.b = start.bridge({"auth": {"password_file": str(self.passwords),
                                        "acl_file": str(self.acl)}})
        self.daemon = self.b.daemon
        self.ini = self.daemon.path("mqtt-nats.ini")
        with open(self.ini) as f:
            self.text = f.read()

    def write(self, path, *lines):
        path.write_text("".join(f"{line}\n" for line in lines))
        path.chmod(0o600)

    def reload(self, word="done", text=None):
        before = self.daemon.log_size()
        if text is not None:
            with open(self.ini, "w") as f:
                f.write(text)
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_log(f"reload: .*{word}", before)
        return before


@pytest.fixture
def site(start, tmp_path):
    return Site(start, tmp_path)


def refused(b, **login):
    client = b.socket(V5)
    client.send(connect_packet("", V5, **login))
    code = client.next().code
    return code


def test_users_come_and_go(site):
    al = site.b.mqtt(user="al", password="secret", version=V5)
    bo = site.b.mqtt(user="bo", password="geheim", version=V5)
    stranger = site.b.mqtt()
    site.write(site.passwords, f"al:{SECRET}", f"cy:{GEHEIM}")
    site.reload()
    assert bo.wait(DISCONNECT).code == 0x87
    al.ping()
    stranger.ping()
    assert refused(site.b, user="bo", password="geheim") == 0x86
    assert refused(site.b, user="cy", password="geheim") == 0


def test_rights_change_for_subscriptions_that_exist(site):
    al = site.b.mqtt(user="al", password="secret")
    al.subscribe("#")
    nats = site.b.nats()
    nats.publish("a.1", b"")
    assert al.message().topic == "a/1"
    site.write(site.acl, "user al", "topic read b/#")
    site.reload()
    al.ping()  # its worker has been told by now, or is about to be

    def is_held_back():
        nats.publish("a.2", b"")
        nats.publish("b.2", b"")
        return al.message().topic == "b/2"

    until(is_held_back, "the rights to change")


def test_what_waits_is_looked_at_again(site):
    """A message was queued while its session had the right to it."""
    al = site.b.mqtt("al", user="al", password="secret", clean=False)
    al.subscribe("#", qos=1)
    al.close()
    bo = site.b.mqtt(user="bo", password="geheim")
    until(lambda: '"al"' in site.daemon.log_text()
          and "connection closed by client" in site.daemon.log_text(),
          "its end")
    bo.publish("a/1", b"", qos=1)
    bo.publish("b/1", b"", qos=1)
    site.write(site.acl, "user al", "topic read b/#", "user bo", "topic #")
    site.reload()
    bo.publish("b/2", b"", qos=1)
    al = site.b.mqtt("al", user="al", password="secret", clean=False)
    assert [al.message().topic for _ in range(2)] == ["b/1", "b/2"]


def test_a_will_is_looked_at_again(site):
    bo = site.b.mqtt(user="bo", password="geheim")
    bo.subscribe("#", qos=1)
    wills = [site.b.mqtt(user="al", password="secret", will=Will(topic, b"w"))
             for topic in ("a/will", "b/will")]
    site.write(site.acl, "user al", "topic write b/#", "user bo", "topic #")
    site.reload()
    for client in wills:
        client.ping()
        client.close()
    assert bo.message().topic == "b/will"
    site.daemon.wait_log(r'will of .* on "a/will" not published')


def test_a_mistake_changes_nothing(site):
    al = site.b.mqtt(user="al", password="secret")
    site.write(site.passwords, f"cy:{SECRET}")
    site.write(site.acl, "topic a/#/b")
    before = site.reload("everything stays")
    site.daemon.wait_log("acl:1: not a topic filter", before)
    al.ping()
    assert refused(site.b, user="cy", password="secret") == 0x86
    assert refused(site.b, user="al", password="secret") == 0


def test_what_takes_a_restart_is_named_and_the_rest_applied(site):
    al = site.b.mqtt(user="al", password="secret")
    text = re.sub("(?m)^workers = .*", "workers = 7", site.text)
    before = site.reload(text=text + "[limits]\nmax_subscriptions = 1\n")
    site.daemon.wait_log("workers has changed, which takes a restart", before)
    assert al.subscribe("a") == [0]
    assert al.subscribe("b") == [0x80]


def test_strangers_can_be_shut_out(site):
    stranger = site.b.mqtt(version=V5)
    site.reload(text=site.text.replace("[auth]",
                                       "[auth]\nallow_anonymous = no"))
    assert stranger.wait(DISCONNECT).code == 0x87
    assert refused(site.b) == 0x87
    site.reload(text=site.text)
    assert refused(site.b) == 0


def test_the_log_becomes_louder(site):
    site.reload(text=site.text + "\n[log]\nlevel = debug\n"
                if "[log]" not in site.text else
                site.text.replace("level = info", "level = debug"))
    before = site.daemon.log_size()
    site.b.mqtt().ping()
    site.daemon.wait_log("PINGREQ", before)


def test_connections_survive_many_reloads(site):
    al = site.b.mqtt(user="al", password="secret")
    al.subscribe("t")
    for n in range(20):
        site.reload()
        al.publish("t", str(n))
        assert al.message().payload == str(n).encode()
