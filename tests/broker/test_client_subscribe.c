/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "broker/device.h"

/* --- SUBACK and UNSUBACK ------------------------------------------------ */

/* v3.1.1 [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-4] [MQTT-3.8.4-5]
 * [MQTT-3.9.3-1], v5 [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5]
 * [MQTT-3.8.4-6] [MQTT-3.9.3-1],
 * v5 [MQTT-2.2.1-6], v3.1.1 [MQTT-2.3.1-7] [MQTT-3.8.3-2] */
Test(client_subscribe, is_answered_with_a_code_for_each_filter)
{
	static const struct {
		unsigned version;
		const char *packet;
		const char *heard;
	} cases[] = {
		{ 3, "82 [1234 <a> 01]", "SUBACK packet_id=4660 codes=0x01" },
		{ 4, "82 [1234 <a> 00 <b> 01 <c> 02]",
		    "SUBACK packet_id=4660 codes=0x00,0x01,0x02" },
		{ 4, "82 [0001 <a/#/b> 00 <b> 01 <a+> 00]",
		    "SUBACK packet_id=1 codes=0x80,0x01,0x80" },
		{ 4, "82 [0001 <$JS/#> 00 <$SYS/#> 00 <_INBOX/+> 01]",
		    "SUBACK packet_id=1 codes=0x80,0x00,0x80" },
		{ 4, "82 [0001 <$share/g/a> 00]",
		    "SUBACK packet_id=1 codes=0x00" },
		{ 4, "82 [0001 <$share/g> 01 <$share/+/a> 01 <$share//a> 01]",
		    "SUBACK packet_id=1 codes=0x80,0x80,0x80" },
		{ 4, "82 [0001 <1/2/3/4/5> 00 <1/2/3/4> 00]",
		    "SUBACK packet_id=1 codes=0x80,0x00" },
		{ 4, "82 [0001 01f4 61*500 00]",
		    "SUBACK packet_id=1 codes=0x80" },
		{ 5, "82 [1234 [] <a> 00 <b> 01 <c> 02]",
		    "SUBACK packet_id=4660 codes=0x00,0x01,0x02" },
		{ 5, "82 [0001 [] <a/#/b> 00 <b> 01 <a+> 00]",
		    "SUBACK packet_id=1 codes=0x8f,0x01,0x8f"
		    " { Reason String=Topic Filter invalid }" },
		{ 5, "82 [0001 [] <$JS/#> 00 <$SYS/#> 00 <_INBOX/+> 01]",
		    "SUBACK packet_id=1 codes=0x87,0x00,0x87"
		    " { Reason String=the filter is reserved by NATS }" },
		{ 5, "82 [0001 [] <$share/g/a> 00]",
		    "SUBACK packet_id=1 codes=0x00" },
		{ 5, "82 [0001 [] <$share/g/$JS/a> 00]",
		    "SUBACK packet_id=1 codes=0x87"
		    " { Reason String=the filter is reserved by NATS }" },
		{ 5, "82 [0001 [] <1/2/3/4/5> 00]",
		    "SUBACK packet_id=1 codes=0x8f"
		    " { Reason String=the filter has too many levels }" },
		{ 5, "82 [0001 [] 01f4 61*500 00]",
		    "SUBACK packet_id=1 codes=0x8f"
		    " { Reason String=the filter is too long for NATS }" },
		/* v3.1.1 [MQTT-3.10.4-4] [MQTT-3.10.4-5], v5
		 * [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.11.3-1] */
		{ 4, "a2 [1234 <a> <b>]", "UNSUBACK packet_id=4660" },
		{ 5, "a2 [1234 [] <a>]", "UNSUBACK packet_id=4660 codes=0x11" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct broker_options o = node_options();
		struct node *n;
		struct device *d;
		const char *heard;

		o.max_topic_levels = 4;
		o.max_control_line = 600;
		n = node_new_with(&o);
		d = device_online(n, 0, cases[i].version, "d", true);
		device_say(d, "%s", cases[i].packet);
		heard = device_read(d);
		cr_expect_str_eq(heard, cases[i].heard, "%s: heard \"%s\"",
		    cases[i].packet, heard);
		device_hears_nothing(d);
		node_free(&n);
	}
}

/* v5 [MQTT-3.9.2-1] */
Test(client_subscribe, is_answered_within_the_maximum_packet_size)
{
	for (unsigned max = 262; max <= 263; max++) {
		struct node *n = node_new();
		struct device *d = device_new(n, 0);
		const struct any_packet *p;

		d->max_packet_size = max;
		device_say(d, "10 [<MQTT> 05 02 0000 [27 %08x] <d>]", max);
		device_skip(d);
		device_say(d,
		    "82 [0001 [] <#a> 00 <#a> 00 <#a> 00 <#a> 00 <#a> 00 <#a> "
		    "00 <#a> 00]");
		p = device_next(d);
		cr_assert_eq(p->suback.codes.len, 7);
		cr_assert_eq(properties_has(&p->suback.properties,
				 MQTT_PROP_REASON_STRING),
		    max == 263);
		node_free(&n);
	}
}

/* v5 [MQTT-3.1.2-24] */
Test(client_subscribe, ends_the_connection_when_its_answer_is_too_large)
{
	static const char *const types[] = { "82", "a2" };

	for (size_t i = 0; i < countof(types); i++) {
		/* Eleven filters are answered with sixteen bytes. */
		for (unsigned n_filters = 11; n_filters <= 12; n_filters++) {
			struct node *n = node_new();
			struct device *d =
			    device_online(n, 0, MQTT_V311, "e", true);
			char packet[256];
			int len = snprintf(packet, sizeof(packet),
			    "%s [0001 []", types[i]);

			device_say(d, "31 [<a> 'x']");
			d = device_new(n, 0);
			d->max_packet_size = 16;
			device_say(d,
			    "10 [<MQTT> 05 02 0000 [27 00000010] <d>]");
			device_skip(d);
			for (unsigned j = 0; j < n_filters; j++)
				len += snprintf(packet + len,
				    sizeof(packet) - (size_t)len, " <a>%s",
				    i == 0 ? " 00" : "");
			(void)snprintf(packet + len,
			    sizeof(packet) - (size_t)len, "]");
			device_say(d, "%s", packet);
			if (n_filters == 11) {
				cr_assert_eq(device_next(d)->suback.codes.len,
				    11);
			} else {
				device_hears(d,
				    "DISCONNECT reason=0x95 (packet too "
				    "large)");
				device_hears_it_closed(d);
			}
			node_free(&n);
		}
	}
}

/* v3.1.1 [MQTT-3.8.3-3] [MQTT-3.8.1-1] [MQTT-3.10.3-2] [MQTT-3.10.1-1] */
Test(client_subscribe, ends_the_connection_when_it_is_malformed)
{
	static const char *const cases[] = { "82 [0001]", "80 [0001 <a> 00]",
		"82 [0001 <a> 03]", "82 [0000 <a> 00]", "82 [0001 <a> 10]",
		"82 [0001 <a>]", "a2 [0001]", "a0 [0001 <a>]" };

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *d = device_online(n, 0, MQTT_V311, "d", true);

		device_say(d, "%s", cases[i]);
		device_hears_it_closed(d);
		bus_hears_nothing(n, 0);
		node_free(&n);
	}
}

