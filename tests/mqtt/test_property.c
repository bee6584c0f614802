/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/property.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>

#include "base/attr.h"
#include "mqtt/mqtt.h"
#include "mqtt/spec_property.h"
#include "mqtt/wire.h"
#include "mqtt/writer.h"

static enum mqtt_reason
decode(const char *notation, unsigned packet_type, struct properties *out)
{
	struct slice raw = wire_new(notation);
	enum mqtt_reason rc = properties_decode(raw, packet_type, out);

	wire_free(&raw);
	return rc;
}

/* The property with this number, or "t", ... as its value. */
static void
put(struct buf *b, const struct spec_property *p, uint32_t v)
{
	enum mqtt_property id = (enum mqtt_property)p->id;

	switch (p->type) {
	case '1':
		property_put_byte(b, id, (uint8_t)v);
		break;
	case '2':
		property_put_u16(b, id, (uint16_t)v);
		break;
	case '4':
		property_put_u32(b, id, v);
		break;
	case 'v':
		property_put_varint(b, id, v);
		break;
	case 'p':
		property_put_user(b, SLICE("name"), SLICE("value"));
		break;
	default:
		property_put_slice(b, id, SLICE("text"));
	}
}

/* In a packet of its own; Authentication Data needs a method beside it. */
static void
put_legally(struct buf *b, const struct spec_property *p)
{
	if (p->id == MQTT_PROP_AUTHENTICATION_DATA)
		property_put_slice(b, MQTT_PROP_AUTHENTICATION_METHOD,
		    SLICE("m"));
	put(b, p, 1);
}

/* The first of the packets in which the property is legal. */
static unsigned
home_of(const struct spec_property *p)
{
	unsigned type = 0;

	while (strchr(p->packets, spec_letter(type)) == NULL)
		type++;
	return type;
}

Test(property, is_legal_where_table_2_4_lists_it)
{
	const struct spec_property *p;
	struct properties props;
	struct buf b = { 0 };
	enum mqtt_reason want;
	unsigned type;

	for (p = spec_properties; p < spec_properties + n_spec_properties;
	     p++) {
		for (type = 0; type <= MQTT_AUTH; type++) {
			buf_reset(&b);
			put_legally(&b, p);
			want = strchr(p->packets, spec_letter(type)) != NULL
			    ? MQTT_RC_SUCCESS
			    : MQTT_RC_MALFORMED_PACKET;
			cr_expect_eq(properties_decode(buf_slice(&b), type,
					 &props),
			    want, "%s in %s", p->name, mqtt_type_name(type));
		}
	}
	buf_fini(&b);
}

Test(property, has_the_name_of_the_specification)
{
	size_t i;

	for (i = 0; i < n_spec_properties; i++)
		cr_expect_str_eq(property_name(
				     (enum mqtt_property)spec_properties[i].id),
		    spec_properties[i].name);
	cr_expect_str_eq(property_name((enum mqtt_property)0),
	    "unknown property");
	cr_expect_str_eq(property_name((enum mqtt_property)MQTT_PROP_END),
	    "unknown property");
}

Test(property, unknown_identifier_is_malformed)
{
	struct properties props;
	char wire[16];
	unsigned id;
	size_t i;
	bool known;

	for (id = 0; id < 128; id++) {
		known = false;
		for (i = 0; i < n_spec_properties; i++)
			known |= spec_properties[i].id == id;
		if (known)
			continue;
		snprintf(wire, sizeof(wire), "%02x 01", id);
		cr_expect_eq(decode(wire, MQTT_CONNECT, &props),
		    MQTT_RC_MALFORMED_PACKET, "%s", wire);
	}
	/* identifiers are Variable Byte Integers in their shortest form */
	cr_expect_eq(decode("8101 01", MQTT_PUBLISH, &props),
	    MQTT_RC_MALFORMED_PACKET);
	cr_expect_eq(decode("8100 01", MQTT_PUBLISH, &props),
	    MQTT_RC_MALFORMED_PACKET);
}

