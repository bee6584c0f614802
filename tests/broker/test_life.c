/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/life.h"

#include <stdlib.h>

#include "broker/device.h"
#include "broker/registry.h"
#include "store/retained.h"

/* --- how long a session lives ------------------------------------------- */

/* v5 [MQTT-3.1.2-23] 3.1.2.11.2, v3.1.1 [MQTT-3.1.2-4] */
Test(life, of_a_session_is_as_long_as_its_client_wants)
{
	static const struct {
		const char *connect;
		const char *disconnect; /* NULL: it breaks */
		unsigned lives_s;       /* UINT_MAX: for ever */
	} cases[] = {
		{ "10 [<MQTT> 04 02 0000 <d>]", NULL, 0 },
		{ "10 [<MQTT> 04 02 0000 <d>]", "e0 []", 0 },
		{ "10 [<MQTT> 04 00 0000 <d>]", NULL, 1000 },
		{ "10 [<MQTT> 04 00 0000 <d>]", "e0 []", 1000 },
		{ "10 [<MQTT> 05 02 0000 [] <d>]", NULL, 0 },
		{ "10 [<MQTT> 05 00 0000 [11 00000000] <d>]", NULL, 0 },
		{ "10 [<MQTT> 05 02 0000 [11 00000064] <d>]", NULL, 100 },
		{ "10 [<MQTT> 05 02 0000 [11 00000064] <d>]", "e0 []", 100 },
		{ "10 [<MQTT> 05 02 0000 [11 00000064] <d>]",
		    "e0 [00 [11 00000005]]", 5 },
		{ "10 [<MQTT> 05 02 0000 [11 00000064] <d>]",
		    "e0 [00 [11 00000000]]", 0 },
		{ "10 [<MQTT> 05 02 0000 [11 00000064] <d>]",
		    "e0 [00 [11 000001f4]]", 500 },
		/* no longer than we keep it */
		{ "10 [<MQTT> 05 02 0000 [11 00002710] <d>]", NULL, 1000 },
		{ "10 [<MQTT> 05 02 0000 [11 ffffffff] <d>]", NULL, 1000 },
		{ "10 [<MQTT> 05 02 0000 [11 00000064] <d>]",
		    "e0 [00 [11 ffffffff]]", 1000 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct broker_options o = node_options();
		struct node *n;
		struct device *d;

		o.session_expiry_max_s = 1000;
		n = node_new_with(&o);
		d = device_new(n, 0);
		device_say(d, "%s", cases[i].connect);
		device_skip(d);
		device_subscribe(d, "a", 1);
		if (cases[i].disconnect != NULL)
			device_say(d, "%s", cases[i].disconnect);
		else
			device_hang_up(d);
		if (cases[i].lives_s > 0) {
			node_pass(n, cases[i].lives_s * 1000 - 100);
			cr_expect_eq(node_count(n, sessions), 1, "%zu", i);
			node_pass(n, 200);
		}
		cr_expect_eq(node_count(n, sessions), 0, "%zu", i);
		cr_expect_eq(registry_len(n->broker->registry), 0);
		cr_expect_eq(index_filters(n->broker->index), 0);
		bus_hears(n, 0, "SUBSCRIBE a");
		bus_hears(n, 0, "UNSUBSCRIBE a");
		bus_hears_nothing(n, 0);
		node_free(&n);
	}
}

Test(life, of_a_session_may_have_no_end)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);
	struct device *e = device_online(n, 1, MQTT_V5, "e", false);

	device_hang_up(d);
	device_hang_up(e);
	for (unsigned i = 0; i < 50; i++)
		node_pass(n, UINT64_C(1) << 36);
	cr_assert_eq(node_count(n, sessions), 2);
	node_free(&n);
}

