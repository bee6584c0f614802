/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/deliver.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/device.h"
#include "fake/fake_clock.h"

/* --- at which QoS, and how often ---------------------------------------- */

/*
 * v3.1.1 [MQTT-3.8.4-6], v5 [MQTT-3.8.4-8]: the lower of the two v5
 * [MQTT-4.3.1-1] [MQTT-4.3.2-2] [MQTT-4.3.3-2], v3.1.1 [MQTT-4.3.1-1]
 */
Test(deliver, is_at_the_lower_qos)
{
	for (unsigned granted = 0; granted <= 2; granted++) {
		for (unsigned qos = 0; qos <= 2; qos++) {
			struct node *n = node_new();
			struct device *s =
			    device_online(n, 0, MQTT_V311, "s", true);
			struct device *d =
			    device_online(n, 1, MQTT_V311, "d", true);
			const struct any_packet *p;

			device_subscribe(s, "a", granted);
			if (qos == 0)
				device_say(d, "30 [<a> 'x']");
			else
				device_say(d, "%02x [<a> 0001 'x']",
				    0x30 | qos << 1);
			p = device_next(s);
			cr_assert_not_null(p);
			cr_assert_eq(p->publish.qos,
			    qos < granted ? qos : granted);
			cr_assert_not(p->publish.dup);
			device_hears_nothing(s);
			node_free(&n);
		}
	}
}

/* v3.1.1 [MQTT-3.3.5-1]: overlapping filters, one copy, the highest QoS */
Test(deliver, is_one_copy_for_filters_that_overlap)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V311, "s", true);
	struct device *d = device_online(n, 1, MQTT_V311, "d", true);

	device_subscribe(s, "a/b", 0);
	device_subscribe(s, "a/+", 2);
	device_subscribe(s, "#", 1);
	device_say(d, "34 [<a/b> 0001 'x']");
	device_hears(s, "PUBLISH qos=2 packet_id=1 topic=a/b payload=x");
	device_hears_nothing(s);
	node_free(&n);
}

/* The Subscription Identifiers of the next PUBLISH, whose order is nobody's
 * business, added up. */
static uint32_t
sum_of_ids(struct device *s)
{
	const struct any_packet *p = device_next(s);
	struct property one;
	struct slice rest;
	uint32_t sum = 0;

	cr_assert_not_null(p);
	cr_assert_eq(p->type, MQTT_PUBLISH);
	rest = p->publish.properties.raw;
	while (property_next(&rest, &one)) {
		cr_assert_eq(one.id, MQTT_PROP_SUBSCRIPTION_IDENTIFIER);
		sum += one.number;
	}
	return sum;
}

/* v5 [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5] */
Test(deliver, names_every_subscription_that_matches)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", true);
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(s, "82 [0001 [0b 01] <a/b> 01]");
	device_say(s, "82 [0002 [0b ff7f] <a/+> 00]");
	device_say(s, "82 [0003 [] <#> 00]");
	device_say(s, "82 [0004 [0b 03] <a/#> 02]");
	device_skip(s);
	device_say(d, "32 [<a/b> 0001 [] 'x']");
	cr_assert_eq(sum_of_ids(s), 1 + 16383 + 3);
	device_say(d, "30 [<a/c> [] 'x']");
	cr_assert_eq(sum_of_ids(s), 16383 + 3);
	device_say(d, "30 [<a> [] 'x']");
	device_hears(s,
	    "PUBLISH qos=0 topic=a payload=x { Subscription Identifier=3 }");
	device_say(d, "30 [<b> [] 'x']");
	device_hears(s, "PUBLISH qos=0 topic=b payload=x");
	/* A subscription that is replaced may lose its identifier. */
	device_say(s, "82 [0005 [] <a/#> 02] 82 [0006 [] <a/+> 00]");
	device_skip(s);
	device_say(d, "30 [<a/c> [] 'x']");
	device_hears(s, "PUBLISH qos=0 topic=a/c payload=x");
	/* They wait with the message. */
	device_say(s, "82 [0007 [0b 07] <a/c> 01]");
	for (unsigned i = 1; i <= 11; i++)
		device_say(d, "32 [<a/b> %04x [] 'x']", i);
	device_skip(s);
	device_say(d, "32 [<a/c> 0001 [] 'x']");
	device_say(s, "82 [0005 [0b 05] <a/#> 02]");
	device_hears(s, "SUBACK packet_id=5 codes=0x02");
	device_say(s, "40 [0002] 40 [0003] 40 [0004]");
	cr_assert_eq(sum_of_ids(s), 1);
	cr_assert_eq(sum_of_ids(s), 1);
	cr_assert_eq(sum_of_ids(s), 7);
	node_free(&n);
}

