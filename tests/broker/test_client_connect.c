/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "broker/device.h"
#include "broker/registry.h"

static void
expect_heard(struct device *d, const char *want, const char *connect)
{
	const char *heard = device_read(d);

	cr_expect_str_eq(heard, want, "%s: heard \"%s\", not \"%s\"", connect,
	    heard, want);
}

/* What a device hears after its CONNECT, from a node with these options. */
static void
expect(const struct broker_options *o, const char *connect,
    const char *const *heard)
{
	struct node *n = node_new_with(o);
	struct device *d = device_new(n, 0);

	device_say(d, "%s", connect);
	for (; *heard != NULL; heard++)
		expect_heard(d, *heard, connect);
	expect_heard(d, d->plug == NULL ? "CLOSED" : "", connect);
	node_free(&n);
}

struct outcome {
	const char *connect;
	const char *heard[3];
};

static void
expect_all(const struct broker_options *o, const struct outcome *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect(o, c[i].connect, c[i].heard);
}

#define V5_PROPERTIES                                                          \
	" { Receive Maximum=20 Maximum Packet Size=100000"                     \
	" Topic Alias Maximum=64"

/*
 * v3.1.1 [MQTT-3.2.2-1] [MQTT-3.2.2-2]; v5 [MQTT-3.2.2-2], v5 [MQTT-3.1.4-5]
 * [MQTT-3.2.0-1] [MQTT-3.2.0-2], v3.1.1 [MQTT-3.1.4-4]
 */
Test(client_connect, is_accepted_in_every_version)
{
	static const struct outcome cases[] = {
		{ "10 [<MQIsdp> 03 02 0000 <id>]",
		    { "CONNACK session_present=0 code=0" } },
		{ "10 [<MQTT> 04 02 0000 <id>]",
		    { "CONNACK session_present=0 code=0" } },
		{ "10 [<MQTT> 04 00 0000 <id>]",
		    { "CONNACK session_present=0 code=0" } },
		/* v3.1.1 [MQTT-3.1.3-6] [MQTT-3.1.3-7] */
		{ "10 [<MQTT> 04 02 0000 <>]",
		    { "CONNACK session_present=0 code=0" } },
		{ "10 [<MQTT> 84 02 0000 <id>]",
		    { "CONNACK session_present=0 code=0" } },
		{ "10 [<MQTT> 05 02 0000 [] <id>]",
		    { "CONNACK session_present=0 reason=0x00" V5_PROPERTIES
		      " }" } },
		{ "10 [<MQTT> 05 00 0000 [11 00000064] <id>]",
		    { "CONNACK session_present=0 reason=0x00" V5_PROPERTIES
		      " }" } },
	};
	struct broker_options o = node_options();

	expect_all(&o, cases, countof(cases));
}

/*
 * v3.1.1 [MQTT-3.1.0-1] [MQTT-3.1.4-1] [MQTT-3.2.2-5] [MQTT-3.2.2-6], v5
 * [MQTT-3.1.4-6] [MQTT-3.2.2-7] [MQTT-3.14.0-1]
 */