/* It does not expire while its client is there, and begins anew after. */
Test(life, of_a_session_counts_from_the_last_connection)
{
	struct node *n = node_new();
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 05 00 0000 [11 0000000a] <d>]");
	node_pass(n, 20000);
	cr_assert_eq(node_count(n, sessions), 1);
	device_hang_up(d);
	node_pass(n, 9000);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 05 00 0000 [11 00000014] <d>]");
	cr_assert(device_next(d)->connack.session_present);
	node_pass(n, 20000);
	device_hang_up(d);
	node_pass(n, 19000);
	cr_assert_eq(node_count(n, sessions), 1);
	node_pass(n, 1100);
	cr_assert_eq(node_count(n, sessions), 0);
	node_free(&n);
}

/* Messages that wait go with it, and NATS is not told that they arrived. */
Test(life, of_messages_ends_with_their_session)
{
	struct node *n = node_new();
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 05 00 0000 [11 0000000a] <d>]");
	device_skip(d);
	device_subscribe(d, "a", 1);
	node_from_nats(n, "a", "_INBOX.1", 1, "x");
	device_hang_up(d);
	node_from_nats(n, "a", "_INBOX.2", 1, "y");
	fake_bus_skip(n->bus, 0);
	node_pass(n, 11000);
	bus_hears(n, 0, "UNSUBSCRIBE a");
	bus_hears_nothing(n, 0);
	/* Later deliveries to it find nobody. */
	node_from_nats(n, "a", "_INBOX.3", 1, "z");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* --- Wills -------------------------------------------------------------- */

/* A device that listens to everything. */
static struct device *
listener(struct node *n, unsigned home)
{
	struct device *s = device_online(n, home, MQTT_V311, "listener", true);

	device_subscribe(s, "#", 2);
	return s;
}

#define WILL_V311 "10 [<MQTT> 04 %02x 000a <d> <w> <gone>]"

/* v3.1.1 [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3], v5 [MQTT-3.1.2-8]
 * [MQTT-3.1.2-10] [MQTT-3.14.4-3] */
Test(life, ends_with_a_will_unless_the_client_said_goodbye)
{
	static const struct {
		unsigned version;
		const char *packet; /* NULL: it breaks */
		bool heard;
	} cases[] = {
		{ 4, NULL, true },
		{ 4, "e0 []", false },
		{ 4, "e0 [00]", true },        /* malformed */
		{ 4, "30 [<a/#> 'x']", true }, /* ended by us */
		{ 5, NULL, true },
		{ 5, "e0 []", false },
		{ 5, "e0 [00]", false },
		{ 5, "e0 [04]", true },
		{ 5, "e0 [81]", true },
		{ 5, "10 [<MQTT> 05 02 0000 [] <d>]", true },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *s = listener(n, 1);
		struct device *d = device_new(n, 0);

		device_say(d,
		    cases[i].version == 5
			? "10 [<MQTT> 05 06 0000 [] <d> [] <w> <gone>]"
			: "10 [<MQTT> 04 06 0000 <d> <w> <gone>]");
		fake_bus_skip(n->bus, 0);
		if (cases[i].packet != NULL)
			device_say(d, "%s", cases[i].packet);
		else
			device_hang_up(d);
		if (cases[i].heard) {
			device_hears(s, "PUBLISH qos=0 topic=w payload=gone");
			bus_hears(n, 0, "PUBLISH w qos=0 payload=gone");
		}
		device_hears_nothing(s);
		bus_hears_nothing(n, 0);
		node_free(&n);
	}
}

Test(life, ends_with_a_will_when_keep_alive_is_over)
{
	struct node *n = node_new();
	struct device *s = listener(n, 0);
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 06 000a <d> <w> <gone>]");
	node_pass(n, 16000);
	device_hears(s, "PUBLISH qos=0 topic=w payload=gone");
	device_skip(d);
	device_hears_it_closed(d);
	node_free(&n);
}

