# SPDX-License-Identifier: Apache-2.0
"""Shared subscriptions: one copy per group, across nodes and NATS."""

import pytest

from conversation.deadline import until
from conversation.mqtt import NO_LOCAL, PUBACK, PUBLISH, V5, V311

pytestmark = pytest.mark.parametrize("version", [V311, V5],
                                     ids=["3.1.1", "5.0"])


@pytest.fixture
def group(bridge, version):
    """Connects members of the group `g` of this test."""
    if version == V5 and not bridge.daemon.serves("5"):
        pytest.skip("5.0 is not served")
    probe = bridge.mqtt(version=version)
    if probe.subscribe(f"$share/g/{bridge.topic('probe')}")[0] >= 0x80:
        pytest.skip("shared subscriptions are not served")
    probe.disconnect()

    def join(filter="job", name="g", qos=1, **options):
        client = bridge.mqtt(version=version, **options)
        codes = client.subscribe(f"$share/{name}/{bridge.topic(filter)}",
                                 qos=qos)
        assert codes == [qos]
        return client

    return join


def drain(bridge, clients, publisher):
    """What every client got, once each has seen a marker of its own."""
    found = []
    for i, c in enumerate(clients):
        c.subscribe(bridge.topic(f"end/{i}"))
        publisher.publish(bridge.topic(f"end/{i}"))
        found.append([m.payload
                      for m in c.messages_until(bridge.topic(f"end/{i}"))])
    return found


def collect(clients, count):
    """`count` messages from whoever has them."""
    found = [[] for _ in clients]

    def enough():
        for c, mine in zip(clients, found):
            c.ping()
            while any(p.type == PUBLISH for p in c.pending):
                mine.append(c.message().payload)
        return sum(map(len, found)) >= count

    until(enough, f"{count} messages for the group")
    return found


def test_each_message_goes_to_one_member(bridge, group):
    members, publisher = [group() for _ in range(3)], bridge.mqtt()
    for i in range(60):
        publisher.publish(bridge.topic("job"), str(i), qos=1)
    found = collect(members, 60)
    assert sorted(sum(found, []), key=int) == [b"%d" % i for i in range(60)]
    assert all(found), "somebody got nothing"


def test_messages_of_nats_go_to_one_member(bridge, group):
    members, n = [group() for _ in range(3)], bridge.nats()
    for i in range(60):
        n.publish(bridge.subject("job"), str(i))
    found = collect(members, 60)
    assert sorted(sum(found, []), key=int) == [b"%d" % i for i in range(60)]


def test_nats_workers_are_members_as_well(bridge, group):
    member, n, publisher = group(), bridge.nats(), bridge.mqtt()
    worker = n.subscribe(bridge.subject("job"), queue="g")
    for i in range(60):
        publisher.publish(bridge.topic("job"), str(i))
    total = []

    def all_there():
        total.extend(m.payload for m in worker.take())
        total.extend(collect([member], 0)[0])
        return len(total) >= 60

    until(all_there, "every job to be taken")
    assert sorted(total, key=int) == [b"%d" % i for i in range(60)]


def test_groups_are_independent(bridge, group):
    one, two, publisher = group(), group(name="h"), bridge.mqtt()
    alone = bridge.mqtt()
    alone.subscribe(bridge.topic("job"), qos=1)
    for i in range(10):
        publisher.publish(bridge.topic("job"), str(i), qos=1)
    for c in (one, two, alone):
        assert [m.payload for m in c.messages(10)] == [
            b"%d" % i for i in range(10)]


def test_wildcards_in_a_group(bridge, group):
    members = [group("w/+/#") for _ in range(2)]
    publisher = bridge.mqtt()
    for i in range(20):
        publisher.publish(bridge.topic(f"w/{i % 3}/x"), str(i), qos=1)
    found = collect(members, 20)
    assert sorted(sum(found, []), key=int) == [b"%d" % i for i in range(20)]


def test_a_member_that_leaves_gets_nothing_more(bridge, group):
    stays, leaves, publisher = group(), group(), bridge.mqtt()
    leaves.unsubscribe(f"$share/g/{bridge.topic('job')}")
    for i in range(20):
        publisher.publish(bridge.topic("job"), str(i), qos=1)
    assert [m.payload for m in stays.messages(20)] == [
        b"%d" % i for i in range(20)]
    assert drain(bridge, [leaves], publisher) == [[]]


