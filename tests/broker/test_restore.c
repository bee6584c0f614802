/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/restore.h"

#include <stdio.h>

#include "broker/device.h"
#include "broker/registry.h"
#include "broker/sharing.h"
#include "broker/stored.h"
#include "fake/fake_clock.h"
#include "store/retained.h"

static struct device *
comes_back(struct node *n, const char *client_id)
{
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 05 00 0000 [11 ffffffff] <%s>]", client_id);
	cr_assert_not_null(strstr(device_read(d), "session_present=1"));
	return d;
}

static void
publish(struct node *n, const char *notation)
{
	struct device *d = device_online(n, 0, MQTT_V311, "publisher", true);

	device_say(d, "%s", notation);
	device_hang_up(d);
}

/* --- sessions ------------------------------------------------------------ */

Test(restore, brings_sessions_back)
{
	struct node *n = stored_node();
	struct device *d;

	device_online(n, 0, MQTT_V311, "d", false);
	device_online(n, 1, MQTT_V5, "e", false);
	device_online(n, 1, MQTT_V5, "f", true);
	stored_crash(&n);
	cr_expect_eq(registry_len(n->broker->registry), 2);
	d = comes_back(n, "d");
	device_hears_nothing(d);
	comes_back(n, "e");
	node_free(&n);
}

Test(restore, brings_subscriptions_back_with_their_options)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V5, "d", false);

	/* Subscription Identifier 5; no local, retain as published, QoS 2 */
	device_say(d, "82 [0001 [0b 05] <a/+> 0e]");
	device_say(d, "82 [0002 [] <b> 01]");
	device_say(d, "82 [0003 [] <c> 01]");
	device_say(d, "a2 [0004 [] <c>]");
	stored_crash(&n);
	/* NATS knows before clients come. */
	cr_assert_eq(fake_bus_n_requests(n->bus, 0) +
		fake_bus_n_requests(n->bus, 1),
	    2);
	d = comes_back(n, "d");
	publish(n, "33 [<a/x> 0001 '1']");
	device_hears(d,
	    "PUBLISH qos=1 retain packet_id=1 topic=a/x payload=1 "
	    "{ Subscription Identifier=5 }");
	device_say(d, "32 [<a/x> 0007 [] 'mine']");
	device_hears(d, "");
	publish(n, "32 [<b> 0001 '2']");
	device_hears(d, "PUBLISH qos=1 packet_id=2 topic=b payload=2");
	publish(n, "32 [<c> 0001 '3']");
	device_hears_nothing(d);
	node_free(&n);
}

Test(restore, replaces_a_subscription_for_good)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 2);
	stored_crash(&n);
	d = comes_back(n, "d");
	device_say(d, "82 [0001 [] <a> 01]");
	stored_crash(&n);
	d = comes_back(n, "d");
	publish(n, "34 [<a> 0001 '1']");
	device_hears(d, "PUBLISH qos=1 packet_id=1 topic=a payload=1");
	node_free(&n);
}

Test(restore, does_not_bring_back_what_has_ended)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 1);
	device_hang_up(d);
	publish(n, "32 [<a> 0001 '1']");
	device_online(n, 1, MQTT_V311, "d", true);
	stored_crash(&n);
	cr_expect_eq(registry_len(n->broker->registry), 0);
	cr_expect_eq(index_filters(n->broker->index), 0);
	node_free(&n);
}

Test(restore, applies_expiry_that_passed_meanwhile)
{
	struct node *n = stored_node();
	struct device *d = device_new(n, 0);
	struct device *e = device_new(n, 0);

	/* 100 s and 1000 s */
	device_say(d, "10 [<MQTT> 05 00 0000 [11 00000064] <d>]");
	device_say(e, "10 [<MQTT> 05 00 0000 [11 000003e8] <e>]");
	device_hang_up(d);
	device_hang_up(e);
	stored_crash(&n);
	cr_expect_eq(registry_len(n->broker->registry), 2);
	fake_clock_advance(60 * 1000);
	stored_crash(&n);
	cr_expect_eq(registry_len(n->broker->registry), 2);
	fake_clock_advance(60 * 1000);
	stored_crash(&n);
	cr_expect_eq(registry_len(n->broker->registry), 1);
	/* The rest of it, not all of it again. */
	node_pass(n, 890 * 1000);
	cr_expect_eq(registry_len(n->broker->registry), 0);
	node_free(&n);
}