Test(client_subscribe, may_be_had_so_often)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d, *e;

	o.max_subscriptions = 2;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V5, "d", true);
	device_say(d, "82 [0001 [] <a> 00 <b> 00 <c> 00]");
	device_hears(d,
	    "SUBACK packet_id=1 codes=0x00,0x00,0x97"
	    " { Reason String=quota exceeded }");
	/* One that is there may change, and one that goes makes room. */
	device_say(d,
	    "82 [0001 [] <a> 01] a2 [0002 [] <b>] 82 [0003 [] <c> 00]");
	device_hears(d, "SUBACK packet_id=1 codes=0x01");
	device_hears(d, "UNSUBACK packet_id=2 codes=0x00");
	device_hears(d, "SUBACK packet_id=3 codes=0x00");
	e = device_online(n, 0, MQTT_V311, "e", true);
	device_say(e, "82 [0001 <a> 00 <b> 00 <c> 00]");
	device_hears(e, "SUBACK packet_id=1 codes=0x00,0x00,0x80");
	node_free(&n);
}

/* v3.1.1 [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-6], v5
 * [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-6] */
Test(client_subscribe, ends_with_unsubscribe)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(d, "82 [0001 [] <a/+> 00 <a/#> 00 <b> 00]");
	device_skip(d);
	/* Character by character: another filter for the same is another. */
	device_say(d, "a2 [0002 [] <a/+> <a/b> <b>]");
	device_hears(d, "UNSUBACK packet_id=2 codes=0x00,0x11,0x00");
	node_from_nats(n, "a/b", "", 0, "x");
	node_from_nats(n, "b", "", 0, "x");
	device_hears(d, "PUBLISH qos=0 topic=a/b payload=x");
	device_hears_nothing(d);
	device_say(d, "a2 [0003 [] <a/#>]");
	device_hears(d, "UNSUBACK packet_id=3 codes=0x00");
	node_from_nats(n, "a/b", "", 0, "x");
	device_hears_nothing(d);
	cr_assert_eq(index_filters(n->broker->index), 0);
	node_free(&n);
}

