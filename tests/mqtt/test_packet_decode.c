/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/packet.h"

#include <criterion/criterion.h>

#include "base/attr.h"
#include "mqtt/any_packet.h"
#include "mqtt/samples.h"
#include "mqtt/wire.h"

/* The bytes of the last packet that was decoded, for slices to point into. */
static struct slice wire;

static struct frame
frame_of(const char *notation)
{
	struct frame f;
	enum mqtt_reason rc;

	wire_free(&wire);
	wire = wire_new(notation);
	cr_assert_eq(framer_next(wire, SIZE_MAX, &f, &rc), FRAMER_PACKET, "%s",
	    notation);
	cr_assert_eq(f.size, wire.len, "%s", notation);
	return f;
}

static enum mqtt_reason
decode(const char *notation, unsigned version, struct any_packet *out)
{
	struct frame f = frame_of(notation);

	return any_packet_decode(&f, version, out);
}

static void
teardown(void)
{
	wire_free(&wire);
}

TestSuite(packet_decode, .fini = teardown);

Test(packet_decode, accepts_every_sample)
{
	struct any_packet p;
	size_t i;

	for (i = 0; i < n_samples; i++)
		cr_expect_eq(decode(samples[i].wire, samples[i].version, &p),
		    MQTT_RC_SUCCESS, "%s", samples[i].name);
	for (i = 0; i < n_odd_samples; i++)
		cr_expect_eq(decode(odd_samples[i].wire, odd_samples[i].version,
				 &p),
		    MQTT_RC_SUCCESS, "%s", odd_samples[i].name);
}

/*
 * The first `n` bytes of the body as a packet of its own: what then succeeds
 * must be a packet that could have been sent.
 */
static void
decode_cut(const struct sample *s, const struct frame *f, size_t n)
{
	struct slice body = wire_copy(f->body, n);
	struct frame cut = { .type = f->type, .flags = f->flags };
	struct any_packet p;
	enum mqtt_reason rc;
	bool may_succeed = f->type == MQTT_PUBLISH || /* a shorter payload */
	    f->type == MQTT_SUBSCRIBE || f->type == MQTT_UNSUBSCRIBE ||
	    f->type == MQTT_SUBACK || f->type == MQTT_UNSUBACK ||
	    (s->version == MQTT_V31 && f->type == MQTT_CONNECT) ||
	    (s->version == MQTT_V5 && n <= 3); /* short forms */

	cut.body = body;
	cut.size = n + (n < 128 ? 2 : 3);
	rc = any_packet_decode(&cut, s->version, &p);
	cr_expect(may_succeed || rc != MQTT_RC_SUCCESS, "%s, %zu bytes",
	    s->name, n);
	if (rc == MQTT_RC_SUCCESS)
		cr_expect_null(any_packet_round_trip(&p), "%s, %zu bytes",
		    s->name, n);
	wire_free(&body);
}

Test(packet_decode, reads_nothing_behind_a_cut)
{
	struct frame f;
	size_t i, n;

	for (i = 0; i < n_samples; i++) {
		f = frame_of(samples[i].wire);
		for (n = 0; n < f.body.len; n++)
			decode_cut(samples + i, &f, n);
	}
}

Test(packet_decode, refuses_a_byte_too_many)
{
	struct any_packet p;
	struct slice longer;
	struct frame f;
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < n_samples; i++) {
		f = frame_of(samples[i].wire);
		if (f.type == MQTT_PUBLISH) /* a longer payload */
			continue;
		if (f.type == MQTT_SUBACK ||
		    (f.type == MQTT_UNSUBACK && samples[i].version == MQTT_V5))
			continue; /* another code */
		buf_reset(&b);
		buf_append_slice(&b, f.body);
		buf_append_byte(&b, 0xF7); /* no length, no code, no text */
		longer = wire_copy(buf_slice(&b), buf_len(&b));
		f.body = longer;
		f.size = longer.len + (longer.len < 128 ? 2 : 3);
		cr_expect_neq(any_packet_decode(&f, samples[i].version, &p),
		    MQTT_RC_SUCCESS, "%s", samples[i].name);
		wire_free(&longer);
	}
	buf_fini(&b);
}

struct error {
	unsigned version;
	enum mqtt_reason want;
	const char *wire;
};

#define MALFORMED MQTT_RC_MALFORMED_PACKET
#define PROTOCOL  MQTT_RC_PROTOCOL_ERROR
#define VERSION   MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION

static void
expect_errors(const struct error *e, size_t n)
{
	struct any_packet p;

	for (; n > 0; n--, e++)
		cr_expect_eq(decode(e->wire, e->version, &p), e->want,
		    "version %u: %s", e->version, e->wire);
}

