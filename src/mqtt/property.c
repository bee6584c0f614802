/* SPDX-License-Identifier: Apache-2.0 */
/*
 * property - a table-driven codec of MQTT 5.0 Properties. Pure.
 *
 * Two tables, both indexed by identifier: `rules`, from property.tbl, says
 * how a property looks on the wire and where it is legal; `values` says what
 * it is called, where its value goes and which values it may have.
 */
#include "mqtt/property.h"

#include <assert.h>

#include "base/utf8.h"
#include "mqtt/reader.h"
#include "mqtt/writer.h"

enum wire_type { BYTE, U16, U32, VARINT, STRING, BINARY, STRING_PAIR };

#define WILL     (1u << MQTT_WILL_PROPERTIES)
#define IN(type) (1u << MQTT_##type)
#define ALL      (0xFFFFu & ~(IN(PINGREQ) | IN(PINGRESP)))

static const struct {
	uint16_t packets; /* one bit per packet type; 0: no such property */
	uint8_t type;     /* enum wire_type */
} rules[MQTT_PROP_END] = {
#define PROPERTY(name, id, type, packets) [id] = { packets, type },
#include "mqtt/property.tbl"
#undef PROPERTY
};

#define AT(member) offsetof(struct properties, member)
#define VALUE(id, name, member, min, max)                                      \
	[MQTT_PROP_##id] = { name, AT(member), min, max }
#define ANY(id, name, member)         VALUE(id, name, member, 0, UINT32_MAX)
#define NOT_ZERO(id, name, member)    VALUE(id, name, member, 1, UINT32_MAX)
#define ZERO_OR_ONE(id, name, member) VALUE(id, name, member, 0, 1)

static const struct {
	const char *name;
	size_t offset; /* in struct properties */
	uint32_t min, max;
} values[MQTT_PROP_END] = {
	/* v5 3.3.2.3.2 */
	ZERO_OR_ONE(PAYLOAD_FORMAT_INDICATOR, "Payload Format Indicator",
	    payload_format_indicator),
	ANY(MESSAGE_EXPIRY_INTERVAL, "Message Expiry Interval",
	    message_expiry_interval),
	ANY(CONTENT_TYPE, "Content Type", content_type),
	ANY(RESPONSE_TOPIC, "Response Topic", response_topic),
	ANY(CORRELATION_DATA, "Correlation Data", correlation_data),
	/* v5 3.3.2.3.8, 3.8.2.1.2 */
	NOT_ZERO(SUBSCRIPTION_IDENTIFIER, "Subscription Identifier",
	    subscription_identifier),
	ANY(SESSION_EXPIRY_INTERVAL, "Session Expiry Interval",
	    session_expiry_interval),
	ANY(ASSIGNED_CLIENT_IDENTIFIER, "Assigned Client Identifier",
	    assigned_client_identifier),
	ANY(SERVER_KEEP_ALIVE, "Server Keep Alive", server_keep_alive),
	ANY(AUTHENTICATION_METHOD, "Authentication Method",
	    authentication_method),
	ANY(AUTHENTICATION_DATA, "Authentication Data", authentication_data),
	/* v5 3.1.2.11.7 */
	ZERO_OR_ONE(REQUEST_PROBLEM_INFORMATION, "Request Problem Information",
	    request_problem_information),
	ANY(WILL_DELAY_INTERVAL, "Will Delay Interval", will_delay_interval),
	/* v5 3.1.2.11.6 */
	ZERO_OR_ONE(REQUEST_RESPONSE_INFORMATION,
	    "Request Response Information", request_response_information),
	ANY(RESPONSE_INFORMATION, "Response Information", response_information),
	ANY(SERVER_REFERENCE, "Server Reference", server_reference),
	ANY(REASON_STRING, "Reason String", reason_string),
	/* v5 3.1.2.11.3, 3.2.2.3.3 */
	NOT_ZERO(RECEIVE_MAXIMUM, "Receive Maximum", receive_maximum),
	ANY(TOPIC_ALIAS_MAXIMUM, "Topic Alias Maximum", topic_alias_maximum),
	/* v5 [MQTT-3.3.2-8] */
	NOT_ZERO(TOPIC_ALIAS, "Topic Alias", topic_alias),
	/* v5 3.2.2.3.4 */
	ZERO_OR_ONE(MAXIMUM_QOS, "Maximum QoS", maximum_qos),
	/* v5 3.2.2.3.5 */
	ZERO_OR_ONE(RETAIN_AVAILABLE, "Retain Available", retain_available),
	ANY(USER_PROPERTY, "User Property", n_user),
	/* v5 3.1.2.11.4, 3.2.2.3.6 */
	NOT_ZERO(MAXIMUM_PACKET_SIZE, "Maximum Packet Size",
	    maximum_packet_size),
	/* v5 3.2.2.3.11 */
	ZERO_OR_ONE(WILDCARD_SUBSCRIPTION_AVAILABLE,
	    "Wildcard Subscription Available", wildcard_subscription_available),
	/* v5 3.2.2.3.12 */
	ZERO_OR_ONE(SUBSCRIPTION_IDENTIFIER_AVAILABLE,
	    "Subscription Identifier Available",
	    subscription_identifier_available),
	/* v5 3.2.2.3.13 */
	ZERO_OR_ONE(SHARED_SUBSCRIPTION_AVAILABLE,
	    "Shared Subscription Available", shared_subscription_available),
};

/*
 * Take one property off the reader, whatever packet it stands in; false when
 * there is no whole one that we know. Strings are not checked.
 */
static bool
take(struct reader *r, struct property *out)
{
	uint32_t id = reader_varint(r);

	*out = (struct property){ .id = id };
	if (r->bad || id >= MQTT_PROP_END || rules[id].packets == 0)
		return false;
	switch ((enum wire_type)rules[id].type) {
	case BYTE:
		out->number = reader_u8(r);
		break;
	case U16:
		out->number = reader_u16(r);
		break;
	case U32:
		out->number = reader_u32(r);
		break;
	case VARINT:
		out->number = reader_varint(r);
		break;
	case STRING_PAIR:
		out->name = reader_binary(r);
		out->value = reader_binary(r);
		break;
	case STRING:
	case BINARY:
		out->value = reader_binary(r);
		break;
	}
	return !r->bad;
}

/* Which may stand in one packet any number of times? */
static bool
is_repeatable(enum mqtt_property id, unsigned packet_type)
{
	return id == MQTT_PROP_USER_PROPERTY || /* v5 3.1.2.11.8 and others */
	    (id == MQTT_PROP_SUBSCRIPTION_IDENTIFIER &&
		packet_type == MQTT_PUBLISH); /* v5 3.3.2.3.8 */
}

/* A Topic Name, as far as this layer knows them. */
static bool
is_topic_name(struct slice s)
{
	return s.len > 0 && memchr(s.ptr, '+', s.len) == NULL &&
	    memchr(s.ptr, '#', s.len) == NULL;
}

static enum mqtt_reason
check(const struct property *p, unsigned packet_type, uint64_t set)
{
	bool is_text =
	    rules[p->id].type == STRING || rules[p->id].type == STRING_PAIR;

	/* v5 2.2.2.2: an identifier that is not valid here is malformed */
	if ((rules[p->id].packets >> packet_type & 1) == 0)
		return MQTT_RC_MALFORMED_PACKET;
	/* v5 [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.7-1] [MQTT-3.3.2-19] */
	if (is_text && !(utf8_valid(p->value) && utf8_valid(p->name)))
		return MQTT_RC_MALFORMED_PACKET;
	/* v5 3.1.2.11, 3.3.2.3, ...: "to include ... more than once" */
	if ((set >> p->id & 1) != 0 && !is_repeatable(p->id, packet_type))
		return MQTT_RC_PROTOCOL_ERROR;
	if (p->number < values[p->id].min || p->number > values[p->id].max)
		return p->id == MQTT_PROP_TOPIC_ALIAS
		    ? MQTT_RC_TOPIC_ALIAS_INVALID
		    : MQTT_RC_PROTOCOL_ERROR;
	/* v5 [MQTT-3.3.2-13] [MQTT-3.3.2-14] [MQTT-4.7.3-1] */
	if (p->id == MQTT_PROP_RESPONSE_TOPIC && !is_topic_name(p->value))
		return MQTT_RC_PROTOCOL_ERROR;
	return MQTT_RC_SUCCESS;
}

/* Put a checked value into its member, the first one if it is repeated. */
static void
keep(const struct property *p, struct properties *out)
{
	void *member = (char *)out + values[p->id].offset;

	if (p->id == MQTT_PROP_USER_PROPERTY)
		out->n_user++;
	else if (properties_has(out, p->id))
		return;
	else if (rules[p->id].type == BYTE)
		*(uint8_t *)member = (uint8_t)p->number;
	else if (rules[p->id].type == U16)
		*(uint16_t *)member = (uint16_t)p->number;
	else if (rules[p->id].type == U32 || rules[p->id].type == VARINT)
		*(uint32_t *)member = p->number;
	else
		*(struct slice *)member = p->value;
	out->set |= UINT64_C(1) << p->id;
}

enum mqtt_reason
properties_decode(struct slice raw, unsigned packet_type,
    struct properties *out)
{
	struct reader r = reader_of(raw);
	struct property p;
	enum mqtt_reason rc;

	properties_clear(out);
	out->raw = raw;
	while (reader_left(&r) > 0) {
		if (!take(&r, &p))
			return MQTT_RC_MALFORMED_PACKET;
		rc = check(&p, packet_type, out->set);
		if (rc != MQTT_RC_SUCCESS)
			return rc;
		keep(&p, out);
	}
	/* v5 3.1.2.11.10 */
	if (properties_has(out, MQTT_PROP_AUTHENTICATION_DATA) &&
	    !properties_has(out, MQTT_PROP_AUTHENTICATION_METHOD))
		return MQTT_RC_PROTOCOL_ERROR;
	return MQTT_RC_SUCCESS;
}

bool
property_next(struct slice *rest, struct property *out)
{
	struct reader r = reader_of(*rest);

	if (reader_left(&r) == 0 || !take(&r, out))
		return false;
	*rest = reader_rest(&r);
	return true;
}

static void
put_id(struct buf *out, enum mqtt_property id, enum wire_type type)
{
	assert(id < MQTT_PROP_END && rules[id].packets != 0);
	assert(rules[id].type == type ||
	    (rules[id].type == STRING && type == BINARY));
	writer_u8(out, (uint8_t)id);
}

void
property_put_byte(struct buf *out, enum mqtt_property id, uint8_t v)
{
	put_id(out, id, BYTE);
	writer_u8(out, v);
}

void
property_put_u16(struct buf *out, enum mqtt_property id, uint16_t v)
{
	put_id(out, id, U16);
	writer_u16(out, v);
}

void
property_put_u32(struct buf *out, enum mqtt_property id, uint32_t v)
{
	put_id(out, id, U32);
	writer_u32(out, v);
}

void
property_put_varint(struct buf *out, enum mqtt_property id, uint32_t v)
{
	put_id(out, id, VARINT);
	writer_varint(out, v);
}

void
property_put_slice(struct buf *out, enum mqtt_property id, struct slice v)
{
	put_id(out, id, BINARY);
	writer_string(out, v);
}

void
property_put_user(struct buf *out, struct slice name, struct slice value)
{
	put_id(out, MQTT_PROP_USER_PROPERTY, STRING_PAIR);
	writer_string(out, name);
	writer_string(out, value);
}

const char *
property_name(enum mqtt_property id)
{
	if (id >= MQTT_PROP_END || values[id].name == NULL)
		return "unknown property";
	return values[id].name;
}