/* --- and NATS ----------------------------------------------------------- */

Test(client_subscribe, asks_nats_for_what_the_filter_needs)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_say(d, "82 [0001 <a/b> 00 <a/+/c> 01 <x/#> 00 <#> 00]");
	bus_hears(n, 0, "SUBSCRIBE a.b");
	bus_hears(n, 0, "SUBSCRIBE a.*.c");
	bus_hears(n, 0, "SUBSCRIBE x.>");
	bus_hears(n, 0, "SUBSCRIBE x"); /* "x/#" matches "x" */
	bus_hears(n, 0, "SUBSCRIBE >");
	/* What it has it need not ask for again; $SYS is ours. */
	device_say(d, "82 [0002 <a/b> 02 <$SYS/#> 00]");
	bus_hears_nothing(n, 0);
	device_say(d, "a2 [0003 <x/#> <a/b> <$SYS/#> <nothing>]");
	bus_hears(n, 0, "UNSUBSCRIBE x.>");
	bus_hears(n, 0, "UNSUBSCRIBE x");
	bus_hears(n, 0, "UNSUBSCRIBE a.b");
	bus_hears_nothing(n, 0);
	/* The session ends. */
	device_say(d, "e0 []");
	bus_hears(n, 0, "UNSUBSCRIBE >");
	bus_hears(n, 0, "UNSUBSCRIBE a.*.c");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* SUBACK means live. */
Test(client_subscribe, is_answered_when_nats_has_it)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct bus_event e = { .type = BUS_SUBSCRIBED };

	fake_bus_set_subscribes(n->bus, false);
	device_say(d, "31 [<a/b> 'kept'] 82 [0001 <a/#> 00]");
	fake_bus_skip(n->bus, 0);
	e.token = fake_bus_token(n->bus);
	device_hears_nothing(d);
	/* It is in the index, so nothing is missed meanwhile. */
	device_say(d, "30 [<a/c> 'live']");
	device_hears(d, "PUBLISH qos=0 topic=a/c payload=live");
	fake_bus_event(n->bus, 0, &e);
	node_run(n);
	device_hears_nothing(d); /* a.> is there, a is not yet */
	fake_bus_event(n->bus, 0, &e);
	node_run(n);
	device_hears(d, "SUBACK packet_id=1 codes=0x00");
	device_hears(d, "PUBLISH qos=0 retain topic=a/b payload=kept");
	/* One more is nobody's. */
	fake_bus_event(n->bus, 0, &e);
	node_run(n);
	device_hears_nothing(d);
	node_free(&n);
}

static void
nats_answers(struct node *n, uint64_t token, enum bus_result result)
{
	struct bus_event e = {
		.type = BUS_SUBSCRIBED,
		.result = (uint8_t)result,
		.token = token,
	};

	fake_bus_event(n->bus, 0, &e);
	node_run(n);
}