Test(client_connect, is_refused_as_each_version_has_it)
{
	static const struct outcome cases[] = {
		/* v3.1.1 [MQTT-3.1.2-2], v5 [MQTT-3.1.2-2] */
		{ "10 [<MQTT> 06 02 0000 [] <id>]",
		    { "CONNACK session_present=0 code=1", "CLOSED" } },
		{ "10 [<MQTT> 03 02 0000 <id>]",
		    { "CONNACK session_present=0 code=1", "CLOSED" } },
		{ "10 [<MQIsdp> 04 02 0000 <id>]",
		    { "CONNACK session_present=0 code=1", "CLOSED" } },
		/* v3.1.1 [MQTT-3.1.2-1]: no name of ours, no answer */
		{ "10 [<HTTP> 04 02 0000 <id>]", { "CLOSED" } },
		/* v3.1.1 [MQTT-3.1.3-8] [MQTT-3.1.3-9] */
		{ "10 [<MQTT> 04 00 0000 <>]",
		    { "CONNACK session_present=0 code=2", "CLOSED" } },
		{ "10 [<MQIsdp> 03 02 0000 <>]",
		    { "CONNACK session_present=0 code=2", "CLOSED" } },
		/* A Will Topic that is none, or the server's own. */
		{ "10 [<MQTT> 04 06 0000 <id> <a/#> <x>]",
		    { "CONNACK session_present=0 code=3", "CLOSED" } },
		{ "10 [<MQTT> 04 06 0000 <id> <$SYS/x> <x>]",
		    { "CONNACK session_present=0 code=5", "CLOSED" } },
		{ "10 [<MQTT> 05 06 0000 [] <id> [] <a/+> <x>]",
		    { "CONNACK session_present=0 reason=0x90 (Topic Name "
		      "invalid) { Reason String=the Will Topic is not valid }",
			"CLOSED" } },
		{ "10 [<MQTT> 05 06 0000 [] <id> [] <$JS/x> <x>]",
		    { "CONNACK session_present=0 reason=0x87 (not authorized)"
		      " { Reason String=the topic is reserved by NATS }",
			"CLOSED" } },
		{ "10 [<MQTT> 05 06 0000 [] <id> [01 01] <a> 0001 ff]",
		    { "CONNACK session_present=0 reason=0x99 (payload format "
		      "invalid) { Reason String=the payload is not UTF-8 }",
			"CLOSED" } },
		/* v5 [MQTT-4.12.0-1] */
		{ "10 [<MQTT> 05 02 0000 [15 <SCRAM>] <id>]",
		    { "CONNACK session_present=0 reason=0x8c (bad "
		      "authentication method) { Reason String=bad "
		      "authentication method }",
			"CLOSED" } },
		/* v3.1.1 [MQTT-3.1.2-3] [MQTT-3.1.2-22]: close, no word */
		{ "10 [<MQTT> 04 03 0000 <id>]", { "CLOSED" } },
		{ "10 [<MQTT> 04 42 0000 <id> <pw>]", { "CLOSED" } },
		{ "10 [<MQTT> 04 02 0000]", { "CLOSED" } },
		/* something else first */
		{ "30 [<a> 'x']", { "CLOSED" } },
		{ "c0 []", { "CLOSED" } },
		{ "f0 []", { "CLOSED" } },
		{ "00 []", { "CLOSED" } },
	};
	struct broker_options o = node_options();

	expect_all(&o, cases, countof(cases));
}

/* v5 3.1.4: a malformed CONNECT may be answered, and ours is. */
Test(client_connect, that_is_malformed_is_answered_in_v5)
{
	static const struct outcome cases[] = {
		{ "10 [<MQTT> 05 03 0000 [] <id>]",
		    { "CONNACK session_present=0 reason=0x81 (malformed "
		      "packet)",
			"CLOSED" } },
		{ "10 [<MQTT> 05 02 0000 [21 0000] <id>]",
		    { "CONNACK session_present=0 reason=0x82 (protocol error)",
			"CLOSED" } },
		{ "10 [<MQTT> 05 02 0000 [16 <x>] <id>]",
		    { "CONNACK session_present=0 reason=0x82 (protocol error)",
			"CLOSED" } },
		{ "10 [<MQTT> 05 02 0000 [] <id> 00]",
		    { "CONNACK session_present=0 reason=0x81 (malformed "
		      "packet)",
			"CLOSED" } },
	};
	struct broker_options o = node_options();

	expect_all(&o, cases, countof(cases));
}

Test(client_connect, speaks_the_protocols_of_its_listener_only)
{
	struct node *n = node_new();
	struct device *d;

	n->rules.protocols = 1 << MQTT_V311;
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 05 02 0000 [] <id>]");
	device_hears(d,
	    "CONNACK session_present=0 reason=0x84 (unsupported protocol "
	    "version) { Reason String=unsupported protocol version }");
	device_hears_it_closed(d);
	d = device_new(n, 0);
	device_say(d, "10 [<MQIsdp> 03 02 0000 <id>]");
	device_hears(d, "CONNACK session_present=0 code=1");
	device_hears_it_closed(d);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 02 0000 <id>]");
	device_hears(d, "CONNACK session_present=0 code=0");
	device_hears_nothing(d);
	node_free(&n);
}