/* v3.1.1 [MQTT-3.1.2-11] */
Test(packet_decode, refuses_bad_connects)
{
	static const struct error errors[] = {
		/* v5 [MQTT-3.1.2-1] [MQTT-3.1.2-2], v3.1.1 [MQTT-3.1.2-1]
		 * [MQTT-3.1.2-2] */
		{ 0, MALFORMED, "10 [<MQTX> 04 02 000a <id>]" },
		{ 0, MALFORMED, "10 [<mqtt> 04 02 000a <id>]" },
		{ 0, MALFORMED, "10 [<MQTT2> 04 02 000a <id>]" },
		{ 0, MALFORMED, "10 [<> 04 02 000a <id>]" },
		{ 0, MALFORMED, "10 [0004 'MQT' ff 04 02 000a <id>]" },
		{ 0, VERSION, "10 [<MQTT> 03 02 000a <id>]" },
		{ 0, VERSION, "10 [<MQTT> 06 02 000a <id>]" },
		{ 0, VERSION, "10 [<MQTT> 00 02 000a <id>]" },
		{ 0, VERSION, "10 [<MQTT> 85 02 000a [] <id>]" },
		{ 0, VERSION, "10 [<MQTT> 83 02 000a <id>]" },
		{ 0, VERSION, "10 [<MQIsdp> 04 02 000a <id>]" },
		{ 0, VERSION, "10 [<MQIsdp> 05 02 000a [] <id>]" },
		{ 0, VERSION, "10 [<MQIsdp> 84 02 000a <id>]" },
		/* fixed header: v5 [MQTT-2.1.3-1], v3.1.1 [MQTT-2.2.2-2] */
		{ 0, MALFORMED, "11 [<MQTT> 04 02 000a <id>]" },
		{ 0, MALFORMED, "18 [<MQTT> 05 02 000a [] <id>]" },
		/* v5 and v3.1.1 [MQTT-3.1.2-3] */
		{ 0, MALFORMED, "10 [<MQTT> 04 03 000a <id>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 03 000a [] <id>]" },
		/* v5 [MQTT-3.1.2-11], v3.1.1 [MQTT-3.1.2-13] */
		{ 0, MALFORMED, "10 [<MQTT> 04 0a 000a <id>]" },
		{ 0, MALFORMED, "10 [<MQTT> 04 12 000a <id>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 0a 000a [] <id>]" },
		/* v5 [MQTT-3.1.2-13], v3.1.1 [MQTT-3.1.2-15] */
		{ 0, MALFORMED, "10 [<MQTT> 04 22 000a <id>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 22 000a [] <id>]" },
		/* v5 [MQTT-3.1.2-12], v3.1.1 [MQTT-3.1.2-14] */
		{ 0, MALFORMED, "10 [<MQTT> 04 1e 000a <id> <w> <p>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 1e 000a [] <id> [] <w> <p>]" },
		{ 0, MALFORMED, "10 [<MQIsdp> 03 1e 000a <id> <w> <p>]" },
		/* v3.1.1 [MQTT-3.1.2-22] */
		{ 0, MALFORMED, "10 [<MQTT> 04 42 000a <id> <pw>]" },
		{ 0, MALFORMED, "10 [<MQIsdp> 03 42 000a <id> <pw>]" },
		/* v5 [MQTT-3.1.2-9], v3.1.1 [MQTT-3.1.2-9] */
		{ 0, MALFORMED, "10 [<MQTT> 04 06 000a <id>]" },
		{ 0, MALFORMED, "10 [<MQTT> 04 06 000a <id> <w>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 06 000a [] <id> []]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 06 000a [] <id> <w> <p>]" },
		/* v5 [MQTT-3.1.2-17] [MQTT-3.1.2-19], v3.1.1
		 * [MQTT-3.1.2-19] [MQTT-3.1.2-21] */
		{ 0, MALFORMED, "10 [<MQTT> 04 82 000a <id>]" },
		{ 0, MALFORMED, "10 [<MQTT> 04 c2 000a <id> <u>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 82 000a [] <id>]" },
		{ 0, MALFORMED, "10 [<MQIsdp> 03 c2 000a <id> 0003 'u']" },
		/* v5 [MQTT-3.1.2-16] [MQTT-3.1.2-18], v3.1.1
		 * [MQTT-3.1.2-18] [MQTT-3.1.2-20]: and nothing behind it */
		{ 0, MALFORMED, "10 [<MQTT> 04 02 000a <id> <u>]" },
		{ 0, MALFORMED, "10 [<MQTT> 04 82 000a <id> <u> <pw>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 02 000a [] <id> <w> <p>]" },
		{ 0, MALFORMED, "10 [<MQIsdp> 03 02 000a <id> 00]" },
		/* v5 [MQTT-3.1.3-3] [MQTT-3.1.3-4], v3.1.1 the same */
		{ 0, MALFORMED, "10 [<MQTT> 04 02 000a]" },
		{ 0, MALFORMED, "10 [<MQTT> 04 02 000a 0001 ff]" },
		{ 0, MALFORMED, "10 [<MQTT> 04 02 000a 0001 00]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 02 000a [] 0002 c0 80]" },
		/* v5 [MQTT-3.1.3-11], v3.1.1 [MQTT-3.1.3-10] */
		{ 0, MALFORMED, "10 [<MQTT> 04 06 000a <id> 0001 ff <p>]" },
		{ 0, MALFORMED,
		    "10 [<MQTT> 05 06 000a [] <id> [] 0001 ff <p>]" },
		/* v5 [MQTT-3.1.3-12], v3.1.1 [MQTT-3.1.3-11] */
		{ 0, MALFORMED, "10 [<MQTT> 04 82 000a <id> 0001 ff]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 82 000a [] <id> 0001 ff]" },
		/* properties: v5 2.2.2, 3.1.2.11 */
		{ 0, MALFORMED, "10 [<MQTT> 05 02 000a]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 02 000a 7f <id>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 02 000a 8000 <id>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 02 000a [01 00] <id>]" },
		{ 0, MALFORMED, "10 [<MQTT> 05 02 000a [18 00000001] <id>]" },
		{ 0, PROTOCOL, "10 [<MQTT> 05 02 000a [21 0000] <id>]" },
		{ 0, PROTOCOL, "10 [<MQTT> 05 02 000a [27 00000000] <id>]" },
		{ 0, PROTOCOL, "10 [<MQTT> 05 02 000a [17 02] <id>]" },
		{ 0, PROTOCOL, "10 [<MQTT> 05 02 000a [16 <d>] <id>]" },
		{ 0, PROTOCOL, "10 [<MQTT> 05 02 000a [22 0001 22 0001] <>]" },
		{ 0, MALFORMED,
		    "10 [<MQTT> 05 06 000a [] <id> [11 00000001] <w> <p>]" },
		{ 0, PROTOCOL,
		    "10 [<MQTT> 05 06 000a [] <id> [01 02] <w> <p>]" },
		/* a Remaining Length that is too long: v5 [MQTT-1.5.5-1] */
		{ 0, MALFORMED, "10 8f00 <MQTT> 05 02 000a [] <id>" },
	};

	expect_errors(errors, countof(errors));
}