/* v5 [MQTT-3.9.3-1], v3.1.1 [MQTT-3.9.3-1] */
Test(client_subscribe, is_refused_where_nats_refuses_it)
{
	static const struct {
		unsigned version;
		const char *packet;
		const char *heard;
	} cases[] = {
		{ 4, "82 [0001 <r> 01 <a/#> 00 <b/#> 00 <c> 02]",
		    "SUBACK packet_id=1 codes=0x80,0x80,0x00,0x02" },
		{ 5, "82 [0001 [] <r> 01 <a/#> 00 <b/#> 00 <c> 02]",
		    "SUBACK packet_id=1 codes=0x87,0x87,0x00,0x02"
		    " { Reason String=NATS does not permit it }" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *d =
		    device_online(n, 0, (uint8_t)cases[i].version, "d", true);
		uint64_t token;

		fake_bus_set_subscribes(n->bus, false);
		device_say(d, "31 [<r>%s 'kept']",
		    cases[i].version == 5 ? " []" : "");
		fake_bus_skip(n->bus, 0);
		device_say(d, "%s", cases[i].packet);
		fake_bus_skip(n->bus, 0);
		token = fake_bus_token(n->bus);
		nats_answers(n, token, BUS_DENIED); /* r */
		nats_answers(n, token, BUS_DENIED); /* a.> */
		nats_answers(n, token, BUS_DENIED); /* a */
		nats_answers(n, token, BUS_OK);     /* b.> */
		nats_answers(n, token, BUS_DENIED); /* b alone: never mind */
		device_hears_nothing(d);
		nats_answers(n, token, BUS_OK); /* c */
		device_hears(d, cases[i].heard);
		/* What was refused is no subscription, and brings nothing. */
		bus_hears(n, 0, "UNSUBSCRIBE r");
		bus_hears(n, 0, "UNSUBSCRIBE a.>");
		bus_hears(n, 0, "UNSUBSCRIBE a");
		bus_hears_nothing(n, 0);
		device_hears_nothing(d);
		device_say(d,
		    cases[i].version == 5 ? "30 [<a> [] '1'] 30 [<c> [] '2']"
					  : "30 [<a> '1'] 30 [<c> '2']");
		device_hears(d, "PUBLISH qos=0 topic=c payload=2");
		device_hears_nothing(d);
		node_free(&n);
	}
}

Test(client_subscribe, is_not_answered_to_a_later_connection)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);
	struct bus_event e = { .type = BUS_SUBSCRIBED };

	fake_bus_set_subscribes(n->bus, false);
	device_say(d, "31 [<a> 'kept'] 82 [0001 <a> 00]");
	fake_bus_skip(n->bus, 0);
	e.token = fake_bus_token(n->bus);
	device_hang_up(d);
	d = device_online(n, 0, MQTT_V311, "d", false);
	fake_bus_event(n->bus, 0, &e);
	node_run(n);
	device_hears_nothing(d);
	/* But the subscription stands. */
	device_say(d, "30 [<a> 'x']");
	device_hears(d, "PUBLISH qos=0 topic=a payload=x");
	node_free(&n);
}

/* --- retained messages -------------------------------------------------- */