/* A name that nobody looks at is as good as none. */
Test(client_connect, is_refused_for_strangers_unless_the_listener_is_open)
{
	static const char *const connects[] = {
		"10 [<MQTT> 04 02 0000 <id>]",
		"10 [<MQTT> 04 82 0000 <id> <anna>]",
		"10 [<MQTT> 04 c2 0000 <id> <anna> <secret>]",
	};
	struct node *n = node_new();
	struct device *d;

	n->rules.is_open = false;
	for (size_t i = 0; i < countof(connects); i++) {
		d = device_new(n, 0);
		device_say(d, "%s", connects[i]);
		device_hears(d, "CONNACK session_present=0 code=5");
		device_hears_it_closed(d);
	}
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 05 02 0000 [] <id>]");
	device_hears(d,
	    "CONNACK session_present=0 reason=0x87 (not authorized) { Reason "
	    "String=anonymous clients are not allowed }");
	device_hears_it_closed(d);
	node_free(&n);
}

Test(client_connect, keeps_client_identifiers_within_their_length)
{
	struct broker_options o = node_options();
	static const struct outcome cases[] = {
		{ "10 [<MQTT> 04 02 0000 001e 61*30]",
		    { "CONNACK session_present=0 code=0" } },
		{ "10 [<MQTT> 04 02 0000 001f 61*31]",
		    { "CONNACK session_present=0 code=2", "CLOSED" } },
		{ "10 [<MQTT> 05 02 0000 [] 001f 61*31]",
		    { "CONNACK session_present=0 reason=0x85 (Client "
		      "Identifier not valid) { Reason String=the Client "
		      "Identifier is too long }",
			"CLOSED" } },
	};

	o.max_client_id_length = 30;
	expect_all(&o, cases, countof(cases));
}

Test(client_connect, is_refused_while_nats_is_away_if_so_configured)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.refuse_when_down = true;
	n = node_new_with(&o);
	fake_bus_set_up(n->bus, false);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 02 0000 <id>]");
	device_hears(d, "CONNACK session_present=0 code=3");
	device_hears_it_closed(d);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 05 02 0000 [] <id>]");
	device_hears(d,
	    "CONNACK session_present=0 reason=0x88 (server unavailable) "
	    "{ Reason String=NATS is away }");
	device_hears_it_closed(d);
	fake_bus_set_up(n->bus, true);
	d = device_online(n, 0, MQTT_V311, "id", true);
	device_hears_nothing(d);
	node_free(&n);
}

/* v5 [MQTT-3.1.2-29]; Problem Information is off for everything of ours. */
Test(client_connect, gives_no_reason_string_to_those_who_want_none)
{
	static const struct outcome cases[] = {
		{ "10 [<MQTT> 05 02 0000 [17 00 15 <x>] <id>]",
		    { "CONNACK session_present=0 reason=0x8c (bad "
		      "authentication method)",
			"CLOSED" } },
		/* nor to those whose packets are small */
		{ "10 [<MQTT> 05 02 0000 [27 00000064 15 <x>] <id>]",
		    { "CONNACK session_present=0 reason=0x8c (bad "
		      "authentication method)",
			"CLOSED" } },
		{ "10 [<MQTT> 05 02 0000 [17 01 15 <x>] <id>]",
		    { "CONNACK session_present=0 reason=0x8c (bad "
		      "authentication method) { Reason String=bad "
		      "authentication method }",
			"CLOSED" } },
	};
	struct broker_options o = node_options();

	expect_all(&o, cases, countof(cases));
}

