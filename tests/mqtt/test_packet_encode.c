/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/packet.h"

#include <criterion/criterion.h>
#include <signal.h>

#include "base/attr.h"
#include "mqtt/any_packet.h"
#include "mqtt/samples.h"
#include "mqtt/wire.h"

static struct buf out;
static const struct slice none;

static void
expect_wire(const char *notation)
{
	struct slice want = wire_new(notation);

	cr_expect(slice_eq(buf_slice(&out), want), "%s: %s", notation,
	    wire_text(buf_slice(&out)));
	buf_reset(&out);
	wire_free(&want);
}

static void
teardown(void)
{
	buf_fini(&out);
}

TestSuite(packet_encode, .fini = teardown);

/* v5 [MQTT-2.2.2-1] */
Test(packet_encode, gives_back_the_bytes_of_every_sample)
{
	struct any_packet p;
	struct slice wire;
	struct frame f;
	enum mqtt_reason rc;
	size_t i;

	for (i = 0; i < n_samples; i++) {
		wire = wire_new(samples[i].wire);
		cr_assert_eq(framer_next(wire, SIZE_MAX, &f, &rc),
		    FRAMER_PACKET);
		cr_assert_eq(any_packet_decode(&f, samples[i].version, &p),
		    MQTT_RC_SUCCESS, "%s", samples[i].name);
		any_packet_encode(&p, &out);
		expect_wire(samples[i].wire);
		wire_free(&wire);
	}
}

Test(packet_encode, appends_to_what_is_there)
{
	packet_encode_empty(&out, MQTT_PINGREQ);
	packet_encode_ack(&out, MQTT_V311, MQTT_PUBACK, 7, MQTT_RC_SUCCESS,
	    none);
	packet_encode_empty(&out, MQTT_PINGRESP);
	expect_wire("c0 [] 40 [0007] d0 []");
}

Test(packet_encode, keeps_properties_and_reasons_from_3_x)
{
	struct slice props = wire_new("1f <r>");

	packet_encode_connack(&out, MQTT_V311, true, 0, props);
	expect_wire("20 [01 00]");
	packet_encode_ack(&out, MQTT_V311, MQTT_PUBREC, 7,
	    MQTT_RC_QUOTA_EXCEEDED, props);
	expect_wire("50 [0007]");
	packet_encode_suback(&out, MQTT_V31, MQTT_SUBACK, 7, SLICE("\1\2"),
	    props);
	expect_wire("90 [0007 01 02]");
	packet_encode_suback(&out, MQTT_V311, MQTT_UNSUBACK, 7, SLICE("\0\0"),
	    props);
	expect_wire("b0 [0007]");
	packet_encode_disconnect(&out, MQTT_V311, MQTT_DISCONNECT,
	    MQTT_RC_PROTOCOL_ERROR, props);
	expect_wire("e0 []");
	packet_encode_subscribe(&out, MQTT_V311, MQTT_SUBSCRIBE, 7,
	    &(struct packet_filter){ .filter = SLICE("a"),
		.qos = 1,
		.no_local = true,
		.retain_as_published = true,
		.retain_handling = 2 },
	    1, props);
	expect_wire("82 [0007 <a> 01]");
	wire_free(&props);
}

Test(packet_encode, chooses_the_shortest_form_of_an_acknowledgement)
{
	struct slice props = wire_new("1f <r>");

	packet_encode_ack(&out, MQTT_V5, MQTT_PUBACK, 7, MQTT_RC_SUCCESS, none);
	expect_wire("40 [0007]");
	packet_encode_ack(&out, MQTT_V5, MQTT_PUBREL, 7,
	    MQTT_RC_PACKET_IDENTIFIER_NOT_FOUND, none);
	expect_wire("62 [0007 92]");
	packet_encode_ack(&out, MQTT_V5, MQTT_PUBCOMP, 7, MQTT_RC_SUCCESS,
	    props);
	expect_wire("70 [0007 00 [1f <r>]]");
	wire_free(&props);
}

Test(packet_encode, chooses_the_shortest_form_of_a_disconnect)
{
	struct slice props = wire_new("1f <r>");

	packet_encode_disconnect(&out, MQTT_V5, MQTT_DISCONNECT,
	    MQTT_RC_NORMAL_DISCONNECTION, none);
	expect_wire("e0 []");
	packet_encode_disconnect(&out, MQTT_V5, MQTT_DISCONNECT,
	    MQTT_RC_SERVER_SHUTTING_DOWN, none);
	expect_wire("e0 [8b]");
	packet_encode_disconnect(&out, MQTT_V5, MQTT_DISCONNECT,
	    MQTT_RC_NORMAL_DISCONNECTION, props);
	expect_wire("e0 [00 [1f <r>]]");
	packet_encode_disconnect(&out, MQTT_V5, MQTT_AUTH, MQTT_RC_SUCCESS,
	    none);
	expect_wire("f0 []");
	packet_encode_disconnect(&out, MQTT_V5, MQTT_AUTH,
	    MQTT_RC_CONTINUE_AUTHENTICATION, none);
	expect_wire("f0 [18 []]");
	wire_free(&props);
}

