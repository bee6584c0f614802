/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet_decode - Control Packets from the wire, checked. Pure.
 *
 * Every decoder reads its fields in order with a reader whose error sticks,
 * then asks once, in finish(), whether all of them were there and nothing
 * else. What is wrong with the form is MALFORMED_PACKET, a value or a
 * combination that is not allowed is PROTOCOL_ERROR, as v5 4.13 draws the
 * line; 3.x has no word for either and closes.
 */
#include "mqtt/packet.h"

#include "base/attr.h"
#include "mqtt/packet_wire.h"
#include "mqtt/reader.h"
#include "mqtt/writer.h"

/* Is the Remaining Length in its shortest form? 3.x does not demand it. */
static bool
length_ok(const struct frame *f, unsigned version)
{
	return version != MQTT_V5 || /* v5 [MQTT-1.5.5-1] */
	    f->size ==
	    1 + writer_varint_len((uint32_t)f->body.len) + f->body.len;
}

/*
 * Are the reserved flags as they must be? In 3.1 DUP, QoS and RETAIN of the
 * packets that do not use them may have any value (3.1 section 3), and a
 * SUBSCRIBE, UNSUBSCRIBE or PUBREL may be sent again with DUP.
 */
static bool
header_ok(const struct frame *f, unsigned version)
{
	unsigned wanted = packet_reserved_flags(f->type);
	unsigned mask = version == MQTT_V31 ? wanted : 0x0F;

	/* v5 [MQTT-2.1.3-1] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
	 * [MQTT-3.14.1-1] [MQTT-3.15.1-1], v3.1.1 [MQTT-2.2.2-1]
	 * [MQTT-2.2.2-2] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
	 * [MQTT-3.14.1-1] */
	return (f->flags & mask) == wanted && length_ok(f, version);
}

/* Did the packet have all its fields, and nothing behind them? */
static enum mqtt_reason
finish(const struct reader *r)
{
	return r->bad || reader_left(r) > 0 ? MQTT_RC_MALFORMED_PACKET
					    : MQTT_RC_SUCCESS;
}

static enum mqtt_reason
take_properties(struct reader *r, unsigned version, unsigned packet_type,
    struct properties *out)
{
	struct slice raw;

	properties_clear(out);
	if (version != MQTT_V5)
		return MQTT_RC_SUCCESS;
	raw = reader_bytes(r, reader_varint(r)); /* v5 [MQTT-2.2.2-1] */
	if (r->bad)
		return MQTT_RC_MALFORMED_PACKET;
	return properties_decode(raw, packet_type, out);
}

/*
 * The Reason Code and the properties that end an acknowledgement, a
 * DISCONNECT or an AUTH; both, or the properties, may be left out: v5
 * 3.4.2.1, 3.14.2.1, 3.15.2.1.
 */
static enum mqtt_reason
take_reason(struct reader *r, unsigned version, unsigned packet_type,
    enum mqtt_reason *reason, struct properties *properties)
{
	uint8_t code;

	*reason = MQTT_RC_SUCCESS;
	properties_clear(properties);
	if (version != MQTT_V5 || reader_left(r) == 0)
		return MQTT_RC_SUCCESS;
	code = reader_u8(r);
	/* v5 [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
	 * [MQTT-3.14.2-1] [MQTT-3.15.2-1] */
	if (!mqtt_reason_legal(code, packet_type))
		return MQTT_RC_PROTOCOL_ERROR;
	*reason = code;
	if (reader_left(r) == 0 && packet_type != MQTT_AUTH)
		return MQTT_RC_SUCCESS;
	return take_properties(r, version, packet_type, properties);
}