Test(client_connect, must_come_in_time)
{
	struct node *n = node_new();
	struct device *d = device_new(n, 0);
	struct device *e = device_new(n, 0);

	device_say(e, "10 [<MQTT> 04 02 0000 <e>]");
	device_hears(e, "CONNACK session_present=0 code=0");
	node_pass(n, 9900);
	device_hears_nothing(d);
	node_pass(n, 200);
	device_hears_it_closed(d);
	device_hears_nothing(e);
	cr_assert_eq(node_count(n, clients), 1);
	node_free(&n);
}

/* v3.1.1 [MQTT-3.1.0-2] */
Test(client_connect, comes_once)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *e = device_online(n, 0, MQTT_V5, "e", true);

	device_say(d, "10 [<MQTT> 04 02 0000 <d>]");
	device_hears_it_closed(d);
	device_say(e, "10 [<MQTT> 05 02 0000 [] <e>]");
	device_hears(e,
	    "DISCONNECT reason=0x82 (protocol error) { Reason String=protocol "
	    "error: unexpected CONNECT }");
	device_hears_it_closed(e);
	node_free(&n);
}

/* v3.1.1 [MQTT-3.1.4-5]: data behind a CONNECT that is refused is nothing. */
Test(client_connect, may_be_followed_at_once_by_packets)
{
	struct node *n = node_new();
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 02 0000 <id>] 82 [0001 <a> 00] c0 []");
	device_hears(d, "CONNACK session_present=0 code=0");
	device_hears(d, "PINGRESP");
	device_hears(d, "SUBACK packet_id=1 codes=0x00");
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 00 0000 <>] 30 [<a> 'x']");
	device_hears(d, "CONNACK session_present=0 code=2");
	device_hears_it_closed(d);
	cr_assert_eq(node_count(n, messages_in), 0);
	node_free(&n);
}

/* --- sessions ----------------------------------------------------------- */

static const char *
present(struct node *n, unsigned home, const char *connect)
{
	struct device *d = device_new(n, home);
	const char *text;

	device_say(d, "%s", connect);
	text = device_next(d)->connack.session_present ? "present" : "fresh";
	device_hang_up(d);
	device_free(&d);
	return text;
}

/* v3.1.1 [MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.2.2-2]
 * [MQTT-3.2.2-3]; v5 [MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6],
 * v5 [MQTT-3.1.4-4] [MQTT-3.2.2-3], v3.1.1 [MQTT-3.1.4-3] */
