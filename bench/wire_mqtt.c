/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_mqtt - just enough MQTT 3.1.1 and 5.0 to put load on a server.
 *
 * Written by hand and not with src/mqtt: the generator must cost less than
 * what it measures, and must not share the mistakes of what it tests.
 */
#include <arpa/inet.h>
#include <string.h>

#include "mqtt/mqtt.h"
#include "peer.h"
#include "stencil.h"

#define KEEP_ALIVE_S 600

static void
append_u16(struct buf *b, size_t value)
{
	buf_append_byte(b, (uint8_t)(value >> 8));
	buf_append_byte(b, (uint8_t)value);
}

static void
append_string(struct buf *b, const char *s)
{
	append_u16(b, strlen(s));
	buf_append_str(b, s);
}

static void
append_varint(struct buf *b, size_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_append_byte(b, (uint8_t)(value | 0x80));
	buf_append_byte(b, (uint8_t)value);
}

/* Version 5 has properties in many places; we never have any to send. */
static void
append_no_properties(struct buf *b, const struct wire *w)
{
	if (w->version == MQTT_V5)
		buf_append_byte(b, 0);
}

static size_t
properties_len(const struct wire *w)
{
	return w->version == MQTT_V5;
}

static void
mqtt_hello(struct peer *p, const char *id)
{
	struct buf *b = &p->out;

	buf_append_byte(b, MQTT_CONNECT << 4);
	append_varint(b, 10 + properties_len(p->wire) + 2 + strlen(id));
	append_string(b, "MQTT");
	buf_append_byte(b, (uint8_t)p->wire->version);
	buf_append_byte(b, 0x02); /* a clean session */
	append_u16(b, KEEP_ALIVE_S);
	append_no_properties(b, p->wire);
	append_string(b, id);
	peer_dirty(p);
}

static void
mqtt_subscribe(struct peer *p, const char *const *filters, unsigned n,
    unsigned qos)
{
	struct buf *b = &p->out;
	size_t len = 2 + properties_len(p->wire);

	for (unsigned i = 0; i < n; i++)
		len += 2 + strlen(filters[i]) + 1;
	buf_append_byte(b, MQTT_SUBSCRIBE << 4 | 2);
	append_varint(b, len);
	append_u16(b, 1);
	append_no_properties(b, p->wire);
	for (unsigned i = 0; i < n; i++) {
		append_string(b, filters[i]);
		buf_append_byte(b, (uint8_t)qos);
	}
	peer_dirty(p);
}

static void
mqtt_ping(struct peer *p)
{
	buf_append_byte(&p->out, MQTT_PINGREQ << 4);
	buf_append_byte(&p->out, 0);
	peer_dirty(p);
}

static void
mqtt_compose(const struct wire *w, struct stencil *s)
{
	size_t topic = strlen(s->topic);
	struct buf *b = &s->bytes;

	buf_append_byte(b,
	    (uint8_t)(MQTT_PUBLISH << 4 | s->qos << 1 |
		(s->retain ? MQTT_PUBLISH_RETAIN : 0)));
	append_varint(b,
	    2 + topic + (s->qos > 0 ? 2 : 0) + properties_len(w) + s->size);
	append_string(b, s->topic);
	if (s->qos > 0) {
		s->id_form = ID_BINARY;
		s->id_at = buf_len(b);
		append_u16(b, 0);
	}
	append_no_properties(b, w);
	s->payload_at = buf_len(b);
	memset(buf_reserve(b, s->size), 'x', s->size);
	buf_commit(b, s->size);
}

/* A packet that carries nothing but an id, which is true in version 5 too. */
static void
send_ack(struct peer *p, unsigned first_byte, uint32_t id)
{
	buf_append_byte(&p->out, (uint8_t)first_byte);
	buf_append_byte(&p->out, 2);
	append_u16(&p->out, id);
	peer_dirty(p);
}

static uint32_t
read_u16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* Read a Variable Byte Integer; 0: incomplete, else its length. */
static size_t
read_varint(const uint8_t *p, size_t len, size_t *value)
{
	*value = 0;
	for (size_t i = 0; i < len && i < 4; i++) {
		*value |= (size_t)(p[i] & 0x7f) << 7 * i;
		if (p[i] < 0x80)
			return i + 1;
	}
	return 0;
}

static void
on_publish(struct peer *p, unsigned flags, const uint8_t *body, size_t len)
{
	unsigned qos = flags >> 1 & 3;
	size_t at = 2 + read_u16(body);
	size_t properties;

	if (qos > 0) {
		send_ack(p, (qos == 1 ? MQTT_PUBACK : MQTT_PUBREC) << 4,
		    read_u16(body + at));
		at += 2;
	}
	if (p->wire->version == MQTT_V5) {
		at += read_varint(body + at, len - at, &properties);
		at += properties;
	}
	p->events->message(p, body + at, len - at);
}

static void
on_connack(struct peer *p, const uint8_t *body, size_t len)
{
	p->connecting = false;
	if (len < 2 || body[1] != 0)
		peer_fail(p, "CONNACK refuses");
	else
		p->events->ready(p);
}

static void
on_suback(struct peer *p, const uint8_t *body, size_t len)
{
	if (body[len - 1] >= 0x80)
		peer_fail(p, "SUBACK refuses");
	else
		p->events->subscribed(p);
}

/* Version 5 may say in a third byte that the publish was refused. */
static void
on_puback(struct peer *p, const uint8_t *body, size_t len)
{
	if (len > 2 && body[2] >= 0x80)
		peer_fail(p, "PUBACK refuses");
	else
		p->events->acked(p, read_u16(body));
}

static void
on_packet(struct peer *p, uint8_t first, const uint8_t *body, size_t len)
{
	switch (first >> 4) {
	case MQTT_PUBLISH:
		on_publish(p, first & 0x0f, body, len);
		break;
	case MQTT_PUBACK:
	case MQTT_PUBCOMP:
		on_puback(p, body, len);
		break;
	case MQTT_PUBREC:
		send_ack(p, MQTT_PUBREL << 4 | 2, read_u16(body));
		break;
	case MQTT_PUBREL:
		send_ack(p, MQTT_PUBCOMP << 4, read_u16(body));
		break;
	case MQTT_CONNACK:
		on_connack(p, body, len);
		break;
	case MQTT_SUBACK:
		on_suback(p, body, len);
		break;
	case MQTT_PINGRESP:
		p->events->pong(p);
		break;
	default:
		peer_fail(p, "packet that a client does not expect");
	}
}

static size_t
mqtt_take(struct peer *p, const uint8_t *data, size_t len)
{
	size_t at = 0;
	size_t body, header;

	while (p->fd >= 0 && len - at >= 2) {
		header = read_varint(data + at + 1, len - at - 1, &body);
		if (header == 0 || len - at - 1 - header < body)
			break;
		on_packet(p, data[at], data + at + 1 + header, body);
		at += 1 + header + body;
	}
	return at;
}

const struct wire wire_mqtt = {
	.scheme = "mqtt",
	.separator = '/',
	.version = MQTT_V311,
	.hello = mqtt_hello,
	.subscribe = mqtt_subscribe,
	.ping = mqtt_ping,
	.compose = mqtt_compose,
	.take = mqtt_take,
};

const struct wire wire_mqtt5 = {
	.scheme = "mqtt5",
	.separator = '/',
	.version = MQTT_V5,
	.hello = mqtt_hello,
	.subscribe = mqtt_subscribe,
	.ping = mqtt_ping,
	.compose = mqtt_compose,
	.take = mqtt_take,
};