/* What the Protocol Name and the level after it say. */
static enum mqtt_reason
take_protocol(struct reader *r, struct packet_connect *out)
{
	static const struct {
		const char *name;
		uint8_t level;
		uint8_t version;
	} protocols[] = {
		{ "MQTT", MQTT_V5, MQTT_V5 },
		{ "MQTT", MQTT_V311, MQTT_V311 },
		{ "MQTT", MQTT_V311 | CONNECT_BRIDGE_LEVEL, MQTT_V311 },
		{ "MQIsdp", MQTT_V31, MQTT_V31 },
		{ "MQIsdp", MQTT_V31 | CONNECT_BRIDGE_LEVEL, MQTT_V31 },
	};
	struct slice name = reader_string(r);
	uint8_t level = reader_u8(r);
	bool is_known = false;
	size_t i;

	if (r->bad)
		return MQTT_RC_MALFORMED_PACKET;
	for (i = 0; i < countof(protocols); i++) {
		if (!slice_eq(name, slice_str(protocols[i].name)))
			continue;
		is_known = true;
		out->version = level;
		if (level != protocols[i].level)
			continue;
		out->version = protocols[i].version;
		out->bridge = level != protocols[i].version;
		return MQTT_RC_SUCCESS;
	}
	/* v5 [MQTT-3.1.2-1] [MQTT-3.1.2-2], v3.1.1 [MQTT-3.1.2-1]
	 * [MQTT-3.1.2-2] */
	return is_known ? MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION
			: MQTT_RC_MALFORMED_PACKET;
}

static enum mqtt_reason
take_connect_flags(struct reader *r, struct packet_connect *out)
{
	unsigned flags = reader_u8(r);
	bool is_v31 = out->version == MQTT_V31;

	out->clean_start = (flags & CONNECT_CLEAN_START) != 0;
	out->has_will = (flags & CONNECT_WILL) != 0;
	out->will_qos = flags >> CONNECT_WILL_QOS_SHIFT & 3;
	out->will_retain = (flags & CONNECT_WILL_RETAIN) != 0;
	out->has_user_name = (flags & CONNECT_USER_NAME) != 0;
	out->has_password = (flags & CONNECT_PASSWORD) != 0;
	/* 3.1 section 3.1: unused, and disregarded without a Will Flag */
	if (is_v31 && !out->has_will) {
		out->will_qos = 0;
		out->will_retain = false;
	}
	/* v5 and v3.1.1 [MQTT-3.1.2-3] */
	if ((flags & CONNECT_RESERVED) != 0 && !is_v31)
		return MQTT_RC_MALFORMED_PACKET;
	/* v5 [MQTT-3.1.2-11] [MQTT-3.1.2-13], v3.1.1 [MQTT-3.1.2-11]
	 * [MQTT-3.1.2-13] [MQTT-3.1.2-15] */
	if (!out->has_will && (out->will_qos != 0 || out->will_retain))
		return MQTT_RC_MALFORMED_PACKET;
	/* v5 [MQTT-3.1.2-12], v3.1.1 [MQTT-3.1.2-14] */
	if (out->will_qos == 3)
		return MQTT_RC_MALFORMED_PACKET;
	/* v3.1.1 [MQTT-3.1.2-22], 3.1 section 3.1; 5.0 allows it */
	if (out->has_password && !out->has_user_name && out->version != MQTT_V5)
		return MQTT_RC_MALFORMED_PACKET;
	return MQTT_RC_SUCCESS;
}

static enum mqtt_reason
take_will(struct reader *r, struct packet_connect *out)
{
	enum mqtt_reason rc;

	properties_clear(&out->will_properties);
	if (!out->has_will)
		return MQTT_RC_SUCCESS;
	/* v5 [MQTT-3.1.2-9], v3.1.1 [MQTT-3.1.2-9] */
	rc = take_properties(r, out->version, MQTT_WILL_PROPERTIES,
	    &out->will_properties);
	/* v5 [MQTT-3.1.3-11], v3.1.1 [MQTT-3.1.3-10] */
	out->will_topic = reader_string(r);
	out->will_payload = reader_binary(r);
	return rc;
}

static void
take_credentials(struct reader *r, struct packet_connect *out)
{
	/*
	 * 3.1 section 3.1: the Remaining Length takes precedence, a client
	 * may set the flags and leave the fields out.
	 */
	if (out->version == MQTT_V31 && reader_left(r) == 0)
		out->has_user_name = false;
	/* v5 [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.3-12], v3.1.1
	 * [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.3-11] */
	if (out->has_user_name)
		out->user_name = reader_string(r);
	if (out->version == MQTT_V31 && reader_left(r) == 0)
		out->has_password = false;
	/* v5 [MQTT-3.1.2-18] [MQTT-3.1.2-19], v3.1.1 [MQTT-3.1.2-20]
	 * [MQTT-3.1.2-21] */
	if (out->has_password)
		out->password = reader_binary(r);
}

