/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/retained_request.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/device.h"
#include "store/retained.h"

static struct node *
node_with(const char *const (*kept)[2], size_t n_kept)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	for (size_t i = 0; i < n_kept; i++)
		device_say(d, "31 [<%s> %s]", kept[i][0], kept[i][1]);
	device_say(d, "e0 []");
	fake_bus_skip(n->bus, 0);
	return n;
}

static void
request(struct node *n, const char *what)
{
	fake_bus_retained_request(n->bus,
	    node_message("", "mqtt.retained.request", "_INBOX.1", 0, what));
	node_run(n);
}

static const char *const kept[][2] = {
	{ "z", "'last shall be first'" },
	{ "a/b", "'x'" },
	{ "a/c", "00 ff" },
	{ "a", "'\"quoted\\\\\"'" },
	{ "a/b/c", "'y'" },
	{ "$SYS2/x", "'dollar'" },
	{ "a b/c.d", "'escaped'" },
	{ "t", "c3a4" },
	{ "n", "'tab' 09" },
};

/* DESIGN: printable ASCII as it is, the rest in base64; in order of first
 * retention; a NATS wildcard is what NATS says it is. */
Test(retained_request, is_answered_with_a_list)
{
	static const char *const cases[][2] = {
		{ "a.b", "[{\"subject\":\"a.b\",\"payload\":\"x\"}]" },
		{ "a.c", "[{\"subject\":\"a.c\",\"payloadEnc\":\"AP8=\"}]" },
		{ "a",
		    "[{\"subject\":\"a\",\"payload\":"
		    "\"\\\"quoted\\\\\\\\\\\"\"}]" },
		{ "nothing", "[]" },
		{ "", "[]" },
		{ "a..b", "[]" },
		{ "a.*",
		    "[{\"subject\":\"a.b\",\"payload\":\"x\"},"
		    "{\"subject\":\"a.c\",\"payloadEnc\":\"AP8=\"}]" },
		/* "a.>" leaves "a" out */
		{ "a.>",
		    "[{\"subject\":\"a.b\",\"payload\":\"x\"},"
		    "{\"subject\":\"a.c\",\"payloadEnc\":\"AP8=\"},"
		    "{\"subject\":\"a.b.c\",\"payload\":\"y\"}]" },
		{ "a.b,z",
		    "[{\"subject\":\"z\",\"payload\":"
		    "\"last shall be first\"},"
		    "{\"subject\":\"a.b\",\"payload\":\"x\"}]" },
		{ " a.b , a.* ,a.b\n,,",
		    "[{\"subject\":\"a.b\",\"payload\":\"x\"},"
		    "{\"subject\":\"a.c\",\"payloadEnc\":\"AP8=\"}]" },
		{ "*.c//d",
		    "[{\"subject\":\"a/sb.c//d\",\"payload\":"
		    "\"escaped\"}]" },
		{ "t", "[{\"subject\":\"t\",\"payloadEnc\":\"w6Q=\"}]" },
		{ "n", "[{\"subject\":\"n\",\"payloadEnc\":\"dGFiCQ==\"}]" },
	};
	struct node *n = node_with(kept, countof(kept));
	char want[500];

	for (size_t i = 0; i < countof(cases); i++) {
		const char *heard;

		request(n, cases[i][0]);
		(void)snprintf(want, sizeof(want), "SEND _INBOX.1 payload=%s",
		    cases[i][1]);
		heard = fake_bus_read(n->bus, 0);
		cr_expect_str_eq(heard, want, "%s: %s", cases[i][0], heard);
		bus_hears_nothing(n, 0);
	}
	node_free(&n);
}

