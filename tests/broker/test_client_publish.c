/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "broker/device.h"

/* --- what is carried on ------------------------------------------------- */

Test(client_publish, goes_to_subscribers_and_to_nats)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *s = device_online(n, 0, MQTT_V311, "s", true);
	struct device *t = device_online(n, 1, MQTT_V31, "t", true);

	device_subscribe(s, "a/+", 0);
	device_subscribe(t, "#", 0);
	fake_bus_skip(n->bus, 0);
	device_say(d, "30 [<a/b> 'hello']");
	device_hears(s, "PUBLISH qos=0 topic=a/b payload=hello");
	device_hears(t, "PUBLISH qos=0 topic=a/b payload=hello");
	bus_hears(n, 0, "PUBLISH a.b qos=0 payload=hello");
	device_say(d, "30 [<b>]");
	device_hears_nothing(s);
	device_hears(t, "PUBLISH qos=0 topic=b payload=");
	bus_hears(n, 0, "PUBLISH b qos=0 payload=");
	cr_assert_eq(node_count(n, messages_in), 2);
	cr_assert_eq(node_count(n, messages_out), 3);
	node_free(&n);
}

/* v5 [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17]
 * [MQTT-3.3.2-18] [MQTT-3.3.2-20] [MQTT-1.5.7-1] */
Test(client_publish, carries_properties_on_to_v5_clients)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	struct device *s = device_online(n, 0, MQTT_V5, "s", true);
	struct device *t = device_online(n, 1, MQTT_V311, "t", true);

	device_subscribe(s, "a", 1);
	device_subscribe(t, "a", 0);
	/* The alias is between the device and us. */
	device_say(d,
	    "30 [<a> [23 0001 01 01 26 <k> <1> 03 <text> 08 <r/s> 09 0001 ff"
	    " 26 <k> <2>] 'x']");
	device_hears(s,
	    "PUBLISH qos=0 topic=a payload=x { Payload Format Indicator=1 User "
	    "Property=k:1 Content Type=text Response Topic=r/s Correlation "
	    "Data=(1 bytes) User Property=k:2 }");
	device_hears(t, "PUBLISH qos=0 topic=a payload=x");
	node_free(&n);
}

/* v3.1.1 [MQTT-3.3.1-9] [MQTT-3.3.1-3]: RETAIN and DUP are the device's */
Test(client_publish, leaves_its_flags_behind)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *s = device_online(n, 0, MQTT_V311, "s", true);

	device_subscribe(s, "a", 1);
	device_say(d, "3b [<a> 0001 'x']");
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	node_free(&n);
}

/* --- what ends the connection ------------------------------------------- */

Test(client_publish, ends_the_connection_when_it_is_illegal)
{
	static const struct {
		const char *packet;
		const char *heard; /* by a v5 client */
	} cases[] = {
		/* v3.1.1 [MQTT-3.3.2-2], v5 [MQTT-3.3.2-2] */
		{ "30 [<a/#> [] 'x']",
		    "DISCONNECT reason=0x90 (Topic Name invalid) { Reason "
		    "String=Topic Name invalid }" },
		{ "30 [<a/+/b> [] 'x']",
		    "DISCONNECT reason=0x90 (Topic Name invalid) { Reason "
		    "String=Topic Name invalid }" },
		/* v5 [MQTT-3.3.4-6] */
		{ "30 [<a> [0b 01] 'x']",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: Subscription Identifier in a "
		    "PUBLISH to the server }" },
		/* v5 [MQTT-3.3.2-8] [MQTT-3.3.2-9] */
		{ "30 [<a> [23 0000] 'x']",
		    "DISCONNECT reason=0x94 (Topic Alias invalid) { Reason "
		    "String=Topic Alias invalid: PUBLISH }" },
		{ "30 [<a> [23 0041] 'x']",
		    "DISCONNECT reason=0x94 (Topic Alias invalid) { Reason "
		    "String=Topic Alias invalid }" },
		/* an alias that was never set; no topic at all */
		{ "30 [<> [23 0002] 'x']",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error }" },
		{ "30 [<> [] 'x']",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: PUBLISH }" },
		/* v5 [MQTT-3.3.2-14] */
		{ "30 [<a> [08 <r/#>] 'x']",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: PUBLISH }" },
		/* v3.1.1 [MQTT-2.3.1-1] */
		{ "32 [<a> 0000 [] 'x']",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: PUBLISH }" },
		/* v3.1.1 [MQTT-3.3.1-4] [MQTT-3.3.1-2] */
		{ "36 [<a> 0001 [] 'x']",
		    "DISCONNECT reason=0x81 (malformed packet) { Reason "
		    "String=malformed packet: PUBLISH }" },
		{ "38 [<a> [] 'x']",
		    "DISCONNECT reason=0x81 (malformed packet) { Reason "
		    "String=malformed packet: PUBLISH }" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *d = device_online(n, 0, MQTT_V5, "d", true);
		struct device *e = device_online(n, 0, MQTT_V5, "e", true);

		device_say(d, "%s", cases[i].packet);
		device_hears(d, cases[i].heard);
		device_hears_it_closed(d);
		device_hears_nothing(e);
		bus_hears_nothing(n, 0);
		node_free(&n);
	}
}

Test(client_publish, ends_a_v3_connection_without_a_word)
{
	static const char *const cases[] = { "30 [<a/#> 'x']", "30 [<> 'x']",
		"32 [<a> 0000 'x']", "36 [<a> 0001 'x']", "38 [<a> 'x']",
		"30 [0002 'a' ff]", "30 [0003 'a' 00 'b']" };

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *d = device_online(n, 0, MQTT_V311, "d", true);

		device_say(d, "%s", cases[i]);
		device_hears_it_closed(d);
		bus_hears_nothing(n, 0);
		node_free(&n);
	}
}

