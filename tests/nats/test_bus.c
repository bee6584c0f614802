/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "mqtt/property.h"
#include "nats/await.h"
#include "nats/nats_server.h"
#include "nats/peer.h"
#include "nats/rig.h"

TestSuite(bus, .timeout = 120);

static struct nats_server server;
static struct peer peer;
static struct rig rig;
static struct peer_message msg;

static void
start(const char *config)
{
	if (!nats_server_is_here())
		return;
	nats_server_start(&server, 0, config);
	peer_open(&peer, server.port, "");
	rig_init(&rig, server.port);
}

static void
stop(void)
{
	rig_stop(&rig);
	peer_close(&peer);
	nats_server_stop(&server);
}

/* Ask the server, so that what is not there by now does not come. */
static bool
nothing_came(void)
{
	static const char MARK[] = "test.mark";
	bool nothing;

	peer_subscribe(&peer, MARK);
	rig_publish(&rig, 0, 0, ACK_LOCAL, MARK, "");
	peer_next(&peer, &msg);
	nothing = strcmp(msg.subject, MARK) == 0;
	return nothing;
}

/* Is the next delivery this one? */
static bool
delivers(const char *subject, const char *payload)
{
	struct message *m = rig_delivered(&rig);
	bool ok = slice_eq(message_subject(m), slice_str(subject)) &&
	    slice_eq(message_payload(m), slice_str(payload));

	message_unref(&m);
	return ok;
}

static struct message *
message_of(uint8_t qos, const char *subject, struct slice properties)
{
	const struct message_parts parts = {
		.topic = slice_str(subject),
		.subject = slice_str(subject),
		.payload = SLICE("payload"),
		.properties = properties,
		.qos = qos,
	};

	return message_new(&parts);
}

/* --- publishing --------------------------------------------------------- */

Test(bus, publishes_qos_0_as_a_plain_pub)
{
	start(NULL);
	peer_subscribe(&peer, "a.b");
	rig_start_up(&rig);
	rig_publish(&rig, 1, 0, ACK_REPLY, "a.b", "hello");
	peer_next(&peer, &msg);
	cr_expect_str_eq(msg.subject, "a.b");
	cr_expect_str_eq(msg.payload, "hello");
	cr_expect_str_eq(msg.reply, "");
	cr_expect_str_eq(msg.headers, "");
	cr_expect(atomic_load(&bus_stats(rig.bus)->out_msgs) == 1);
	cr_expect(atomic_load(&bus_stats(rig.bus)->out_bytes) == 5);
	stop();
}

Test(bus, says_in_headers_what_a_pub_cannot)
{
	struct buf p = { 0 };

	start(NULL);
	peer_subscribe(&peer, "a.b");
	rig_start_up(&rig);
	property_put_user(&p, SLICE("colour"), SLICE("red"));
	rig_publish_message(&rig, 1, ACK_LOCAL, 0,
	    message_of(1, "a.b", buf_slice(&p)));
	peer_next(&peer, &msg);
	cr_expect_not_null(strstr(msg.headers, "\r\nMqtt-Qos: 1\r\n"));
	cr_expect_not_null(strstr(msg.headers, "\r\ncolour: red\r\n"));
	cr_expect_str_eq(msg.payload, "payload");
	cr_expect_str_eq(msg.reply, "");
	buf_fini(&p);
	stop();
}

Test(bus, makes_a_response_topic_the_reply_subject_at_qos_0)
{
	struct buf p = { 0 };

	start(NULL);
	peer_subscribe(&peer, "call");
	rig_start_up(&rig);
	property_put_slice(&p, MQTT_PROP_RESPONSE_TOPIC, SLICE("my/answer"));
	rig_publish_message(&rig, 1, ACK_REPLY, 0,
	    message_of(0, "call", buf_slice(&p)));
	peer_next(&peer, &msg);
	cr_expect_str_eq(msg.reply, "my.answer");
	cr_expect_not_null(strstr(msg.headers,
	    "Mqtt-Response-Topic: "
	    "my/answer"));
	rig_publish_message(&rig, 1, ACK_REPLY, 0,
	    message_of(1, "call", buf_slice(&p)));
	peer_next(&peer, &msg);
	cr_expect(strncmp(msg.reply, "_MQ.", 4) == 0);
	buf_fini(&p);
	stop();
}

