/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet_encode - Control Packets to the wire. Pure.
 *
 * The callers are ours: what they may not ask for is an assertion. All that
 * depends on the version is hidden here, so that they pass what 5.0 knows
 * and 3.x gets the part of it that it understands.
 */
#include "mqtt/packet.h"

#include <assert.h>

#include "mqtt/packet_wire.h"
#include "mqtt/writer.h"

/* How many bytes the Remaining Length `len` takes; 4 if it is too large. */
static size_t
length_len(size_t len)
{
	return len <= MQTT_VARINT_MAX ? writer_varint_len((uint32_t)len) : 4;
}

/* Bytes of the properties with their length, none in 3.x. */
static size_t
properties_size(unsigned version, size_t props_len)
{
	return version == MQTT_V5 ? length_len(props_len) + props_len : 0;
}

static void
put_properties(struct buf *out, unsigned version, struct slice props)
{
	if (version != MQTT_V5)
		return;
	writer_varint(out, (uint32_t)props.len); /* v5 [MQTT-2.2.2-1] */
	buf_append_slice(out, props);
}

/* Open a packet, not a PUBLISH, whose body will have `len` bytes. */
static void
put_header(struct buf *out, unsigned type, size_t len)
{
	/* v5 [MQTT-2.1.3-1], v3.1.1 [MQTT-2.2.2-1] */
	uint8_t first = (uint8_t)(type << 4 | packet_reserved_flags(type));

	assert(len <= MQTT_VARINT_MAX);
	writer_u8(out, first);
	writer_varint(out, (uint32_t)len);
}

static struct slice
protocol_name(unsigned version)
{
	return version == MQTT_V31 ? SLICE("MQIsdp") : SLICE("MQTT");
}

static uint8_t
connect_flags(const struct packet_connect *p)
{
	unsigned flags = 0;

	if (p->clean_start)
		flags |= CONNECT_CLEAN_START;
	if (p->has_will) {
		flags |= CONNECT_WILL;
		flags |= (unsigned)p->will_qos << CONNECT_WILL_QOS_SHIFT;
		if (p->will_retain)
			flags |= CONNECT_WILL_RETAIN;
	}
	if (p->has_user_name)
		flags |= CONNECT_USER_NAME;
	if (p->has_password)
		flags |= CONNECT_PASSWORD;
	return (uint8_t)flags;
}

static size_t
connect_size(const struct packet_connect *p, struct slice props,
    struct slice will_props)
{
	size_t n = 2 + protocol_name(p->version).len + 1 + 1 + 2 +
	    properties_size(p->version, props.len) + 2 + p->client_id.len;

	if (p->has_will)
		n += properties_size(p->version, will_props.len) + 2 +
		    p->will_topic.len + 2 + p->will_payload.len;
	if (p->has_user_name)
		n += 2 + p->user_name.len;
	if (p->has_password)
		n += 2 + p->password.len;
	return n;
}

void
packet_encode_connect(struct buf *out, const struct packet_connect *p,
    struct slice props, struct slice will_props)
{
	assert(!p->has_will || p->will_qos <= MQTT_QOS_2);
	put_header(out, MQTT_CONNECT, connect_size(p, props, will_props));
	writer_string(out, protocol_name(p->version));
	writer_u8(out, p->version | (p->bridge ? CONNECT_BRIDGE_LEVEL : 0));
	writer_u8(out, connect_flags(p));
	writer_u16(out, p->keep_alive);
	put_properties(out, p->version, props);
	writer_string(out, p->client_id);
	if (p->has_will) {
		put_properties(out, p->version, will_props);
		writer_string(out, p->will_topic);
		writer_string(out, p->will_payload);
	}
	if (p->has_user_name)
		writer_string(out, p->user_name);
	if (p->has_password)
		writer_string(out, p->password);
}

void
packet_encode_connack(struct buf *out, unsigned version, bool session_present,
    uint8_t code, struct slice props)
{
	put_header(out, MQTT_CONNACK, 2 + properties_size(version, props.len));
	/* v5 [MQTT-3.2.2-6], v3.1.1 [MQTT-3.2.2-4]; 3.1 has no such flag */
	writer_u8(out, session_present && code == 0 && version != MQTT_V31);
	writer_u8(out, code);
	put_properties(out, version, props);
}

static size_t
publish_len(unsigned version, unsigned qos, size_t topic_len, size_t props_len,
    size_t payload_len)
{
	return 2 + topic_len + (qos > 0 ? 2 : 0) +
	    properties_size(version, props_len) + payload_len;
}

size_t
packet_publish_size(unsigned version, uint8_t qos, size_t topic_len,
    size_t props_len, size_t payload_len)
{
	size_t len =
	    publish_len(version, qos, topic_len, props_len, payload_len);

	return 1 + length_len(len) + len;
}

/* The writer's functions for room that was reserved before. */
static uint8_t *
fill_u16(uint8_t *w, size_t v)
{
	w[0] = (uint8_t)(v >> 8);
	w[1] = (uint8_t)v;
	return w + 2;
}

static uint8_t *
fill_varint(uint8_t *w, size_t v)
{
	for (; v > 0x7F; v >>= 7)
		*w++ = (uint8_t)(v | 0x80);
	*w++ = (uint8_t)v;
	return w;
}

static uint8_t *
fill_slice(uint8_t *w, struct slice s)
{
	if (s.len > 0)
		memcpy(w, s.ptr, s.len);
	return w + s.len;
}