/* --- what is refused ---------------------------------------------------- */

struct refusal {
	const char *packet; /* its topic and so on, behind the first byte */
	const char *code;
	const char *why;
	const char *disconnect; /* NULL: dropped at QoS 0 */
};

static const struct refusal refusals[] = {
	{ "<$SYS/x>", "0x87 (not authorized)", "$SYS is the server's own",
	    NULL },
	{ "<$JS/x>", "0x87 (not authorized)", "the topic is reserved by NATS",
	    NULL },
	{ "<_INBOX/x>", "0x87 (not authorized)",
	    "the topic is reserved by NATS", NULL },
	{ "<a/b/c/d/e>", "0x90 (Topic Name invalid)",
	    "the topic has too many levels",
	    "DISCONNECT reason=0x90 (Topic Name invalid) { Reason "
	    "String=Topic Name invalid: the topic has too many levels }" },
	{ "01f4 61*500", "0x90 (Topic Name invalid)",
	    "the topic is too long for NATS",
	    "DISCONNECT reason=0x90 (Topic Name invalid) { Reason "
	    "String=Topic Name invalid: the topic is too long for NATS }" },
};

static struct node *
strict_node(bool closes)
{
	struct broker_options o = node_options();

	o.max_topic_levels = 4;
	o.max_control_line = 600;
	o.v3_refuse_close = closes;
	return node_new_with(&o);
}

static void
expect_v5_refusal(const struct refusal *r)
{
	struct node *n = strict_node(false);
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	char want[200];

	device_say(d, "32 [%s 0007 [] 'x']", r->packet);
	(void)snprintf(want, sizeof(want),
	    "PUBACK packet_id=7 reason=%s { Reason String=%s }", r->code,
	    r->why);
	device_hears(d, want);
	device_say(d, "34 [%s 0007 [] 'x']", r->packet);
	(void)snprintf(want, sizeof(want),
	    "PUBREC packet_id=7 reason=%s { Reason String=%s }", r->code,
	    r->why);
	device_hears(d, want);
	cr_assert_eq(device_client(d)->session->receiving.n, 0);
	device_say(d, "30 [%s [] 'x']", r->packet);
	if (r->disconnect == NULL) {
		device_hears_nothing(d);
	} else {
		device_hears(d, r->disconnect);
		device_hears_it_closed(d);
	}
	cr_assert_eq(node_count(n, refused_publishes), 3);
	bus_hears_nothing(n, 0);
	node_free(&n);
}

