# SPDX-License-Identifier: Apache-2.0
"""The durable store: what outlives the daemon, and what it says when not."""

import json
import os
import re
import resource
import subprocess

import pytest

from conversation.deadline import until
from conversation.mqtt import PUBACK, PUBCOMP, PUBREC, PUBREL, V5
from conversation.server import daemon_command

# Ways for a daemon to end.
ENDS = ["stop", "kill"]


@pytest.fixture
def stored(start, tmp_path):
    """Starts a linked daemon with a store of this test."""

    def begin(ini=None, **store):
        store = {"path": tmp_path / "store", **store}
        return start.bridge(ini={**(ini or {}), "store": store})

    return begin


def again(bridge, end):
    """The daemon ends in this way, and starts again."""
    getattr(bridge.daemon, end)()
    bridge.daemon.restart()
    bridge.linked()


def run(bridge, *arguments):
    """The daemon's program on its store; status, output and errors."""
    done = subprocess.run(
        [*daemon_command(), "-c", bridge.daemon.path("mqtt-nats.ini"),
         *arguments], capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def dump(bridge, table):
    status, out, err = run(bridge, "--store-dump")
    assert status == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    return [r for r in records if r["table"] == table]


def records(bridge):
    """How many of each kind there are."""
    status, out, err = run(bridge, "--store-check")
    assert status == 0, err
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", out,
                                                   re.MULTILINE)}


@pytest.mark.parametrize("end", ENDS)
def test_sessions_and_their_messages_outlive_the_daemon(stored, end):
    bridge = stored()
    device = bridge.mqtt("device", clean=False)
    device.subscribe((bridge.topic("a/#"), 2), (bridge.topic("b"), 1))
    device.close()
    publisher = bridge.mqtt()
    publisher.publish(bridge.topic("a/1"), b"one", qos=1)
    publisher.publish(bridge.topic("a/2"), b"two", qos=2)
    publisher.publish(bridge.topic("b"), b"three", qos=2)
    again(bridge, end)
    bridge.mqtt().publish(bridge.topic("b"), b"four", qos=1)
    device = bridge.mqtt("device", clean=False)
    assert device.connack.session_present
    assert [(m.payload, m.qos) for m in device.messages(4)] == [
        (b"one", 1), (b"two", 2), (b"three", 1), (b"four", 1)]


@pytest.mark.parametrize("end", ENDS)
def test_retained_messages_outlive_the_daemon(stored, end):
    bridge = stored()
    publisher = bridge.mqtt()
    for name in ("a", "b", "c"):
        publisher.publish(bridge.topic(name), b"old", qos=1, retain=True)
    publisher.publish(bridge.topic("a"), b"new", qos=1, retain=True)
    publisher.publish(bridge.topic("b"), b"", qos=1, retain=True)
    nats = bridge.nats()
    nats.publish("mqtt.retained.set." + bridge.subject("d"), b"from NATS",
                 reply=bridge.subject("set"))
    until(lambda: records(bridge)["retained"] == 3, "three to be stored")
    again(bridge, end)
    device = bridge.mqtt()
    device.subscribe(bridge.topic("+"), qos=1)
    got = {m.topic: m.payload for m in device.messages(3)}
    assert got == {bridge.topic("a"): b"new", bridge.topic("c"): b"old",
                   bridge.topic("d"): b"from NATS"}


def test_a_message_in_flight_comes_again_as_it_was(stored):
    bridge = stored()
    device = bridge.mqtt("device", clean=False)
    device.subscribe(bridge.topic("a"), qos=2)
    device.acks = False
    bridge.mqtt().publish(bridge.topic("a"), b"1", qos=1)
    bridge.mqtt().publish(bridge.topic("a"), b"2", qos=2)
    first, second = device.messages(2)
    again(bridge, "kill")
    device = bridge.mqtt("device", clean=False)
    device.acks = False
    for before in (first, second):
        m = device.message()
        assert m.dup
        assert (m.payload, m.qos, m.packet_id) == (
            before.payload, before.qos, before.packet_id)


def test_a_released_message_does_not_come_again(stored):
    bridge = stored()
    device = bridge.mqtt("device", clean=False)
    device.subscribe(bridge.topic("a"), qos=2)
    device.acks = False
    bridge.mqtt().publish(bridge.topic("a"), b"1", qos=2)
    m = device.message()
    device.send_ack(PUBREC, m.packet_id)
    device.wait(PUBREL, m.packet_id)
    again(bridge, "kill")
    device = bridge.mqtt("device", clean=False)
    device.wait(PUBREL, m.packet_id)
    device.send_ack(PUBCOMP, m.packet_id)
    bridge.mqtt().publish(bridge.topic("a"), b"marker", qos=1)
    assert device.message().payload == b"marker"