/* --- messages to clients ------------------------------------------------- */

Test(restore, brings_queued_messages_back_in_their_order)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 2);
	device_hang_up(d);
	for (int i = 1; i <= 3; i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "34 [<a> 0001 '%d']", i);
		publish(n, text);
	}
	publish(n, "30 [<a> 'qos 0']");
	stored_crash(&n);
	cr_assert_eq(node_count(n, queued), 3);
	d = comes_back(n, "d");
	device_hears(d, "PUBLISH qos=2 packet_id=1 topic=a payload=1");
	device_hears(d, "PUBLISH qos=2 packet_id=2 topic=a payload=2");
	device_hears(d, "PUBLISH qos=2 packet_id=3 topic=a payload=3");
	device_hears_nothing(d);
	node_free(&n);
}

Test(restore, repeats_what_was_in_flight_as_it_was)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 2);
	publish(n, "32 [<a> 0001 '1']");
	publish(n, "34 [<a> 0001 '2']");
	publish(n, "34 [<a> 0001 '3']");
	publish(n, "32 [<a> 0001 '4']");
	device_skip(d);
	device_say(d, "50 [0003] 40 [0001]");
	device_hears(d, "PUBREL packet_id=3");
	stored_crash(&n);
	d = comes_back(n, "d");
	device_hears(d, "PUBREL packet_id=3 reason=0x00");
	device_hears(d, "PUBLISH qos=2 dup packet_id=2 topic=a payload=2");
	device_hears(d, "PUBLISH qos=1 dup packet_id=4 topic=a payload=4");
	device_hears_nothing(d);
	/* New identifiers are new. */
	publish(n, "32 [<a> 0001 '5']");
	device_hears(d, "PUBLISH qos=1 packet_id=5 topic=a payload=5");
	/* When all are finished, nothing is left. */
	device_say(d, "70 [0003] 50 [0002] 40 [0004] 40 [0005]");
	device_hears(d, "PUBREL packet_id=2 reason=0x00");
	device_say(d, "70 [0002]");
	stored_crash(&n);
	d = comes_back(n, "d");
	device_hears_nothing(d);
	node_free(&n);
}

/* Some of those who were to store it may not have: NATS asks again. */
static struct device *
member(struct node *n, unsigned home, const char *client_id)
{
	struct device *d = device_online(n, home, MQTT_V311, client_id, false);

	device_subscribe(d, "$share/g/a", 1);
	return d;
}

/* However far it has come from the member that has gone to the other one. */
Test(restore, loses_no_message_between_members_of_a_share)
{
	for (unsigned turns = 0; turns < 3; turns++) {
		struct node *n = stored_node();
		struct device *lost = member(n, 0, "lost"), *other;
		struct message *m = node_message("a", "a", "", 1, "x");
		unsigned found = 0;

		sharing_on_message(n->broker, 0, 1, m);
		message_unref(&m);
		node_run(n);
		device_hears(lost,
		    "PUBLISH qos=1 packet_id=1 topic=a payload=x");
		other = member(n, 1, "other");
		device_drop(lost);
		if (turns > 0)
			node_turn(n, 0);
		if (turns > 1)
			node_turn(n, 1);
		stored_sync(n);
		stored_crash(&n);
		lost = comes_back(n, "lost");
		found += device_skip(lost);
		other = comes_back(n, "other");
		found += device_skip(other);
		cr_expect_eq(found, 1, "%u times after %u turns", found, turns);
		node_free(&n);
		stored_begin_empty();
	}
}