Test(property, twice_is_a_protocol_error_but_for_two)
{
	const struct spec_property *p;
	struct properties props;
	struct buf b = { 0 };
	enum mqtt_reason want;
	unsigned type;

	for (p = spec_properties; p < spec_properties + n_spec_properties;
	     p++) {
		for (type = 0; type <= MQTT_AUTH; type++) {
			if (strchr(p->packets, spec_letter(type)) == NULL)
				continue;
			buf_reset(&b);
			put_legally(&b, p);
			put(&b, p, 1);
			want = p->id == MQTT_PROP_USER_PROPERTY ||
				(p->id == MQTT_PROP_SUBSCRIPTION_IDENTIFIER &&
				    type == MQTT_PUBLISH)
			    ? MQTT_RC_SUCCESS
			    : MQTT_RC_PROTOCOL_ERROR;
			cr_expect_eq(properties_decode(buf_slice(&b), type,
					 &props),
			    want, "%s in %s", p->name, mqtt_type_name(type));
		}
	}
	buf_fini(&b);
}

static enum mqtt_reason
decode_number(const struct spec_property *p, uint32_t v)
{
	struct properties props;
	struct buf b = { 0 };
	enum mqtt_reason rc;

	put(&b, p, v);
	rc = properties_decode(buf_slice(&b), home_of(p), &props);
	buf_fini(&b);
	return rc;
}

Test(property, number_out_of_its_range_is_a_protocol_error)
{
	const struct spec_property *p;
	enum mqtt_reason below;

	for (p = spec_properties; p < spec_properties + n_spec_properties;
	     p++) {
		if (strchr("124v", p->type) == NULL)
			continue;
		cr_expect_eq(decode_number(p, p->min), MQTT_RC_SUCCESS, "%s",
		    p->name);
		cr_expect_eq(decode_number(p, p->max), MQTT_RC_SUCCESS, "%s",
		    p->name);
		/* v5 [MQTT-3.3.2-8], 3.14.2.1: 0x94 is the closer word */
		below = p->id == MQTT_PROP_TOPIC_ALIAS
		    ? MQTT_RC_TOPIC_ALIAS_INVALID
		    : MQTT_RC_PROTOCOL_ERROR;
		if (p->min > 0)
			cr_expect_eq(decode_number(p, 0), below, "%s", p->name);
		if (p->type == '1') {
			cr_expect_eq(decode_number(p, 2),
			    MQTT_RC_PROTOCOL_ERROR, "%s", p->name);
			cr_expect_eq(decode_number(p, 255),
			    MQTT_RC_PROTOCOL_ERROR, "%s", p->name);
		}
	}
}

Test(property, cut_anywhere_is_malformed)
{
	const struct spec_property *p;
	struct properties props;
	struct buf b = { 0 };
	struct slice part;
	size_t n;

	for (p = spec_properties; p < spec_properties + n_spec_properties;
	     p++) {
		buf_reset(&b);
		put(&b, p, p->max);
		for (n = 1; n < buf_len(&b); n++) {
			part = wire_copy(buf_slice(&b), n);
			cr_expect_eq(properties_decode(part, home_of(p),
					 &props),
			    MQTT_RC_MALFORMED_PACKET, "%s, %zu bytes", p->name,
			    n);
			wire_free(&part);
		}
	}
	buf_fini(&b);
}

/* v5 [MQTT-3.3.2-19] */
Test(property, text_is_utf8_and_data_is_anything)
{
	static const char *const bad[] = { "0002 c328", "0001 00" };
	const struct spec_property *p;
	struct properties props;
	char wire[64];
	enum mqtt_reason want;
	size_t i;

	for (p = spec_properties; p < spec_properties + n_spec_properties;
	     p++) {
		if (strchr("sd", p->type) == NULL)
			continue;
		want =
		    p->type == 's' ? MQTT_RC_MALFORMED_PACKET : MQTT_RC_SUCCESS;
		for (i = 0; i < countof(bad); i++) {
			snprintf(wire, sizeof(wire), "%s %02x %s",
			    p->id == 22 ? "15 <m>" : "", p->id, bad[i]);
			cr_expect_eq(decode(wire, home_of(p), &props), want,
			    "%s", wire);
		}
	}
	cr_expect_eq(decode("26 0001 ff <v>", MQTT_PUBLISH, &props),
	    MQTT_RC_MALFORMED_PACKET);
	cr_expect_eq(decode("26 <n> 0001 ff", MQTT_PUBLISH, &props),
	    MQTT_RC_MALFORMED_PACKET);
}