Test(packet_decode, says_the_version_that_it_does_not_know)
{
	struct packet_connect p;
	struct frame f = frame_of("10 [<MQTT> 09 02 000a <id>]");

	cr_expect_eq(packet_decode_connect(&f, &p), VERSION);
	cr_expect_eq(p.version, 9);
	f = frame_of("10 [<MQIsdp> 84 02 000a <id>]");
	cr_expect_eq(packet_decode_connect(&f, &p), VERSION);
	cr_expect_eq(p.version, 0x84);
	/* whatever stands behind the level */
	f = frame_of("10 [<MQTT> 06]");
	cr_expect_eq(packet_decode_connect(&f, &p), VERSION);
}

/* v5 [MQTT-3.1.3-1], v3.1.1 [MQTT-3.1.3-1] */
Test(packet_decode, reads_the_members_of_a_connect)
{
	struct packet_connect p;
	struct frame f = frame_of("10 [<MQTT> 05 f4 0102 [21 0014] <dev>"
				  " [18 00000007] <w/t> <gone> <joe> <pw>]");

	cr_assert_eq(packet_decode_connect(&f, &p), MQTT_RC_SUCCESS);
	cr_expect_eq(p.version, MQTT_V5);
	cr_expect_not(p.bridge);
	cr_expect_not(p.clean_start);
	cr_expect(p.has_will);
	cr_expect(p.will_retain);
	cr_expect_eq(p.will_qos, MQTT_QOS_2);
	cr_expect(p.has_user_name);
	cr_expect(p.has_password);
	cr_expect_eq(p.keep_alive, 0x0102);
	cr_expect_eq(p.properties.receive_maximum, 20);
	cr_expect(slice_eq(p.client_id, SLICE("dev")));
	cr_expect_eq(p.will_properties.will_delay_interval, 7);
	cr_expect(slice_eq(p.will_topic, SLICE("w/t")));
	cr_expect(slice_eq(p.will_payload, SLICE("gone")));
	cr_expect(slice_eq(p.user_name, SLICE("joe")));
	cr_expect(slice_eq(p.password, SLICE("pw")));
	cr_expect(p.client_id.ptr > wire.ptr &&
	    p.client_id.ptr < wire.ptr + wire.len);
}

