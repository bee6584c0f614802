/* SPDX-License-Identifier: Apache-2.0 */
/*
 * property - MQTT 5.0 Properties: one table of identifiers, wire types and
 * the packets in which each is legal (v5 table 2-4).
 *
 * Decoding checks everything (known, legal here, not twice, value in range,
 * strings UTF-8) and leaves single values in `struct properties`. Those that
 * may be repeated, User Property and Subscription Identifier, stay in the
 * encoded bytes and are walked with property_next.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "mqtt/reason.h"

enum mqtt_property {
#define PROPERTY(name, id, ...) MQTT_PROP_##name = id,
#include "mqtt/property.tbl"
#undef PROPERTY
};
/* Identifiers are below this, so that a set of them is one 64-bit word. */
#define MQTT_PROP_END 0x2B

/* Properties of a Will Message are a set of their own, like a packet type. */
#define MQTT_WILL_PROPERTIES 0

/*
 * The values that were present; `set` has bit MQTT_PROP_x for each. Only
 * `set`, `raw` and `n_user` are always valid: read any other member after
 * properties_has, which for most of them has to tell "absent" from 0 anyway.
 * (Clearing 200 bytes would cost as much as decoding a small PUBLISH.) Slices
 * borrow from what was decoded.
 */
struct properties {
	uint64_t set;
	struct slice raw; /* all properties, without their length prefix */
	uint8_t payload_format_indicator;
	uint8_t request_problem_information;
	uint8_t request_response_information;
	uint8_t maximum_qos;
	uint8_t retain_available;
	uint8_t wildcard_subscription_available;
	uint8_t subscription_identifier_available;
	uint8_t shared_subscription_available;
	uint16_t server_keep_alive;
	uint16_t receive_maximum;
	uint16_t topic_alias_maximum;
	uint16_t topic_alias;
	uint32_t message_expiry_interval;
	uint32_t session_expiry_interval;
	uint32_t will_delay_interval;
	uint32_t maximum_packet_size;
	uint32_t subscription_identifier; /* the first one */
	uint32_t n_user;                  /* how many; 0 without */
	struct slice content_type;
	struct slice response_topic;
	struct slice correlation_data;
	struct slice assigned_client_identifier;
	struct slice authentication_method;
	struct slice authentication_data;
	struct slice response_information;
	struct slice server_reference;
	struct slice reason_string;
};

static inline bool
properties_has(const struct properties *p, enum mqtt_property id)
{
	return (p->set >> id & 1) != 0;
}

/* None at all, as in 3.1 and 3.1.1. */
static inline void
properties_clear(struct properties *p)
{
	p->set = 0;
	p->raw = slice_of(NULL, 0);
	p->n_user = 0;
}

/* One property, as property_next finds it; what does not apply is zero. */
struct property {
	enum mqtt_property id;
	uint32_t number;    /* byte, integers, Variable Byte Integer */
	struct slice name;  /* of a User Property */
	struct slice value; /* string or binary */
};

/*
 * Check and read the properties in `raw` (without the length prefix) as they
 * may stand in a packet of this type, or MQTT_WILL_PROPERTIES. Returns
 * MQTT_RC_SUCCESS, MALFORMED_PACKET, or PROTOCOL_ERROR for a value out of
 * range or a property that stands twice (a Topic Alias of 0 is
 * TOPIC_ALIAS_INVALID). Which side may send a property is not checked.
 */
enum mqtt_reason properties_decode(struct slice raw, unsigned packet_type,
    struct properties *out) MUST_CHECK;

/*
 * Walk checked property bytes: takes the next one off the front of `*rest`;
 * false at the end.
 */
bool property_next(struct slice *rest, struct property *out);

/* Append one property, identifier and value, to `out`. */
void property_put_byte(struct buf *out, enum mqtt_property id, uint8_t v);
void property_put_u16(struct buf *out, enum mqtt_property id, uint16_t v);
void property_put_u32(struct buf *out, enum mqtt_property id, uint32_t v);
void property_put_varint(struct buf *out, enum mqtt_property id, uint32_t v);
/* A string or binary value of at most MQTT_STRING_MAX bytes. */
void property_put_slice(struct buf *out, enum mqtt_property id, struct slice v);
void property_put_user(struct buf *out, struct slice name, struct slice value);

/* The name in the specification's words, for the log. */
const char *property_name(enum mqtt_property id);
