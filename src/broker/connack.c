/* SPDX-License-Identifier: Apache-2.0 */
/* connack - what CONNACK tells a client of MQTT 5.0. */
#include "broker/connack.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/client_auth.h"
#include "broker/home.h"
#include "broker/limits.h"
#include "mqtt/writer.h"
#include "topic/topic.h"

bool
connack_fits(const struct client *c, struct slice props)
{
	/* Flags and code, and the length of the properties. */
	size_t rest = 2 + writer_varint_len((uint32_t)props.len) + props.len;

	return c->version != MQTT_V5 ||
	    1 + writer_varint_len((uint32_t)rest) + rest <= c->max_packet_size;
}

/*
 * v5 3.1.2.11.6: topics of the client's own, for others to answer to. Left
 * out where its identifier is none for a topic, or the packet has no room.
 */
static void
put_response_information(const struct client *c, struct buf *out)
{
	const char *root = c->home->broker->options->response_information;
	struct slice id = session_client_id(c->session);
	struct buf topic = { 0 };
	size_t len;

	if (root == NULL || *root == '\0')
		return;
	buf_printf(&topic, "%s/%.*s", root, SLICE_ARG(id));
	len = buf_len(out) + 3 + buf_len(&topic);
	if (topic_valid(buf_slice(&topic)) &&
	    connack_fits(c, slice_of(NULL, len)))
		property_put_slice(out, MQTT_PROP_RESPONSE_INFORMATION,
		    buf_slice(&topic));
	buf_fini(&topic);
}

struct slice
connack_properties(struct client *c, const struct packet_connect *p,
    bool assigned)
{
	const struct broker_options *o = c->home->broker->options;
	struct buf *out = &c->home->scratch;
	uint32_t asked = p->properties.session_expiry_interval;

	buf_reset(out);
	if (c->version != MQTT_V5)
		return buf_slice(out);
	if (properties_has(&p->properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL) &&
	    asked != c->session->expiry_s)
		property_put_u32(out, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
		    c->session->expiry_s);
	property_put_u16(out, MQTT_PROP_RECEIVE_MAXIMUM,
	    (uint16_t)o->receive_maximum);
	property_put_u32(out, MQTT_PROP_MAXIMUM_PACKET_SIZE,
	    (uint32_t)RULES_LIMIT(c->rules->limits.max_packet_size,
		o->max_packet_size));
	property_put_u16(out, MQTT_PROP_TOPIC_ALIAS_MAXIMUM, TOPIC_ALIAS_MAX);
	rules_put_properties(c->rules, out);
	if (assigned) /* v5 [MQTT-3.2.2-16] */
		property_put_slice(out, MQTT_PROP_ASSIGNED_CLIENT_IDENTIFIER,
		    session_client_id(c->session));
	if (c->keep_alive_s != p->keep_alive) /* v5 [MQTT-3.2.2-21] */
		property_put_u16(out, MQTT_PROP_SERVER_KEEP_ALIVE,
		    c->keep_alive_s);
	client_auth_connack(c, out);
	if (properties_has(&p->properties,
		MQTT_PROP_REQUEST_RESPONSE_INFORMATION) &&
	    p->properties.request_response_information != 0)
		put_response_information(c, out);
	return buf_slice(out);
}