/* Nobody knows it under its name any more, but what it had is there. */
Test(restore, loses_no_message_of_a_share_whose_member_ends)
{
	for (unsigned turns = 0; turns < 4; turns++) {
		struct node *n = stored_node();
		struct device *lost = member(n, 0, "lost"), *other;
		struct message *m = node_message("a", "a", "", 1, "x");
		unsigned found = 0;

		sharing_on_message(n->broker, 0, 1, m);
		message_unref(&m);
		node_run(n);
		cr_expect_eq(device_skip(lost), 1);
		other = member(n, 1, "other");
		device_hang_up(other);
		/* A Clean Session ends the one before it. */
		device_put(lost, "e0 []");
		lost = device_new(n, 0);
		device_put(lost, "10 [<MQTT> 04 02 0000 <lost>]");
		for (unsigned i = 0; i < turns; i++)
			node_turn(n, i % 2);
		stored_sync(n);
		stored_crash(&n);
		if (registry_len(n->broker->registry) == 2) {
			lost = comes_back(n, "lost");
			found += device_skip(lost);
		}
		other = comes_back(n, "other");
		found += device_skip(other);
		cr_expect_eq(found, 1, "%u times after %u turns", found, turns);
		node_free(&n);
		stored_begin_empty();
	}
}

/* What waited for a member can go to another one after a start as before. */
Test(restore, lets_others_have_what_a_member_of_a_share_had)
{
	struct node *n = stored_node();
	struct device *first = member(n, 0, "first"), *second;
	struct message *m = node_message("a", "a", "", 1, "x");

	sharing_on_message(n->broker, 0, 1, m);
	message_unref(&m);
	node_run(n);
	cr_expect_eq(device_skip(first), 1);
	second = member(n, 1, "second");
	device_hang_up(second);
	stored_crash(&n);
	second = comes_back(n, "second");
	device_hears_nothing(second);
	first = device_online(n, 0, MQTT_V311, "first", true);
	device_hears(second, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	device_hears_nothing(first);
	node_free(&n);
}

/* Without members nobody is to have it, and nothing is left behind. */
Test(restore, drops_what_a_share_without_members_had)
{
	struct node *n = stored_node();
	struct device *only = member(n, 0, "only");
	struct message *m = node_message("a", "a", "", 1, "x");

	sharing_on_message(n->broker, 0, 1, m);
	message_unref(&m);
	node_run(n);
	device_hang_up(only);
	device_online(n, 0, MQTT_V311, "only", true);
	stored_crash(&n);
	cr_expect_eq(registry_len(n->broker->registry), 0);
	cr_expect_eq(store_count(n->broker->store, RECORD_QUEUED), 0);
	cr_expect_eq(store_count(n->broker->store, RECORD_MESSAGE), 0);
	node_free(&n);
}

Test(restore, does_not_answer_nats_for_an_earlier_life)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 1);
	node_from_nats(n, "a", "_INBOX.1", 1, "x");
	stored_crash(&n);
	d = comes_back(n, "d");
	device_hears(d, "PUBLISH qos=1 dup packet_id=1 topic=a payload=x");
	for (unsigned i = 0; i < 2; i++)
		fake_bus_skip(n->bus, i);
	device_say(d, "40 [0001]");
	for (unsigned i = 0; i < 2; i++)
		bus_hears_nothing(n, i);
	node_free(&n);
}

Test(restore, drops_messages_that_have_expired_meanwhile)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V5, "d", false);
	struct device *p = device_online(n, 0, MQTT_V5, "p", true);

	device_subscribe(d, "a", 1);
	device_hang_up(d);
	device_say(p, "32 [<a> 0001 [02 0000000a] 'ten seconds']");
	device_say(p, "32 [<a> 0002 [02 00000064] 'hundred seconds']");
	stored_crash(&n);
	node_pass(n, 20 * 1000);
	d = comes_back(n, "d");
	device_hears(d,
	    "PUBLISH qos=1 packet_id=1 topic=a payload=hundred seconds "
	    "{ Message Expiry Interval=80 }");
	device_hears_nothing(d);
	node_free(&n);
}

/* --- messages from clients ----------------------------------------------- */