Test(bus, does_not_let_a_device_aim_replies_at_nats_itself)
{
	struct buf p = { 0 };

	start(NULL);
	peer_subscribe(&peer, "call");
	rig_start_up(&rig);
	property_put_slice(&p, MQTT_PROP_RESPONSE_TOPIC,
	    SLICE("$JS/API/STREAM/DELETE/ORDERS"));
	rig_publish_message(&rig, 1, ACK_REPLY, 0,
	    message_of(0, "call", buf_slice(&p)));
	peer_next(&peer, &msg);
	cr_expect_str_eq(msg.reply, "");
	buf_fini(&p);
	stop();
}

Test(bus, answers_and_sends_as_it_is_told)
{
	const struct message_parts parts = {
		.subject = SLICE("a.b"),
		.reply = SLICE("answers.here"),
		.payload = SLICE("text"),
		.qos = 1,
	};
	struct bus_request q = { .type = BUS_ANSWER };

	start(NULL);
	peer_subscribe(&peer, ">");
	rig_start_up(&rig);
	q.message = message_new(&parts);
	rig_put(&rig, 1, &q);
	do
		peer_next(&peer, &msg);
	while (strncmp(msg.subject, "_MQ.", 4) == 0);
	cr_expect_str_eq(msg.subject, "answers.here");
	cr_expect_str_eq(msg.payload, "");
	q.type = BUS_SEND;
	q.message = message_new(&parts);
	rig_put(&rig, 1, &q);
	do
		peer_next(&peer, &msg);
	while (strncmp(msg.subject, "_MQ.", 4) == 0);
	cr_expect_str_eq(msg.subject, "a.b");
	cr_expect_str_eq(msg.payload, "text");
	cr_expect_str_eq(msg.reply, "");
	cr_expect_str_eq(msg.headers, "");
	stop();
}

static const char *const HOSTILE[] = {
	"bad subject",
	"a\r\nPUB x 1\r\n1\r\n",
	"a\tb",
	"a..b",
	".a",
	"a.",
	"a.*",
	"a.>",
	"*",
	"",
	"a\x7f",
};

Test(bus, never_sends_what_is_no_subject)
{
	start(NULL);
	peer_subscribe(&peer, ">");
	rig_start_up(&rig);
	for (size_t i = 0; i < sizeof(HOSTILE) / sizeof(HOSTILE[0]); i++) {
		rig_publish(&rig, 1, 0, ACK_LOCAL, HOSTILE[i], "x");
		rig_publish(&rig, i, 1, ACK_SERVER, HOSTILE[i], "x");
		cr_expect(rig_settled(&rig, i) == BUS_UNSENDABLE);
	}
	rig_publish(&rig, 99, 1, ACK_SERVER, "fine", "x");
	cr_expect(rig_settled(&rig, 99) == BUS_OK);
	do
		peer_next(&peer, &msg);
	while (strncmp(msg.subject, "_MQ.", 4) == 0);
	cr_expect_str_eq(msg.subject, "fine");
	cr_expect(atomic_load(&bus_stats(rig.bus)->reconnects) == 0);
	cr_expect(atomic_load(&bus_stats(rig.bus)->unsendable) ==
	    2 * sizeof(HOSTILE) / sizeof(HOSTILE[0]));
	stop();
}