Test(client_connect, finds_the_session_that_was_kept)
{
#define V311_CLEAN "10 [<MQTT> 04 02 0000 <id>]"
#define V311_KEEP  "10 [<MQTT> 04 00 0000 <id>]"
#define V5_CLEAN   "10 [<MQTT> 05 02 0000 [] <id>]"
#define V5_KEEP    "10 [<MQTT> 05 00 0000 [11 00000064] <id>]"
#define V5_FRESH   "10 [<MQTT> 05 02 0000 [11 00000064] <id>]"
#define V5_LAST    "10 [<MQTT> 05 00 0000 [] <id>]"
	static const char *const cases[][3] = {
		{ V311_KEEP, V311_KEEP, "present" },
		{ V311_KEEP, V311_CLEAN, "fresh" },
		{ V311_CLEAN, V311_KEEP, "fresh" },
		{ V311_CLEAN, V311_CLEAN, "fresh" },
		{ V5_KEEP, V5_KEEP, "present" },
		{ V5_FRESH, V5_LAST, "present" },
		{ V5_KEEP, V5_FRESH, "fresh" },
		{ V5_LAST, V5_KEEP, "fresh" },
		{ V5_CLEAN, V5_KEEP, "fresh" },
		{ V311_KEEP, V5_KEEP, "present" },
		{ V5_KEEP, V311_KEEP, "present" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		for (unsigned home = 0; home < 2; home++) {
			struct node *n = node_new();

			cr_expect_str_eq(present(n, 0, cases[i][0]), "fresh");
			cr_expect_str_eq(present(n, home, cases[i][1]),
			    cases[i][2], "%s then %s, home %u", cases[i][0],
			    cases[i][1], home);
			node_free(&n);
		}
	}
}

/* The same while the first connection is still there: it is taken over. */
Test(client_connect, takes_the_session_over)
{
	static const char *const cases[][4] = {
		{ V311_KEEP, V311_KEEP, "present", "CLOSED" },
		{ V311_KEEP, V311_CLEAN, "fresh", "CLOSED" },
		{ V311_CLEAN, V311_KEEP, "fresh", "CLOSED" },
		{ V311_CLEAN, V311_CLEAN, "fresh", "CLOSED" },
		/* v3.1.1 [MQTT-3.1.4-2], v5 [MQTT-3.1.4-3] */
		{ V5_KEEP, V5_KEEP, "present",
		    "DISCONNECT reason=0x8e (session taken over) "
		    "{ Reason String=session taken over }" },
		{ V5_KEEP, V5_FRESH, "fresh",
		    "DISCONNECT reason=0x8e (session taken over) "
		    "{ Reason String=session taken over }" },
		{ V5_CLEAN, V5_KEEP, "fresh",
		    "DISCONNECT reason=0x8e (session taken over) "
		    "{ Reason String=session taken over }" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		for (unsigned home = 0; home < 2; home++) {
			struct node *n = node_new();
			struct device *d = device_new(n, 0);

			device_say(d, "%s", cases[i][0]);
			cr_expect_not(device_next(d)->connack.session_present);
			cr_expect_str_eq(present(n, home, cases[i][1]),
			    cases[i][2], "%s then %s, home %u", cases[i][0],
			    cases[i][1], home);
			cr_expect_str_eq(device_read(d), cases[i][3]);
			cr_expect_str_eq(device_read(d), "CLOSED");
			node_free(&n);
		}
	}
}

Test(client_connect, brings_its_client_to_where_its_session_lives)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 0);
	device_hang_up(d);
	d = device_new(n, 1);
	/* Packets behind the CONNECT go with it. */
	device_say(d, "10 [<MQTT> 04 00 0000 <d>] c0 [] 30 [<a> 'x'] c0 []");
	cr_assert_eq(device_home(d), 0);
	device_hears(d, "CONNACK session_present=1 code=0");
	device_hears(d, "PINGRESP");
	device_hears(d, "PUBLISH qos=0 topic=a payload=x");
	device_hears(d, "PINGRESP");
	device_hears_nothing(d);
	cr_assert_eq(node_count(n, clients), 1);
	cr_assert_eq(node_count(n, sessions), 1);
	node_free(&n);
}

Test(client_connect, survives_that_the_connection_breaks_on_its_way)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);
	struct device *e = device_new(n, 1);

	device_put(e, "10 [<MQTT> 04 00 0000 <d>]");
	device_hang_up(e); /* before the homes have turned */
	device_hears_it_closed(e);
	device_hears_it_closed(d); /* it was taken over in time */
	cr_assert_eq(node_count(n, clients), 0);
	cr_assert_eq(node_count(n, sessions), 1);
	node_free(&n);
}

/* The session ends between the look and the arrival. */
Test(client_connect, goes_on_where_it_arrives_without_a_session)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *e = device_new(n, 1);

	device_put(e, "10 [<MQTT> 04 00 0000 <d>]");
	device_put(d, "e0 []");
	node_run(n);
	device_hears_it_closed(d);
	device_hears(e, "CONNACK session_present=0 code=0");
	cr_assert_eq(device_home(e), 0);
	cr_assert_eq(node_count(n, sessions), 1);
	node_free(&n);
}

/* Many on two homes with the same name: one is left, and one session. */
Test(client_connect, leaves_one_of_many_with_the_same_identifier)
{
	static const char *const forms[] = { V311_KEEP, V311_CLEAN, V5_CLEAN,
		V5_KEEP };
	struct node *n = node_new();
	struct device *all[40];
	unsigned open = 0;

	for (unsigned i = 0; i < countof(all); i++) {
		all[i] = device_new(n, i % 2);
		device_put(all[i], "%s", forms[i / 2 % 4]);
		if (i % 3 == 0)
			node_turn(n, i / 3 % 2);
	}
	node_run(n);
	for (unsigned i = 0; i < countof(all); i++)
		open += all[i]->plug != NULL;
	cr_assert_eq(open, 1);
	cr_assert_eq(node_count(n, clients), 1);
	cr_assert_eq(node_count(n, sessions), 1);
	cr_assert_eq(registry_len(n->broker->registry), 1);
	node_free(&n);
}