/* On the publisher's home, and on the other one. */
Test(restore, does_not_deliver_a_qos_2_message_again)
{
	for (unsigned home = 0; home < 2; home++) {
		struct node *n = stored_node();
		struct device *s = device_online(n, home, MQTT_V5, "s", false);
		struct device *d = device_online(n, 0, MQTT_V5, "d", false);

		device_subscribe(s, "a", 2);
		device_say(d, "34 [<a> 0007 [] 'x']");
		device_hears(d, "PUBREC packet_id=7 reason=0x00");
		stored_crash(&n);
		d = comes_back(n, "d");
		device_say(d, "3c [<a> 0007 [] 'x']");
		device_hears(d, "PUBREC packet_id=7 reason=0x00");
		device_say(d, "62 [0007]");
		device_hears(d, "PUBCOMP packet_id=7 reason=0x00");
		s = comes_back(n, "s");
		device_hears(s,
		    "PUBLISH qos=2 dup packet_id=1 topic=a payload=x");
		device_hears_nothing(s);
		/* The identifier is free again, for good. */
		stored_crash(&n);
		d = comes_back(n, "d");
		device_say(d, "34 [<a> 0007 [] 'y']");
		device_hears(d, "PUBREC packet_id=7 reason=0x00");
		s = comes_back(n, "s");
		cr_expect_eq(device_skip(s), 2);
		node_free(&n);
		stored_begin_empty();
	}
}

/*
 * Wherever the node is when it crashes: either nothing of the message is
 * there, or the subscribers of both homes have it and it is known again.
 */
Test(restore, has_all_of_a_qos_2_message_or_nothing)
{
	unsigned n_none = 0, n_all = 0;

	for (unsigned turns = 0; turns < 12; turns++) {
		struct node *n = stored_node();
		struct device *s0 = device_online(n, 0, MQTT_V5, "s0", false);
		struct device *s1 = device_online(n, 1, MQTT_V5, "s1", false);
		struct device *d = device_online(n, 0, MQTT_V5, "d", false);
		size_t n0, n1;

		device_subscribe(s0, "a", 2);
		device_subscribe(s1, "a", 2);
		device_put(d, "34 [<a> 0007 [] 'x']");
		for (unsigned i = 0; i < turns; i++) {
			node_turn(n, i % 2);
			stored_sync(n);
		}
		stored_crash(&n);
		d = comes_back(n, "d");
		s0 = comes_back(n, "s0");
		s1 = comes_back(n, "s1");
		n0 = device_skip(s0);
		n1 = device_skip(s1);
		cr_expect_eq(n0, n1, "%u turns: %zu and %zu", turns, n0, n1);
		n_none += n0 == 0;
		n_all += n0 == 1;
		/* The device has no PUBREC, so it sends it again. */
		device_say(d, "3c [<a> 0007 [] 'x']");
		device_hears(d, "PUBREC packet_id=7 reason=0x00");
		n0 += device_skip(s0);
		n1 += device_skip(s1);
		cr_expect_eq(n0, 1, "%u turns: %zu", turns, n0);
		cr_expect_eq(n1, 1, "%u turns: %zu", turns, n1);
		node_free(&n);
		stored_begin_empty();
	}
	cr_expect_gt(n_none, 0);
	cr_expect_gt(n_all, 0);
}

/* The same for a member of a share, who may be at home anywhere. */
Test(restore, has_a_qos_2_message_for_a_share_once)
{
	unsigned n_none = 0, n_all = 0;

	for (unsigned i = 0; i < 24; i++) {
		struct broker_options o = node_options();
		struct node *n = stored_node_alone(&o);
		struct device *s = device_online(n, i % 2, MQTT_V5, "s", false);
		struct device *all = device_online(n, 0, MQTT_V5, "all", false);
		struct device *d = device_online(n, 0, MQTT_V5, "d", false);
		size_t n_share, n_plain;

		device_subscribe(s, "$share/g/a", 2);
		device_subscribe(all, "a", 2);
		device_put(d, "34 [<a> 0007 [] 'x']");
		for (unsigned turn = 0; turn < i / 2; turn++) {
			node_turn(n, turn % 2);
			stored_sync(n);
		}
		stored_crash(&n);
		d = comes_back(n, "d");
		s = comes_back(n, "s");
		all = comes_back(n, "all");
		n_share = device_skip(s);
		n_plain = device_skip(all);
		cr_expect_eq(n_share, n_plain, "%u: %zu and %zu", i, n_share,
		    n_plain);
		n_none += n_share == 0;
		n_all += n_share == 1;
		device_say(d, "3c [<a> 0007 [] 'x']");
		device_hears(d, "PUBREC packet_id=7 reason=0x00");
		n_share += device_skip(s);
		n_plain += device_skip(all);
		cr_expect_eq(n_share, 1, "%u: %zu", i, n_share);
		cr_expect_eq(n_plain, 1, "%u: %zu", i, n_plain);
		node_free(&n);
		stored_begin_empty();
	}
	cr_expect_gt(n_none, 0);
	cr_expect_gt(n_all, 0);
}

