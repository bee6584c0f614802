/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/publish.h"

#include "broker/device.h"
#include "store/retained.h"

static struct node *
node_with_ack(enum ack_policy ack)
{
	struct broker_options o = node_options();

	o.ack = ack;
	return node_new_with(&o);
}

/* --- what NATS says ----------------------------------------------------- */

#define NONE   ""
#define OK_V3  "PUBACK packet_id=7"
#define OK_V5  "PUBACK packet_id=7 reason=0x00"
#define REC_V3 "PUBREC packet_id=7"
#define REC_V5 "PUBREC packet_id=7 reason=0x00"
#define BAD(type, code, text)                                                  \
	type " packet_id=7 reason=" code " { Reason String=" text " }"

struct answer {
	enum ack_policy policy;
	enum bus_result result;
	const char *text;     /* of NATS */
	const char *heard[4]; /* QoS 1 and 2 in 3.1.1, QoS 1 and 2 in 5.0 */
};

#define TIMED_OUT(type)                                                        \
	BAD(type, "0x80 (unspecified error)", "nobody acknowledged in time")
#define IS_DOWN(type)                                                          \
	BAD(type, "0x80 (unspecified error)", "its connection to NATS is gone")
#define DENIED(type)                                                           \
	type " packet_id=7 reason=0x87 (not authorized) "                      \
	     "{ Reason String=NATS does not permit it }"
#define TOO_LARGE(type)                                                        \
	BAD(type, "0x97 (quota exceeded)", "larger than NATS takes")
#define NOBODY(type) type " packet_id=7 reason=0x10 (no matching subscribers)"
#define NO_STREAM(type)                                                        \
	BAD(type, "0x80 (unspecified error)", "no stream has this subject")

static const struct answer answers[] = {
	{ ACK_REPLY, BUS_OK, NULL, { OK_V3, REC_V3, OK_V5, REC_V5 } },
	{ ACK_REPLY, BUS_NO_RESPONDERS, NULL,
	    { OK_V3, REC_V3, NOBODY("PUBACK"), NOBODY("PUBREC") } },
	{ ACK_REPLY, BUS_TIMEOUT, NULL,
	    { NONE, NONE, TIMED_OUT("PUBACK"), TIMED_OUT("PUBREC") } },
	{ ACK_REPLY, BUS_DOWN, NULL,
	    { NONE, NONE, IS_DOWN("PUBACK"), IS_DOWN("PUBREC") } },
	{ ACK_REPLY, BUS_REFUSED, "maximum bytes exceeded",
	    { NONE, NONE,
		BAD("PUBACK", "0x97 (quota exceeded)",
		    "maximum bytes exceeded"),
		BAD("PUBREC", "0x97 (quota exceeded)",
		    "maximum bytes exceeded") } },
	{ ACK_REPLY, BUS_UNSENDABLE, NULL,
	    { OK_V3, REC_V3, TOO_LARGE("PUBACK"), TOO_LARGE("PUBREC") } },
	{ ACK_STREAM, BUS_OK, NULL, { OK_V3, REC_V3, OK_V5, REC_V5 } },
	{ ACK_STREAM, BUS_NO_RESPONDERS, NULL,
	    { NONE, NONE, NO_STREAM("PUBACK"), NO_STREAM("PUBREC") } },
	{ ACK_STREAM, BUS_TIMEOUT, NULL,
	    { NONE, NONE, TIMED_OUT("PUBACK"), TIMED_OUT("PUBREC") } },
	{ ACK_STREAM, BUS_REFUSED, NULL,
	    { NONE, NONE,
		BAD("PUBACK", "0x97 (quota exceeded)",
		    "a stream has refused it"),
		BAD("PUBREC", "0x97 (quota exceeded)",
		    "a stream has refused it") } },
	{ ACK_SERVER, BUS_OK, NULL, { OK_V3, REC_V3, OK_V5, REC_V5 } },
	{ ACK_SERVER, BUS_TIMEOUT, NULL,
	    { NONE, NONE, TIMED_OUT("PUBACK"), TIMED_OUT("PUBREC") } },
	{ ACK_SERVER, BUS_DENIED, NULL,
	    { OK_V3, REC_V3, DENIED("PUBACK"), DENIED("PUBREC") } },
	{ ACK_REPLY, BUS_DENIED, NULL,
	    { OK_V3, REC_V3, DENIED("PUBACK"), DENIED("PUBREC") } },
	{ ACK_SERVER, BUS_UNSENDABLE, NULL,
	    { OK_V3, REC_V3, TOO_LARGE("PUBACK"), TOO_LARGE("PUBREC") } },
};