static void
expect_v3_refusal(const struct refusal *r, bool closes)
{
	struct node *n = strict_node(closes);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_say(d, "32 [%s 0007 'x']", r->packet);
	if (closes) {
		device_hears_it_closed(d);
	} else {
		device_hears(d, "PUBACK packet_id=7");
		device_say(d, "34 [%s 0007 'x']", r->packet);
		device_hears(d, "PUBREC packet_id=7");
		device_say(d, "3c [%s 0007 'x']", r->packet);
		device_hears(d, "PUBREC packet_id=7");
		device_say(d, "62 [0007]");
		device_hears(d, "PUBCOMP packet_id=7");
		device_say(d, "30 [%s 'x']", r->packet);
		device_hears_nothing(d);
		cr_assert_eq(node_count(n, refused_publishes), 3);
	}
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* v3.1.1 [MQTT-3.3.5-2] */
Test(client_publish, is_refused_with_the_words_of_its_version)
{
	for (size_t i = 0; i < countof(refusals); i++) {
		expect_v5_refusal(&refusals[i]);
		expect_v3_refusal(&refusals[i], false);
		expect_v3_refusal(&refusals[i], true);
	}
}

/* A node remembers the topics it has looked at, which must not show. */
Test(client_publish, goes_to_its_own_subject_among_thousands)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	char want[64];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 3000; i++) {
			device_say(d, "32 [<t/%u> %04x []]", i, i + 1);
			(void)snprintf(want, sizeof(want),
			    "PUBLISH t.%u qos=1 ack=reply payload=", i);
			bus_hears(n, 0, want);
			node_settle(n, 0, BUS_OK);
			device_skip(d);
			if (i % 3 != 0)
				continue;
			device_say(d, "32 [<$JS/%u> 0001 []]", i);
			device_hears(d,
			    "PUBACK packet_id=1 reason=0x87 (not authorized) "
			    "{ Reason String=the topic is reserved by NATS }");
			bus_hears_nothing(n, 0);
		}
	}
	node_free(&n);
}

Test(client_publish, is_refused_when_it_is_larger_than_nats_takes)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	struct device *e = device_online(n, 0, MQTT_V311, "e", true);

	/* 256 bytes are kept free for headers. */
	fake_bus_set_max_payload(n->bus, 1024);
	device_say(d, "32 [<a> 0001 [] 78*768]");
	device_hears_nothing(d);
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	device_say(d, "32 [<a> 0002 [] 78*769]");
	device_hears(d,
	    "PUBACK packet_id=2 reason=0x97 (quota exceeded) { Reason "
	    "String=the payload is larger than NATS takes }");
	device_say(d, "30 [<a> [] 78*769]");
	device_hears(d,
	    "DISCONNECT reason=0x95 (packet too large) { Reason String=packet "
	    "too large: the payload is larger than NATS takes }");
	device_say(e, "32 [<a> 0002 78*769]");
	device_hears(e, "PUBACK packet_id=2");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* v5 3.3.2.3.2: text is well-formed UTF-8; U+0000 is a character of it. */
Test(client_publish, may_say_that_its_payload_is_text)
{
	static const struct {
		const char *payload;
		bool is_text;
	} cases[] = {
		{ "", true },
		{ "'abc'", true },
		{ "c3a4", true },
		{ "'a' 00 'b'", true },
		{ "00", true },
		{ "'a' 00 c3a4 00", true },
		{ "ff", false },
		{ "c3", false },
		{ "c3 00 a4", false },
		{ "00 ff", false },
		{ "'a' 00 c3", false },
		{ "eda080", false },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *d = device_online(n, 0, MQTT_V5, "d", true);

		device_say(d, "32 [<a> 0001 [01 00] %s]", cases[i].payload);
		device_hears_nothing(d);
		device_say(d, "32 [<a> 0002 [01 01] %s]", cases[i].payload);
		if (cases[i].is_text)
			device_hears_nothing(d);
		else
			device_hears(d,
			    "PUBACK packet_id=2 reason=0x99 (payload format "
			    "invalid) { Reason String=the payload is not "
			    "UTF-8 }");
		node_free(&n);
	}
}

/* v5 3.3.2.3.2 has no answer at QoS 0 but the end */
Test(client_publish, at_qos_0_that_is_no_text_ends_the_connection)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(d, "30 [<a> [01 01] ff]");
	device_hears(d,
	    "DISCONNECT reason=0x99 (payload format invalid) { Reason "
	    "String=payload format invalid: the payload is not UTF-8 }");
	device_hears_it_closed(d);
	bus_hears_nothing(n, 0);
	node_free(&n);
}

Test(client_publish, need_not_be_the_text_it_says)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.check_payload_format = false;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V5, "d", true);
	device_say(d, "30 [<a> [01 01] ff]");
	device_hears_nothing(d);
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	node_free(&n);
}

/* --- topic aliases ------------------------------------------------------ */

