/* SPDX-License-Identifier: Apache-2.0 */
/* client_will - the Will that comes with a CONNECT. */
#include "broker/broker.h"
#include "broker/connecting.h"
#include "broker/home.h"
#include "broker/lasting.h"
#include "broker/limit.h"
#include "broker/promise.h"
#include "broker/rules.h"
#include "broker/topics.h"
#include "topic/topic.h"

enum mqtt_reason
connecting_check_will(struct client *c, const struct packet_connect *p,
    const char **why)
{
	enum mqtt_reason rc;

	if (!p->has_will)
		return MQTT_RC_SUCCESS;
	if (!topic_valid(p->will_topic)) {
		*why = "the Will Topic is not valid";
		return MQTT_RC_TOPIC_NAME_INVALID;
	}
	rc = limit_check_topic(c, p->will_topic, why);
	if (rc == MQTT_RC_SUCCESS)
		rc = rules_check_message(c->rules, p->will_qos, p->will_retain,
		    why);
	if (rc == MQTT_RC_SUCCESS)
		rc = topics_check_payload(c->home, &p->will_properties,
		    p->will_payload, why);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	return topics_check_publish(c->home, p->will_topic, p->will_payload.len,
	    why);
}

/* The properties of a Will that travel with its message. */
static void
will_properties(struct home *h, const struct properties *props)
{
	struct slice rest = props->raw;
	struct property one;

	buf_reset(&h->scratch);
	while (property_next(&rest, &one)) {
		switch (one.id) {
		case MQTT_PROP_PAYLOAD_FORMAT_INDICATOR:
			property_put_byte(&h->scratch, one.id,
			    (uint8_t)one.number);
			break;
		case MQTT_PROP_CONTENT_TYPE:
		case MQTT_PROP_RESPONSE_TOPIC:
		case MQTT_PROP_CORRELATION_DATA:
			property_put_slice(&h->scratch, one.id, one.value);
			break;
		case MQTT_PROP_USER_PROPERTY:
			property_put_user(&h->scratch, one.name, one.value);
			break;
		default:
			break;
		}
	}
}

/*
 * v5 3.1.2.5, v3.1.1 3.1.2.5: a server that fails may publish Wills when it
 * is there again. It waits for nothing: without room, or if it is not on the
 * disk yet, it is as with servers that do not.
 */
static void WORKER_THREAD
keep_will(struct client *c)
{
	struct home *h = c->home;
	struct lasting_will w = { .message = c->will,
		.session = c->session->stored_id,
		.present = true,
		.due_ms = c->will_delay_s * 1000ull,
		.expiry_s = c->will_expiry_s,
		.owner = c->session->owner };

	if (promise_is_kept(h) && !promise_lacks_room(h))
		client_extras(c)->stored_will = lasting_will(h, 0, &w);
}

/*
 * v5 [MQTT-3.1.2-7] [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT-3.1.3-10], v3.1.1
 * [MQTT-3.1.2-8] [MQTT-3.1.2-12] [MQTT-3.1.2-16] [MQTT-3.1.2-17]
 */
void
connecting_take_will(struct client *c, const struct packet_connect *p)
{
	struct home *h = c->home;
	const struct properties *props = &p->will_properties;
	struct message_parts parts = { .topic = p->will_topic,
		.payload = p->will_payload,
		.qos = p->will_qos,
		.retain = p->will_retain,
		.publisher = c->session->handle };
	const char *why;

	if (!p->has_will ||
	    topics_check_publish(h, p->will_topic, p->will_payload.len, &why) !=
		MQTT_RC_SUCCESS)
		return;
	parts.subject = buf_slice(&h->subject);
	will_properties(h, props);
	parts.properties = buf_slice(&h->scratch);
	c->will_expiry_s = MQTT_EXPIRY_NEVER;
	if (properties_has(props, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL))
		c->will_expiry_s = props->message_expiry_interval;
	if (properties_has(props, MQTT_PROP_WILL_DELAY_INTERVAL))
		c->will_delay_s = props->will_delay_interval;
	if (h->broker->options->send_client_id)
		parts.client_id = session_client_id(c->session);
	c->will = message_new(&parts);
	keep_will(c);
}