/* v3.1.1 [MQTT-3.3.1-6] [MQTT-3.3.1-8] [MQTT-3.8.4-3] */
Test(client_subscribe, brings_what_is_retained)
{
	struct node *n = node_new();
	struct device *p = device_online(n, 1, MQTT_V311, "p", true);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_say(p,
	    "31 [<a/1> '0'] 33 [<a/2> 0001 '1'] 35 [<a/3> 0002 '2']"
	    "31 [<b> 'b'] 31 [<$SYS/x> 'no']");
	device_say(d, "82 [0001 <a/1> 02 <a/2> 02 <a/3> 02 <a/4> 02]");
	device_hears(d, "SUBACK packet_id=1 codes=0x02,0x02,0x02,0x02");
	device_hears(d, "PUBLISH qos=0 retain topic=a/1 payload=0");
	device_hears(d, "PUBLISH qos=1 retain packet_id=1 topic=a/2 payload=1");
	device_hears(d, "PUBLISH qos=2 retain packet_id=2 topic=a/3 payload=2");
	device_hears_nothing(d);
	/* The same again, at the QoS that it has now. */
	device_say(d, "82 [0001 <a/3> 00]");
	device_hears(d, "SUBACK packet_id=1 codes=0x00");
	device_hears(d, "PUBLISH qos=0 retain topic=a/3 payload=2");
	device_hears_nothing(d);
	device_say(d, "82 [0001 <#> 00]");
	cr_assert_eq(device_skip(d), 5);
	/* What was cleared is no more. v3.1.1 [MQTT-3.3.1-10] */
	device_say(p, "31 [<a/3>]");
	device_hears(d, "PUBLISH qos=0 topic=a/3 payload=");
	device_say(d, "82 [0001 <a/3> 00]");
	device_hears(d, "SUBACK packet_id=1 codes=0x00");
	device_hears_nothing(d);
	node_free(&n);
}

/* v5 [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] */
Test(client_subscribe, handles_retained_messages_as_it_says)
{
	static const struct {
		unsigned options;
		bool first, again;
	} cases[] = {
		{ 0x00, true, true },
		{ 0x10, true, false },
		{ 0x20, false, false },
		/* Retain As Published is of live ones. */
		{ 0x08, true, true },
		{ 0x18, true, false },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *d = device_online(n, 0, MQTT_V5, "d", true);

		device_say(d, "31 [<a> [] 'x']");
		device_say(d, "82 [0001 [0b 05] <a> %02x]", cases[i].options);
		device_hears(d, "SUBACK packet_id=1 codes=0x00");
		if (cases[i].first)
			device_hears(d,
			    "PUBLISH qos=0 retain topic=a payload=x { "
			    "Subscription Identifier=5 }");
		device_hears_nothing(d);
		device_say(d, "82 [0002 [] <a> %02x]", cases[i].options);
		device_hears(d, "SUBACK packet_id=2 codes=0x00");
		if (cases[i].again)
			device_hears(d,
			    "PUBLISH qos=0 retain topic=a payload=x");
		device_hears_nothing(d);
		node_free(&n);
	}
}

/* v5 [MQTT-3.8.3-3]: what is retained is a message of its publisher, too. */
Test(client_subscribe, brings_nothing_back_that_is_not_wanted_back)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	struct device *e = device_online(n, 0, MQTT_V5, "e", true);

	device_say(d, "31 [<a/d> [] 'x']");
	device_say(e, "31 [<a/e> [] 'y']");
	device_say(d, "82 [0001 [] <a/+> 04]");
	device_hears(d, "SUBACK packet_id=1 codes=0x00");
	device_hears(d, "PUBLISH qos=0 retain topic=a/e payload=y");
	device_hears_nothing(d);
	node_free(&n);
}

Test(client_subscribe, brings_nothing_that_has_expired)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(d, "31 [<a> [02 0000000a] 'x'] 31 [<b> [02 00000014] 'y']");
	node_pass(n, 12000);
	device_say(d, "82 [0001 [] <#> 00]");
	device_hears(d, "SUBACK packet_id=1 codes=0x00");
	device_hears(d,
	    "PUBLISH qos=0 retain topic=b payload=y { Message Expiry "
	    "Interval=8 }");
	device_hears_nothing(d);
	node_free(&n);
}

static void
retain_many(struct node *n, unsigned count, unsigned qos)
{
	struct device *p = device_online(n, 0, MQTT_V311, "p", true);

	for (unsigned i = 0; i < count; i++) {
		if (qos == 0)
			device_say(p, "31 [<r/%u> 'kept']", i);
		else
			device_say(p, "%02x [<r/%u> %04x 'kept']",
			    0x31 | qos << 1, i, i + 1);
	}
	device_say(p, "e0 []");
	fake_bus_skip(n->bus, 0);
}