/* v5 [MQTT-3.8.3-3] */
Test(deliver, leaves_out_the_publisher_if_it_wants_so)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	struct device *s = device_online(n, 0, MQTT_V5, "s", true);

	device_say(d, "82 [0001 [0b 01] <a> 05]");
	device_say(s, "82 [0001 [0b 01] <a> 05]");
	device_skip(d);
	device_skip(s);
	device_say(d, "30 [<a> [] 'x']");
	device_hears_nothing(d);
	device_hears(s,
	    "PUBLISH qos=0 topic=a payload=x { Subscription Identifier=1 }");
	/* Another subscription of it that matches still counts, alone. */
	device_say(d, "82 [0002 [0b 02] <#> 00]");
	device_skip(d);
	device_say(d, "32 [<a> 0001 [] 'x']");
	device_hears(d,
	    "PUBLISH qos=0 topic=a payload=x { Subscription Identifier=2 }");
	node_free(&n);
}

/* v5 [MQTT-3.3.1-12] [MQTT-3.3.1-13], v3.1.1 [MQTT-3.3.1-9] */
Test(deliver, keeps_retain_if_the_subscription_says_so)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	struct device *s = device_online(n, 0, MQTT_V5, "s", true);
	struct device *t = device_online(n, 0, MQTT_V5, "t", true);

	device_say(s, "82 [0001 [] <a> 08]");
	device_say(t, "82 [0001 [] <a> 00]");
	device_skip(s);
	device_skip(t);
	device_say(d, "31 [<a> [] 'x'] 30 [<a> [] 'y']");
	device_hears(s, "PUBLISH qos=0 retain topic=a payload=x");
	device_hears(s, "PUBLISH qos=0 topic=a payload=y");
	device_hears(t, "PUBLISH qos=0 topic=a payload=x");
	device_hears(t, "PUBLISH qos=0 topic=a payload=y");
	node_free(&n);
}

/* One encoding serves them all, each with what is its own. */
Test(deliver, gives_each_of_many_its_own_head)
{
	struct node *n = node_new();
	struct device *s[12], *d = device_online(n, 0, MQTT_V5, "d", true);
	char id[8];

	for (unsigned i = 0; i < countof(s); i++) {
		(void)snprintf(id, sizeof(id), "s%u", i);
		s[i] = device_online(n, i & 1, i % 3 == 0 ? MQTT_V5 : MQTT_V311,
		    id, true);
		device_subscribe(s[i], "a", i % 4 % 3);
		for (unsigned j = 0; j < i; j++)
			device_client(s[i])->session->inflight.last_id++;
	}
	device_say(d, "34 [<a> 0001 [03 <t>] 'x']");
	for (unsigned i = 0; i < countof(s); i++) {
		const struct any_packet *p = device_next(s[i]);

		cr_assert_not_null(p);
		cr_assert_eq(p->publish.qos, i % 4 % 3);
		if (p->publish.qos > 0)
			cr_assert_eq(p->publish.packet_id, i + 1);
		cr_assert_eq(p->publish.payload.len, 1);
		cr_assert_eq(properties_has(&p->publish.properties,
				 MQTT_PROP_CONTENT_TYPE),
		    i % 3 == 0);
	}
	node_free(&n);
}

/* --- Packet Identifiers and acknowledgements ---------------------------- */