def test_a_qos_2_publish_is_known_again(stored):
    bridge = stored()
    device = bridge.mqtt("device", clean=False)
    device.subscribe(bridge.topic("a"), qos=2)
    device.close()
    publisher = bridge.mqtt("publisher", clean=False)
    packet_id = publisher.send_publish(bridge.topic("a"), b"once", qos=2)
    publisher.wait(PUBREC, packet_id)
    again(bridge, "kill")
    publisher = bridge.mqtt("publisher", clean=False)
    publisher.send_publish(bridge.topic("a"), b"once", qos=2, dup=True,
                           packet_id=packet_id)
    publisher.wait(PUBREC, packet_id)
    publisher.send_ack(PUBREL, packet_id)
    publisher.wait(PUBCOMP, packet_id)
    publisher.publish(bridge.topic("a"), b"marker", qos=2)
    device = bridge.mqtt("device", clean=False)
    assert [m.payload for m in device.messages(2)] == [b"once", b"marker"]


def test_nats_is_subscribed_to_before_clients_come(stored):
    bridge = stored()
    device = bridge.mqtt("device", clean=False)
    device.subscribe(bridge.topic("call"), qos=1)
    device.close()
    bridge.daemon.kill()
    bridge.daemon.restart()
    # It accepts connections: so NATS delivers already.
    nats = bridge.nats()
    inbox = bridge.subject("inbox")
    answers = nats.subscribe(inbox)
    nats.publish(bridge.subject("call"), b"x", reply=inbox)
    # On disk, so the session has answered for its device.
    assert answers.next().payload == b""
    again(bridge, "kill")
    assert bridge.mqtt("device", clean=False).message().payload == b"x"


def test_a_shared_subscription_outlives_the_daemon(stored):
    bridge = stored()
    device = bridge.mqtt("device", version=V5, clean=False,
                         session_expiry=1000)
    device.subscribe("$share/group/" + bridge.topic("a"), qos=1)
    device.close()
    bridge.mqtt().publish(bridge.topic("a"), b"1", qos=1)
    until(lambda: records(bridge)["queued"] == 1, "it to be stored")
    again(bridge, "kill")
    bridge.mqtt().publish(bridge.topic("a"), b"2", qos=1)
    device = bridge.mqtt("device", version=V5, clean=False,
                         session_expiry=1000)
    assert [m.payload for m in device.messages(2)] == [b"1", b"2"]


def test_what_has_ended_stays_away(stored):
    bridge = stored()
    device = bridge.mqtt("device", clean=False)
    device.subscribe(bridge.topic("a"), qos=1)
    device.close()
    bridge.mqtt().publish(bridge.topic("a"), b"x", qos=1)
    bridge.mqtt("device", clean=True)
    again(bridge, "kill")
    assert not bridge.mqtt("device", clean=False).connack.session_present
    found = records(bridge)
    assert (found["queued"], found["message"], found["subscription"]) == (
        0, 0, 0)


def test_the_node_keeps_its_name(stored):
    bridge = stored()
    pattern = r"store: node (\S+), start (\d+)"
    name, start = bridge.daemon.wait_log(pattern).groups()
    assert start == "1"
    again(bridge, "kill")
    text = bridge.daemon.log_text()
    assert re.findall(pattern, text) == [(name, "1"), (name, "2")]
    assert [(r["name"], r["value"]) for r in dump(bridge, "meta")
            if r["name"] in ("node", "epoch")] == [
                ("epoch", "2"), ("node", name)]


def test_a_second_daemon_does_not_start(stored):
    bridge = stored()
    status, _, err = run(bridge, "-p", "0")
    assert status == 1
    assert f"already running with pid {bridge.daemon.pid()}" in err


def test_the_directory_is_for_nobody_else(stored, tmp_path):
    stored()
    mode = os.stat(tmp_path / "store").st_mode
    assert mode & 0o777 == 0o700
    for name in os.listdir(tmp_path / "store"):
        assert os.stat(tmp_path / "store" / name).st_mode & 0o077 == 0, name


def test_a_dump_shows_what_is_there(stored):
    bridge = stored()
    device = bridge.mqtt("device", version=V5, clean=False,
                         session_expiry=1000)
    device.subscribe(bridge.topic("a"), qos=1)
    device.close()
    bridge.mqtt().publish(bridge.topic("a"), b"text", qos=1)
    bridge.mqtt().publish(bridge.topic("a"), b"\xff", qos=1, retain=True)
    session, = dump(bridge, "session")
    assert session["client_id"] == "device"
    assert session["expiry_s"] == 1000
    subscription, = dump(bridge, "subscription")
    assert subscription["filter"] == bridge.topic("a")
    assert [m.get("payload") for m in dump(bridge, "message")] == [
        "text", None]
    retained, = dump(bridge, "retained")
    assert retained["payloadEnc"] == "/w=="
    assert len(dump(bridge, "queued")) == 2


def damage(bridge, tmp_path):
    bridge.daemon.kill()
    with open(tmp_path / "store" / "store.mdb", "r+b") as f:
        f.seek(0)
        f.write(b"\x55" * 65536)