/* They come as the client takes them, and before what is newer. */
Test(client_subscribe, brings_retained_messages_before_live_ones)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;
	const struct any_packet *p;

	o.max_inflight = 3;
	o.ack = ACK_LOCAL;
	n = node_new_with(&o);
	retain_many(n, 10, 1);
	d = device_online(n, 0, MQTT_V311, "d", true);
	device_subscribe(d, "r/#", 1);
	cr_assert_eq(device_skip(d), 3);
	node_from_nats(n, "r/5", "", 1, "live");
	node_from_nats(n, "r/6", "", 0, "live");
	for (unsigned i = 1; i <= 8; i++) {
		device_say(d, "40 [%04x]", i);
		p = device_next(d);
		cr_assert_not_null(p);
		cr_assert_eq(p->publish.retain, i <= 7);
	}
	device_hears(d, "PUBLISH qos=0 topic=r/6 payload=live");
	device_hears_nothing(d);
	node_free(&n);
}

/* A session that is kept keeps what its client was still to get. */
Test(client_subscribe, brings_the_rest_after_a_reconnect)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;
	unsigned retained = 0;

	o.max_inflight = 3;
	o.ack = ACK_LOCAL;
	n = node_new_with(&o);
	retain_many(n, 10, 1);
	d = device_online(n, 0, MQTT_V311, "d", false);
	device_subscribe(d, "r/#", 1);
	cr_assert_eq(device_skip(d), 3);
	node_from_nats(n, "r/5", "", 1, "live");
	device_hang_up(d);
	d = device_online(n, 0, MQTT_V311, "d", false);
	for (unsigned i = 1; i <= 11; i++) {
		const struct any_packet *p = device_next(d);

		cr_assert_not_null(p, "%u", i);
		cr_assert_eq(p->publish.packet_id, i);
		/* The live one was the last, and is. */
		cr_assert_eq(p->publish.retain, i <= 10);
		retained += p->publish.retain;
		device_say(d, "40 [%04x]", i);
	}
	cr_assert_eq(retained, 10);
	device_hears_nothing(d);
	node_free(&n);
}

/* ... as far as it may keep messages. */
Test(client_subscribe, keeps_within_the_bounds_of_the_queue)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.max_inflight = 3;
	o.ack = ACK_LOCAL;
	o.queue.max_queued_messages = 4;
	n = node_new_with(&o);
	retain_many(n, 10, 1);
	d = device_online(n, 0, MQTT_V311, "d", false);
	device_subscribe(d, "r/#", 1);
	cr_assert_eq(device_skip(d), 3);
	node_from_nats(n, "r/5", "", 1, "live");
	device_hang_up(d);
	cr_assert_eq(node_count(n, dropped_queue), 4);
	d = device_online(n, 0, MQTT_V311, "d", false);
	for (unsigned i = 1; i <= 7; i++) {
		const struct any_packet *p = device_next(d);

		cr_assert_not_null(p, "%u", i);
		cr_assert_eq(p->publish.retain, i <= 6);
		device_say(d, "40 [%04x]", i);
	}
	device_hears_nothing(d);
	node_free(&n);
}

/* Who asks for them again and again, and takes none, has them a few times. */
Test(client_subscribe, holds_little_more_than_there_is)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;
	unsigned heard = 0;

	o.max_inflight = 1;
	o.ack = ACK_LOCAL;
	o.queue.max_queued_messages = 5;
	n = node_new_with(&o);
	retain_many(n, 10, 1);
	d = device_online(n, 0, MQTT_V311, "d", true);
	for (unsigned i = 0; i < 50; i++)
		device_say(d, "82 [0001 <r/#> 01]");
	cr_assert_eq(device_skip(d), 51); /* a SUBACK for each, one PUBLISH */
	for (unsigned i = 1; i <= 500; i++) {
		device_say(d, "40 [%04x]", i);
		heard += (unsigned)device_skip(d);
	}
	cr_assert_geq(heard, 9);
	cr_assert_leq(heard, 4 * 10 + 5);
	cr_assert_gt(node_count(n, dropped_queue), 0);
	node_free(&n);
}