/* v5 [MQTT-3.3.2-7] [MQTT-3.3.2-12] [MQTT-3.2.2-18] */
Test(client_publish, may_use_an_alias_for_its_topic)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", false);

	device_say(d, "30 [<a/b> [23 0001] '1']");
	bus_hears(n, 0, "PUBLISH a.b qos=0 payload=1");
	device_say(d, "30 [<c> [23 0040] '2'] 30 [<> [23 0001] '3']");
	bus_hears(n, 0, "PUBLISH c qos=0 payload=2");
	bus_hears(n, 0, "PUBLISH a.b qos=0 payload=3");
	device_say(d, "30 [<> [23 0040] '4'] 30 [<d> [23 0001] '5']");
	bus_hears(n, 0, "PUBLISH c qos=0 payload=4");
	bus_hears(n, 0, "PUBLISH d qos=0 payload=5");
	device_say(d, "30 [<> [23 0001] '6']");
	bus_hears(n, 0, "PUBLISH d qos=0 payload=6");
	/* Aliases are the connection's, not the session's. */
	device_hang_up(d);
	d = device_online(n, 0, MQTT_V5, "d", false);
	device_say(d, "30 [<> [23 0001] '7']");
	device_hears(d,
	    "DISCONNECT reason=0x82 (protocol error) { Reason String=protocol "
	    "error }");
	node_free(&n);
}

/* --- Packet Identifiers ------------------------------------------------- */

/* v5 [MQTT-4.3.2-5] */
Test(client_publish, that_is_repeated_is_one_message)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	/* QoS 1: answered when the first one is. */
	device_say(d, "32 [<a> 0007 'x'] 3a [<a> 0007 'x']");
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=x");
	bus_hears_nothing(n, 0);
	node_settle(n, 0, BUS_OK);
	device_hears(d, "PUBACK packet_id=7");
	device_hears_nothing(d);
	/* From then on the identifier is free. */
	device_say(d, "32 [<a> 0007 'y']");
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=y");
	node_settle(n, 0, BUS_OK);
	device_hears(d, "PUBACK packet_id=7");
	/* QoS 2: v3.1.1 [MQTT-4.3.3-2], v5 [MQTT-4.3.3-10] */
	device_say(d, "34 [<a> 0007 'x'] 3c [<a> 0007 'x']");
	bus_hears(n, 0, "PUBLISH a qos=2 ack=reply payload=x");
	bus_hears_nothing(n, 0);
	device_hears_nothing(d);
	node_settle(n, 0, BUS_OK);
	device_hears(d, "PUBREC packet_id=7");
	device_say(d, "3c [<a> 0007 'x'] 34 [<a> 0007 'x']");
	bus_hears_nothing(n, 0);
	device_hears(d, "PUBREC packet_id=7");
	device_hears(d, "PUBREC packet_id=7");
	/* v5 [MQTT-4.3.3-11] [MQTT-4.3.3-12] */
	device_say(d, "62 [0007] 62 [0007] 34 [<a> 0007 'y']");
	device_hears(d, "PUBCOMP packet_id=7");
	device_hears(d, "PUBCOMP packet_id=7");
	bus_hears(n, 0, "PUBLISH a qos=2 ack=reply payload=y");
	node_free(&n);
}

/* An identifier in use cannot be that of another kind of message. */
Test(client_publish, cannot_change_its_qos)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(d, "34 [<a> 0007 [] 'x'] 32 [<a> 0007 [] 'x']");
	device_hears(d,
	    "DISCONNECT reason=0x82 (protocol error) { Reason String=protocol "
	    "error: Packet Identifier in use }");
	device_hears_it_closed(d);
	d = device_online(n, 0, MQTT_V311, "e", true);
	device_say(d, "32 [<a> 0007 'x'] 34 [<a> 0007 'x']");
	device_hears_it_closed(d);
	node_free(&n);
}

/* v5 [MQTT-3.3.4-7]: QoS 0 is not counted */
Test(client_publish, exceeds_the_receive_maximum_of_v5)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.receive_maximum = 3;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V5, "d", true);
	device_say(d, "32 [<a> 0001 []] 34 [<a> 0002 []] 32 [<a> 0003 []]");
	/* one again, and one that does not count */
	device_say(d, "3a [<a> 0001 []] 30 [<a> []]");
	device_hears_nothing(d);
	/* PUBREC does not make room, PUBCOMP does. */
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	node_settle(n, 0, BUS_OK);
	device_hears(d, "PUBREC packet_id=2 reason=0x00");
	device_say(d, "62 [0002] 32 [<a> 0004 []]");
	device_hears(d, "PUBCOMP packet_id=2 reason=0x00");
	device_hears_nothing(d);
	device_say(d, "32 [<a> 0005 []]");
	device_hears(d,
	    "DISCONNECT reason=0x93 (Receive Maximum exceeded) { Reason "
	    "String=Receive Maximum exceeded }");
	device_hears_it_closed(d);
	node_free(&n);
}