Test(bus, never_sends_what_is_too_large)
{
	char subject[5000];
	struct message_parts parts = { .subject = SLICE("big"), .qos = 1 };
	static const uint8_t payload[2000];

	start("max_payload: 1024\n");
	rig_start_up(&rig);
	cr_expect(atomic_load(&bus_stats(rig.bus)->max_payload) == 1024);
	memset(subject, 'a', sizeof(subject));
	subject[4001] = '\0';
	rig_publish(&rig, 1, 1, ACK_SERVER, subject, "");
	cr_expect(rig_settled(&rig, 1) == BUS_UNSENDABLE);
	subject[4000] = '\0';
	rig_publish(&rig, 2, 1, ACK_SERVER, subject, "");
	cr_expect(rig_settled(&rig, 2) == BUS_OK);
	/* The reply subject counts, too. */
	rig_publish(&rig, 3, 1, ACK_REPLY, subject, "");
	cr_expect(rig_settled(&rig, 3) == BUS_UNSENDABLE);
	subject[3950] = '\0';
	rig_publish(&rig, 4, 1, ACK_REPLY, subject, "");
	cr_expect(rig_settled(&rig, 4) == BUS_NO_RESPONDERS);
	/* The header counts, too. */
	for (size_t len = 990; len <= 1025; len++) {
		parts.payload = slice_of(payload, len);
		rig_publish_message(&rig, len, ACK_SERVER, 0,
		    message_new(&parts));
		cr_expect(rig_settled(&rig, len) ==
			(len + 25 <= 1024 ? BUS_OK : BUS_UNSENDABLE),
		    "%zu", len);
	}
	cr_expect(atomic_load(&bus_stats(rig.bus)->reconnects) == 0);
	stop();
}

/* --- settling ----------------------------------------------------------- */

Test(bus, settles_qos_1_when_somebody_replies)
{
	start(NULL);
	peer_subscribe(&peer, "a.b");
	rig_start_up(&rig);
	rig_publish(&rig, 7, 1, ACK_REPLY, "a.b", "hello");
	peer_next(&peer, &msg);
	cr_expect_str_eq(msg.headers, "NATS/1.0\r\nMqtt-Qos: 1\r\n\r\n");
	cr_expect(strncmp(msg.reply, "_MQ.node-1.", 11) == 0);
	cr_expect(atomic_load(&bus_stats(rig.bus)->outstanding) == 1);
	peer_publish(&peer, msg.reply, NULL, "");
	cr_expect(rig_settled(&rig, 7) == BUS_OK);
	cr_expect(atomic_load(&bus_stats(rig.bus)->outstanding) == 0);
	stop();
}

Test(bus, says_when_nobody_is_there)
{
	start(NULL);
	rig_start_up(&rig);
	rig_publish(&rig, 9, 1, ACK_REPLY, "a.b", "hello");
	cr_expect(rig_settled(&rig, 9) == BUS_NO_RESPONDERS);
	/* A subscriber of our own is nobody: there is no echo. */
	rig_subscribe(&rig, 0, "a.b");
	rig_publish(&rig, 10, 1, ACK_REPLY, "a.b", "hello");
	cr_expect(rig_settled(&rig, 10) == BUS_NO_RESPONDERS);
	stop();
}

Test(bus, settles_at_the_server_by_a_fence)
{
	start(NULL);
	peer_subscribe(&peer, "a.b");
	rig_start_up(&rig);
	for (uint64_t i = 1; i <= 500; i++)
		rig_publish(&rig, i, 1, ACK_SERVER, "a.b", "x");
	for (uint64_t i = 1; i <= 500; i++) {
		cr_assert(rig_settled(&rig, i) == BUS_OK);
		peer_next(&peer, &msg);
	}
	stop();
}

Test(bus, says_nothing_about_what_nobody_waits_for)
{
	start(NULL);
	rig_start_up(&rig);
	rig_publish(&rig, 1, 1, ACK_LOCAL, "a.b", "x");
	rig_publish(&rig, 2, 0, ACK_REPLY, "a.b", "x");
	rig_publish(&rig, 3, 1, ACK_SERVER, "a.b", "x");
	cr_expect(rig_settled(&rig, 3) == BUS_OK);
	stop();
}