/* NATS has not answered yet: it gets it again, subscribers do not. */
Test(restore, carries_a_qos_2_message_to_nats_again_alone)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d, *s;

	o.ack = ACK_STREAM;
	n = stored_node_with(&o);
	s = device_online(n, 0, MQTT_V5, "s", false);
	d = device_online(n, 0, MQTT_V5, "d", false);
	device_subscribe(s, "a", 2);
	device_say(d, "34 [<a> 0007 [] 'x']");
	device_hears(s, "PUBLISH qos=2 packet_id=1 topic=a payload=x");
	device_hears_nothing(d);
	stored_crash(&n);
	d = comes_back(n, "d");
	s = comes_back(n, "s");
	device_skip(s);
	for (unsigned i = 0; i < 2; i++)
		fake_bus_skip(n->bus, i);
	device_say(d, "3c [<a> 0007 [] 'x']");
	device_hears_nothing(s);
	bus_hears(n, device_home(d), "PUBLISH a qos=2 ack=stream payload=x");
	node_settle(n, device_home(d), BUS_OK);
	device_hears(d, "PUBREC packet_id=7 reason=0x00");
	/* From then on NATS does not get it again either. */
	stored_crash(&n);
	d = comes_back(n, "d");
	for (unsigned i = 0; i < 2; i++)
		fake_bus_skip(n->bus, i);
	device_say(d, "3c [<a> 0007 [] 'x']");
	device_hears(d, "PUBREC packet_id=7 reason=0x00");
	bus_hears_nothing(n, device_home(d));
	node_free(&n);
}

/* --- retained messages --------------------------------------------------- */

static bool
collect(struct message *m, uint64_t order, void *arg)
{
	struct buf *b = arg;

	(void)order;
	buf_printf(b, "%.*s=%.*s ", SLICE_ARG(message_topic(m)),
	    SLICE_ARG(message_payload(m)));
	return true;
}

static void
retains(struct node *n, const char *filter, const char *want)
{
	struct buf b = { 0 };

	retained_match(n->broker->retained, slice_str(filter),
	    node_home(n, 0)->wall_ms, collect, &b);
	cr_expect(slice_eq(buf_slice(&b), slice_str(want)), "%.*s",
	    SLICE_ARG(buf_slice(&b)));
	buf_fini(&b);
}

Test(restore, brings_retained_messages_back)
{
	struct node *n = stored_node();

	publish(n, "33 [<a> 0001 '1']");
	publish(n, "31 [<b> '2']");
	publish(n, "33 [<c> 0001 '3']");
	publish(n, "33 [<a> 0001 '4']");
	publish(n, "33 [<c> 0001 '']");
	stored_crash(&n);
	retains(n, "a", "a=4 ");
	retains(n, "b", "b=2 ");
	retains(n, "c", "");
	cr_expect_eq(retained_count(n->broker->retained), 2);
	/* And again, with what was changed since. */
	publish(n, "33 [<a> 0001 '5']");
	publish(n, "33 [<c> 0001 '6']");
	stored_crash(&n);
	retains(n, "a", "a=5 ");
	retains(n, "c", "c=6 ");
	node_free(&n);
}

Test(restore, brings_what_nats_has_retained_back)
{
	struct node *n = stored_node();
	struct message_parts parts = { .topic = SLICE("a"),
		.subject = SLICE("a"),
		.payload = SLICE("x"),
		.retain = true,
		.from_nats = true };

	fake_bus_message(n->bus, 0, message_new(&parts));
	node_run(n);
	stored_crash(&n);
	retains(n, "a", "a=x ");
	node_free(&n);
}