Test(deliver, goes_on_when_the_client_acknowledges)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *s, *d;

	o.max_inflight = 2;
	n = node_new_with(&o);
	s = device_online(n, 0, MQTT_V311, "s", true);
	d = device_online(n, 1, MQTT_V311, "d", true);
	device_subscribe(s, "a", 2);
	device_say(d,
	    "32 [<a> 0001 '1'] 34 [<a> 0002 '2'] 32 [<a> 0003 '3']"
	    " 30 [<a> '4'] 34 [<a> 0005 '5']");
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=a payload=1");
	device_hears(s, "PUBLISH qos=2 packet_id=2 topic=a payload=2");
	device_hears_nothing(s);
	device_say(s, "40 [0001]");
	device_hears(s, "PUBLISH qos=1 packet_id=3 topic=a payload=3");
	device_hears(s, "PUBLISH qos=0 topic=a payload=4"); /* in its order */
	device_hears_nothing(s);
	device_say(s, "50 [0002]"); /* v3.1.1 [MQTT-4.3.3-1] */
	device_hears(s, "PUBREL packet_id=2");
	device_hears_nothing(s);
	device_say(s, "50 [0002]");
	device_hears(s, "PUBREL packet_id=2");
	device_say(s, "70 [0002]");
	device_hears(s, "PUBLISH qos=2 packet_id=4 topic=a payload=5");
	/* What is not known, or no longer, is no harm. */
	device_say(s, "40 [0001] 40 [0099] 70 [0002] 70 [0004] 62 [0033]");
	device_hears(s, "PUBCOMP packet_id=51");
	device_hears_nothing(s);
	node_free(&n);
}

/*
 * v5 [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]: the smaller of both maxima
 */
Test(deliver, keeps_to_the_receive_maximum)
{
	static const struct {
		const char *connect;
		unsigned n;
	} cases[] = {
		{ "10 [<MQTT> 05 02 0000 [21 0003] <s>]", 3 },
		{ "10 [<MQTT> 05 02 0000 [21 0001] <s>]", 1 },
		{ "10 [<MQTT> 05 02 0000 [21 ffff] <s>]", 10 },
		{ "10 [<MQTT> 05 02 0000 [] <s>]", 10 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *s = device_new(n, 0);
		struct device *d = device_online(n, 1, MQTT_V311, "d", true);

		device_say(s, "%s", cases[i].connect);
		device_skip(s);
		device_subscribe(s, "a", 2);
		for (unsigned j = 1; j <= 15; j++)
			device_say(d, "%02x [<a> %04x]", j % 2 ? 0x32u : 0x34u,
			    j);
		cr_assert_eq(device_skip(s), cases[i].n);
		/* The rest of the conversation goes on. v5
		 * [MQTT-3.3.4-10] [MQTT-4.9.0-3] */
		device_say(s, "c0 [] a2 [0009 [] <b>]");
		device_hears(s, "PINGRESP");
		device_hears(s, "UNSUBACK packet_id=9 codes=0x11");
		node_free(&n);
	}
}

/*
 * v5 [MQTT-4.3.3-4]: after an error no PUBREL; the message is over v5
 * [MQTT-4.4.0-2]
 */
Test(deliver, is_over_when_a_v5_client_refuses)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", true);

	device_subscribe(s, "a", 2);
	fake_bus_skip(n->bus, 0);
	node_from_nats(n, "a", "_INBOX.1", 2, "x");
	node_from_nats(n, "a", "_INBOX.2", 1, "y");
	device_hears(s, "PUBLISH qos=2 packet_id=1 topic=a payload=x");
	device_hears(s, "PUBLISH qos=1 packet_id=2 topic=a payload=y");
	device_say(s, "50 [0001 97] 40 [0002 80]");
	device_hears_nothing(s);
	cr_assert_eq(device_client(s)->session->inflight.n, 0);
	/* Nobody has taken responsibility, so nobody says so. */
	bus_hears_nothing(n, 0);
	device_say(s, "50 [0001 97]");
	device_hears_nothing(s);
	/* 0x10 is no error. */
	node_from_nats(n, "a", "_INBOX.3", 1, "z");
	device_hears(s, "PUBLISH qos=1 packet_id=3 topic=a payload=z");
	device_say(s, "40 [0003 10]");
	bus_hears(n, 0, "ANSWER _INBOX.3");
	/* Nor is one that comes when it has had the message. */
	node_from_nats(n, "a", "_INBOX.4", 2, "z");
	device_skip(s);
	device_say(s, "50 [0004] 70 [0004 92]");
	bus_hears(n, 0, "ANSWER _INBOX.4");
	node_free(&n);
}