enum mqtt_reason
packet_decode_connect(const struct frame *f, struct packet_connect *out)
{
	struct reader r = reader_of(f->body);
	enum mqtt_reason rc;

	memset(out, 0, sizeof(*out));
	rc = take_protocol(&r, out);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	if (!header_ok(f, out->version))
		return MQTT_RC_MALFORMED_PACKET;
	rc = take_connect_flags(&r, out);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	out->keep_alive = reader_u16(&r);
	rc = take_properties(&r, out->version, MQTT_CONNECT, &out->properties);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	/* v5 and v3.1.1 [MQTT-3.1.3-1] [MQTT-3.1.3-3] [MQTT-3.1.3-4] */
	out->client_id = reader_string(&r);
	rc = take_will(&r, out);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	take_credentials(&r, out);
	return finish(&r); /* v5 and v3.1.1 [MQTT-3.1.4-1] */
}

enum mqtt_reason
packet_decode_connack(const struct frame *f, unsigned version,
    struct packet_connack *out)
{
	struct reader r = reader_of(f->body);
	uint8_t flags = reader_u8(&r);
	enum mqtt_reason rc;

	out->session_present = flags & 1;
	out->code = reader_u8(&r);
	rc = take_properties(&r, version, MQTT_CONNACK, &out->properties);
	if (rc == MQTT_RC_SUCCESS)
		rc = finish(&r);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	if (version == MQTT_V31) { /* 3.1 section 3.2: unused */
		out->session_present = false;
		flags = 0;
	}
	if (!header_ok(f, version) || flags > 1) /* v5 [MQTT-3.2.2-1] */
		return MQTT_RC_MALFORMED_PACKET;
	/* v5 [MQTT-3.2.2-6], v3.1.1 [MQTT-3.2.2-4] */
	if (out->session_present && out->code != 0)
		return MQTT_RC_PROTOCOL_ERROR;
	/* v5 [MQTT-3.2.2-8], v3.1.1 table 3.1 */
	if (version == MQTT_V5 ? !mqtt_reason_legal(out->code, MQTT_CONNACK)
			       : out->code > MQTT_V3_NOT_AUTHORIZED)
		return MQTT_RC_PROTOCOL_ERROR;
	return MQTT_RC_SUCCESS;
}

enum mqtt_reason
packet_decode_publish(const struct frame *f, unsigned version,
    struct packet_publish *out)
{
	struct reader r = reader_of(f->body);
	enum mqtt_reason rc;

	out->qos = f->flags >> 1 & 3;
	out->dup = (f->flags & MQTT_PUBLISH_DUP) != 0;
	out->retain = (f->flags & MQTT_PUBLISH_RETAIN) != 0;
	if (out->qos == 3) /* v5 and v3.1.1 [MQTT-3.3.1-4] */
		return MQTT_RC_MALFORMED_PACKET;
	/* v5 and v3.1.1 [MQTT-3.3.1-2]; 3.1 gives DUP no meaning here */
	if (out->dup && out->qos == 0 && version != MQTT_V31)
		return MQTT_RC_MALFORMED_PACKET;
	out->topic = reader_string(&r); /* v5 and v3.1.1 [MQTT-3.3.2-1] */
	/* v5 [MQTT-2.2.1-2], v3.1.1 [MQTT-2.3.1-5] */
	out->packet_id = out->qos > 0 ? reader_u16(&r) : 0;
	rc = take_properties(&r, version, MQTT_PUBLISH, &out->properties);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	out->payload = reader_rest(&r);
	if (r.bad || !length_ok(f, version))
		return MQTT_RC_MALFORMED_PACKET;
	/* v5 [MQTT-2.2.1-3] [MQTT-2.2.1-4], v3.1.1 [MQTT-2.3.1-1] */
	if (out->qos > 0 && out->packet_id == 0)
		return MQTT_RC_PROTOCOL_ERROR;
	/* v5 3.3.2.1, v3.1.1 [MQTT-4.7.3-1] */
	if (out->topic.len == 0 &&
	    !properties_has(&out->properties, MQTT_PROP_TOPIC_ALIAS))
		return MQTT_RC_PROTOCOL_ERROR;
	return MQTT_RC_SUCCESS;
}