Test(packet_decode, splits_the_bridge_bit_from_the_level)
{
	struct packet_connect p;
	struct frame f = frame_of("10 [<MQTT> 84 02 003c <edge>]");

	cr_assert_eq(packet_decode_connect(&f, &p), MQTT_RC_SUCCESS);
	cr_expect_eq(p.version, MQTT_V311);
	cr_expect(p.bridge);
	cr_expect(p.clean_start);
	cr_expect_eq(p.properties.set, 0);
	cr_expect_eq(p.will_properties.set, 0);
	f = frame_of("10 [<MQIsdp> 83 00 003c <edge>]");
	cr_assert_eq(packet_decode_connect(&f, &p), MQTT_RC_SUCCESS);
	cr_expect_eq(p.version, MQTT_V31);
	cr_expect(p.bridge);
}

Test(packet_decode, forgives_what_3_1_leaves_open)
{
	struct packet_connect p;
	struct frame f = frame_of("10 [<MQIsdp> 03 fb 003c <dev> <joe>]");

	/* without a Will Flag the other bits of the will mean nothing */
	cr_assert_eq(packet_decode_connect(&f, &p), MQTT_RC_SUCCESS);
	cr_expect_not(p.has_will);
	cr_expect_eq(p.will_qos, 0);
	cr_expect_not(p.will_retain);
	/* flags are set, but the packet ends before the password */
	cr_expect(p.has_user_name);
	cr_expect(slice_eq(p.user_name, SLICE("joe")));
	cr_expect_not(p.has_password);
}

Test(packet_decode, refuses_bad_connacks)
{
	static const struct error errors[] = {
		{ 4, MALFORMED, "20 []" },
		{ 4, MALFORMED, "20 [00]" },
		{ 4, MALFORMED, "20 [00 00 00]" },
		{ 3, MALFORMED, "20 [00 00 00]" },
		{ 4, MALFORMED, "21 [00 00]" },
		{ 4, MALFORMED, "20 [02 00]" }, /* v5 [MQTT-3.2.2-1] */
		{ 5, MALFORMED, "20 [80 00 []]" },
		{ 4, PROTOCOL, "20 [01 05]" },    /* v3.1.1 [MQTT-3.2.2-4] */
		{ 5, PROTOCOL, "20 [01 87 []]" }, /* v5 [MQTT-3.2.2-6] */
		{ 4, PROTOCOL, "20 [00 06]" },
		{ 4, PROTOCOL, "20 [00 80]" },
		{ 5, PROTOCOL, "20 [00 01 []]" }, /* v5 [MQTT-3.2.2-8] */
		{ 5, PROTOCOL, "20 [00 8e []]" },
		{ 5, MALFORMED, "20 [00 00]" },
		{ 5, MALFORMED, "20 [00 00 [17 00]]" },
		{ 5, PROTOCOL, "20 [00 00 [24 02]]" },
		{ 5, MALFORMED, "20 8300 00 00 00" },
	};

	expect_errors(errors, countof(errors));
}

Test(packet_decode, refuses_bad_publishes)
{
	static const struct error errors[] = {
		/* v5 and v3.1.1 [MQTT-3.3.1-4] */
		{ 4, MALFORMED, "36 [<a> 0001]" },
		{ 5, MALFORMED, "36 [<a> 0001 []]" },
		{ 3, MALFORMED, "36 [<a> 0001]" },
		/* v5 and v3.1.1 [MQTT-3.3.1-2] */
		{ 4, MALFORMED, "38 [<a>]" },
		{ 5, MALFORMED, "39 [<a> []]" },
		/* v5 [MQTT-2.2.1-3], v3.1.1 [MQTT-2.3.1-1] */
		{ 3, PROTOCOL, "32 [<a> 0000]" },
		{ 4, PROTOCOL, "32 [<a> 0000 'x']" },
		{ 4, PROTOCOL, "34 [<a> 0000 'x']" },
		{ 5, PROTOCOL, "3a [<a> 0000 [] 'x']" },
		/* v5 and v3.1.1 [MQTT-3.3.2-1] */
		{ 4, MALFORMED, "30 []" },
		{ 4, MALFORMED, "30 [00]" },
		{ 4, MALFORMED, "30 [0002 'a']" },
		{ 4, MALFORMED, "30 [0001 ff]" },
		{ 5, MALFORMED, "30 [0003 eda080 []]" },
		{ 4, MALFORMED, "30 [0003 'a' 00 'b']" },
		{ 4, MALFORMED, "32 [<a> 01]" },
		{ 4, MALFORMED, "32 [<a>]" },
		/* v3.1.1 [MQTT-4.7.3-1], v5 3.3.2.1 */
		{ 3, PROTOCOL, "30 [<> 'x']" },
		{ 4, PROTOCOL, "30 [<> 'x']" },
		{ 5, PROTOCOL, "30 [<> [] 'x']" },
		/* properties */
		{ 5, MALFORMED, "30 [<a>]" },
		{ 5, MALFORMED, "30 [<a> 05 01 00]" },
		{ 5, MALFORMED, "30 [<a> 80]" },
		{ 5, MALFORMED, "30 [<a> [11 00000001]]" },
		{ 5, PROTOCOL, "30 [<a> [01 02]]" },
		{ 5, MQTT_RC_TOPIC_ALIAS_INVALID, "30 [<a> [23 0000]]" },
		{ 5, PROTOCOL, "30 [<a> [0b 00]]" },
		{ 5, PROTOCOL, "30 [<a> [08 <r/+>]]" },
		{ 5, PROTOCOL, "30 [<a> [02 00000001 02 00000001]]" },
		{ 5, MALFORMED, "30 8600 <a> [] 'xy'" },
	};

	expect_errors(errors, countof(errors));
}

