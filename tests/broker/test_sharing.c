/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/sharing.h"

#include "broker/device.h"
#include "broker/shares.h"

/* All members are in one share: the first that was ever made. */
#define SHARE 1

static struct device *
member(struct node *n, unsigned home, const char *id, bool clean, unsigned qos)
{
	struct device *d = device_online(n, home, MQTT_V311, id, clean);

	device_subscribe(d, "$share/g/a", qos);
	return d;
}

/* NATS has one for the group. */
static void
from_nats(struct node *n, const char *reply, uint8_t qos, const char *payload)
{
	struct message *m = node_message("a", "a", reply, qos, payload);

	sharing_on_message(n->broker, 0, SHARE, m);
	message_unref(&m);
	node_run(n);
}

/* How many PUBLISH packets it has got, which it acknowledges. */
static unsigned
take(struct device *d)
{
	const struct any_packet *p;
	unsigned count = 0;

	while ((p = device_next(d)) != NULL) {
		count++;
		if (p->publish.qos > 0)
			device_say(d, "40 [%04x]", p->publish.packet_id);
	}
	return count;
}

Test(sharing, is_a_queue_group_towards_nats)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(d, "82 [0001 [] <$share/g/a/#> 00]");
	bus_hears(n, 0, "JOIN a.> group=g");
	bus_hears(n, 0, "JOIN a group=g");
	device_hears(d, "SUBACK packet_id=1 codes=0x00");
	/* Once more, with other options: it is in there. */
	device_say(d, "82 [0002 [] <$share/g/a/#> 01]");
	bus_hears_nothing(n, 0);
	device_hears(d, "SUBACK packet_id=2 codes=0x01");
	device_say(d, "82 [0003 [] <$share/my group/b> 00]");
	bus_hears(n, 0, "JOIN b group=my/sgroup");
	device_skip(d);
	device_say(d, "a2 [0004 [] <$share/g/a/#> <$share/x/a/#>]");
	bus_hears(n, 0, "LEAVE a.> group=g");
	bus_hears(n, 0, "LEAVE a group=g");
	device_hears(d, "UNSUBACK packet_id=4 codes=0x00,0x11");
	device_hang_up(d);
	bus_hears(n, 0, "LEAVE b group=my/sgroup");
	cr_expect_eq(shares_count(n->broker->shares), 0);
	node_free(&n);
}

/* v5 [MQTT-3.8.3-4] */
Test(sharing, has_no_local_members)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(d, "82 [0001 [] <b> 00 <$share/g/a> 04]");
	device_hears(d,
	    "DISCONNECT reason=0x82 (protocol error) { Reason String="
	    "protocol error: SUBSCRIBE }");
	device_hears_it_closed(d);
	node_free(&n);
}

/* v5 [MQTT-4.8.2-3] */
Test(sharing, gives_each_message_to_one_at_its_qos)
{
	struct node *n = node_new();
	struct device *d[3] = {
		member(n, 0, "0", true, 0),
		member(n, 0, "1", true, 1),
		member(n, 1, "2", true, 2),
	};

	for (unsigned i = 0; i < 30; i++)
		from_nats(n, "", 1, "x");
	for (unsigned i = 0; i < 3; i++) {
		const struct any_packet *p = device_next(d[i]);

		cr_assert_not_null(p);
		cr_expect_eq(p->publish.qos, i > 0);
		cr_expect_eq(take(d[i]), 9, "member %u", i);
	}
	node_free(&n);
}

/* Nothing is delivered on this node: it comes from NATS. */
Test(sharing, is_left_to_nats_where_there_is_one)
{
	struct node *n = node_new();
	struct device *d = member(n, 0, "d", true, 1);

	fake_bus_skip(n->bus, 0);
	device_say(d, "30 [<a> 'x']");
	bus_hears(n, 0, "PUBLISH a qos=0 payload=x");
	device_hears_nothing(d);
	node_free(&n);
}

Test(sharing, works_without_nats)
{
	struct broker_options o = node_options();
	struct node *n = node_new_alone(&o);
	struct device *one = member(n, 0, "1", true, 1);
	struct device *two = member(n, 1, "2", true, 1);
	struct device *p = device_online(n, 0, MQTT_V311, "p", true);

	for (unsigned i = 0; i < 10; i++)
		device_say(p, "30 [<a> 'x']");
	cr_expect_eq(take(one), 5);
	cr_expect_eq(take(two), 5);
	node_free(&n);
}