/* --- identity = user ---------------------------------------------------- */

static struct node *
node_with_identities(void)
{
	struct broker_options o = node_options();

	o.identity_user = true;
	return node_new_with(&o);
}

#define LOGIN_V311 "10 [<MQTT> 04 c0 0000 <id> <anna> <secret>]"
#define LOGIN_V5   "10 [<MQTT> 05 c0 0000 [11 00000064] <id> <anna> <secret>]"

static void
identify(struct node *n, unsigned home, enum bus_result result, uint32_t link)
{
	fake_bus_identify(n->bus, home, fake_bus_token(n->bus), result, link);
	node_run(n);
}

Test(client_connect, waits_for_nats_to_know_its_user)
{
	struct node *n = node_with_identities();
	struct device *d = device_new(n, 0);
	struct device *e = device_new(n, 1);

	device_say(d, LOGIN_V311 " c0 []");
	device_hears_nothing(d);
	bus_hears(n, 0, "IDENTIFY anna secret");
	identify(n, 0, BUS_OK, 7);
	device_hears(d, "CONNACK session_present=0 code=0");
	device_hears(d, "PINGRESP"); /* it waited with the CONNECT */
	cr_assert_eq(device_client(d)->session->link, 7);
	/* v5 the same, from another home: it logs in, moves, logs in again,
	 * because the bus counts who holds a link by worker */
	device_say(e, LOGIN_V5);
	bus_hears(n, 1, "IDENTIFY anna secret");
	identify(n, 1, BUS_OK, 7);
	bus_hears(n, 1, "FORGET link=7");
	bus_hears(n, 0, "IDENTIFY anna secret");
	identify(n, 0, BUS_OK, 7);
	device_hears_it_closed(d);
	device_hears(e,
	    "CONNACK session_present=1 reason=0x00" V5_PROPERTIES " }");
	cr_assert_eq(device_home(e), 0);
	/* Two were given, one is left. */
	bus_hears(n, 0, "FORGET link=7");
	bus_hears_nothing(n, 0);
	bus_hears_nothing(n, 1);
	device_say(e, "e0 [00 [11 00000000]]");
	bus_hears(n, 0, "FORGET link=7");
	node_free(&n);
}