Test(packet_decode, reads_the_members_of_a_publish)
{
	struct packet_publish p;
	struct frame f = frame_of("3d [<a/b> 0102 [23 0007] 'payload']");

	cr_assert_eq(packet_decode_publish(&f, MQTT_V5, &p), MQTT_RC_SUCCESS);
	cr_expect_eq(p.qos, MQTT_QOS_2);
	cr_expect(p.dup);
	cr_expect(p.retain);
	cr_expect_eq(p.packet_id, 0x0102);
	cr_expect(slice_eq(p.topic, SLICE("a/b")));
	cr_expect_eq(p.properties.topic_alias, 7);
	cr_expect(slice_eq(p.payload, SLICE("payload")));
	f = frame_of("30 [<a/b> 0102 'payload']");
	cr_assert_eq(packet_decode_publish(&f, MQTT_V311, &p), MQTT_RC_SUCCESS);
	cr_expect_eq(p.qos, MQTT_QOS_0);
	cr_expect_not(p.dup);
	cr_expect_not(p.retain);
	cr_expect_eq(p.packet_id, 0);
	cr_expect_eq(p.properties.set, 0);
	cr_expect_eq(p.properties.raw.len, 0);
	cr_expect_eq(p.properties.n_user, 0);
	cr_expect_eq(p.payload.len, 9);
}

Test(packet_decode, leaves_wildcards_in_a_topic_to_the_broker)
{
	struct packet_publish p;
	struct frame f = frame_of("30 [<a/+/#>]");

	cr_expect_eq(packet_decode_publish(&f, MQTT_V311, &p), MQTT_RC_SUCCESS);
}

Test(packet_decode, refuses_bad_acknowledgements)
{
	static const struct error errors[] = {
		{ 4, MALFORMED, "40 []" },
		{ 4, MALFORMED, "40 [00]" },
		{ 4, MALFORMED, "40 [0001 00]" },
		{ 5, MALFORMED, "40 [00]" },
		/* v5 [MQTT-2.1.3-1], v3.1.1 [MQTT-2.2.2-2] */
		{ 4, MALFORMED, "41 [0001]" },
		{ 4, MALFORMED, "52 [0001]" },
		{ 5, MALFORMED, "74 [0001]" },
		/* v5 and v3.1.1 [MQTT-3.6.1-1] */
		{ 4, MALFORMED, "60 [0001]" },
		{ 4, MALFORMED, "6a [0001]" },
		{ 5, MALFORMED, "63 [0001]" },
		{ 3, MALFORMED, "60 [0001]" },
		/* v5 [MQTT-2.2.1-5], v3.1.1 [MQTT-2.3.1-6] */
		{ 3, PROTOCOL, "40 [0000]" },
		{ 4, PROTOCOL, "50 [0000]" },
		{ 5, PROTOCOL, "62 [0000]" },
		{ 5, PROTOCOL, "70 [0000 00 []]" },
		/* v5 [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1]
		 * [MQTT-3.7.2-1] */
		{ 5, PROTOCOL, "40 [0001 01]" },
		{ 5, PROTOCOL, "40 [0001 92]" },
		{ 5, PROTOCOL, "50 [0001 92]" },
		{ 5, PROTOCOL, "62 [0001 10]" },
		{ 5, PROTOCOL, "70 [0001 80]" },
		{ 5, PROTOCOL, "40 [0001 ff]" },
		/* properties */
		{ 5, MALFORMED, "40 [0001 00 01]" },
		{ 5, MALFORMED, "40 [0001 00 [] 00]" },
		{ 5, MALFORMED, "40 [0001 00 [01 01]]" },
		{ 5, PROTOCOL, "40 [0001 00 [1f <a> 1f <b>]]" },
		{ 5, MALFORMED, "40 8200 0001" },
	};

	expect_errors(errors, countof(errors));
}