static const char *const policies[] = { "reply", "stream", "server", "local" };

static void
publish(struct device *d, unsigned qos)
{
	if (d->version == MQTT_V5)
		device_say(d, "%02x [<a/b> 0007 [] 'x']", 0x30 | qos << 1);
	else
		device_say(d, "%02x [<a/b> 0007 'x']", 0x30 | qos << 1);
}

static void
expect_answer(const struct answer *a, unsigned version, unsigned qos,
    const char *want)
{
	struct node *n = node_with_ack(a->policy);
	struct device *d = device_online(n, 0, version, "d", true);
	const char *request, *heard;

	publish(d, qos);
	device_hears_nothing(d);
	request = fake_bus_read(n->bus, 0);
	cr_expect_not_null(strstr(request, policies[a->policy]), "%s", request);
	fake_bus_settle(n->bus, 0, fake_bus_token(n->bus), a->result, a->text);
	node_run(n);
	heard = device_read(d);
	cr_expect_str_eq(heard, want,
	    "ack=%s result %d QoS %u version %u: heard \"%s\", not \"%s\"",
	    policies[a->policy], a->result, qos, version, heard, want);
	device_hears_nothing(d);
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* v3.1.1 [MQTT-4.3.2-2] [MQTT-4.3.3-2], v5 [MQTT-4.3.2-4] [MQTT-4.3.3-8] */
Test(publish, is_acknowledged_as_policy_and_nats_say)
{
	for (size_t i = 0; i < countof(answers); i++) {
		const struct answer *a = &answers[i];

		expect_answer(a, MQTT_V311, 1, a->heard[0]);
		expect_answer(a, MQTT_V311, 2, a->heard[1]);
		expect_answer(a, MQTT_V5, 1, a->heard[2]);
		expect_answer(a, MQTT_V5, 2, a->heard[3]);
	}
}

/* What cannot be sent is refused, as by our own guards. */
Test(publish, that_nats_cannot_carry_may_end_a_v3_client)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.v3_refuse_close = true;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V311, "d", true);
	publish(d, 1);
	bus_hears(n, 0, "PUBLISH a.b qos=1 ack=reply payload=x");
	node_settle(n, 0, BUS_UNSENDABLE);
	device_hears_it_closed(d);
	cr_assert_eq(node_count(n, refused_publishes), 1);
	node_free(&n);
}

Test(publish, counts_what_nobody_acknowledged)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	publish(d, 1);
	bus_hears(n, 0, "PUBLISH a.b qos=1 ack=reply payload=x");
	node_settle(n, 0, BUS_TIMEOUT);
	cr_assert_eq(node_count(n, unacknowledged), 1);
	node_free(&n);
}

Test(publish, waits_for_nobody_where_the_node_is_enough)
{
	struct node *n = node_with_ack(ACK_LOCAL);
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	publish(d, 1);
	device_hears(d, OK_V5);
	bus_hears(n, 0, "PUBLISH a.b qos=1 ack=local payload=x");
	cr_assert_eq(fake_bus_token(n->bus), 0);
	publish(d, 2);
	device_hears(d, REC_V5);
	node_free(&n);
}

Test(publish, needs_no_acknowledgement_at_qos_0)
{
	struct node *n = node_with_ack(ACK_STREAM);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_say(d, "30 [<a/b> 'x']");
	device_hears_nothing(d);
	bus_hears(n, 0, "PUBLISH a.b qos=0 payload=x");
	cr_assert_eq(fake_bus_token(n->bus), 0);
	node_free(&n);
}

Test(publish, takes_the_policy_of_the_first_rule_that_matches)
{
	static const struct ack_rule rules[] = {
		{ .filter = "a/+", .policy = ACK_SERVER },
		{ .filter = "a/#", .policy = ACK_STREAM },
		{ .filter = "x", .policy = ACK_LOCAL },
	};
	static const char *const cases[][2] = {
		{ "a/b", "PUBLISH a.b qos=1 ack=server payload=" },
		{ "a/b/c", "PUBLISH a.b.c qos=1 ack=stream payload=" },
		{ "a", "PUBLISH a qos=1 ack=stream payload=" },
		{ "x", "PUBLISH x qos=1 ack=local payload=" },
		{ "y", "PUBLISH y qos=1 ack=reply payload=" },
	};
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.ack_rules = rules;
	o.n_ack_rules = countof(rules);
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V311, "d", true);
	for (unsigned i = 0; i < countof(cases); i++) {
		device_say(d, "32 [<%s> %04x]", cases[i][0], i + 1);
		bus_hears(n, 0, cases[i][1]);
	}
	node_free(&n);
}

