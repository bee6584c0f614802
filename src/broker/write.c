/* SPDX-License-Identifier: Apache-2.0 */
/* write - PUBLISH packets into the output of a client. */
#include "broker/write.h"

#include <string.h>

#include "broker/client.h"
#include "broker/home.h"
#include "broker/topic_aliases.h"
#include "mqtt/packet.h"
#include "store/message.h"
#include "store/outgoing.h"

/* The largest packet that there can be. */
#define PACKET_MAX (MQTT_FIXED_HEADER_MAX + MQTT_VARINT_MAX)
/* What a Topic Alias adds to a packet: itself, and to the length of the
 * properties and of the packet. */
#define ALIAS_ROOM 5

static size_t
is_v5(const struct client *c)
{
	return c->version == MQTT_V5;
}

/* Properties that this receiver adds to those the message brings. */
static void
put_properties(struct home *h, const struct message *m,
    const struct outgoing *o, uint16_t alias)
{
	buf_reset(&h->scratch);
	/* v5 [MQTT-3.3.2-6]: less the time that it waited here; 0 when it has
	 * expired since it was sent first */
	if (m->expires_ms != 0)
		property_put_u32(&h->scratch, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
		    message_expiry_left(m, h->wall_ms));
	if (alias != 0) /* v5 [MQTT-3.3.2-8] */
		property_put_u16(&h->scratch, MQTT_PROP_TOPIC_ALIAS, alias);
	/* v5 [MQTT-3.3.4-3] [MQTT-3.3.4-4]: all of them in one packet */
	if (o->subscription_id != 0)
		property_put_varint(&h->scratch,
		    MQTT_PROP_SUBSCRIPTION_IDENTIFIER, o->subscription_id);
	for (uint32_t i = 1; o->more_ids != NULL && i <= o->more_ids[0]; i++)
		property_put_varint(&h->scratch,
		    MQTT_PROP_SUBSCRIPTION_IDENTIFIER, o->more_ids[i]);
	buf_append_slice(&h->scratch, message_properties(m));
}

static size_t
size_of(struct client *c, const struct message *m, const struct outgoing *o)
{
	put_properties(c->home, m, o, 0);
	return packet_publish_size(c->version, o->qos, m->topic_len,
	    buf_len(&c->home->scratch), m->payload_len);
}

bool
write_fits(struct client *c, const struct message *m, const struct outgoing *o)
{
	size_t max =
	    c->max_packet_size < PACKET_MAX ? c->max_packet_size : PACKET_MAX;

	if (max == PACKET_MAX && message_size(m) < PACKET_MAX / 2)
		return true;
	return size_of(c, m, o) <= max;
}

/* May the packet be a little larger than it needs to be? */
static bool
has_room(struct client *c, const struct message *m, const struct outgoing *o)
{
	if (c->max_packet_size >= PACKET_MAX)
		return message_size(m) < PACKET_MAX / 2;
	return size_of(c, m, o) + ALIAS_ROOM <= c->max_packet_size;
}

/*
 * v5 3.3.2.3.4: the topic's number, 0: none. If the client knows it already,
 * *topic becomes empty.
 */
static uint16_t WORKER_THREAD
alias_of(struct client *c, const struct message *m, const struct outgoing *o,
    struct slice *topic)
{
	struct client_extras *a;
	uint16_t alias;

	/* v5 [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11] */
	if (c->alias_max == 0)
		return 0;
	a = client_extras(c);
	if (a->given == NULL)
		a->given = topic_aliases_new(c->alias_max);
	alias = topic_aliases_find(a->given, *topic);
	if (alias != 0)
		topic->len = 0;
	else if (has_room(c, m, o))
		alias = topic_aliases_add(a->given, *topic);
	return alias;
}

void
write_publish(struct client *c, const struct message *m,
    const struct outgoing *o, bool dup)
{
	struct home *h = c->home;
	struct packet_publish p = { .qos = o->qos,
		.dup = dup,
		.retain = o->retain,
		.packet_id = o->packet_id,
		.topic = message_topic(m) };
	uint16_t alias = alias_of(c, m, o, &p.topic);

	buf_reset(&h->scratch);
	if (is_v5(c))
		put_properties(h, m, o, alias);
	packet_encode_publish(&c->out, c->version, &p, buf_slice(&h->scratch),
	    m->payload_len);
	buf_append_slice(&c->out, message_payload(m));
}

/*
 * v5 [MQTT-3.3.2-3] [MQTT-4.3.1-1], v3.1.1 [MQTT-3.3.2-3] [MQTT-4.3.1-1]:
 * under the topic that it came on, DUP 0
 */
static void
encode_once(struct client *c, const struct message *m, const struct outgoing *o,
    struct encoded *e)
{
	struct home *h = c->home;
	struct packet_publish p = { .qos = o->qos,
		.packet_id = 1,
		.topic = message_topic(m) };

	buf_reset(&h->scratch);
	if (is_v5(c))
		put_properties(h, m, o, 0);
	buf_reset(&e->head);
	e->id_offset = packet_encode_publish(&e->head, c->version, &p,
	    buf_slice(&h->scratch), m->payload_len);
	e->valid = true;
}

/* Copy the head that all receivers share and make it this one's. */
static void
copy_shared(struct client *c, const struct message *m, const struct outgoing *o)
{
	struct encoded *e = &c->home->encoded[is_v5(c)][o->qos];
	size_t head_len;
	uint8_t *out;

	if (!e->valid)
		encode_once(c, m, o, e);
	head_len = buf_len(&e->head);
	out = buf_reserve(&c->out, head_len + m->payload_len);
	memcpy(out, buf_ptr(&e->head), head_len);
	if (o->retain)
		out[0] |= MQTT_PUBLISH_RETAIN;
	if (o->qos > 0) {
		out[e->id_offset] = (uint8_t)(o->packet_id >> 8);
		out[e->id_offset + 1] = (uint8_t)o->packet_id;
	}
	if (m->payload_len > 0)
		memcpy(out + head_len, message_payload(m).ptr, m->payload_len);
	buf_commit(&c->out, head_len + m->payload_len);
}

void
write_publish_shared(struct client *c, const struct message *m,
    const struct outgoing *o)
{
	if (o->subscription_id != 0 || c->alias_max != 0)
		write_publish(c, m, o, false);
	else
		copy_shared(c, m, o);
}

void
write_begin(struct home *h)
{
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 3; j++)
			h->encoded[i][j].valid = false;
}