Test(retained_request, without_reply_subject_is_not_answered)
{
	struct node *n = node_with(kept, countof(kept));

	fake_bus_retained_request(n->bus, node_message("", "x", "", 0, ">"));
	node_run(n);
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* The order is that of the first retention, however it changes later. */
Test(retained_request, keeps_the_order_of_first_retention)
{
	struct node *n = node_with(kept, 2);
	struct device *d = device_online(n, 1, MQTT_V311, "e", true);

	device_say(d, "31 [<m> 'new'] 31 [<z> 'changed']");
	request(n, ">");
	bus_hears(n, 0,
	    "SEND _INBOX.1 payload=[{\"subject\":\"z\",\"payload\":"
	    "\"changed\"},{\"subject\":\"a.b\",\"payload\":\"x\"},"
	    "{\"subject\":\"m\",\"payload\":\"new\"}]");
	/* What is cleared loses its place. */
	device_say(d, "31 [<z>] 31 [<z> 'again']");
	request(n, ">");
	bus_hears(n, 0,
	    "SEND _INBOX.1 payload=[{\"subject\":\"a.b\",\"payload\":\"x\"},"
	    "{\"subject\":\"m\",\"payload\":\"new\"},{\"subject\":\"z\","
	    "\"payload\":\"again\"}]");
	node_free(&n);
}

/* More than NATS takes at once: several lists, then an empty message. */
Test(retained_request, is_answered_in_several_messages)
{
	struct node *n = node_with(kept, 0);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	unsigned entries = 0, messages = 0;
	const struct bus_request *r;
	bool ended = false;

	for (unsigned i = 0; i < 20; i++)
		device_say(d, "31 [<a/%02u> 78*50]", i);
	fake_bus_skip(n->bus, 0);
	fake_bus_set_max_payload(n->bus, 300);
	request(n, "a.*");
	while ((r = fake_bus_take(n->bus, 0)) != NULL) {
		struct slice list = message_payload(r->message);

		cr_assert_eq(r->type, BUS_SEND);
		cr_assert_not(ended, "something behind the end");
		cr_assert_leq(list.len, 300);
		messages++;
		ended = list.len == 0;
		if (ended)
			continue;
		cr_assert_eq(list.ptr[0], '[');
		cr_assert_eq(list.ptr[list.len - 1], ']');
		for (size_t i = 0; i + 1 < list.len; i++)
			entries += list.ptr[i] == '{';
	}
	cr_assert(ended);
	cr_assert_eq(entries, 20);
	/* 80 bytes each, 3 fit: 7 lists and the end */
	cr_assert_eq(messages, 8);
	node_free(&n);
}

/* What does not fit into any message must not spoil the answer. */
Test(retained_request, leaves_out_what_nats_cannot_carry)
{
	struct node *n = node_with(kept, 2);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_say(d, "31 [<a/large> 00*300] 31 [<a/z> 'end']");
	fake_bus_skip(n->bus, 0);
	fake_bus_set_max_payload(n->bus, 300);
	request(n, "a.*");
	bus_hears(n, 0,
	    "SEND _INBOX.1 payload=[{\"subject\":\"a.b\",\"payload\":\"x\"},"
	    "{\"subject\":\"a.z\",\"payload\":\"end\"}]");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* A request may name the same a thousand times. */
Test(retained_request, finds_each_message_once)
{
	struct node *n = node_with(kept, countof(kept));
	char what[4001];

	for (size_t i = 0; i + 1 < sizeof(what); i += 2)
		memcpy(&what[i], ">,", 2);
	what[sizeof(what) - 1] = '\0';
	request(n, what);
	bus_hears(n, 0,
	    "SEND _INBOX.1 payload=[{\"subject\":\"z\",\"payload\":\"last "
	    "shall be first\"},{\"subject\":\"a.b\",\"payload\":\"x\"},"
	    "{\"subject\":\"a.c\",\"payloadEnc\":\"AP8=\"},{\"subject\":\"a\","
	    "\"payload\":\"\\\"quoted\\\\\\\\\\\"\"},{\"subject\":\"a.b.c\","
	    "\"payload\":\"y\"},{\"subject\":\"a/sb.c//d\",\"payload\":"
	    "\"escaped\"},{\"subject\":\"t\",\"payloadEnc\":\"w6Q=\"},"
	    "{\"subject\":\"n\",\"payloadEnc\":\"dGFiCQ==\"}]");
	node_free(&n);
}