/* v3.1.1 [MQTT-3.1.2-16] [MQTT-3.1.2-17], v5 [MQTT-3.1.2-14] [MQTT-3.1.2-15] */
Test(life, ends_with_a_will_that_is_retained_if_so_wanted)
{
	for (int retain = 0; retain < 2; retain++) {
		struct node *n = node_new();
		struct device *d = device_new(n, 0), *s;

		device_say(d, "10 [<MQTT> 04 %02x 0000 <d> <w> <gone>]",
		    retain ? 0x2eu : 0x0eu);
		device_hang_up(d);
		cr_assert_eq(retained_count(n->broker->retained),
		    (size_t)retain);
		s = listener(n, 0);
		if (retain)
			device_hears(s,
			    "PUBLISH qos=1 retain packet_id=1 topic=w "
			    "payload=gone");
		device_hears_nothing(s);
		node_free(&n);
	}
}

/* v5 3.1.3.2: the properties travel with it. v5 [MQTT-3.1.3-10] */
Test(life, ends_with_a_will_and_its_properties)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", true);
	struct device *d = device_new(n, 0);

	device_subscribe(s, "w", 0);
	device_say(d,
	    "10 [<MQTT> 05 06 0000 [] <d> [18 00000000 01 01 02 00000064 03 "
	    "<text> 08 <r> 09 0001 ff 26 <k> <v>] <w> <gone>]");
	device_hang_up(d);
	device_hears(s,
	    "PUBLISH qos=0 topic=w payload=gone { Message Expiry Interval=100 "
	    "Payload Format Indicator=1 Content Type=text Response Topic=r "
	    "Correlation Data=(1 bytes) User Property=k:v }");
	node_free(&n);
}

/* v5 3.1.3.2.4: it lives from when it is published, not from the CONNECT. */
Test(life, of_a_will_begins_when_it_is_published)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", true);
	struct device *d = device_new(n, 0);

	device_subscribe(s, "w", 0);
	device_say(d,
	    "10 [<MQTT> 05 06 0000 [11 00000064] <d> [18 0000000a 02 00000014]"
	    " <w> <gone>]");
	node_pass(n, 30000);
	device_hang_up(d);
	node_pass(n, 10100);
	device_hears(s,
	    "PUBLISH qos=0 topic=w payload=gone { Message Expiry "
	    "Interval=20 }");
	node_free(&n);
}

/*
 * v5 [MQTT-3.1.3-9] 3.1.3.2.2: the delay, or the end of the session v5
 * [MQTT-3.1.2-7]
 */