Test(bus, publishes_again_until_the_attempts_are_over)
{
	char reply[512];

	start(NULL);
	peer_subscribe(&peer, "a.b");
	rig.options.ack_timeout_ms = 50;
	rig_start_up(&rig);
	rig_publish(&rig, 5, 1, ACK_REPLY, "a.b", "x");
	peer_next(&peer, &msg);
	cr_expect_null(strstr(msg.headers, "Mqtt-Dup"));
	memcpy(reply, msg.reply, sizeof(reply));
	for (int i = 0; i < 2; i++) {
		peer_next(&peer, &msg);
		cr_expect_not_null(strstr(msg.headers, "Mqtt-Dup: 1\r\n"));
		cr_expect_str_eq(msg.reply, reply);
	}
	cr_expect(rig_settled(&rig, 5) == BUS_TIMEOUT);
	cr_expect(nothing_came());
	cr_expect(atomic_load(&bus_stats(rig.bus)->republished) == 2);
	stop();
}

Test(bus, publishes_a_will_again_for_ever)
{
	struct bus_request q = { .type = BUS_PUBLISH,
		.policy = ACK_REPLY,
		.flags = BUS_UNTIL_SETTLED,
		.token = 6 };

	start(NULL);
	peer_subscribe(&peer, "a.b");
	rig.options.ack_timeout_ms = 20;
	rig_start_up(&rig);
	q.message = message_of(1, "a.b", slice_of(NULL, 0));
	rig_put(&rig, 0, &q);
	for (int i = 0; i < 8; i++)
		peer_next(&peer, &msg);
	peer_publish(&peer, msg.reply, NULL, "");
	cr_expect(rig_settled(&rig, 6) == BUS_OK);
	stop();
}

Test(bus, does_not_take_an_error_of_jetstream_for_an_answer)
{
	start(NULL);
	peer_subscribe(&peer, "a.b");
	rig_start_up(&rig);
	rig_publish(&rig, 5, 1, ACK_REPLY, "a.b", "x");
	peer_next(&peer, &msg);
	peer_publish(&peer, msg.reply, NULL,
	    "{\"error\":{\"code\":503,\"description\":\"full\"}}");
	peer_publish(&peer, msg.reply, NULL, "{\"error\":\"mine\"}");
	cr_expect(rig_settled(&rig, 5) == BUS_OK);
	rig_publish(&rig, 6, 1, ACK_STREAM, "a.b", "x");
	peer_next(&peer, &msg);
	peer_publish(&peer, msg.reply, NULL, "a service says hello");
	peer_publish(&peer, msg.reply, NULL,
	    "{\"error\":{\"code\":503,\"description\":\"full\"}}");
	cr_expect(rig_settled(&rig, 6) == BUS_REFUSED);
	stop();
}

Test(bus, waits_for_a_stream_where_that_is_asked_for)
{
	char config[256];

	if (!nats_server_is_here())
		return;
	snprintf(config, sizeof(config),
	    "jetstream { store_dir: \"/tmp/mqtt-natsd-js-%d\" }\n", getpid());
	start(config);
	rig_start_up(&rig);
	rig_publish(&rig, 1, 1, ACK_STREAM, "s.a", "x");
	cr_expect(rig_settled(&rig, 1) == BUS_NO_RESPONDERS);
	peer_subscribe(&peer, "reply");
	peer_publish(&peer, "$JS.API.STREAM.CREATE.S", "reply",
	    "{\"name\":\"S\",\"subjects\":[\"s.*\"],\"storage\":\"memory\","
	    "\"max_msgs\":2,\"discard\":\"new\"}");
	peer_next(&peer, &msg);
	cr_assert_null(strstr(msg.payload, "error"), "%s", msg.payload);
	peer_subscribe(&peer, "s.*");
	rig_publish(&rig, 2, 1, ACK_STREAM, "s.a", "x");
	cr_expect(rig_settled(&rig, 2) == BUS_OK);
	rig_publish(&rig, 3, 1, ACK_REPLY, "s.a", "x");
	cr_expect(rig_settled(&rig, 3) == BUS_OK);
	rig_publish(&rig, 4, 1, ACK_STREAM, "s.a", "x");
	cr_expect(rig_settled(&rig, 4) == BUS_REFUSED);
	stop();
	snprintf(config, sizeof(config), "rm -rf /tmp/mqtt-natsd-js-%d",
	    getpid());
	cr_expect(system(config) == 0);
}