/* SUBACK has promised them; the client takes one at a time. */
Test(restore, sends_the_rest_of_what_was_retained)
{
	for (unsigned taken = 0; taken < 3; taken++) {
		struct node *n = stored_node();
		struct device *d = device_new(n, 0);
		unsigned found = 0;

		publish(n, "33 [<a/1> 0001 '1']");
		publish(n, "33 [<a/2> 0001 '2']");
		publish(n, "33 [<a/3> 0001 '3']");
		publish(n, "31 [<a/4> 'qos 0']");
		device_say(d,
		    "10 [<MQTT> 05 00 0000 [11 ffffffff 21 0001] <d>]");
		device_skip(d);
		device_say(d, "82 [0001 [] <a/#> 01]");
		device_hears(d, "SUBACK packet_id=1 codes=0x01");
		for (unsigned i = 0; i < taken;) {
			const struct any_packet *p = device_next(d);

			cr_assert_not_null(p);
			if (p->publish.qos == 0)
				continue; /* in no order */
			device_say(d, "40 [%04x]", p->publish.packet_id);
			i++;
		}
		stored_sync(n);
		stored_crash(&n);
		d = comes_back(n, "d");
		found = device_skip(d);
		cr_expect_eq(found, 3 - taken, "%u after %u", found, taken);
		node_free(&n);
		stored_begin_empty();
	}
}

/* Nothing of them is left when its session ends. */
Test(restore, forgets_the_rest_of_what_was_retained_with_the_session)
{
	for (unsigned keeps = 0; keeps < 2; keeps++) {
		struct node *n = stored_node();
		struct device *d = device_new(n, 0);

		publish(n, "33 [<a/1> 0001 '1']");
		publish(n, "33 [<a/2> 0001 '2']");
		device_say(d,
		    "10 [<MQTT> 05 00 0000 [11 ffffffff 21 0001] <d>]");
		device_say(d, "82 [0001 [] <a/#> 01]");
		if (keeps) {
			device_hang_up(d);
			d = device_new(n, 1);
			device_say(d, "10 [<MQTT> 05 02 0000 [] <d>]");
		} else {
			device_say(d, "e0 [00 [11 00000000]]");
		}
		node_run(n);
		stored_sync(n);
		/* Before a start that would tidy up. */
		cr_expect_eq(store_count(n->broker->store, RECORD_QUEUED), 0);
		cr_expect_eq(store_count(n->broker->store, RECORD_MESSAGE), 0);
		node_free(&n);
		stored_begin_empty();
	}
}

Test(restore, forgets_retained_messages_that_have_expired)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(d, "33 [<a> 0001 [02 0000000a] 'x']");
	device_say(d, "33 [<b> 0002 [02 00000064] 'y']");
	fake_clock_advance(20 * 1000);
	stored_crash(&n);
	retains(n, "+", "b=y ");
	fake_clock_advance(100 * 1000);
	node_run(n);
	stored_crash(&n);
	cr_expect_eq(retained_count(n->broker->retained), 0);
	node_free(&n);
}

/* --- Wills --------------------------------------------------------------- */

/* 100 s of delay; the session lives for ever. */
#define WITH_WILL                                                              \
	"10 [<MQTT> 05 0c 0000 [11 ffffffff] <w> [18 00000064] <will> <bye>]"

static struct node *
node_with_will(void)
{
	struct node *n = stored_node();
	struct device *s = device_online(n, 0, MQTT_V5, "s", false);
	struct device *w = device_new(n, 0);

	device_subscribe(s, "will", 1);
	device_hang_up(s);
	device_say(w, WITH_WILL);
	device_skip(w);
	device_hang_up(w);
	return n;
}

Test(restore, publishes_a_will_whose_time_came_meanwhile)
{
	struct node *n = node_with_will();
	struct device *s;

	stored_crash(&n);
	fake_clock_advance(101 * 1000);
	stored_crash(&n);
	node_pass(n, 100);
	s = comes_back(n, "s");
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=will payload=bye");
	node_free(&n);
}