/* --- sessions of this node ---------------------------------------------- */

/* ack = reply: a session that has the message is somebody. */
Test(publish, is_acknowledged_by_a_session_of_the_node)
{
	for (unsigned home = 0; home < 2; home++) {
		struct node *n = node_new();
		struct device *d = device_online(n, 0, MQTT_V5, "d", true);
		struct device *s = device_online(n, home, MQTT_V5, "s", false);

		device_subscribe(s, "a/+", 1);
		fake_bus_skip(n->bus, home);
		publish(d, 2);
		device_hears(d, REC_V5);
		device_hears(s,
		    "PUBLISH qos=1 packet_id=1 topic=a/b payload=x");
		bus_hears(n, 0,
		    home == 0 ? "PUBLISH a.b qos=2 ack=reply payload=x once"
			      : "PUBLISH a.b qos=2 ack=reply payload=x");
		/* What NATS says later changes nothing. */
		node_settle(n, 0, BUS_TIMEOUT);
		device_hears_nothing(d);
		cr_assert_eq(node_count(n, unacknowledged), 0);
		/* Away, it still takes it. */
		device_hang_up(s);
		device_say(d, "62 [0007]");
		device_hears(d, "PUBCOMP packet_id=7 reason=0x00");
		publish(d, 1);
		device_hears(d, OK_V5);
		node_free(&n);
	}
}

/* A session on another home tells, after that home has turned. */
Test(publish, waits_for_the_other_home_to_have_it)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *s = device_online(n, 1, MQTT_V311, "s", true);

	device_subscribe(s, "a/b", 1);
	device_put(d, "32 [<a/b> 0007 'x']");
	node_turn(n, 0);
	device_hears_nothing(d);
	node_turn(n, 1);
	device_hears_nothing(d);
	node_turn(n, 0);
	device_hears(d, OK_V3);
	device_hears(s, "PUBLISH qos=1 packet_id=1 topic=a/b payload=x");
	node_free(&n);
}

/* Neither QoS 0 nor a full queue takes responsibility. */
Test(publish, is_not_acknowledged_by_a_session_that_does_not_take_it)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d, *s;

	o.queue.max_queued_messages = 0;
	for (unsigned home = 0; home < 2; home++) {
		n = node_new_with(&o);
		d = device_online(n, 0, MQTT_V5, "d", true);
		s = device_online(n, home, MQTT_V5, "s", true);
		device_subscribe(s, "a/b", 0);
		s = device_online(n, home, MQTT_V5, "away", false);
		device_subscribe(s, "a/b", 2);
		device_hang_up(s);
		fake_bus_skip(n->bus, 0);
		publish(d, 1);
		device_hears_nothing(d);
		bus_hears(n, 0, "PUBLISH a.b qos=1 ack=reply payload=x");
		/* The one at QoS 0 was reached, so it is not "nobody". */
		node_settle(n, 0, BUS_NO_RESPONDERS);
		device_hears(d, OK_V5);
		cr_assert_eq(node_count(n, dropped_queue), 1);
		node_free(&n);
	}
}

Test(publish, needs_the_stream_or_server_whoever_else_has_it)
{
	for (int policy = ACK_STREAM; policy <= ACK_SERVER; policy++) {
		struct node *n = node_with_ack((enum ack_policy)policy);
		struct device *d = device_online(n, 0, MQTT_V5, "d", true);
		struct device *s = device_online(n, 0, MQTT_V5, "s", true);
		struct device *t = device_online(n, 1, MQTT_V5, "t", true);

		device_subscribe(s, "a/b", 1);
		device_subscribe(t, "a/b", 1);
		fake_bus_skip(n->bus, 0);
		publish(d, 1);
		device_hears_nothing(d);
		device_hears(s,
		    "PUBLISH qos=1 packet_id=1 topic=a/b payload=x");
		device_hears(t,
		    "PUBLISH qos=1 packet_id=1 topic=a/b payload=x");
		cr_assert_not_null(fake_bus_take(n->bus, 0));
		node_settle(n, 0, BUS_OK);
		device_hears(d, OK_V5);
		node_free(&n);
	}
}