/* --- subscribing -------------------------------------------------------- */

Test(bus, delivers_what_is_subscribed)
{
	struct message *m;

	start(NULL);
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "a.*");
	peer_publish(&peer, "x.b", NULL, "no");
	peer_publish(&peer, "a.b", NULL, "yes");
	m = rig_delivered(&rig);
	cr_expect(slice_eq(message_payload(m), SLICE("yes")));
	cr_expect(slice_eq(message_topic(m), SLICE("a/b")));
	cr_expect(m->qos == 0 && m->reply_len == 0 && m->from_nats);
	message_unref(&m);
	stop();
}

Test(bus, delivers_once_what_many_filters_want)
{
	start(NULL);
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "a.*");
	rig_subscribe(&rig, 0, "*.b");
	rig_subscribe(&rig, 0, "a.b");
	rig_subscribe(&rig, 0, ">");
	peer_publish(&peer, "a.b", NULL, "1");
	peer_publish(&peer, "end", NULL, "2");
	cr_expect(delivers("a.b", "1"));
	cr_expect(delivers("end", "2"));
	cr_expect(atomic_load(&bus_stats(rig.bus)->subscriptions) == 1);
	stop();
}

Test(bus, narrows_what_it_subscribes_after_a_while)
{
	uint64_t end = clock_mono_ms() + 20000;

	start(NULL);
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "a.b");
	rig_subscribe(&rig, 0, "a.*");
	rig_unsubscribe(&rig, 0, "a.*");
	rig_subscribe(&rig, 0, "c");
	/* retained request, retained set, a.*, c */
	cr_expect(atomic_load(&bus_stats(rig.bus)->subscriptions) == 4);
	peer_publish(&peer, "a.x", NULL, "wide");
	cr_expect(delivers("a.x", "wide"));
	for (;;) {
		struct message *m;
		bool narrow;

		peer_publish(&peer, "a.x", NULL, "wide");
		peer_publish(&peer, "c", NULL, "end");
		m = rig_delivered(&rig);
		narrow = slice_eq(message_subject(m), SLICE("c"));
		message_unref(&m);
		if (narrow)
			break;
		cr_assert(delivers("c", "end"));
		cr_assert(clock_mono_ms() < end, "it stays wide");
	}
	stop();
}

Test(bus, hides_what_is_not_for_devices)
{
	start(NULL);
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, ">");
	peer_publish(&peer, "_INBOX.abc", NULL, "1");
	peer_publish(&peer, "_MQ.other.x", NULL, "2");
	peer_publish(&peer, "$KV.bucket.key", NULL, "3");
	peer_publish(&peer, "a.+", NULL, "4");
	peer_publish(&peer, "shown", NULL, "5");
	cr_expect(delivers("shown", "5"));
	cr_expect(atomic_load(&bus_stats(rig.bus)->dropped_unmapped) == 1);
	rig_subscribe(&rig, 0, "$KV.bucket.>");
	peer_publish(&peer, "$KV.bucket.key", NULL, "6");
	cr_expect(delivers("$KV.bucket.key", "6"));
	stop();
}

Test(bus, reads_headers_and_replies)
{
	struct message *m;
	struct properties p;

	start(NULL);
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "a");
	peer_publish_headers(&peer, "a", NULL,
	    "Mqtt-Qos: 2\r\nMqtt-Retain: 1\r\nMqtt-Content-Type: text\r\n"
	    "Mqtt-Expiry: 60\r\ncolour: red\r\nNats-Stream: S\r\n",
	    "x");
	m = rig_delivered(&rig);
	cr_expect(m->qos == 2 && m->retain && m->reply_len == 0);
	cr_expect(m->expires_ms > clock_wall_ms() + 50000);
	cr_expect(
	    properties_decode(message_properties(m), 3, &p) == MQTT_RC_SUCCESS);
	cr_expect(slice_eq(p.content_type, SLICE("text")));
	cr_expect(p.n_user == 1);
	message_unref(&m);
	/* A reply subject asks for an answer, so that QoS is 1. */
	peer_publish(&peer, "a", "r.s", "x");
	m = rig_delivered(&rig);
	cr_expect(m->qos == 1 && !m->is_request);
	cr_expect(slice_eq(message_reply(m), SLICE("r.s")));
	message_unref(&m);
	/* That of a message at QoS 0 is its Response Topic. */
	peer_publish_headers(&peer, "a", "r.s", "Mqtt-Qos: 0\r\n", "x");
	m = rig_delivered(&rig);
	cr_expect(m->qos == 0 && m->reply_len == 0);
	message_unref(&m);
	stop();
}