Test(packet_encode, says_session_present_only_where_it_may)
{
	/* v5 [MQTT-3.2.2-6], v3.1.1 [MQTT-3.2.2-4] */
	packet_encode_connack(&out, MQTT_V5, true, MQTT_RC_BANNED, none);
	expect_wire("20 [00 8a []]");
	packet_encode_connack(&out, MQTT_V311, true, MQTT_V3_UNAVAILABLE, none);
	expect_wire("20 [00 03]");
	packet_encode_connack(&out, MQTT_V31, true, MQTT_V3_ACCEPTED, none);
	expect_wire("20 [00 00]");
}

Test(packet_encode, sends_no_dup_at_qos_0)
{
	/* v5 and v3.1.1 [MQTT-3.3.1-2] */
	struct packet_publish p = { .topic = SLICE("a"), .dup = true };

	packet_encode_publish(&out, MQTT_V311, &p, none, 0);
	expect_wire("30 [<a>]");
}

/* v5 [MQTT-2.2.1-2], v3.1.1 [MQTT-2.3.1-5] */
Test(packet_encode, says_where_the_packet_identifier_is)
{
	static const unsigned versions[] = { MQTT_V31, MQTT_V311, MQTT_V5 };
	static uint8_t text[300];
	struct packet_publish p = { .packet_id = 0xABCD };
	size_t i, at, before;

	memset(text, 'a', sizeof(text));
	for (i = 0; i < countof(versions) * sizeof(text); i++) {
		p.qos = i % 3;
		p.topic = slice_of(text, 1 + i % 299);
		buf_append_str(&out, "some other packet");
		before = buf_len(&out);
		at = packet_encode_publish(&out, versions[i / sizeof(text)], &p,
		    none, 20000);
		cr_expect_eq(at > 0, p.qos > 0);
		if (at > 0)
			cr_expect_arr_eq(buf_ptr(&out) + before + at,
			    "\xAB\xCD", 2);
		buf_reset(&out);
	}
}

Test(packet_encode, knows_the_size_of_a_publish_before)
{
	static const size_t payloads[] = { 0, 1, 100, 127, 128, 16000, 16384,
		2097152, 100000000 };
	static const char topic[] = "a/topic/of/some/length";
	struct slice props = wire_new("02 00000001 26 <n> <v>");
	struct packet_publish p = { .packet_id = 1 };
	struct slice used;
	unsigned version;
	size_t i, n;

	p.topic = slice_str(topic);
	for (version = MQTT_V31; version <= MQTT_V5; version++)
		for (i = 0; i < 3 * countof(payloads); i++) {
			p.qos = i % 3;
			used = i % 2 ? props : none;
			n = payloads[i / 3];
			packet_encode_publish(&out, version, &p, used, n);
			cr_expect_eq(buf_len(&out) + n,
			    packet_publish_size(version, p.qos, p.topic.len,
				used.len, n));
			buf_reset(&out);
		}
	/* also of one that cannot be encoded, so that it can be refused */
	cr_expect_gt(packet_publish_size(MQTT_V5, 1, 1, 0, 300000000),
	    MQTT_VARINT_MAX);
	wire_free(&props);
}

Test(packet_encode, writes_lengths_of_every_size)
{
	static uint8_t text[60000];
	struct packet_connect c = { .version = MQTT_V311,
		.clean_start = true,
		.has_will = true };

	memset(text, 'a', sizeof(text));
	c.client_id = slice_of(text, 110);
	packet_encode_connect(&out, &c, none, none);
	expect_wire("10 [<MQTT> 04 06 0000 006e 61*110 <> <>]");
	c.will_payload = slice_of(text, sizeof(text));
	packet_encode_connect(&out, &c, none, none);
	expect_wire("10 [<MQTT> 04 06 0000 006e 61*110 <> ea60 61*60000]");
}

Test(packet_encode, refuses_a_type_that_is_not_its_own, .signal = SIGABRT)
{
	packet_encode_ack(&out, MQTT_V5, MQTT_SUBACK, 1, MQTT_RC_SUCCESS, none);
}

Test(packet_encode, refuses_qos_3, .signal = SIGABRT)
{
	struct packet_publish p = { .topic = SLICE("a"), .qos = 3 };

	packet_encode_publish(&out, MQTT_V5, &p, none, 0);
}

Test(packet_encode, refuses_an_auth_before_5_0, .signal = SIGABRT)
{
	packet_encode_disconnect(&out, MQTT_V311, MQTT_AUTH, MQTT_RC_SUCCESS,
	    none);
}