static uint8_t
publish_first_byte(const struct packet_publish *p)
{
	unsigned first = MQTT_PUBLISH << 4 | (unsigned)p->qos << 1;

	assert(p->qos <= MQTT_QOS_2);
	if (p->retain)
		first |= MQTT_PUBLISH_RETAIN;
	if (p->dup && p->qos > 0) /* v5 and v3.1.1 [MQTT-3.3.1-2] */
		first |= MQTT_PUBLISH_DUP;
	return (uint8_t)first;
}

size_t
packet_encode_publish(struct buf *out, unsigned version,
    const struct packet_publish *p, struct slice props, size_t payload_len)
{
	size_t len =
	    publish_len(version, p->qos, p->topic.len, props.len, payload_len);
	/* The one packet of which there are millions: one reservation. */
	uint8_t *start =
	    buf_reserve(out, MQTT_FIXED_HEADER_MAX + len - payload_len);
	uint8_t *w = start;
	size_t id_at = 0;

	assert(len <= MQTT_VARINT_MAX && p->topic.len <= MQTT_STRING_MAX);
	*w++ = publish_first_byte(p);
	w = fill_varint(w, len);
	w = fill_u16(w, p->topic.len);
	w = fill_slice(w, p->topic);
	if (p->qos > 0) { /* v5 [MQTT-2.2.1-2], v3.1.1 [MQTT-2.3.1-5] */
		id_at = (size_t)(w - start);
		w = fill_u16(w, p->packet_id);
	}
	if (version == MQTT_V5) {
		w = fill_varint(w, props.len); /* v5 [MQTT-2.2.2-1] */
		w = fill_slice(w, props);
	}
	buf_commit(out, (size_t)(w - start));
	return id_at;
}

void
packet_encode_ack(struct buf *out, unsigned version, unsigned type,
    uint16_t packet_id, enum mqtt_reason reason, struct slice props)
{
	bool has_props = version == MQTT_V5 && props.len > 0;
	bool has_reason =
	    has_props || (version == MQTT_V5 && reason != MQTT_RC_SUCCESS);

	assert(type >= MQTT_PUBACK && type <= MQTT_PUBCOMP);
	put_header(out, type,
	    2 + (size_t)has_reason +
		(has_props ? properties_size(version, props.len) : 0));
	writer_u16(out, packet_id);
	if (has_reason)
		writer_u8(out, (uint8_t)reason);
	if (has_props)
		put_properties(out, version, props);
}

static uint8_t
subscribe_options(unsigned version, const struct packet_filter *f)
{
	unsigned options = f->qos;

	assert(f->qos <= MQTT_QOS_2 &&
	    f->retain_handling <= MQTT_RETAIN_DONT_SEND);
	if (version != MQTT_V5)
		return (uint8_t)options;
	if (f->no_local)
		options |= SUBSCRIBE_NO_LOCAL;
	if (f->retain_as_published)
		options |= SUBSCRIBE_RETAIN_AS_PUBLISHED;
	options |= (unsigned)f->retain_handling
	    << SUBSCRIBE_RETAIN_HANDLING_SHIFT;
	return (uint8_t)options;
}

void
packet_encode_subscribe(struct buf *out, unsigned version, unsigned type,
    uint16_t packet_id, const struct packet_filter *filters, size_t n,
    struct slice props)
{
	size_t len = 2 + properties_size(version, props.len);
	size_t i;

	assert(type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE);
	for (i = 0; i < n; i++)
		len += 2 + filters[i].filter.len + (type == MQTT_SUBSCRIBE);
	put_header(out, type, len);
	writer_u16(out, packet_id);
	put_properties(out, version, props);
	for (i = 0; i < n; i++) {
		writer_string(out, filters[i].filter);
		if (type == MQTT_SUBSCRIBE)
			writer_u8(out, subscribe_options(version, filters + i));
	}
}

void
packet_encode_suback(struct buf *out, unsigned version, unsigned type,
    uint16_t packet_id, struct slice codes, struct slice props)
{
	assert(type == MQTT_SUBACK || type == MQTT_UNSUBACK);
	if (type == MQTT_UNSUBACK && version != MQTT_V5)
		codes = slice_of(NULL, 0);
	put_header(out, type,
	    2 + properties_size(version, props.len) + codes.len);
	writer_u16(out, packet_id);
	put_properties(out, version, props);
	buf_append_slice(out, codes);
}

void
packet_encode_disconnect(struct buf *out, unsigned version, unsigned type,
    enum mqtt_reason reason, struct slice props)
{
	bool has_reason =
	    version == MQTT_V5 && (props.len > 0 || reason != MQTT_RC_SUCCESS);
	/* Only a DISCONNECT may leave out the Property Length alone. */
	bool has_props = has_reason && (props.len > 0 || type == MQTT_AUTH);

	assert(type == MQTT_DISCONNECT ||
	    (type == MQTT_AUTH && version == MQTT_V5));
	put_header(out, type,
	    (size_t)has_reason +
		(has_props ? properties_size(version, props.len) : 0));
	if (has_reason)
		writer_u8(out, (uint8_t)reason);
	if (has_props)
		put_properties(out, version, props);
}

void
packet_encode_empty(struct buf *out, unsigned type)
{
	assert(type == MQTT_PINGREQ || type == MQTT_PINGRESP);
	put_header(out, type, 0);
}