Test(packet_decode, reads_every_form_of_an_acknowledgement)
{
	static const struct {
		const char *wire;
		enum mqtt_reason reason;
		size_t props;
	} forms[] = {
		{ "50 [0102]", MQTT_RC_SUCCESS, 0 },
		{ "50 [0102 10]", MQTT_RC_NO_MATCHING_SUBSCRIBERS, 0 },
		{ "50 [0102 97 []]", MQTT_RC_QUOTA_EXCEEDED, 0 },
		{ "50 [0102 97 [1f <full>]]", MQTT_RC_QUOTA_EXCEEDED, 7 },
	};
	struct packet_ack p;
	struct frame f;
	size_t i;

	for (i = 0; i < countof(forms); i++) {
		memset(&p, 0xff, sizeof(p));
		f = frame_of(forms[i].wire);
		cr_assert_eq(packet_decode_ack(&f, MQTT_V5, &p),
		    MQTT_RC_SUCCESS, "%s", forms[i].wire);
		cr_expect_eq(p.packet_id, 0x0102);
		cr_expect_eq(p.reason, forms[i].reason);
		cr_expect_eq(p.properties.raw.len, forms[i].props);
		cr_expect_eq(p.properties.set != 0, forms[i].props != 0);
	}
	cr_expect(slice_eq(p.properties.reason_string, SLICE("full")));
}

/* v3.1.1 [MQTT-3.8.3-4] */
Test(packet_decode, refuses_bad_subscribes)
{
	static const struct error errors[] = {
		/* v5 and v3.1.1 [MQTT-3.8.1-1] */
		{ 4, MALFORMED, "80 [0001 <a> 00]" },
		{ 4, MALFORMED, "8a [0001 <a> 00]" },
		{ 5, MALFORMED, "83 [0001 [] <a> 00]" },
		{ 3, MALFORMED, "80 [0001 <a> 00]" },
		/* v5 [MQTT-2.2.1-3], v3.1.1 [MQTT-2.3.1-1] */
		{ 4, PROTOCOL, "82 [0000 <a> 00]" },
		{ 5, PROTOCOL, "82 [0000 [] <a> 00]" },
		/* v5 [MQTT-3.8.3-2], v3.1.1 [MQTT-3.8.3-3] */
		{ 4, PROTOCOL, "82 [0001]" },
		{ 5, PROTOCOL, "82 [0001 []]" },
		/* v5 [MQTT-3.8.3-5], v3.1.1 [MQTT-3-8.3-4] */
		{ 4, MALFORMED, "82 [0001 <a> 04]" },
		{ 4, MALFORMED, "82 [0001 <a> 08]" },
		{ 4, MALFORMED, "82 [0001 <a> 10]" },
		{ 4, MALFORMED, "82 [0001 <a> 80]" },
		{ 3, MALFORMED, "82 [0001 <a> 40]" },
		{ 5, MALFORMED, "82 [0001 [] <a> 40]" },
		{ 5, MALFORMED, "82 [0001 [] <a> 80]" },
		/* QoS 3: v3.1.1 [MQTT-3-8.3-4], v5 3.8.3.1 */
		{ 3, MALFORMED, "82 [0001 <a> 03]" },
		{ 4, MALFORMED, "82 [0001 <a> 03]" },
		{ 5, PROTOCOL, "82 [0001 [] <a> 03]" },
		/* Retain Handling 3: v5 3.8.3.1 */
		{ 5, PROTOCOL, "82 [0001 [] <a> 30]" },
		/* v5 [MQTT-3.8.3-4] */
		{ 5, PROTOCOL, "82 [0001 [] <$share/g/a> 04]" },
		{ 5, PROTOCOL, "82 [0001 [] <a> 04 <$share/g/a> 05]" },
		/* v5 and v3.1.1 [MQTT-3.8.3-1] */
		{ 4, MALFORMED, "82 [0001 0001 ff 00]" },
		{ 4, MALFORMED, "82 [0001 <a> 00 0001 00 00]" },
		{ 5, MALFORMED, "82 [0001 [] 0002 c080 00]" },
		{ 4, MALFORMED, "82 [0001 <a>]" },
		{ 4, MALFORMED, "82 [0001 <a> 00 00]" },
		{ 4, MALFORMED, "82 [0001 <a> 00 0005 'a' 00]" },
		{ 4, MALFORMED, "82 [00]" },
		/* properties */
		{ 5, MALFORMED, "82 [0001]" },
		{ 5, MALFORMED, "82 [0001 [1f <r>] <a> 00]" },
		{ 5, PROTOCOL, "82 [0001 [0b 00] <a> 00]" },
		{ 5, PROTOCOL, "82 [0001 [0b 01 0b 02] <a> 00]" },
		{ 5, MALFORMED, "82 [0001 [0b ffffffff7f] <a> 00]" },
		{ 5, MALFORMED, "82 8700 0001 [] <a> 00" },
	};

	expect_errors(errors, countof(errors));
}