Test(life, ends_with_a_will_after_its_delay)
{
	static const struct {
		const char *connect;
		unsigned delay_ms;
	} cases[] = {
		{ "10 [<MQTT> 05 06 0000 [11 00000064] <d> [18 0000000a] <w> "
		  "<gone>]",
		    10000 },
		{ "10 [<MQTT> 05 06 0000 [11 00000005] <d> [18 0000000a] <w> "
		  "<gone>]",
		    5000 },
		{ "10 [<MQTT> 05 06 0000 [11 ffffffff] <d> [18 0000000a] <w> "
		  "<gone>]",
		    10000 },
		{ "10 [<MQTT> 05 06 0000 [] <d> [18 0000000a] <w> <gone>]", 0 },
		{ "10 [<MQTT> 05 06 0000 [11 00000064] <d> [] <w> <gone>]", 0 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *s = listener(n, 1);
		struct device *d = device_new(n, 0);

		device_say(d, "%s", cases[i].connect);
		device_hang_up(d);
		if (cases[i].delay_ms > 0) {
			node_pass(n, cases[i].delay_ms - 100);
			device_hears_nothing(s);
			node_pass(n, 200);
		}
		device_hears(s, "PUBLISH qos=0 topic=w payload=gone");
		device_hears_nothing(s);
		node_pass(n, 200000);
		device_hears_nothing(s);
		node_free(&n);
	}
}

#define DELAYED                                                                \
	"10 [<MQTT> 05 04 0000 [11 00000064] <d> [18 0000000a] <w> <gone>]"

/* v5 [MQTT-3.1.3-9] */
Test(life, goes_on_without_the_will_when_the_client_is_back_in_time)
{
	struct node *n = node_new();
	struct device *s = listener(n, 1);
	struct device *d = device_new(n, 0);

	device_say(d, DELAYED);
	device_hang_up(d);
	node_pass(n, 9000);
	d = device_online(n, 1, MQTT_V5, "d", false);
	node_pass(n, 20000);
	device_hears_nothing(s);
	node_free(&n);
}

/* v5 3.1.3.2.2, 3.1.4: with Clean Start the old session ends, and its Will is
 * due; the same when DISCONNECT ends it. */
Test(life, ends_with_the_delayed_will_when_the_session_does)
{
	for (int how = 0; how < 3; how++) {
		struct node *n = node_new();
		struct device *s = listener(n, 1);
		struct device *d = device_new(n, 0);

		device_say(d, DELAYED);
		if (how == 0) {
			device_hang_up(d);
			device_hears_nothing(s);
			(void)device_online(n, 0, MQTT_V5, "d", true);
		} else if (how == 1) { /* taken over */
			(void)device_online(n, 0, MQTT_V5, "d", true);
		} else {
			device_say(d, "e0 [04 [11 00000000]]");
		}
		device_hears(s, "PUBLISH qos=0 topic=w payload=gone");
		device_hears_nothing(s);
		node_free(&n);
	}
}

/* v3.1.1 [MQTT-3.1.4-2], v5 [MQTT-3.1.4-3] and the note to it */
Test(life, goes_on_by_takeover_with_the_will_of_the_old_client)
{
	static const struct {
		const char *connect, *next;
		bool heard;
	} cases[] = {
		{ "10 [<MQTT> 04 04 0000 <d> <w> <gone>]",
		    "10 [<MQTT> 04 00 0000 <d>]", true },
		{ "10 [<MQTT> 04 06 0000 <d> <w> <gone>]",
		    "10 [<MQTT> 04 02 0000 <d>]", true },
		{ DELAYED, "10 [<MQTT> 05 00 0000 [11 00000064] <d>]", false },
		{ "10 [<MQTT> 05 04 0000 [11 00000064] <d> [] <w> <gone>]",
		    "10 [<MQTT> 05 00 0000 [11 00000064] <d>]", true },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *s = listener(n, 1);
		struct device *d = device_new(n, 0), *e = device_new(n, 1);

		device_say(d, "%s", cases[i].connect);
		device_say(e, "%s", cases[i].next);
		if (cases[i].heard)
			device_hears(s, "PUBLISH qos=0 topic=w payload=gone");
		device_hears_nothing(s);
		/* The new one has no Will. */
		device_hang_up(e);
		device_hears_nothing(s);
		node_free(&n);
	}
}

/* Its publisher is gone: somebody must see to it. */
Test(life, ends_with_a_will_that_is_repeated_until_it_is_acknowledged)
{
	struct node *n = node_new();
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 0e 0000 <d> <w> <gone>]");
	device_hang_up(d);
	for (unsigned i = 0; i < 3; i++) {
		bus_hears(n, 0,
		    "PUBLISH w qos=1 ack=reply payload=gone until_settled");
		node_settle(n, 0, i == 0 ? BUS_REFUSED : BUS_TIMEOUT);
		bus_hears_nothing(n, 0);
		node_pass(n, 5100);
	}
	bus_hears(n, 0, "PUBLISH w qos=1 ack=reply payload=gone until_settled");
	node_settle(n, 0, BUS_NO_RESPONDERS);
	node_pass(n, 20000);
	bus_hears_nothing(n, 0);
	cr_assert_eq(node_home(n, 0)->pending.n_used, 0);
	node_free(&n);
}