/* v5 [MQTT-3.3.2-13] */
Test(property, response_topic_is_a_topic_name)
{
	static const char *const bad[] = { "08 <>", "08 <a/+>", "08 <#>",
		"08 <a#b>" };
	struct properties props;
	size_t i;

	for (i = 0; i < countof(bad); i++) {
		cr_expect_eq(decode(bad[i], MQTT_PUBLISH, &props),
		    MQTT_RC_PROTOCOL_ERROR, "%s", bad[i]);
		cr_expect_eq(decode(bad[i], MQTT_WILL_PROPERTIES, &props),
		    MQTT_RC_PROTOCOL_ERROR, "%s", bad[i]);
	}
	cr_expect_eq(decode("08 <a/b>", MQTT_PUBLISH, &props), MQTT_RC_SUCCESS);
}

Test(property, authentication_data_needs_a_method)
{
	static const unsigned types[] = { MQTT_CONNECT, MQTT_CONNACK,
		MQTT_AUTH };
	struct properties props;
	size_t i;

	for (i = 0; i < countof(types); i++) {
		cr_expect_eq(decode("16 <d>", types[i], &props),
		    MQTT_RC_PROTOCOL_ERROR);
		cr_expect_eq(decode("16 <d> 15 <m>", types[i], &props),
		    MQTT_RC_SUCCESS);
	}
}

Test(property, values_land_in_their_members)
{
	struct slice raw = wire_new("11 01020304 21 0506 27 0708090a 22 0b0c"
				    " 19 01 17 00 15 <meth> 16 <data>"
				    " 26 <a> <b> 26 <c> <>");
	struct properties p;

	cr_assert_eq(properties_decode(raw, MQTT_CONNECT, &p), MQTT_RC_SUCCESS);
	cr_expect(slice_eq(p.raw, raw));
	cr_expect_eq(p.session_expiry_interval, 0x01020304);
	cr_expect_eq(p.receive_maximum, 0x0506);
	cr_expect_eq(p.maximum_packet_size, 0x0708090a);
	cr_expect_eq(p.topic_alias_maximum, 0x0b0c);
	cr_expect_eq(p.request_response_information, 1);
	cr_expect_eq(p.request_problem_information, 0);
	cr_expect(slice_eq(p.authentication_method, SLICE("meth")));
	cr_expect(slice_eq(p.authentication_data, SLICE("data")));
	cr_expect_eq(p.n_user, 2);
	cr_expect(properties_has(&p, MQTT_PROP_RECEIVE_MAXIMUM));
	cr_expect(properties_has(&p, MQTT_PROP_USER_PROPERTY));
	cr_expect_not(properties_has(&p, MQTT_PROP_REASON_STRING));
	wire_free(&raw);
}

Test(property, values_of_a_publish_land_in_their_members)
{
	struct slice raw = wire_new("01 01 02 00000005 23 0006 08 <r> 09 <c>"
				    " 0b 07 0b 08 03 <t>");
	struct properties p;

	cr_assert_eq(properties_decode(raw, MQTT_PUBLISH, &p), MQTT_RC_SUCCESS);
	cr_expect_eq(p.payload_format_indicator, 1);
	cr_expect_eq(p.message_expiry_interval, 5);
	cr_expect_eq(p.topic_alias, 6);
	cr_expect(slice_eq(p.response_topic, SLICE("r")));
	cr_expect(slice_eq(p.correlation_data, SLICE("c")));
	cr_expect(slice_eq(p.content_type, SLICE("t")));
	cr_expect_eq(p.subscription_identifier, 7, "the first one");
	cr_expect_eq(p.n_user, 0);
	wire_free(&raw);
}