enum mqtt_reason
packet_decode_ack(const struct frame *f, unsigned version,
    struct packet_ack *out)
{
	struct reader r = reader_of(f->body);
	enum mqtt_reason rc;

	if (!header_ok(f, version))
		return MQTT_RC_MALFORMED_PACKET;
	out->packet_id = reader_u16(&r);
	rc = take_reason(&r, version, f->type, &out->reason, &out->properties);
	if (rc == MQTT_RC_SUCCESS)
		rc = finish(&r);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	/* v5 [MQTT-2.2.1-5], v3.1.1 [MQTT-2.3.1-6]: never that of a PUBLISH */
	return out->packet_id == 0 ? MQTT_RC_PROTOCOL_ERROR : MQTT_RC_SUCCESS;
}

/* The Subscription Options, or the Requested QoS of 3.x, of one filter. */
static enum mqtt_reason
check_options(unsigned options, struct slice filter, unsigned version)
{
	bool is_v5 = version == MQTT_V5;

	/* v5 [MQTT-3.8.3-5], v3.1.1 [MQTT-3.8.3-4] */
	if ((options & (is_v5 ? SUBSCRIBE_RESERVED : SUBSCRIBE_RESERVED_V3)) !=
	    0)
		return MQTT_RC_MALFORMED_PACKET;
	/* v5 3.8.3.1, v3.1.1 [MQTT-3.8.3-4] */
	if ((options & SUBSCRIBE_QOS) == 3)
		return is_v5 ? MQTT_RC_PROTOCOL_ERROR
			     : MQTT_RC_MALFORMED_PACKET;
	/* v5 3.8.3.1 */
	if (options >> SUBSCRIBE_RETAIN_HANDLING_SHIFT > MQTT_RETAIN_DONT_SEND)
		return MQTT_RC_PROTOCOL_ERROR;
	/* v5 [MQTT-3.8.3-4] */
	if ((options & SUBSCRIBE_NO_LOCAL) != 0 &&
	    slice_starts(filter, SLICE("$share/")))
		return MQTT_RC_PROTOCOL_ERROR;
	return MQTT_RC_SUCCESS;
}

/* Check the payload of a SUBSCRIBE or UNSUBSCRIBE and count its filters. */
static enum mqtt_reason
check_filters(struct slice topics, unsigned type, unsigned version, size_t *n)
{
	struct reader r = reader_of(topics);
	struct slice filter;
	enum mqtt_reason rc = MQTT_RC_SUCCESS;

	*n = 0;
	while (reader_left(&r) > 0 && rc == MQTT_RC_SUCCESS) {
		/* v5 and v3.1.1 [MQTT-3.8.3-1] [MQTT-3.10.3-1] */
		filter = reader_string(&r);
		if (type == MQTT_SUBSCRIBE)
			rc = check_options(reader_u8(&r), filter, version);
		++*n;
	}
	if (r.bad)
		return MQTT_RC_MALFORMED_PACKET;
	/* v5 [MQTT-3.8.3-2] [MQTT-3.10.3-2], v3.1.1 [MQTT-3.8.3-3]
	 * [MQTT-3.10.3-2] */
	return *n == 0 ? MQTT_RC_PROTOCOL_ERROR : rc;
}

enum mqtt_reason
packet_decode_subscribe(const struct frame *f, unsigned version,
    struct packet_subscribe *out)
{
	struct reader r = reader_of(f->body);
	enum mqtt_reason rc;

	if (!header_ok(f, version))
		return MQTT_RC_MALFORMED_PACKET;
	out->packet_id = reader_u16(&r);
	rc = take_properties(&r, version, f->type, &out->properties);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	out->topics = reader_rest(&r);
	if (r.bad)
		return MQTT_RC_MALFORMED_PACKET;
	if (out->packet_id == 0) /* v5 [MQTT-2.2.1-3], v3.1.1 [MQTT-2.3.1-1] */
		return MQTT_RC_PROTOCOL_ERROR;
	return check_filters(out->topics, f->type, version, &out->n);
}