/*
 * v5 4.9: the quota begins anew with each Network Connection, though the
 * identifiers of QoS 2 are the session's.
 */
Test(client_publish, has_its_whole_quota_after_a_reconnect)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.receive_maximum = 2;
	o.ack = ACK_LOCAL;
	n = node_new_with(&o);
	for (unsigned i = 0; i < 5; i++) {
		d = device_online(n, 0, MQTT_V5, "d", false);
		device_say(d, "34 [<a> %04x []] 34 [<a> %04x []]", 2 * i + 1,
		    2 * i + 2);
		cr_assert_eq(device_next(d)->type, MQTT_PUBREC);
		cr_assert_eq(device_next(d)->type, MQTT_PUBREC);
		device_hears_nothing(d);
		device_hang_up(d);
	}
	d = device_online(n, 0, MQTT_V5, "d", false);
	device_say(d, "34 [<a> 0101 []] 34 [<a> 0102 []]");
	cr_assert_eq(device_next(d)->type, MQTT_PUBREC);
	cr_assert_eq(device_next(d)->type, MQTT_PUBREC);
	device_say(d, "62 [0001]"); /* of another connection: makes no room */
	device_hears(d, "PUBCOMP packet_id=1 reason=0x00");
	device_say(d, "34 [<a> 0103 []]");
	device_hears(d,
	    "DISCONNECT reason=0x93 (Receive Maximum exceeded) { Reason "
	    "String=Receive Maximum exceeded }");
	node_free(&n);
}

/* What is too much waits unread, from the moment that it is seen. */
Test(client_publish, may_be_served_beyond_the_receive_maximum_of_v5)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;
	uint64_t first;

	o.receive_maximum = 2;
	o.tolerate_receive_maximum = true;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V5, "d", true);
	device_say(d,
	    "32 [<a> 0001 [] '1'] 32 [<a> 0002 [] '2'] 32 [<a> 0003 [] '3'] "
	    "32 [<a> 0004 [] '4']");
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=1");
	first = fake_bus_token(n->bus);
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=2");
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=3");
	bus_hears_nothing(n, 0);
	node_settle(n, 0, BUS_OK);
	device_hears(d, "PUBACK packet_id=3 reason=0x00");
	bus_hears_nothing(n, 0); /* there is still no room */
	fake_bus_settle(n->bus, 0, first, BUS_OK, NULL);
	node_run(n);
	device_hears(d, "PUBACK packet_id=1 reason=0x00");
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=4");
	device_hears_nothing(d);
	node_free(&n);
}

/* 3.x knows no Receive Maximum: what is too much is not read yet. */
Test(client_publish, waits_unread_before_v5)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.receive_maximum = 2;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V311, "d", true);
	device_say(d,
	    "32 [<a> 0001 '1'] 32 [<a> 0002 '2'] 32 [<a> 0003 '3'] c0 []");
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=1");
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=2");
	bus_hears_nothing(n, 0);
	device_hears_nothing(d);
	node_settle(n, 0, BUS_OK);
	device_hears(d, "PUBACK packet_id=2");
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=3");
	device_hears_nothing(d); /* the PINGREQ waits as well */
	/* Even an error makes room, though the device does not hear it. */
	node_settle(n, 0, BUS_TIMEOUT);
	device_hears(d, "PINGRESP");
	node_free(&n);
}

/* PUBREL must get through when everything else is used up. */
Test(client_publish, at_qos_2_does_not_lock_a_v3_client_out)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.receive_maximum = 2;
	o.ack = ACK_LOCAL;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V311, "d", true);
	for (unsigned i = 1; i <= 5; i++)
		device_say(d, "34 [<a> %04x]", i);
	cr_assert_eq(device_skip(d), 5);
	for (unsigned i = 1; i <= 5; i++)
		device_say(d, "62 [%04x]", i);
	cr_assert_eq(device_skip(d), 5);
	cr_assert_eq(device_client(d)->session->receiving.n, 0);
	node_free(&n);
}