Test(deliver, ends_the_connection_over_an_answer_of_the_wrong_kind)
{
	static const char *const cases[] = { "40 [0001]", "50 [0002]" };

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *s = device_online(n, 0, MQTT_V5, "s", true);

		device_subscribe(s, "a", 2);
		node_from_nats(n, "a", "", 2, "x");
		node_from_nats(n, "a", "", 1, "y");
		cr_assert_eq(device_skip(s), 2);
		device_say(s, "%s", cases[i]);
		cr_assert_eq(device_next(s)->disconnect.reason,
		    MQTT_RC_PROTOCOL_ERROR);
		device_hears_it_closed(s);
		node_free(&n);
	}
}

/* --- answers towards NATS ----------------------------------------------- */

Test(deliver, answers_nats_when_the_device_has_the_message)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V311, "s", false);
	struct device *t = device_online(n, 1, MQTT_V311, "t", false);

	device_subscribe(s, "a", 2);
	device_subscribe(t, "a", 1);
	fake_bus_skip(n->bus, 0);
	fake_bus_skip(n->bus, 1);
	node_from_nats(n, "a", "_INBOX.1", 1, "x");
	bus_hears_nothing(n, 0);
	bus_hears_nothing(n, 1);
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	device_hears(t, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	/* The first one answers. */
	device_say(t, "40 [0001]");
	bus_hears(n, 1, "ANSWER _INBOX.1");
	device_say(s, "40 [0001]");
	bus_hears_nothing(n, 0);
	/* QoS 2 when it is complete. */
	device_hang_up(t);
	node_from_nats(n, "a", "_INBOX.2", 2, "y");
	device_hears(s, "PUBLISH qos=2 packet_id=2 topic=a payload=y");
	device_say(s, "50 [0002]");
	bus_hears_nothing(n, 0);
	device_hears(s, "PUBREL packet_id=2");
	device_say(s, "70 [0002]");
	bus_hears(n, 0, "ANSWER _INBOX.2");
	/* Without a reply subject, and at QoS 0, nobody is answered. */
	node_from_nats(n, "a", "", 1, "z");
	node_from_nats(n, "a", "_INBOX.3", 0, "z");
	device_hears(s, "PUBLISH qos=1 packet_id=3 topic=a payload=z");
	device_hears(s, "PUBLISH qos=0 topic=a payload=z");
	device_say(s, "40 [0003]");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* [nats] request_subjects: the device answers by itself. */
Test(deliver, leaves_a_call_to_the_device_to_answer)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", true);
	struct message_parts parts = { .topic = SLICE("a"),
		.subject = SLICE("a"),
		.reply = SLICE("_INBOX.1"),
		.qos = 1,
		.from_nats = true,
		.is_request = true };

	device_subscribe(s, "a", 1);
	fake_bus_skip(n->bus, 0);
	fake_bus_message(n->bus, 0, message_new(&parts));
	node_run(n);
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=a payload=");
	device_say(s, "40 [0001]");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

Test(deliver, answers_nats_after_a_reconnect)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V311, "s", false);

	device_subscribe(s, "a", 1);
	device_hang_up(s);
	fake_bus_skip(n->bus, 0);
	node_from_nats(n, "a", "_INBOX.1", 1, "x");
	bus_hears_nothing(n, 0); /* it only stands in a queue */
	s = device_online(n, 1, MQTT_V311, "s", false);
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	device_hang_up(s);
	bus_hears_nothing(n, 0);
	s = device_online(n, 1, MQTT_V311, "s", false);
	device_hears(s, "PUBLISH qos=1 dup packet_id=1 topic=a payload=x");
	device_say(s, "40 [0001]");
	bus_hears(n, 0, "ANSWER _INBOX.1");
	node_free(&n);
}

/* --- a client that is away ---------------------------------------------- */

/* v3.1.1 [MQTT-4.1.0-1] [MQTT-4.4.0-1] [MQTT-4.6.0-6],
 * v5 [MQTT-4.4.0-1] */