Test(sharing, skips_who_is_away)
{
	struct node *n = node_new();
	struct device *away = member(n, 0, "away", false, 1);
	struct device *here = member(n, 1, "here", true, 1);

	device_hang_up(away);
	for (unsigned i = 0; i < 10; i++)
		from_nats(n, "", 1, "x");
	cr_expect_eq(take(here), 10);
	/* Nobody else is there: it waits. */
	device_hang_up(here);
	from_nats(n, "", 1, "kept");
	away = device_online(n, 0, MQTT_V311, "away", false);
	device_hears(away, "PUBLISH qos=1 packet_id=1 topic=a payload=kept");
	node_free(&n);
}

Test(sharing, passes_on_what_a_busy_member_cannot_take)
{
	struct node *n = node_new();
	struct device *busy = device_new(n, 0);
	struct device *idle;

	/* Receive Maximum 1. */
	device_say(busy, "10 [<MQTT> 05 02 0000 [21 0001] <busy>]");
	device_skip(busy);
	device_say(busy, "82 [0001 [] <$share/g/a> 01]");
	device_skip(busy);
	idle = member(n, 1, "idle", true, 1);
	for (unsigned i = 0; i < 10; i++)
		from_nats(n, "", 1, "x");
	cr_assert_not_null(device_next(busy));
	device_hears_nothing(busy);
	cr_expect_eq(take(idle), 9);
	node_free(&n);
}

Test(sharing, gives_what_a_lost_member_had_to_another)
{
	for (unsigned clean = 0; clean < 2; clean++) {
		struct node *n = node_new();
		struct device *lost = member(n, 0, "lost", clean, 1);
		struct device *other;

		for (unsigned i = 0; i < 5; i++)
			from_nats(n, "", 1, "x");
		cr_expect_eq(device_skip(lost), 5);
		other = member(n, 1, "other", true, 1);
		device_hang_up(lost);
		node_run(n);
		cr_expect_eq(take(other), 5);
		if (!clean) {
			lost = device_online(n, 0, MQTT_V311, "lost", false);
			device_hears_nothing(lost);
		}
		node_free(&n);
	}
}

/* Nobody else is there: it stays, and is repeated. */
Test(sharing, keeps_what_nobody_else_can_have)
{
	struct node *n = node_new();
	struct device *only = member(n, 0, "only", false, 1);

	from_nats(n, "", 1, "x");
	device_skip(only);
	device_hang_up(only);
	from_nats(n, "", 1, "y");
	only = device_online(n, 1, MQTT_V311, "only", false);
	device_hears(only, "PUBLISH qos=1 dup packet_id=1 topic=a payload=x");
	device_hears(only, "PUBLISH qos=1 packet_id=2 topic=a payload=y");
	node_free(&n);
}

/* v5 [MQTT-4.8.2-4] [MQTT-4.8.2-5] */
Test(sharing, completes_qos_2_with_the_same_member)
{
	struct node *n = node_new();
	struct device *lost = member(n, 0, "lost", false, 2);
	struct device *other = NULL;

	from_nats(n, "", 2, "x");
	device_skip(lost);
	other = member(n, 1, "other", true, 2);
	device_hang_up(lost);
	device_hears_nothing(other);
	lost = device_online(n, 0, MQTT_V311, "lost", false);
	device_hears(lost, "PUBLISH qos=2 dup packet_id=1 topic=a payload=x");
	device_hang_up(lost);
	/* Its session ends: nobody gets it. */
	lost = device_online(n, 0, MQTT_V311, "lost", true);
	device_hears_nothing(lost);
	device_hears_nothing(other);
	node_free(&n);
}

/* v5 [MQTT-4.8.2-6] */
Test(sharing, discards_what_a_member_refuses)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	struct device *other = NULL;

	device_subscribe(d, "$share/g/a", 1);
	from_nats(n, "", 1, "x");
	device_skip(d);
	other = member(n, 1, "other", true, 1);
	device_say(d, "40 [0001 80 []]");
	device_hang_up(d);
	device_hears_nothing(other);
	node_free(&n);
}

/* A service waits for the device, a publisher for the session. */
Test(sharing, answers_publishers_when_a_session_has_it)
{
	struct node *n = node_new();
	struct device *d = member(n, 0, "d", true, 1);

	fake_bus_skip(n->bus, 0);
	from_nats(n, "_MQ.other.x.7", 1, "x");
	bus_hears(n, 0, "ANSWER _MQ.other.x.7");
	from_nats(n, "_INBOX.service", 1, "x");
	bus_hears_nothing(n, 0);
	cr_expect_eq(take(d), 2);
	bus_hears(n, 0, "ANSWER _INBOX.service");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* v5 3.3.1.3 */
Test(sharing, brings_nothing_that_is_retained)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_say(d, "31 [<a> 'kept']");
	device_subscribe(d, "$share/g/a", 1);
	device_hears_nothing(d);
	device_subscribe(d, "a", 0);
	device_hears(d, "PUBLISH qos=0 retain topic=a payload=kept");
	node_free(&n);
}