Test(client_connect, is_refused_as_nats_refuses_its_user)
{
	static const struct {
		const char *connect;
		enum bus_result result;
		const char *heard;
	} cases[] = {
		{ LOGIN_V311, BUS_REFUSED, "CONNACK session_present=0 code=4" },
		{ LOGIN_V311, BUS_DOWN, "CONNACK session_present=0 code=3" },
		{ LOGIN_V5, BUS_REFUSED,
		    "CONNACK session_present=0 reason=0x86 (bad User Name or "
		    "Password) { Reason String=bad User Name or Password }" },
		{ LOGIN_V5, BUS_DOWN,
		    "CONNACK session_present=0 reason=0x88 (server "
		    "unavailable) { Reason String=NATS is away }" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_with_identities();
		struct device *d = device_new(n, 0);

		device_say(d, "%s", cases[i].connect);
		bus_hears(n, 0, "IDENTIFY anna secret");
		identify(n, 0, cases[i].result, 0);
		cr_expect_str_eq(device_read(d), cases[i].heard);
		device_hears_it_closed(d);
		bus_hears_nothing(n, 0);
		node_free(&n);
	}
}

Test(client_connect, gives_the_identity_back_when_nobody_waits_for_it)
{
	struct node *n = node_with_identities();
	struct device *d = device_new(n, 0);
	struct device *e = device_new(n, 0);

	device_say(d, LOGIN_V311);
	bus_hears(n, 0, "IDENTIFY anna secret");
	device_hang_up(d);
	identify(n, 0, BUS_OK, 7);
	bus_hears(n, 0, "FORGET link=7");
	/* ... nor when time was up */
	device_say(e, LOGIN_V311);
	bus_hears(n, 0, "IDENTIFY anna secret");
	node_pass(n, 11000);
	device_hears_it_closed(e);
	identify(n, 0, BUS_OK, 7);
	bus_hears(n, 0, "FORGET link=7");
	bus_hears_nothing(n, 0);
	cr_assert_eq(node_count(n, clients), 0);
	node_free(&n);
}

/* Both in one turn: it is gone before its login is looked at. */
Test(client_connect, does_not_come_back_to_life_by_its_login)
{
	struct node *n = node_with_identities();
	struct device *d = device_new(n, 0);

	device_say(d, LOGIN_V311);
	bus_hears(n, 0, "IDENTIFY anna secret");
	fake_bus_identify(n->bus, 0, fake_bus_token(n->bus), BUS_OK, 7);
	client_close(device_client(d), MQTT_RC_SERVER_SHUTTING_DOWN, NULL);
	node_run(n);
	device_hears_it_closed(d);
	cr_assert_eq(node_count(n, clients), 0);
	cr_assert_eq(node_count(n, sessions), 0);
	bus_hears(n, 0, "FORGET link=7");
	node_free(&n);
}

Test(client_connect, keeps_a_session_for_the_user_it_belongs_to)
{
	struct node *n = node_with_identities();
	struct device *d = device_new(n, 0);

	device_say(d, LOGIN_V311);
	bus_hears(n, 0, "IDENTIFY anna secret");
	identify(n, 0, BUS_OK, 7);
	device_hears(d, "CONNACK session_present=0 code=0");
	device_hang_up(d);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 c0 0000 <id> <bert> <secret>]");
	bus_hears(n, 0, "IDENTIFY bert secret");
	identify(n, 0, BUS_OK, 8);
	device_hears(d, "CONNACK session_present=0 code=5");
	device_hears_it_closed(d);
	bus_hears(n, 0, "FORGET link=8");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

Test(client_connect, is_refused_when_there_are_too_many_sessions)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.max_sessions = 2;
	n = node_new_with(&o);
	(void)device_online(n, 0, MQTT_V5, "a", false);
	d = device_online(n, 1, MQTT_V5, "b", false);
	device_hang_up(d);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 05 02 0000 [] <c>]");
	device_hears(d,
	    "CONNACK session_present=0 reason=0x97 (quota exceeded) "
	    "{ Reason String=the node has too many sessions }");
	device_hears_it_closed(d);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 02 0000 <c>]");
	device_hears(d, "CONNACK session_present=0 code=3");
	/* Those that are there may come back, and make room. */
	d = device_online(n, 0, MQTT_V5, "b", true);
	device_say(d, "e0 [00 [11 00000000]]");
	d = device_online(n, 0, MQTT_V5, "c", true);
	node_free(&n);
}

/* v5 [MQTT-3.1.2-24] */
Test(client_connect, is_answered_within_the_maximum_packet_size)
{
	static const struct {
		const char *maximum;
		const char *heard;
	} cases[] = {
		{ "00000004", "CLOSED" },
		{ "00000005",
		    "CONNACK session_present=0 reason=0x95 "
		    "(packet too large)" },
		{ "0000000f",
		    "CONNACK session_present=0 reason=0x95 "
		    "(packet too large)" },
		{ "00000010",
		    "CONNACK session_present=0 reason=0x00 { Receive "
		    "Maximum=20 Maximum Packet Size=100000 Topic Alias "
		    "Maximum=64 }" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *d = device_new(n, 0);

		device_say(d, "10 [<MQTT> 05 02 0000 [27 %s] <id>]",
		    cases[i].maximum);
		device_hears(d, cases[i].heard);
		node_free(&n);
	}
}