Test(deliver, is_repeated_with_dup_to_a_client_that_is_back)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V311, "s", false);
	struct device *d = device_online(n, 1, MQTT_V311, "d", true);

	device_subscribe(s, "a", 2);
	device_say(d, "32 [<a> 0001 '1'] 34 [<a> 0002 '2'] 34 [<a> 0003 '3']");
	device_skip(s);
	device_say(s, "50 [0002]");
	device_hears(s, "PUBREL packet_id=2");
	device_hang_up(s);
	device_say(d, "32 [<a> 0004 '4'] 30 [<a> 'lost']");
	s = device_online(n, 1, MQTT_V311, "s", false);
	device_hears(s, "PUBREL packet_id=2");
	device_hears(s, "PUBLISH qos=1 dup packet_id=1 topic=a payload=1");
	device_hears(s, "PUBLISH qos=2 dup packet_id=3 topic=a payload=3");
	device_hears(s, "PUBLISH qos=1 packet_id=4 topic=a payload=4");
	device_hears_nothing(s);
	device_say(s, "40 [0001] 70 [0002] 50 [0003] 40 [0004]");
	device_hears(s, "PUBREL packet_id=3");
	device_say(s, "70 [0003]");
	device_hang_up(s);
	s = device_online(n, 0, MQTT_V311, "s", false);
	device_hears_nothing(s);
	node_free(&n);
}

/* While connected nothing is repeated: v5 [MQTT-4.4.0-1]. */
Test(deliver, is_not_repeated_to_a_client_that_stays)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V311, "s", false);

	device_subscribe(s, "a", 1);
	node_from_nats(n, "a", "", 1, "x");
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	node_pass(n, 3600 * 1000);
	device_hears_nothing(s);
	node_free(&n);
}

/* The Receive Maximum is of the connection, and it may have become smaller:
 * v5 [MQTT-3.3.4-9]. */
Test(deliver, repeats_no_more_than_the_client_takes_now)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", false);
	char payload[8];

	device_subscribe(s, "a", 2);
	for (unsigned i = 1; i <= 8; i++) {
		(void)snprintf(payload, sizeof(payload), "%u", i);
		node_from_nats(n, "a", "", i == 2 ? 2 : 1, payload);
	}
	cr_assert_eq(device_skip(s), 8);
	device_hang_up(s);
	node_from_nats(n, "a", "", 1, "new");
	s = device_new(n, 1);
	device_say(s, "10 [<MQTT> 05 00 0000 [11 ffffffff 21 0002] <s>]");
	cr_assert_eq(device_next(s)->type, MQTT_CONNACK);
	device_hears(s, "PUBLISH qos=1 dup packet_id=1 topic=a payload=1");
	device_hears(s, "PUBLISH qos=2 dup packet_id=2 topic=a payload=2");
	device_hears_nothing(s);
	/* What comes meanwhile does not overtake. */
	node_from_nats(n, "a", "", 1, "live");
	device_hears_nothing(s);
	device_say(s, "50 [0002]");
	device_hears(s, "PUBREL packet_id=2 reason=0x00");
	device_hears_nothing(s);
	/* An answer to what was sent before is still one. */
	device_say(s, "40 [0004]");
	device_hears_nothing(s);
	device_say(s, "40 [0001]");
	device_hears(s, "PUBLISH qos=1 dup packet_id=3 topic=a payload=3");
	device_hears_nothing(s);
	device_say(s, "40 [0003] 70 [0002]");
	device_hears(s, "PUBLISH qos=1 dup packet_id=5 topic=a payload=5");
	device_hears(s, "PUBLISH qos=1 dup packet_id=6 topic=a payload=6");
	/* And once more, with what was not repeated yet. */
	device_hang_up(s);
	s = device_online(n, 1, MQTT_V5, "s", false);
	device_hears(s, "PUBLISH qos=1 dup packet_id=5 topic=a payload=5");
	device_hears(s, "PUBLISH qos=1 dup packet_id=6 topic=a payload=6");
	device_hears(s, "PUBLISH qos=1 dup packet_id=7 topic=a payload=7");
	device_hears(s, "PUBLISH qos=1 dup packet_id=8 topic=a payload=8");
	device_hears(s, "PUBLISH qos=1 packet_id=9 topic=a payload=new");
	device_hears(s, "PUBLISH qos=1 packet_id=10 topic=a payload=live");
	device_hears_nothing(s);
	node_free(&n);
}