static const struct bus_inbound_qos ROWS[] = {
	{ "up.*", 1 },
	{ "up.two", 2 },
	{ "up.>", 0 },
};
static const char *const REQUESTS[] = { "call.>", NULL };

Test(bus, follows_the_rows_for_messages_from_nats)
{
	static const struct {
		const char *subject;
		const char *reply;
		uint8_t qos;
		bool is_request;
	} CASES[] = {
		{ "up.one", NULL, 1, false },
		{ "up.two", NULL, 2, false },
		{ "up.two", "r", 2, false },
		{ "other", NULL, 0, false },
		{ "other", "r", 1, false },
		{ "call.x", "r", 1, true },
		{ "call.x", NULL, 0, false },
	};

	start(NULL);
	rig.options.inbound_qos = ROWS;
	rig.options.n_inbound_qos = sizeof(ROWS) / sizeof(ROWS[0]);
	rig.options.request_subjects = REQUESTS;
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, ">");
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct message *m;

		peer_publish(&peer, CASES[i].subject, CASES[i].reply, "x");
		m = rig_delivered(&rig);
		cr_expect(m->qos == CASES[i].qos, "%zu", i);
		cr_expect(m->is_request == CASES[i].is_request, "%zu", i);
		cr_expect((m->reply_len > 0) == (CASES[i].reply != NULL));
		message_unref(&m);
	}
	stop();
}

/* Deliveries about retained messages go to worker 1 in the rig. */
static struct message *
retained_delivery(void)
{
	struct bus_event e;
	uint64_t end = clock_mono_ms() + 20000;

	while (!bus_next_event(rig.bus, 1, &e) || e.type != BUS_DELIVERY)
		cr_assert(clock_mono_ms() < end);
	return e.delivery;
}

Test(bus, takes_requests_for_and_settings_of_retained_messages)
{
	struct message *m;

	start(NULL);
	rig_start_up(&rig);
	/* Whether the cover is narrow or wide. */
	for (int wide = 0; wide < 2; wide++) {
		peer_publish(&peer, "mqtt.retained.request", "r.s", "a.>,b");
		m = retained_delivery();
		cr_expect(slice_eq(message_payload(m), SLICE("a.>,b")));
		cr_expect(slice_eq(message_reply(m), SLICE("r.s")));
		message_unref(&m);
		peer_publish(&peer, "mqtt.retained.set.a.b", NULL, "v");
		m = retained_delivery();
		cr_expect(m->retain);
		cr_expect(slice_eq(message_subject(m), SLICE("a.b")));
		cr_expect(slice_eq(message_topic(m), SLICE("a/b")));
		cr_expect(slice_eq(message_payload(m), SLICE("v")));
		message_unref(&m);
		rig_subscribe(&rig, 0, ">");
	}
	stop();
}

Test(bus, ignores_no_responders_on_a_response_topic)
{
	struct buf p = { 0 };

	start(NULL);
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "my.answer");
	property_put_slice(&p, MQTT_PROP_RESPONSE_TOPIC, SLICE("my/answer"));
	rig_publish_message(&rig, 1, ACK_REPLY, 0,
	    message_of(0, "call", buf_slice(&p)));
	rig_publish(&rig, 2, 1, ACK_SERVER, "x", "");
	cr_expect(rig_settled(&rig, 2) == BUS_OK);
	peer_publish(&peer, "my.answer", NULL, "real");
	cr_expect(delivers("my.answer", "real"));
	buf_fini(&p);
	stop();
}

/* --- rings -------------------------------------------------------------- */