Test(restore, lets_a_will_wait_for_its_time)
{
	struct node *n = node_with_will();
	struct device *s;

	fake_clock_advance(50 * 1000);
	stored_crash(&n);
	node_pass(n, 40 * 1000);
	s = comes_back(n, "s");
	device_hears_nothing(s);
	node_pass(n, 20 * 1000);
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=will payload=bye");
	node_free(&n);
}

Test(restore, does_not_bring_a_will_back_that_was_called_off)
{
	struct node *n = node_with_will();
	struct device *s;

	comes_back(n, "w");
	stored_crash(&n);
	node_pass(n, 200 * 1000);
	s = comes_back(n, "s");
	device_hears_nothing(s);
	node_free(&n);
}

/* Its client was there until the end; it is as if it had gone then. */
Test(restore, publishes_the_wills_of_those_who_were_there)
{
	struct broker_options o = node_options();
	struct node *n = stored_node_alone(&o);
	struct device *s = device_online(n, 0, MQTT_V5, "s", false);
	struct device *w[4];
	static const char *const connects[] = {
		/* Will QoS 1 on "will"; none lasts but the last two */
		"10 [<MQTT> 05 0e 0000 [] <w0> [] <will> <no session>]",
		"10 [<MQTT> 05 0e 0000 [] <w1> [] <will> <taken back>]",
		"10 [<MQTT> 05 0c 0000 [11 ffffffff] <w2> [] <will> <kept>]",
		/* after 100 s */
		("10 [<MQTT> 05 0c 0000 [11 ffffffff] <w3> [18 00000064] "
		 "<will> <later>]"),
	};

	device_subscribe(s, "will", 1);
	for (unsigned i = 0; i < countof(w); i++) {
		w[i] = device_new(n, i % 2);
		device_say(w[i], "%s", connects[i]);
		device_skip(w[i]);
	}
	device_say(w[1], "e0 []");
	stored_crash(&n);
	node_pass(n, 100);
	s = comes_back(n, "s");
	device_hears(s,
	    "PUBLISH qos=1 packet_id=1 topic=will payload=no session");
	device_hears(s, "PUBLISH qos=1 packet_id=2 topic=will payload=kept");
	device_hears_nothing(s);
	/* They are published once. */
	node_pass(n, 60 * 1000);
	stored_crash(&n);
	node_pass(n, 39 * 1000);
	s = comes_back(n, "s");
	cr_expect_eq(device_skip(s), 2);
	node_pass(n, 2 * 1000);
	device_hears(s, "PUBLISH qos=1 packet_id=3 topic=will payload=later");
	stored_crash(&n);
	cr_expect_eq(store_count(n->broker->store, RECORD_WILL), 0);
	node_free(&n);
}

Test(restore, does_not_publish_the_will_of_one_who_is_back)
{
	struct broker_options o = node_options();
	struct node *n = stored_node_alone(&o);
	struct device *s = device_online(n, 0, MQTT_V5, "s", false);
	struct device *w = device_new(n, 1);

	device_subscribe(s, "will", 1);
	device_say(w,
	    "10 [<MQTT> 05 0c 0000 [11 ffffffff] <w> [18 00000064] <will> "
	    "<bye>]");
	stored_crash(&n);
	node_pass(n, 50 * 1000);
	comes_back(n, "w");
	node_pass(n, 100 * 1000);
	stored_crash(&n);
	s = comes_back(n, "s");
	node_pass(n, 200 * 1000);
	device_hears_nothing(s);
	node_free(&n);
}

Test(restore, publishes_a_will_again_that_nobody_has_acknowledged)
{
	struct node *n = stored_node();
	struct device *w = device_new(n, 0);

	device_say(w, "10 [<MQTT> 04 0e 0000 <w> <will> <bye>]");
	fake_bus_skip(n->bus, 0);
	device_hang_up(w);
	bus_hears(n, 0,
	    "PUBLISH will qos=1 ack=reply payload=bye until_settled");
	stored_crash(&n);
	if (fake_bus_n_requests(n->bus, 0) > 0)
		bus_hears(n, 0,
		    "PUBLISH will qos=1 ack=reply payload=bye until_settled");
	node_settle(n, 0, BUS_OK);
	stored_crash(&n);
	bus_hears_nothing(n, 0);
	bus_hears_nothing(n, 1);
	node_free(&n);
}