Test(deliver, repeats_no_more_than_the_socket_takes)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *s;
	char payload[901] = { 0 };

	memset(payload, 'x', 900);
	o.max_output_bytes = 2000;
	n = node_new_with(&o);
	s = device_online(n, 0, MQTT_V311, "s", false);
	device_subscribe(s, "a", 1);
	for (unsigned i = 0; i < 10; i++)
		node_from_nats(n, "a", "", 1, payload);
	cr_assert_eq(device_skip(s), 10);
	device_hang_up(s);
	s = device_new(n, 0);
	device_set_window(s, 4);
	device_say(s, "10 [<MQTT> 04 00 0000 <s>]");
	cr_assert_leq(buf_len(&device_client(s)->out), 3000);
	device_set_window(s, SIZE_MAX);
	node_run(n);
	cr_assert_eq(device_skip(s), 11);
	node_free(&n);
}

Test(deliver, queues_within_its_bounds)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *s;

	o.queue.max_queued_messages = 3;
	n = node_new_with(&o);
	s = device_online(n, 0, MQTT_V311, "s", false);
	device_subscribe(s, "a", 1);
	device_hang_up(s);
	for (char c[2] = "1"; c[0] <= '5'; c[0]++)
		node_from_nats(n, "a", "", 1, c);
	cr_assert_eq(node_count(n, dropped_queue), 2);
	/* The newest are refused. */
	s = device_online(n, 0, MQTT_V311, "s", false);
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=a payload=1");
	device_hears(s, "PUBLISH qos=1 packet_id=2 topic=a payload=2");
	device_hears(s, "PUBLISH qos=1 packet_id=3 topic=a payload=3");
	device_hears_nothing(s);
	node_free(&n);
}

Test(deliver, queues_no_more_bytes_than_it_may)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *s;
	char payload[901] = { 0 };

	memset(payload, 'x', 900);
	o.queue.max_queued_bytes = 3500;
	n = node_new_with(&o);
	s = device_online(n, 0, MQTT_V311, "s", false);
	device_subscribe(s, "a", 1);
	device_hang_up(s);
	for (unsigned i = 0; i < 5; i++)
		node_from_nats(n, "a", "", 1, payload);
	cr_assert_eq(node_count(n, dropped_queue), 2);
	s = device_online(n, 0, MQTT_V311, "s", false);
	cr_assert_eq(device_skip(s), 3);
	node_free(&n);
}

/* v3.1.1 3.1.2.4: QoS 0 is kept only if so configured. */
Test(deliver, queues_qos_0_if_told_to)
{
	for (int queues = 0; queues < 2; queues++) {
		struct broker_options o = node_options();
		struct node *n;
		struct device *s;

		o.queue_qos0 = queues;
		n = node_new_with(&o);
		s = device_online(n, 0, MQTT_V311, "s", false);
		device_subscribe(s, "a", 1);
		device_hang_up(s);
		node_from_nats(n, "a", "", 0, "0");
		node_from_nats(n, "a", "", 1, "1");
		s = device_online(n, 0, MQTT_V311, "s", false);
		if (queues)
			device_hears(s, "PUBLISH qos=0 topic=a payload=0");
		device_hears(s, "PUBLISH qos=1 packet_id=1 topic=a payload=1");
		node_free(&n);
	}
}

/* --- a client that reads slowly ----------------------------------------- */

Test(deliver, drops_qos_0_and_keeps_the_rest_for_a_slow_client)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *s, *t;
	char payload[901] = { 0 };

	memset(payload, 'x', 900);
	o.max_output_bytes = 2000;
	n = node_new_with(&o);
	s = device_online(n, 0, MQTT_V311, "s", true);
	t = device_online(n, 0, MQTT_V311, "t", true);
	device_subscribe(s, "a", 1);
	device_subscribe(t, "a", 1);
	device_set_window(s, 0);
	for (unsigned i = 0; i < 6; i++)
		node_from_nats(n, "a", "", 0, payload);
	cr_assert_eq(node_count(n, dropped_slow), 3);
	for (unsigned i = 0; i < 6; i++)
		node_from_nats(n, "a", "", 1, payload);
	cr_assert_lt(buf_len(&device_client(s)->out), 3000);
	device_set_window(s, SIZE_MAX);
	node_run(n);
	cr_assert_eq(device_skip(s), 9);
	cr_assert_eq(device_skip(t), 12);
	node_free(&n);
}

/*
 * Between a little room and all of it: what waits is not overtaken. v3.1.1
 * [MQTT-4.6.0-6], v5 [MQTT-4.6.0-6]
 */