Test(property, values_of_a_connack_land_in_their_members)
{
	struct slice raw = wire_new("24 01 25 00 12 <x> 1f <ok> 28 01 29 00"
				    " 2a 01 13 0009 1a <i> 1c <s>");
	struct properties p;

	cr_assert_eq(properties_decode(raw, MQTT_CONNACK, &p), MQTT_RC_SUCCESS);
	cr_expect_eq(p.maximum_qos, 1);
	cr_expect_eq(p.retain_available, 0);
	cr_expect(slice_eq(p.assigned_client_identifier, SLICE("x")));
	cr_expect(slice_eq(p.reason_string, SLICE("ok")));
	cr_expect_eq(p.wildcard_subscription_available, 1);
	cr_expect_eq(p.subscription_identifier_available, 0);
	cr_expect_eq(p.shared_subscription_available, 1);
	cr_expect_eq(p.server_keep_alive, 9);
	cr_expect(slice_eq(p.response_information, SLICE("i")));
	cr_expect(slice_eq(p.server_reference, SLICE("s")));
	wire_free(&raw);
}

Test(property, will_delay_lands_in_its_member)
{
	struct properties p;

	cr_assert_eq(decode("18 0000003c", MQTT_WILL_PROPERTIES, &p),
	    MQTT_RC_SUCCESS);
	cr_expect_eq(p.will_delay_interval, 60);
}

Test(property, none_leaves_an_empty_set)
{
	struct properties p;

	memset(&p, 0xff, sizeof(p));
	cr_expect_eq(properties_decode(slice_of(NULL, 0), MQTT_PUBLISH, &p),
	    MQTT_RC_SUCCESS);
	cr_expect_eq(p.set, 0);
	cr_expect_eq(p.n_user, 0);
	cr_expect_eq(p.raw.len, 0);
}

Test(property, next_walks_them_in_order)
{
	struct slice raw = wire_new("26 <a> <b> 0b 8001 03 <> 02 00000007"
				    " 23 0102 01 01");
	struct slice rest = raw;
	struct property p;

	cr_assert(property_next(&rest, &p));
	cr_expect_eq(p.id, MQTT_PROP_USER_PROPERTY);
	cr_expect(slice_eq(p.name, SLICE("a")));
	cr_expect(slice_eq(p.value, SLICE("b")));
	cr_assert(property_next(&rest, &p));
	cr_expect_eq(p.id, MQTT_PROP_SUBSCRIPTION_IDENTIFIER);
	cr_expect_eq(p.number, 128);
	cr_assert(property_next(&rest, &p));
	cr_expect_eq(p.id, MQTT_PROP_CONTENT_TYPE);
	cr_expect_eq(p.value.len, 0);
	cr_expect_eq(p.number, 0);
	cr_assert(property_next(&rest, &p));
	cr_expect_eq(p.number, 7);
	cr_assert(property_next(&rest, &p));
	cr_expect_eq(p.number, 0x0102);
	cr_assert(property_next(&rest, &p));
	cr_expect_eq(p.number, 1);
	cr_expect_not(property_next(&rest, &p));
	wire_free(&raw);
}

Test(property, next_ends_at_what_it_cannot_read)
{
	static const char *const bad[] = { "", "00", "02 0000", "7f 00",
		"26 <a>" };
	struct slice raw, rest;
	struct property p;
	size_t i;

	for (i = 0; i < countof(bad); i++) {
		raw = wire_new(bad[i]);
		rest = raw;
		cr_expect_not(property_next(&rest, &p), "%s", bad[i]);
		wire_free(&raw);
	}
}

Test(property, put_writes_what_decode_reads)
{
	struct slice want =
	    wire_new("01 01 23 0102 02 01020304 0b 8001 03 <t> 26 <n> <v>");
	struct buf b = { 0 };

	property_put_byte(&b, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
	property_put_u16(&b, MQTT_PROP_TOPIC_ALIAS, 0x0102);
	property_put_u32(&b, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, 0x01020304);
	property_put_varint(&b, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, 128);
	property_put_slice(&b, MQTT_PROP_CONTENT_TYPE, SLICE("t"));
	property_put_user(&b, SLICE("n"), SLICE("v"));
	cr_expect(slice_eq(buf_slice(&b), want), "%s",
	    wire_text(buf_slice(&b)));
	buf_fini(&b);
	wire_free(&want);
}

Test(property, put_with_another_wire_type_is_refused, .signal = SIGABRT)
{
	struct buf b = { 0 };

	property_put_u16(&b, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, 1);
}

Test(property, put_of_a_number_as_text_is_refused, .signal = SIGABRT)
{
	struct buf b = { 0 };

	property_put_slice(&b, MQTT_PROP_TOPIC_ALIAS, SLICE("1"));
}