Test(packet_decode, walks_the_filters_of_a_subscribe)
{
	struct packet_subscribe p;
	struct packet_filter filter;
	struct slice rest;
	struct frame f =
	    frame_of("82 [0102 [] <a/+> 0e <$share/g/b> 21 <> 10]");

	cr_assert_eq(packet_decode_subscribe(&f, MQTT_V5, &p), MQTT_RC_SUCCESS);
	cr_expect_eq(p.packet_id, 0x0102);
	cr_expect_eq(p.n, 3);
	rest = p.topics;
	cr_assert(packet_next_filter(&rest, MQTT_SUBSCRIBE, &filter));
	cr_expect(slice_eq(filter.filter, SLICE("a/+")));
	cr_expect_eq(filter.qos, 2);
	cr_expect(filter.no_local);
	cr_expect(filter.retain_as_published);
	cr_expect_eq(filter.retain_handling, MQTT_RETAIN_SEND);
	cr_assert(packet_next_filter(&rest, MQTT_SUBSCRIBE, &filter));
	cr_expect(slice_eq(filter.filter, SLICE("$share/g/b")));
	cr_expect_eq(filter.qos, 1);
	cr_expect_not(filter.no_local);
	cr_expect_not(filter.retain_as_published);
	cr_expect_eq(filter.retain_handling, MQTT_RETAIN_DONT_SEND);
	cr_assert(packet_next_filter(&rest, MQTT_SUBSCRIBE, &filter));
	cr_expect_eq(filter.filter.len, 0, "the broker judges filters");
	cr_expect_eq(filter.retain_handling, MQTT_RETAIN_SEND_IF_NEW);
	cr_expect_not(packet_next_filter(&rest, MQTT_SUBSCRIBE, &filter));
}

Test(packet_decode, walks_the_filters_of_an_unsubscribe)
{
	struct packet_subscribe p;
	struct packet_filter filter;
	struct slice rest;
	struct frame f = frame_of("a2 [0102 <a/+> <b>]");

	cr_assert_eq(packet_decode_subscribe(&f, MQTT_V311, &p),
	    MQTT_RC_SUCCESS);
	cr_expect_eq(p.n, 2);
	rest = p.topics;
	cr_assert(packet_next_filter(&rest, MQTT_UNSUBSCRIBE, &filter));
	cr_expect(slice_eq(filter.filter, SLICE("a/+")));
	cr_assert(packet_next_filter(&rest, MQTT_UNSUBSCRIBE, &filter));
	cr_expect(slice_eq(filter.filter, SLICE("b")));
	cr_expect_eq(filter.qos, 0);
	cr_expect_not(packet_next_filter(&rest, MQTT_UNSUBSCRIBE, &filter));
}

Test(packet_decode, next_filter_ends_at_what_it_cannot_read)
{
	struct slice raw = wire_new("0005 'abc'"), rest = raw;
	struct packet_filter filter;

	cr_expect_not(packet_next_filter(&rest, MQTT_UNSUBSCRIBE, &filter));
	wire_free(&raw);
	raw = rest = wire_new("<abc>");
	cr_expect_not(packet_next_filter(&rest, MQTT_SUBSCRIBE, &filter));
	wire_free(&raw);
}