/* That is an acknowledgement: NATS need not repeat it until it has one. */
Test(life, ends_with_a_will_that_a_session_here_may_take)
{
	for (unsigned home = 0; home < 2; home++) {
		struct node *n = node_new();
		struct device *s = listener(n, home);
		struct device *d = device_new(n, 0);

		fake_bus_skip(n->bus, 0);
		device_say(d, "10 [<MQTT> 04 0e 0000 <d> <w> <gone>]");
		device_hang_up(d);
		device_hears(s,
		    "PUBLISH qos=1 packet_id=1 topic=w payload=gone");
		bus_hears(n, 0,
		    home == 0 ? "PUBLISH w qos=1 ack=reply payload=gone once"
			      : "PUBLISH w qos=1 ack=reply payload=gone");
		node_settle(n, 0, BUS_TIMEOUT);
		node_pass(n, 20000);
		bus_hears_nothing(n, 0);
		device_hears_nothing(s);
		cr_assert_eq(node_home(n, 0)->pending.n_used, 0);
		node_free(&n);
	}
}

/* Reached, but not taken: it is still to be acknowledged. */
Test(life, ends_with_a_will_that_qos_0_does_not_take)
{
	for (unsigned home = 0; home < 2; home++) {
		struct node *n = node_new();
		struct device *s = device_online(n, home, MQTT_V311, "s", true);
		struct device *d = device_new(n, 0);

		device_subscribe(s, "w", 0);
		fake_bus_skip(n->bus, 0);
		device_say(d, "10 [<MQTT> 04 0e 0000 <d> <w> <gone>]");
		device_hang_up(d);
		device_hears(s, "PUBLISH qos=0 topic=w payload=gone");
		for (unsigned i = 0; i < 3; i++) {
			bus_hears(n, 0,
			    "PUBLISH w qos=1 ack=reply payload=gone");
			node_settle(n, 0, BUS_TIMEOUT);
			node_pass(n, 5100);
		}
		bus_hears(n, 0, "PUBLISH w qos=1 ack=reply payload=gone");
		node_settle(n, 0, BUS_OK);
		node_pass(n, 5100);
		bus_hears_nothing(n, 0);
		device_hears_nothing(s); /* that was once */
		node_free(&n);
	}
}

/* However often it comes, NATS cannot carry it. */
Test(life, ends_with_a_will_that_may_be_impossible)
{
	struct node *n = node_new();
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 0e 0000 <d> <w> <gone>]");
	device_hang_up(d);
	bus_hears(n, 0, "PUBLISH w qos=1 ack=reply payload=gone until_settled");
	node_settle(n, 0, BUS_UNSENDABLE);
	node_pass(n, 20000);
	bus_hears_nothing(n, 0);
	cr_assert_eq(node_home(n, 0)->pending.n_used, 0);
	node_free(&n);
}

/* The process may end at any time. */
Test(life, of_the_node_may_end_while_wills_wait)
{
	struct node *n = node_new();
	struct device *d = device_new(n, 0), *e = device_new(n, 0);
	struct device *f = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 0e 0000 <d> <w> <gone>]");
	device_hang_up(d);
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	node_settle(n, 0, BUS_TIMEOUT); /* again in five seconds */
	device_say(e, "10 [<MQTT> 04 0e 0000 <e> <w> <gone>]");
	device_hang_up(e); /* not answered yet */
	device_say(f,
	    "10 [<MQTT> 05 04 0000 [11 00000064] <f> [18 0000000a] "
	    "<w> <gone>]");
	device_hang_up(f); /* delayed */
	node_free(&n);
}

/* --- identities towards NATS -------------------------------------------- */

static struct device *
device_of(struct node *n, const char *id, const char *user, uint32_t link)
{
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 c4 0000 <%s> <w> <gone> <%s> <secret>]",
	    id, user);
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	fake_bus_identify(n->bus, 0, fake_bus_token(n->bus), BUS_OK, link);
	node_run(n);
	cr_assert_eq(device_next(d)->connack.code, 0);
	return d;
}

static struct node *
node_with_identities(void)
{
	struct broker_options o = node_options();

	o.identity_user = true;
	return node_new_with(&o);
}