bool
packet_next_filter(struct slice *rest, unsigned type, struct packet_filter *out)
{
	struct reader r = reader_of(*rest);
	unsigned options;

	if (reader_left(&r) == 0)
		return false;
	out->filter = reader_binary(&r);
	options = type == MQTT_SUBSCRIBE ? reader_u8(&r) : 0;
	out->qos = options & SUBSCRIBE_QOS;
	out->no_local = (options & SUBSCRIBE_NO_LOCAL) != 0;
	out->retain_as_published =
	    (options & SUBSCRIBE_RETAIN_AS_PUBLISHED) != 0;
	out->retain_handling = options >> SUBSCRIBE_RETAIN_HANDLING_SHIFT & 3;
	*rest = reader_rest(&r);
	return !r.bad;
}

/* Are these the return codes of a SUBACK or UNSUBACK? */
static enum mqtt_reason
check_codes(struct slice codes, unsigned type, unsigned version)
{
	size_t i;
	uint8_t c;

	if (version != MQTT_V5 && type == MQTT_UNSUBACK)
		return codes.len == 0 ? MQTT_RC_SUCCESS
				      : MQTT_RC_MALFORMED_PACKET;
	if (codes.len == 0) /* v5 3.9.3, 3.11.3; v3.1.1 3.9.3 */
		return MQTT_RC_MALFORMED_PACKET;
	for (i = 0; i < codes.len; i++) {
		c = codes.ptr[i];
		/* v5 [MQTT-3.9.3-2] [MQTT-3.11.3-2], v3.1.1 [MQTT-3.9.3-2] */
		if (version == MQTT_V5
			? !mqtt_reason_legal(c, type)
			: c > MQTT_QOS_2 && c != MQTT_V3_SUBACK_FAILURE)
			return MQTT_RC_PROTOCOL_ERROR;
	}
	return MQTT_RC_SUCCESS;
}

enum mqtt_reason
packet_decode_suback(const struct frame *f, unsigned version,
    struct packet_suback *out)
{
	struct reader r = reader_of(f->body);
	enum mqtt_reason rc;

	if (!header_ok(f, version))
		return MQTT_RC_MALFORMED_PACKET;
	out->packet_id = reader_u16(&r);
	rc = take_properties(&r, version, f->type, &out->properties);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	out->codes = reader_rest(&r);
	if (r.bad)
		return MQTT_RC_MALFORMED_PACKET;
	if (out->packet_id == 0) /* v5 [MQTT-2.2.1-6], v3.1.1 [MQTT-2.3.1-7] */
		return MQTT_RC_PROTOCOL_ERROR;
	return check_codes(out->codes, f->type, version);
}

enum mqtt_reason
packet_decode_disconnect(const struct frame *f, unsigned version,
    struct packet_disconnect *out)
{
	struct reader r = reader_of(f->body);
	bool is_auth = f->type == MQTT_AUTH;
	enum mqtt_reason rc;

	if (!header_ok(f, version))
		return MQTT_RC_MALFORMED_PACKET;
	if (is_auth && version != MQTT_V5) /* v3.1.1 table 2.1 */
		return MQTT_RC_MALFORMED_PACKET;
	rc = take_reason(&r, version, f->type, &out->reason, &out->properties);
	if (rc == MQTT_RC_SUCCESS)
		rc = finish(&r);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	/* v5 3.15.2.2.2; nothing at all is allowed by 3.15.2.1 */
	if (is_auth && f->body.len > 0 &&
	    !properties_has(&out->properties, MQTT_PROP_AUTHENTICATION_METHOD))
		return MQTT_RC_PROTOCOL_ERROR;
	return MQTT_RC_SUCCESS;
}

enum mqtt_reason
packet_decode_empty(const struct frame *f)
{
	/* v5 [MQTT-2.1.3-1] 3.12 3.13, v3.1.1 [MQTT-2.2.2-2] */
	return f->flags != 0 || f->body.len > 0 ? MQTT_RC_MALFORMED_PACKET
						: MQTT_RC_SUCCESS;
}