Test(deliver, keeps_the_order_for_a_client_that_reads_a_little)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *s;
	char payload[901] = { 0 };

	memset(payload, 'x', 900);
	o.max_output_bytes = 2000;
	n = node_new_with(&o);
	s = device_online(n, 0, MQTT_V311, "s", true);
	device_subscribe(s, "a", 1);
	device_set_window(s, 0);
	for (char i = '0'; i < '5'; i++) {
		payload[0] = i;
		node_from_nats(n, "a", "", 1, payload);
	}
	device_set_window(s, 1500);
	node_run(n);
	cr_assert_lt(buf_len(&device_client(s)->out), 2000);
	for (char i = '5'; i < '9'; i++) {
		payload[0] = i;
		node_from_nats(n, "a", "", i % 2, payload);
	}
	device_set_window(s, SIZE_MAX);
	node_run(n);
	for (char i = '0'; i < '9'; i++)
		cr_assert_eq(device_next(s)->publish.payload.ptr[0], i);
	device_hears_nothing(s);
	node_free(&n);
}

/* A client that does not read what it asked for need not ask more. */
Test(deliver, does_not_read_from_a_client_that_does_not_read)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.max_output_bytes = 20;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V311, "d", true);
	device_set_window(d, 0);
	for (unsigned i = 0; i < 20; i++)
		device_say(d, "c0 []");
	cr_assert_eq(buf_len(&device_client(d)->out), 22);
	cr_assert(device_client(d)->is_paused);
	device_set_window(d, SIZE_MAX);
	node_run(n);
	cr_assert_eq(device_skip(d), 20);
	node_free(&n);
}

/* --- Message Expiry Interval -------------------------------------------- */

/* v5 [MQTT-3.3.2-5] [MQTT-3.3.2-6] */
Test(deliver, says_how_long_a_message_is_good)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", false);
	struct device *d = device_online(n, 1, MQTT_V5, "d", true);
	struct device *t = device_online(n, 1, MQTT_V311, "t", false);

	device_subscribe(s, "a", 1);
	device_subscribe(t, "a", 1);
	device_say(d, "32 [<a> 0001 [02 0000000a] 'x']");
	device_hears(s,
	    "PUBLISH qos=1 packet_id=1 topic=a payload=x { Message Expiry "
	    "Interval=10 }");
	device_hears(t, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	device_say(s, "40 [0001]");
	device_hang_up(s);
	device_hang_up(t);
	device_say(d, "32 [<a> 0002 [02 0000000a] 'y']");
	device_say(d, "32 [<a> 0003 [02 00000002] 'z']");
	device_say(d, "32 [<a> 0004 [] 'end']");
	node_pass(n, 3500);
	s = device_online(n, 0, MQTT_V5, "s", false);
	device_hears(s,
	    "PUBLISH qos=1 packet_id=2 topic=a payload=y { Message Expiry "
	    "Interval=7 }");
	device_hears(s, "PUBLISH qos=1 packet_id=3 topic=a payload=end");
	device_hears_nothing(s);
	cr_assert_eq(node_count(n, dropped_expired), 1);
	/* A 3.1.1 client has them expire as well. */
	t = device_online(n, 0, MQTT_V311, "t", false);
	device_hears(t, "PUBLISH qos=1 dup packet_id=1 topic=a payload=x");
	device_hears(t, "PUBLISH qos=1 packet_id=2 topic=a payload=y");
	device_hears(t, "PUBLISH qos=1 packet_id=3 topic=a payload=end");
	device_hears_nothing(t);
	node_free(&n);
}

/* Delivery had begun, so it goes on, as v5 [MQTT-4.3.3-7] has it at QoS 2; but
 * it is good for nothing more. */
Test(deliver, repeats_a_message_that_has_expired_as_such)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", false);
	struct device *d = device_online(n, 1, MQTT_V5, "d", true);

	device_subscribe(s, "a", 1);
	device_say(d, "32 [<a> 0001 [02 0000000a] 'x']");
	device_skip(s);
	device_hang_up(s);
	node_pass(n, 20000);
	s = device_online(n, 0, MQTT_V5, "s", false);
	device_hears(s,
	    "PUBLISH qos=1 dup packet_id=1 topic=a payload=x { Message Expiry "
	    "Interval=0 }");
	node_free(&n);
}