Test(life, under_another_identity_takes_its_subscriptions_along)
{
	struct node *n = node_with_identities();
	struct device *d = device_of(n, "d", "anna", 7);

	device_subscribe(d, "a/#", 0);
	bus_hears(n, 0, "SUBSCRIBE a.> link=7");
	bus_hears(n, 0, "SUBSCRIBE a link=7");
	device_hang_up(d);
	bus_hears(n, 0, "PUBLISH w qos=0 payload=gone link=7");
	/* The same user, with another password, say. */
	d = device_of(n, "d", "anna", 8);
	bus_hears(n, 0, "UNSUBSCRIBE a.> link=7");
	bus_hears(n, 0, "UNSUBSCRIBE a link=7");
	bus_hears(n, 0, "FORGET link=7");
	bus_hears(n, 0, "SUBSCRIBE a.> link=8");
	bus_hears(n, 0, "SUBSCRIBE a link=8");
	bus_hears_nothing(n, 0);
	device_say(d, "a2 [0001 <a/#>]");
	bus_hears(n, 0, "UNSUBSCRIBE a.> link=8");
	bus_hears(n, 0, "UNSUBSCRIBE a link=8");
	device_skip(d);
	node_free(&n);
}

Test(life, ends_when_nats_no_longer_accepts_the_identity)
{
	struct node *n = node_with_identities();
	struct device *d = device_of(n, "d", "anna", 7);
	struct device *e = device_of(n, "e", "anna", 7);
	struct device *f = device_of(n, "f", "bert", 8);
	struct bus_event refused = { .type = BUS_LINK,
		.link = 7,
		.result = BUS_REFUSED };
	struct bus_event down = { .type = BUS_LINK,
		.link = 8,
		.result = BUS_DOWN };

	fake_bus_event(n->bus, 0, &refused);
	fake_bus_event(n->bus, 0, &down);
	node_run(n);
	device_hears_it_closed(d);
	device_hears_it_closed(e);
	device_hears_nothing(f);
	cr_assert_eq(node_count(n, clients), 1);
	node_free(&n);
}

/* The link is gone with the session: nobody can publish it any more. */
Test(life, ends_with_a_will_that_its_identity_cannot_publish)
{
	struct node *n = node_with_identities();
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 ce 0000 <d> <w> <gone> <anna> <secret>]");
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	fake_bus_identify(n->bus, 0, fake_bus_token(n->bus), BUS_OK, 7);
	node_run(n);
	device_hang_up(d);
	bus_hears(n, 0,
	    "PUBLISH w qos=1 ack=reply payload=gone link=7 until_settled");
	node_settle(n, 0, BUS_DOWN);
	fake_bus_skip(n->bus, 0);
	node_pass(n, 20000);
	bus_hears_nothing(n, 0);
	cr_assert_eq(node_home(n, 0)->pending.n_used, 0);
	node_free(&n);
}

/* What NATS may not let one user see, the server must not either. */
Test(life, of_retained_messages_is_apart_for_each_user)
{
	struct node *n = node_with_identities();
	struct device *d = device_of(n, "d", "anna", 7);
	struct device *e = device_of(n, "e", "bert", 8);

	struct device *f = device_of(n, "f", "bert", 8);
	struct message_parts parts = { .topic = SLICE("a"),
		.payload = SLICE("of the node"),
		.retain = true };

	fake_bus_message(n->bus, 0, message_new(&parts));
	device_say(d, "31 [<a> 'anna']");
	device_subscribe(e, "a", 0);
	device_hears_nothing(e);
	device_say(e, "31 [<a> 'bert']");
	device_subscribe(d, "a", 0);
	device_hears(d, "PUBLISH qos=0 retain topic=a payload=anna");
	device_subscribe(f, "a", 0);
	device_hears(f, "PUBLISH qos=0 retain topic=a payload=bert");
	node_free(&n);
}