static void
expect_numbers(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		cr_assert(delivers("n", text), "%u is missing", i);
	}
}

static void
publish_numbers(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		peer_publish(&peer, "n", NULL, text);
	}
}

Test(bus, keeps_what_a_slow_worker_does_not_take)
{
	start(NULL);
	rig.options.ring_size = 8;
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "n");
	publish_numbers(0, 20000);
	expect_numbers(0, 20000);
	/* And goes on afterwards. */
	publish_numbers(0, 100);
	expect_numbers(0, 100);
	stop();
}

Test(bus, is_alive_while_nobody_takes_anything)
{
	uint64_t until;

	start(NULL);
	rig.options.ring_size = 8;
	rig.options.liveness_s = 1;
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "n");
	publish_numbers(0, 20000);
	peer_flush(&peer);
	/* Three times as long as a server may be silent. */
	until = clock_mono_ms() + 3000;
	AWAIT(clock_mono_ms() >= until);
	expect_numbers(0, 20000);
	cr_expect(atomic_load(&bus_stats(rig.bus)->reconnects) == 0);
	stop();
}

Test(bus, takes_everything_from_a_fast_worker_in_order)
{
	start(NULL);
	rig.options.ring_size = 16;
	rig_start_up(&rig);
	peer_subscribe(&peer, "n");
	for (unsigned i = 0; i < 20000; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		rig_publish(&rig, 0, 0, ACK_REPLY, "n", text);
	}
	for (unsigned i = 0; i < 20000; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		peer_next(&peer, &msg);
		cr_assert_str_eq(msg.payload, text);
	}
	stop();
}

Test(bus, goes_on_after_its_output_was_full)
{
	static char text[50001];
	enum { N = 300 };

	start(NULL);
	rig_start_up(&rig);
	peer_subscribe(&peer, "n");
	memset(text, 'x', sizeof(text) - 1);
	for (unsigned i = 0; i < N; i++)
		rig_publish(&rig, i, 1, ACK_SERVER, "n", text);
	for (unsigned i = 0; i < N; i++) {
		peer_next(&peer, &msg);
		cr_assert(msg.payload_len == sizeof(text) - 1);
		cr_assert(rig_settled(&rig, i) == BUS_OK);
	}
	stop();
}

Test(bus, gathers_writes_when_told_to)
{
	start(NULL);
	rig.options.flush_interval_us = 500;
	rig_start_up(&rig);
	peer_subscribe(&peer, "n");
	for (unsigned i = 0; i < 2000; i++)
		rig_publish(&rig, i, 1, ACK_SERVER, "n", "x");
	for (unsigned i = 0; i < 2000; i++) {
		peer_next(&peer, &msg);
		cr_assert(rig_settled(&rig, i) == BUS_OK);
	}
	stop();
}

/* --- the end ------------------------------------------------------------ */

Test(bus, sends_what_it_has_before_it_stops)
{
	start(NULL);
	rig_start_up(&rig);
	peer_subscribe(&peer, "n");
	for (unsigned i = 0; i < 1000; i++)
		rig_publish(&rig, 0, 0, ACK_REPLY, "n", "x");
	bus_stop(rig.bus, 10000);
	for (unsigned i = 0; i < 1000; i++)
		peer_next(&peer, &msg);
	stop();
}

Test(bus, gives_back_what_nobody_takes)
{
	start(NULL);
	rig.options.ring_size = 8;
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "n");
	publish_numbers(0, 100);
	peer_flush(&peer);
	rig_publish(&rig, 1, 1, ACK_REPLY, "n", "x");
	rig_stop(&rig);
	cr_expect(atomic_load(&rig.dropped) > 0);
	peer_close(&peer);
	nats_server_stop(&server);
}

Test(bus, names_its_server)
{
	char name[64], want[64];

	start(NULL);
	rig_start_up(&rig);
	bus_server_name(rig.bus, name, sizeof(name));
	snprintf(want, sizeof(want), "nats://127.0.0.1:%d", server.port);
	cr_expect_str_eq(name, want);
	stop();
}