def test_a_damaged_store_is_not_started_with(stored, tmp_path):
    bridge = stored()
    bridge.mqtt().publish(bridge.topic("a"), b"x", qos=1, retain=True)
    damage(bridge, tmp_path)
    for arguments in ((), ("--store-check",), ("--store-dump",)):
        status, _, err = run(bridge, *arguments)
        assert status == 1
        assert re.search(r"store\.mdb(:| is) damaged", err), err


def test_a_damaged_store_is_moved_aside(stored, tmp_path):
    bridge = stored(on_damage="aside")
    bridge.mqtt().publish(bridge.topic("a"), b"x", qos=1, retain=True)
    damage(bridge, tmp_path)
    start = bridge.daemon.log_size()
    bridge.daemon.restart()
    moved = bridge.daemon.wait_log(
        r"error .* moved to (\S+store\.mdb\.damaged-\d{8}-\d{6})", start)[1]
    assert os.path.exists(moved)
    assert records(bridge)["retained"] == 0


# Ways for room to end: how large the file may be is 16 MiB each time.
ROOM = 16 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A directory on a file system of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", path],
        capture_output=True, check=False)
    if mount.returncode != 0:
        pytest.skip("cannot mount a tmpfs")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def limit_files(bridge, size):
    resource.prlimit(bridge.daemon.pid(), resource.RLIMIT_FSIZE, (size, -1))


@pytest.fixture(params=["max_size", "file limit", "disk"])
def short_of_room(request, stored):
    """A bridge whose store has little room; "restart" keeps it so."""
    ini = {"limits": {"max_queued_bytes": "1g",
                      "max_queued_messages": 100000}}
    if request.param == "max_size":
        bridge = stored(ini=ini, max_size=ROOM)
    elif request.param == "disk":
        path = request.getfixturevalue("small_disk") / "store"
        bridge = stored(ini=ini, max_size="64m", path=path)
    else:
        bridge = stored(ini=ini, max_size="64m")
        limit_files(bridge, ROOM)
        restart = bridge.daemon.restart
        bridge.daemon.restart = lambda: (restart(),
                                         limit_files(bridge, ROOM))
    return bridge


def publish_until_refused(bridge, topic):
    """How many were taken; QoS 1, 10 kB each."""
    publisher = bridge.mqtt(version=V5)
    for n in range(10000):
        ack = publisher.publish(topic, b"%05d" % n * 2000, qos=1)
        if ack.code >= 0x80:
            assert ack.code == 0x97
            return n
    raise AssertionError("there is room without end")


def test_no_room_refuses_new_messages_and_no_more(short_of_room):
    bridge = short_of_room
    device = bridge.mqtt("device", clean=False)
    device.subscribe(bridge.topic("a"), qos=1)
    device.close()
    taken = publish_until_refused(bridge, bridge.topic("a"))
    bridge.daemon.wait_log("no room left")
    # 3.x gets no answer; QoS 0 goes on, and so does all that makes room.
    old = bridge.mqtt()
    packet_id = old.send_publish(bridge.topic("a"), b"no", qos=1)
    listener = bridge.mqtt()
    listener.subscribe(bridge.topic("b"))
    old.publish(bridge.topic("b"), b"yes")
    assert listener.message().payload == b"yes"
    old.ping()
    assert not [p for p in old.pending if p.type == PUBACK], packet_id
    # Sessions still begin and end.
    bridge.mqtt("another", clean=False).subscribe(bridge.topic("c"), qos=1)
    bridge.mqtt("another", clean=True)
    # Not even kill -9 loses what was taken.
    again(bridge, "kill")
    device = bridge.mqtt("device", clean=False)
    for n in range(taken):
        assert device.message().payload == b"%05d" % n * 2000
    publisher = bridge.mqtt(version=V5)
    until(lambda: publisher.publish(bridge.topic("a"), b"x",
                                    qos=1).code < 0x80,
          "a message to be taken again")


def test_a_write_that_fails_for_want_of_room_is_made_again(stored):
    bridge = stored()
    device = bridge.mqtt("device", clean=False)
    device.subscribe(bridge.topic("a"), qos=1)
    device.close()
    publisher = bridge.mqtt()
    limit_files(bridge, 8192)
    packet_id = publisher.send_publish(bridge.topic("a"), b"x" * 10000,
                                       qos=1)
    bridge.daemon.wait_log("no room left")
    publisher.ping()
    assert not [p for p in publisher.pending if p.type == PUBACK]
    limit_files(bridge, -1)
    publisher.wait(PUBACK, packet_id)
    bridge.daemon.wait_log("there is room again")
    again(bridge, "kill")
    device = bridge.mqtt("device", clean=False)
    assert device.message().payload == b"x" * 10000


@pytest.mark.parametrize("sync", ["commit", "interval", "none"])
def test_every_way_to_sync_keeps_what_a_stop_leaves(stored, sync):
    bridge = stored(sync=sync)
    bridge.mqtt().publish(bridge.topic("a"), b"x", qos=1, retain=True)
    again(bridge, "stop")
    device = bridge.mqtt()
    device.subscribe(bridge.topic("a"))
    assert device.message().payload == b"x"