Test(packet_decode, refuses_bad_unsubscribes)
{
	static const struct error errors[] = {
		/* v5 and v3.1.1 [MQTT-3.10.1-1] */
		{ 4, MALFORMED, "a0 [0001 <a>]" },
		{ 4, MALFORMED, "aa [0001 <a>]" },
		{ 5, MALFORMED, "a6 [0001 [] <a>]" },
		{ 4, PROTOCOL, "a2 [0000 <a>]" },
		/* v5 and v3.1.1 [MQTT-3.10.3-2] */
		{ 4, PROTOCOL, "a2 [0001]" },
		{ 5, PROTOCOL, "a2 [0001 []]" },
		/* v5 and v3.1.1 [MQTT-3.10.3-1] */
		{ 4, MALFORMED, "a2 [0001 0001 ff]" },
		{ 4, MALFORMED, "a2 [0001 <a> 00]" },
		{ 4, MALFORMED, "a2 [0001 0003 'ab']" },
		{ 5, MALFORMED, "a2 [0001 [0b 01] <a>]" },
		{ 5, MALFORMED, "a2 [0001]" },
	};

	expect_errors(errors, countof(errors));
}

Test(packet_decode, refuses_bad_subacks)
{
	static const struct error errors[] = {
		{ 4, MALFORMED, "91 [0001 00]" },
		{ 4, MALFORMED, "90 [00]" },
		{ 4, MALFORMED, "90 [0001]" },
		{ 5, MALFORMED, "90 [0001 []]" },
		{ 4, PROTOCOL, "90 [0000 00]" },
		/* v3.1.1 [MQTT-3.9.3-2] */
		{ 4, PROTOCOL, "90 [0001 00 03]" },
		{ 4, PROTOCOL, "90 [0001 87]" },
		/* v5 [MQTT-3.9.3-2] */
		{ 5, PROTOCOL, "90 [0001 [] 03]" },
		{ 5, PROTOCOL, "90 [0001 [] 00 11]" },
		{ 5, MALFORMED, "90 [0001 [0b 01] 00]" },
		{ 5, MALFORMED, "90 [0001]" },
		/* UNSUBACK */
		{ 4, MALFORMED, "b1 [0001]" },
		{ 4, MALFORMED, "b0 [0001 00]" },
		{ 4, PROTOCOL, "b0 [0000]" },
		{ 5, MALFORMED, "b0 [0001 []]" },
		/* v5 [MQTT-3.11.3-2] */
		{ 5, PROTOCOL, "b0 [0001 [] 01]" },
		{ 5, PROTOCOL, "b0 [0001 [] 97]" },
	};

	expect_errors(errors, countof(errors));
}

Test(packet_decode, refuses_bad_pings)
{
	static const struct error errors[] = {
		{ 4, MALFORMED, "c1 []" },
		{ 4, MALFORMED, "c0 [00]" },
		{ 5, MALFORMED, "d8 []" },
		{ 5, MALFORMED, "d0 [00]" },
	};

	expect_errors(errors, countof(errors));
}

Test(packet_decode, refuses_bad_disconnects)
{
	static const struct error errors[] = {
		{ 4, MALFORMED, "e1 []" },
		{ 4, MALFORMED, "e0 [00]" },
		{ 3, MALFORMED, "e0 [00]" },
		{ 5, MALFORMED, "e4 []" }, /* v5 [MQTT-3.14.1-1] */
		/* v5 [MQTT-3.14.2-1] */
		{ 5, PROTOCOL, "e0 [01]" },
		{ 5, PROTOCOL, "e0 [85]" },
		{ 5, PROTOCOL, "e0 [ff]" },
		{ 5, MALFORMED, "e0 [00 [21 0001]]" },
		{ 5, MALFORMED, "e0 [00 [] 00]" },
		{ 5, MALFORMED, "e0 [00 05]" },
		{ 5, PROTOCOL, "e0 [00 [11 00000001 11 00000001]]" },
		{ 5, MALFORMED, "e0 8000" },
	};

	expect_errors(errors, countof(errors));
}

Test(packet_decode, refuses_bad_auths)
{
	static const struct error errors[] = {
		{ 4, MALFORMED, "f0 []" }, /* v3.1.1 table 2.1 */
		{ 3, MALFORMED, "f0 [18 [15 <m>]]" },
		{ 5, MALFORMED, "f1 []" },           /* v5 [MQTT-3.15.1-1] */
		{ 5, PROTOCOL, "f0 [80 [15 <m>]]" }, /* v5 [MQTT-3.15.2-1] */
		{ 5, PROTOCOL, "f0 [01 [15 <m>]]" },
		/* only both may be left out: v5 3.15.2.1 */
		{ 5, MALFORMED, "f0 [00]" },
		{ 5, MALFORMED, "f0 [18]" },
		/* v5 3.15.2.2.2 */
		{ 5, PROTOCOL, "f0 [18 []]" },
		{ 5, PROTOCOL, "f0 [00 [1f <r>]]" },
		{ 5, PROTOCOL, "f0 [18 [16 <d>]]" },
		{ 5, MALFORMED, "f0 [18 [15 <m> 11 00000001]]" },
	};

	expect_errors(errors, countof(errors));
}