Test(publish, stays_on_a_node_without_nats)
{
	struct broker_options o = node_options();
	struct node *n = node_new_alone(&o);
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	struct device *s = device_online(n, 1, MQTT_V311, "s", true);

	publish(d, 1);
	device_hears(d, NOBODY("PUBACK"));
	device_subscribe(s, "#", 0);
	publish(d, 1);
	device_hears(d, OK_V5);
	device_hears(s, "PUBLISH qos=0 topic=a/b payload=x");
	publish(d, 2);
	device_hears(d, REC_V5);
	device_hears(s, "PUBLISH qos=0 topic=a/b payload=x");
	node_free(&n);
}

/* NATS must see and judge everything: it comes back, or it does not. */
Test(publish, goes_round_by_nats_where_devices_have_identities)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.identity_user = true;
	n = node_new_with(&o);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 82 0000 <d> <anna>]");
	bus_hears(n, 0, "IDENTIFY anna -");
	fake_bus_identify(n->bus, 0, fake_bus_token(n->bus), BUS_OK, 7);
	node_run(n);
	device_hears(d, "CONNACK session_present=0 code=0");
	device_subscribe(d, "a/b", 1);
	bus_hears(n, 0, "SUBSCRIBE a.b link=7");
	publish(d, 1);
	device_hears_nothing(d);
	bus_hears(n, 0, "PUBLISH a.b qos=1 ack=reply payload=x link=7");
	node_settle(n, 0, BUS_OK);
	device_hears(d, OK_V3);
	/* from another identity it is none of its business */
	fake_bus_message(n->bus, 8, node_message("a/b", "a.b", "", 0, "y"));
	fake_bus_message(n->bus, 0, node_message("a/b", "a.b", "", 0, "y"));
	node_run(n);
	device_hears_nothing(d);
	fake_bus_message(n->bus, 7, node_message("a/b", "a.b", "", 0, "x"));
	node_run(n);
	device_hears(d, "PUBLISH qos=0 topic=a/b payload=x");
	node_free(&n);
}

/* --- answers that come late --------------------------------------------- */

Test(publish, is_not_acknowledged_to_a_later_connection)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);
	uint64_t first;

	publish(d, 1);
	bus_hears(n, 0, "PUBLISH a.b qos=1 ack=reply payload=x");
	first = fake_bus_token(n->bus);
	device_hang_up(d);
	d = device_online(n, 1, MQTT_V311, "d", false);
	/* It sends it again, and that is another publish. */
	device_say(d, "3a [<a/b> 0007 'x']");
	bus_hears(n, 0, "PUBLISH a.b qos=1 ack=reply payload=x");
	fake_bus_settle(n->bus, 0, first, BUS_OK, NULL);
	node_run(n);
	device_hears_nothing(d);
	fake_bus_settle(n->bus, 0, fake_bus_token(n->bus), BUS_OK, NULL);
	node_run(n);
	device_hears(d, OK_V3);
	device_hears_nothing(d);
	node_free(&n);
}

/* At QoS 2 the identifier is the session's: v5 [MQTT-4.3.3-10]. */
Test(publish, at_qos_2_is_remembered_while_its_client_is_away)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	publish(d, 2);
	bus_hears(n, 0, "PUBLISH a.b qos=2 ack=reply payload=x");
	device_hang_up(d);
	node_settle(n, 0, BUS_OK);
	d = device_online(n, 0, MQTT_V311, "d", false);
	device_say(d, "3c [<a/b> 0007 'x']");
	device_hears(d, REC_V3);
	bus_hears_nothing(n, 0);
	device_say(d, "62 [0007]");
	device_hears(d, "PUBCOMP packet_id=7");
	/* Now it is another message. */
	publish(d, 2);
	bus_hears(n, 0, "PUBLISH a.b qos=2 ack=reply payload=x");
	node_free(&n);
}

/* The answer comes between the reconnect and the repetition, or after it. */
Test(publish, at_qos_2_is_answered_once_to_the_client_that_is_back)
{
	for (int order = 0; order < 2; order++) {
		struct node *n = node_new();
		struct device *d = device_online(n, 0, MQTT_V311, "d", false);

		publish(d, 2);
		bus_hears(n, 0, "PUBLISH a.b qos=2 ack=reply payload=x");
		device_hang_up(d);
		d = device_online(n, 0, MQTT_V311, "d", false);
		if (order == 0)
			device_say(d, "3c [<a/b> 0007 'x']");
		device_hears_nothing(d);
		node_settle(n, 0, BUS_OK);
		device_hears(d, REC_V3);
		device_hears_nothing(d);
		bus_hears_nothing(n, 0);
		node_free(&n);
	}
}