/* --- Maximum Packet Size ------------------------------------------------ */

/* v5 [MQTT-3.1.2-24] [MQTT-3.1.2-25] */
Test(deliver, sends_nothing_larger_than_the_client_takes)
{
	struct node *n = node_new();
	struct device *s = device_new(n, 0);
	struct device *d = device_online(n, 1, MQTT_V5, "d", true);

	s->max_packet_size = 40;
	device_say(s, "10 [<MQTT> 05 00 0000 [11 ffffffff 27 00000028] <s>]");
	device_skip(s);
	device_subscribe(s, "a", 1);
	/* 2 + 3 + 2 + 1 and 32 of payload is 40 */
	device_say(d, "32 [<a> 0001 [] 78*33] 30 [<a> [] 78*35]");
	device_hears_nothing(s);
	device_say(d, "32 [<a> 0002 [] 78*32] 30 [<a> [] 78*34]");
	cr_assert_eq(device_next(s)->publish.payload.len, 32);
	cr_assert_eq(device_next(s)->publish.payload.len, 34);
	/* Properties count; Subscription Identifiers of ours, too. */
	device_say(d, "32 [<a> 0003 [03 <ttt>] 78*27]");
	device_hears_nothing(s);
	device_say(d, "32 [<a> 0004 [03 <ttt>] 78*26]");
	cr_assert_eq(device_next(s)->publish.payload.len, 26);
	/* The same from the queue, and when it is retained. */
	device_hang_up(s);
	device_say(d, "32 [<a> 0005 [] 78*33] 32 [<a> 0006 [] 78*3]");
	device_say(d, "31 [<a> [] 78*40]");
	s = device_new(n, 0);
	s->max_packet_size = 40;
	device_say(s, "10 [<MQTT> 05 00 0000 [11 ffffffff 27 00000028] <s>]");
	device_hears(s,
	    "CONNACK session_present=1 reason=0x00 { Receive Maximum=20 "
	    "Maximum Packet Size=100000 Topic Alias Maximum=64 }");
	cr_assert_eq(device_next(s)->publish.packet_id, 1);
	cr_assert_eq(device_next(s)->publish.packet_id, 2);
	device_hears(s, "PUBLISH qos=1 packet_id=3 topic=a payload=xxx");
	device_subscribe(s, "#", 0);
	device_hears_nothing(s);
	node_free(&n);
}

/* From the largest packet of 3.1.1 there is no way to 5.0. */
Test(deliver, drops_what_is_no_packet_any_more)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", true);
	struct message *m = node_message("a", "a", "", 0, "");
	struct subscriber to = { .session = device_client(s)->session->handle };

	/* Nobody reads so much payload that is not there. */
	m->payload_len = MQTT_VARINT_MAX - 3;
	cr_assert_eq(deliver(node_home(n, 0), m, 0, &to, 1), 0);
	m->payload_len = 0;
	cr_assert_eq(deliver(node_home(n, 0), m, 0, &to, 1), DELIVER_REACHED);
	message_unref(&m);
	node_free(&n);
}

Test(deliver, ends_what_a_smaller_client_cannot_take_again)
{
	struct node *n = node_new();
	struct device *s = device_online(n, 0, MQTT_V5, "s", false);

	device_subscribe(s, "a", 2);
	node_from_nats(n, "a", "_INBOX.1", 1, "this one is long, rather long");
	node_from_nats(n, "a", "_INBOX.2", 1, "short");
	node_from_nats(n, "a", "_INBOX.3", 2, "this one is long, rather long");
	cr_assert_eq(device_skip(s), 3);
	fake_bus_skip(n->bus, 0);
	device_hang_up(s);
	s = device_new(n, 0);
	s->max_packet_size = 30;
	device_say(s, "10 [<MQTT> 05 00 0000 [11 ffffffff 27 0000001e] <s>]");
	cr_assert_eq(device_next(s)->type, MQTT_CONNACK);
	device_hears(s, "PUBLISH qos=1 dup packet_id=2 topic=a payload=short");
	device_hears_nothing(s);
	cr_assert_eq(device_client(s)->session->inflight.n, 1);
	bus_hears_nothing(n, 0);
	node_free(&n);
}