def test_a_lost_member_is_replaced(bridge, group):
    """QoS 1 it has not acknowledged goes to another."""
    lost, publisher = group(), bridge.mqtt()
    lost.acks = False
    for i in range(5):
        publisher.publish(bridge.topic("job"), str(i), qos=1)
    lost.messages(5)
    other = group()
    lost.close()
    found = collect([other], 5)
    assert sorted(found[0], key=int) == [b"%d" % i for i in range(5)]


def test_a_member_that_is_away_is_skipped(bridge, group, version):
    options = ({"session_expiry": 60} if version == V5 else {})
    away = group(clean=False, client_id=f"{bridge.tag}-away", **options)
    here, publisher = group(), bridge.mqtt()
    away.disconnect()
    for i in range(20):
        publisher.publish(bridge.topic("job"), str(i), qos=1)
    assert len(collect([here], 20)[0]) == 20
    bridge.mqtt(f"{bridge.tag}-away")


def test_retained_messages_are_not_sent_to_a_group(bridge, group):
    # v5 3.3.1.3
    publisher = bridge.mqtt()
    publisher.publish(bridge.topic("job"), b"kept", qos=1, retain=True)
    member = group()
    assert drain(bridge, [member], publisher) == [[]]


def test_members_acknowledge_to_nats(bridge, group):
    member, n = group(), bridge.nats()
    inbox = n.send_request(bridge.subject("job"), b"x")
    assert member.message().qos == 1
    assert inbox.next().payload == b""


@pytest.mark.parametrize("filter", [
    "$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a",
    "$share/#/a", "$share/g+/a"])
def test_malformed_shared_filters_are_refused(bridge, version, filter):
    # v5 [MQTT-4.8.2-1] [MQTT-4.8.2-2]
    if version == V5 and not bridge.daemon.serves("5"):
        pytest.skip("5.0 is not served")
    client = bridge.mqtt(version=version)
    client.send_subscribe(filter)
    try:
        p = client.next()
    except AssertionError:
        return
    assert (p.codes[0] if hasattr(p, "codes") else p.code) >= 0x80


def test_no_local_is_not_for_groups(bridge, version):
    # v5 [MQTT-3.8.3-4]
    if version != V5 or not bridge.daemon.serves("5"):
        pytest.skip("an option of 5.0")
    client = bridge.mqtt(version=version)
    client.send_subscribe((f"$share/g/{bridge.topic('a')}", NO_LOCAL))
    assert client.next().code == 0x82


def test_two_nodes_share_a_group(start, version):
    nats_server = start.nats_server()
    nodes = [start.join(start.daemon(nats_server), nats_server)
             for _ in range(2)]
    nodes[0].linked()
    members = []
    for b in nodes:
        client = b.mqtt(version=version)
        if client.subscribe("$share/g/job", qos=1)[0] >= 0x80:
            pytest.skip("shared subscriptions are not served")
        members.append(client)
    n = nodes[0].nats()
    watch = n.subscribe("job")
    # Both links are up when each has taken something.
    seen = [0, 0]

    def both():
        n.publish("job", b"warm")
        for i, found in enumerate(collect(members, 0)):
            seen[i] += len(found)
        return all(seen)

    until(both, "both nodes to take part")
    watch.take()
    collect(members, 0)
    publisher = nodes[0].mqtt()
    for i in range(60):
        publisher.publish("job", str(i))
    found = collect(members, 60)
    jobs = [p for p in sum(found, []) if p != b"warm"]
    assert sorted(jobs, key=int) == [b"%d" % i for i in range(60)]


def test_a_group_outlives_a_restart_of_nats(start, version):
    b = start.bridge()
    member = b.mqtt(version=version)
    assert member.subscribe("$share/g/job/#", qos=1) == [1]
    b.nats_server.kill()
    publisher = b.mqtt()
    late = publisher.send_publish("job/late", b"late", qos=1)
    b.nats_server.restart()
    b.linked()
    n = b.nats()
    # Two connections come back, each when it does.
    seen = []

    def both():
        n.publish("job.probe", b"probe")
        member.ping()
        while member.pending:
            seen.append(member.message().payload)
        return b"probe" in seen

    until(both, "the group on the new connection")
    publisher.wait(PUBACK, late)