Test(publish, that_failed_is_a_new_one_when_it_comes_again)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	for (int i = 0; i < 2; i++) {
		publish(d, 2);
		bus_hears(n, 0, "PUBLISH a.b qos=2 ack=reply payload=x");
		device_hang_up(d);
		node_settle(n, 0, BUS_TIMEOUT);
		d = device_online(n, 0, MQTT_V311, "d", false);
	}
	node_free(&n);
}

Test(publish, may_end_after_its_session)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	publish(d, 1);
	bus_hears(n, 0, "PUBLISH a.b qos=1 ack=reply payload=x");
	device_hang_up(d);
	/* Another session in the same place. */
	d = device_online(n, 0, MQTT_V311, "e", true);
	fake_bus_settle(n->bus, 0, fake_bus_token(n->bus), BUS_OK, NULL);
	fake_bus_settle(n->bus, 0, 12345, BUS_REFUSED, "never asked");
	fake_bus_settle(n->bus, 0, 0, BUS_OK, NULL);
	node_run(n);
	device_hears_nothing(d);
	node_free(&n);
}

/* --- wills -------------------------------------------------------------- */

/* A device is gone, and NATS did not take its Will. */
static struct node *
node_with_failed_will(const char *connect)
{
	struct node *n = node_new();
	struct device *d = device_new(n, 0);

	device_say(d, "%s", connect);
	device_skip(d);
	device_hang_up(d);
	cr_assert_str_neq(fake_bus_read(n->bus, 0), "");
	node_settle(n, 0, BUS_DOWN);
	bus_hears_nothing(n, 0);
	return n;
}

Test(publish, repeats_a_will)
{
	struct node *n =
	    node_with_failed_will("10 [<MQTT> 04 0e 0000 <d> <a/w> <w>]");

	node_pass(n, 6000);
	bus_hears(n, 0, "PUBLISH a.w qos=1 ack=reply payload=w until_settled");
	node_free(&n);
}

/* Its timer goes with it. */
Test(publish, of_a_will_may_wait_when_the_node_ends)
{
	struct node *n =
	    node_with_failed_will("10 [<MQTT> 04 0e 0000 <d> <a/w> <w>]");

	node_free(&n);
}

/* v5 [MQTT-3.3.2-5] */
Test(publish, does_not_repeat_a_will_that_has_expired)
{
	struct node *n = node_with_failed_will(
	    "10 [<MQTT> 05 0e 0000 [] <d> [02 00000002] <a/w> <w>]");

	node_pass(n, 6000);
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* What has expired does not count against the limit. */
Test(publish, with_retain_takes_the_room_of_what_has_expired)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.max_retained = 2;
	n = node_new_with(&o);
	d = device_online(n, 1, MQTT_V5, "d", true);
	device_say(d, "31 [<a> [02 00000005] 'x'] 31 [<b> [] 'y']");
	device_say(d, "31 [<c> [] 'z']");
	cr_assert_eq(node_count(n, dropped_retained), 1);
	node_pass(n, 6500);
	cr_assert_eq(retained_count(n->broker->retained), 1);
	device_say(d, "31 [<c> [] 'z']");
	cr_assert_eq(retained_count(n->broker->retained), 2);
	node_free(&n);
}

/* --- what is kept and counted ------------------------------------------- */

/* v3.1.1 [MQTT-3.3.1-5] [MQTT-3.3.1-10] [MQTT-3.3.1-12] */
Test(publish, with_retain_is_kept_until_it_is_cleared)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.max_retained = 2;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V311, "d", true);
	device_say(d, "31 [<a> 'x'] 31 [<b> 'y'] 30 [<c> 'z']");
	cr_assert_eq(retained_count(n->broker->retained), 2);
	/* At the limit what is there may change, and nothing is added. */
	device_say(d, "31 [<a> 'X'] 31 [<c> 'Z']");
	cr_assert_eq(retained_count(n->broker->retained), 2);
	cr_assert_eq(node_count(n, dropped_retained), 1);
	device_say(d, "31 [<a>] 30 [<b>]");
	cr_assert_eq(retained_count(n->broker->retained), 1);
	node_free(&n);
}
