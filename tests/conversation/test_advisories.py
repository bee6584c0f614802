# SPDX-License-Identifier: Apache-2.0
"""What went wrong in the MQTT of nats-server in 2026, tried on us.

Each test is named by its CVE. doc/threat-model.md tells what guards against
it.
"""

import pytest

from conversation.mqtt import CONNECT, V5, V311, Closed, binary, packet

SECRET = ("$7$101$Rbe5WboXImN9Or+c$EjfsoXNI2eRREyF26S5YvmUchC6X9odrldzG0hKE7"
          "/KMmt3AHuALGzHYK+XB8zd0YVLTrXS827hSRB6u6ddyxQ==")


@pytest.fixture
def b(start, tmp_path):
    """al and bo, who may do everything; strangers, who may do nothing."""
    passwords, acl = tmp_path / "passwords", tmp_path / "acl"
    passwords.write_text(f"al:{SECRET}\nbo:{SECRET}\n")
    passwords.chmod(0o600)
    acl.write_text("user al\ntopic #\ntopic $MQTT/#\ntopic $JS/#\n"
                   "topic deny secret/#\nuser bo\ntopic #\n")
    return start.bridge({"auth": {"password_file": str(passwords),
                                  "acl_file": str(acl)},
                         "log": {"level": "debug"}})


def login(b, user, *args, **options):
    return b.mqtt(*args, user=user, password="secret", **options)


def test_cve_2026_33215_a_session_is_not_had_by_its_identifier(b):
    bo = login(b, "bo", "device", clean=False)
    bo.subscribe("t", qos=1)
    bo.sock.close()
    thief = b.socket()
    thief.connect("device", clean=False, user="al", password="secret", code=5)
    # Nor by one that looks alike where it ends up in a subject or a file.
    for name in ("device ", "DEVICE", "device\t", "dev*", "device>", "../x"):
        other = b.socket()
        assert not other.connect(name, clean=False, user="al",
                                 password="secret").session_present
    bo = b.socket()
    assert bo.connect("device", clean=False, user="bo",
                      password="secret").session_present


def test_cve_2026_33216_a_password_is_shown_nowhere(b):
    login(b, "al", version=V5).ping()
    client = b.socket()
    client.connect("", user="al", password="h1dden", code=4)
    text = b.daemon.log_text()
    assert "CONNECT" in text
    assert "h1dden" not in text and "secret" not in text.replace(
        "secret/#", "")
    assert "$7$" not in text


def test_cve_2026_33217_58214_names_of_nats_stay_out_of_reach(b):
    al = login(b, "al", version=V5)
    for topic in ("$MQTT/sub/x", "$MQTT/msgs/x", "$JS/API/INFO", "$SYS/x"):
        assert al.publish(topic, b"", qos=1).code == 0x87
        [code] = al.subscribe(topic)
        assert code == 0x87 or topic.startswith("$SYS")


def test_cve_2026_58209_what_is_denied_is_not_replayed(b):
    bo = login(b, "bo")
    bo.publish("secret/1", b"x", qos=1, retain=True)
    bo.publish("open/1", b"x", qos=1, retain=True)
    al = login(b, "al", "al", clean=False)
    al.subscribe("#", qos=1)
    assert al.message().topic == "open/1"
    al.sock.close()
    bo.publish("secret/2", b"x", qos=1)
    bo.publish("open/2", b"x", qos=1)
    al = b.socket()
    al.connect("al", clean=False, user="al", password="secret")
    assert al.message().topic == "open/2"


def test_cve_2026_58210_half_a_connect_takes_little(b):
    bystander = login(b, "bo")
    # More than max_connect_size is not waited for ...
    client = b.socket()
    client.send(bytes([CONNECT << 4]) + b"\xff\xff\xff\x7f")
    with pytest.raises(Closed):
        client.next()
    # ... and what is below grows with what has come, not what was promised.
    before = b.daemon.rss()
    half = []
    for _ in range(500):
        client = b.socket()
        client.send(bytes([CONNECT << 4]) + b"\x80\x80\x07" +
                    binary("MQTT") + b"\4\2\0\0")
        half.append(client)
    bystander.ping()
    assert b.daemon.rss() - before < 500 * 64 * 1024
    for client in half:
        client.sock.close()


@pytest.mark.parametrize("level", ["a\rb", "a\nPUB x 1", "a\tb", "a b",
                                   "a\x7fb", "a\x01b", "\u0085"])
def test_cve_2026_58213_control_characters_inject_nothing(b, level):
    nats = b.nats()
    spy = nats.subscribe("x.>")
    al = login(b, "al")
    al.send_subscribe(f"{level}/+")
    al.publish(level, b"x", qos=0)
    try:
        al.ping()
    except Closed:
        al = login(b, "al")
    al.publish("x/marker", b"")
    assert spy.next().subject == "x.marker"
    assert "Unknown Protocol" not in b.daemon.log_text()


def test_a_remaining_length_that_is_too_short(b):
    # nats-server 778a0c6c7, 54e6bf274
    bystander = login(b, "bo")
    for body in (b"", b"\0", b"\0\4MQTT", b"\0\4MQTT\4\xc2\0\0\0\5ab",
                 b"\0\4MQTT\5\2\0\0\x7f"):
        client = b.socket(V5 if body[6:7] == b"\5" else V311)
        client.send(packet(CONNECT, 0, body))
        client.expect_close()
    for kind in range(16):
        client = login(b, "al", version=V5)
        client.send(bytes([kind << 4 | 2, 0]))
        client.send(bytes([kind << 4, 1, 0xff]))
    bystander.ping()
