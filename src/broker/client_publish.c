/* SPDX-License-Identifier: Apache-2.0 */
/* client_publish - PUBLISH from a client, and its PUBACK or PUBREC. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/home.h"
#include "broker/limit.h"
#include "broker/limits.h"
#include "broker/promise.h"
#include "broker/publish.h"
#include "broker/rate.h"
#include "broker/rights.h"
#include "broker/topics.h"
#include "topic/topic.h"

static void publish_again(struct client *c, const struct packet_publish *p,
    struct received *e) WORKER_THREAD;

static unsigned
answer_type(uint8_t qos)
{
	return qos == 2 ? MQTT_PUBREC : MQTT_PUBACK;
}

/*
 * v5 [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.2-5] [MQTT-4.3.3-8]
 * [MQTT-4.3.3-9], v3.1.1 [MQTT-3.3.4-1]
 */
void
client_answer_publish(struct client *c, uint8_t qos, uint16_t packet_id,
    enum mqtt_reason reason, const char *why)
{
	client_touch(c); /* it may read on */
	promise_gate(c, c->session->promised);
	if (c->version != MQTT_V5 && reason >= MQTT_RC_UNSPECIFIED_ERROR)
		return; /* it sends again when it has reconnected */
	/* v5 [MQTT-3.4.2-1] [MQTT-3.5.2-1]: no "packet too large" in there */
	if (!mqtt_reason_legal(reason, answer_type(qos)))
		reason = MQTT_RC_QUOTA_EXCEEDED;
	if (why == NULL && reason >= MQTT_RC_UNSPECIFIED_ERROR)
		why = mqtt_reason_text(reason);
	/* v3.1.1 [MQTT-4.3.2-2], [MQTT-4.3.3-2] */
	packet_encode_ack(&c->out, c->version, answer_type(qos), packet_id,
	    reason, client_reason_string(c, why, 0));
	home_count(c->home, answers_out);
}

/*
 * An identifier that is in use from now on; token 0: it only awaits its
 * PUBREL. While the message is held its state is, too, see publish.
 */
static void WORKER_THREAD
await(struct client *c, const struct packet_publish *p, struct received *e,
    uint64_t token)
{
	struct receiving *r = &c->session->receiving;

	if (e != NULL)
		receiving_wait(r, e, token);
	else
		e = receiving_add(r, p->packet_id, p->qos, token);
	if (token == 0)
		receiving_hold(r, e);
	if (!publish_is_held(c->home, token))
		publish_received(c->home, c->session, e);
}

/* We take no responsibility: say so as well as the version allows. */
static void WORKER_THREAD
refuse(struct client *c, const struct packet_publish *p,
    enum mqtt_reason reason, const char *why)
{
	home_count(c->home, refused_publishes);
	client_log(c, LOG_DEBUG, "publish refused: %s", why);
	if (c->version == MQTT_V5) {
		if (p->qos > 0)
			client_answer_publish(c, p->qos, p->packet_id, reason,
			    why);
		else if (reason != MQTT_RC_NOT_AUTHORIZED)
			client_close(c, reason, why);
		return;
	}
	if (c->home->broker->options->v3_refuse_close) {
		client_close(c, reason, why);
		return;
	}
	/* 3.x has no word for no: dropped and counted, but acknowledged, or
	 * the client would send it for ever. */
	if (p->qos == 2)
		await(c, p, NULL, 0);
	if (p->qos > 0)
		client_answer_publish(c, p->qos, p->packet_id, MQTT_RC_SUCCESS,
		    NULL);
}

/* v5 [MQTT-3.3.2-7]: they end with the client */
static char **WORKER_THREAD
taken_aliases(struct client *c)
{
	struct client_extras *a = client_extras(c);

	if (a->taken == NULL)
		a->taken = xcalloc(TOPIC_ALIAS_MAX, sizeof(char *));
	return a->taken;
}

/*
 * v5 3.3.2.3.4: set an alias, or use one. v5 [MQTT-3.3.2-12] [MQTT-3.2.2-17]
 * [MQTT-3.2.2-18]
 */
static enum mqtt_reason WORKER_THREAD
resolve_alias(struct client *c, struct packet_publish *p)
{
	uint16_t alias;
	char **slot;

	if (!properties_has(&p->properties, MQTT_PROP_TOPIC_ALIAS))
		return MQTT_RC_SUCCESS;    /* then the topic is not empty */
	alias = p->properties.topic_alias; /* not 0 */
	if (alias > TOPIC_ALIAS_MAX)       /* v5 [MQTT-3.3.2-9] */
		return MQTT_RC_TOPIC_ALIAS_INVALID;
	slot = &taken_aliases(c)[alias - 1];
	if (p->topic.len > 0) {
		free(*slot);
		*slot = xmemdup0(p->topic.ptr, p->topic.len);
		return MQTT_RC_SUCCESS;
	}
	if (*slot == NULL)
		return MQTT_RC_PROTOCOL_ERROR;
	p->topic = slice_str(*slot);
	return MQTT_RC_SUCCESS;
}

/*
 * What one packet of this client must not be; ends the connection.
 */
static bool WORKER_THREAD
is_legal(struct client *c, struct packet_publish *p)
{
	enum mqtt_reason rc = MQTT_RC_SUCCESS;
	const char *why = NULL;

	if (c->version == MQTT_V5)
		rc = resolve_alias(c, p);
	if (rc == MQTT_RC_SUCCESS && !topic_valid(p->topic)) {
		/* v3.1.1 [MQTT-3.3.2-2], v5 [MQTT-3.3.2-2] */
		rc = MQTT_RC_TOPIC_NAME_INVALID;
	} else if (properties_has(&p->properties,
		       MQTT_PROP_SUBSCRIPTION_IDENTIFIER)) {
		/* v5 [MQTT-3.3.4-6] */
		rc = MQTT_RC_PROTOCOL_ERROR;
		why = "Subscription Identifier in a PUBLISH to the server";
	}
	if (rc != MQTT_RC_SUCCESS)
		client_close(c, rc, why);
	return rc == MQTT_RC_SUCCESS;
}

/* The client was told in CONNACK; 3.x was not, and is treated as for anything
 * that cannot be taken. */
static bool WORKER_THREAD
breaks_rules(struct client *c, const struct packet_publish *p)
{
	const char *why;
	enum mqtt_reason rc =
	    rules_check_message(c->rules, p->qos, p->retain, &why);

	if (rc == MQTT_RC_SUCCESS)
		return false;
	if (c->version != MQTT_V5) {
		refuse(c, p, rc, why);
		return true;
	}
	home_count(c->home, refused_publishes);
	client_close(c, rc, why);
	return true;
}

/*
 * A PUBLISH whose Packet Identifier we still hold is the same message again:
 * v5 [MQTT-4.3.3-10]. True when it was one and is dealt with.
 */
static bool WORKER_THREAD
is_repeated(struct client *c, const struct packet_publish *p)
{
	struct received *e =
	    receiving_find(&c->session->receiving, p->packet_id);

	if (e == NULL)
		return false;
	if (e->qos != p->qos) {
		/* v5 3.14.2.1 has no 0x91. */
		client_close(c, MQTT_RC_PROTOCOL_ERROR,
		    "Packet Identifier in use");
		return true;
	}
	if (e->state == RECEIVING_HELD)
		client_answer_publish(c, p->qos, p->packet_id, MQTT_RC_SUCCESS,
		    NULL);
	if (e->state == RECEIVING_DELIVERED)
		publish_again(c, p, e);
	return true; /* WAITING: the answer comes when it is known */
}

static bool WORKER_THREAD
exceeds_receive_maximum(struct client *c)
{
	const struct broker_options *o = c->home->broker->options;

	/* v5 [MQTT-3.3.4-7] is the client's to keep */
	if (c->version != MQTT_V5 ||
	    receiving_n_counted(&c->session->receiving) < o->receive_maximum)
		return false;
	limit_strike_client(c, LIMIT_RECEIVE_MAXIMUM);
	if (!o->tolerate_receive_maximum) {
		client_close(c, MQTT_RC_RECEIVE_MAXIMUM_EXCEEDED, NULL);
		return true;
	}
	if (!c->has_exceeded)
		client_log(c, LOG_WARNING,
		    "sends more than its Receive "
		    "Maximum of %u",
		    o->receive_maximum);
	c->has_exceeded = true;
	return false;
}

static bool WORKER_THREAD
may_publish(struct client *c, struct slice topic)
{
	return rights_may(c->home, c->session, topic,
	    rights_key(c->home, topic), ACL_WRITE);
}

static enum mqtt_reason WORKER_THREAD
check_content(struct client *c, const struct packet_publish *p,
    const char **why)
{
	enum mqtt_reason rc =
	    topics_check_payload(c->home, &p->properties, p->payload, why);

	if (rc == MQTT_RC_SUCCESS)
		rc = limit_check_topic(c, p->topic, why);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	rc = topics_check_publish(c->home, p->topic, p->payload.len, why);
	if (rc == MQTT_RC_SUCCESS && !may_publish(c, p->topic)) {
		*why = "the ACL file does not allow it";
		rc = MQTT_RC_NOT_AUTHORIZED;
	}
	return rc;
}

/*
 * The properties that go on with the message, v5 [MQTT-3.3.2-4]
 * [MQTT-3.3.2-15] [MQTT-3.3.2-17] [MQTT-3.3.2-20]: all but those between the
 * client and us.
 * v5 [MQTT-3.3.2-16] [MQTT-3.3.2-18]
 */
static struct slice
forwarded_properties(struct home *h, const struct properties *props)
{
	struct slice rest = props->raw;
	struct slice before = rest;
	struct property one;

	buf_reset(&h->scratch);
	while (property_next(&rest, &one)) {
		if (one.id != MQTT_PROP_TOPIC_ALIAS &&
		    one.id != MQTT_PROP_MESSAGE_EXPIRY_INTERVAL)
			buf_append(&h->scratch, before.ptr,
			    before.len - rest.len);
		before = rest;
	}
	return buf_slice(&h->scratch);
}

/* v5 [MQTT-3.3.1-3], v3.1.1 [MQTT-3.3.1-3]: DUP stays here */
static struct message *WORKER_THREAD
make_message(struct client *c, const struct packet_publish *p)
{
	struct home *h = c->home;
	const struct properties *props = &p->properties;
	struct message_parts parts = { .topic = p->topic,
		.subject = buf_slice(&h->subject),
		.payload = p->payload,
		.qos = p->qos,
		.retain = p->retain && !topics_is_answer(h),
		.publisher = c->session->handle };

	if (h->broker->options->send_client_id)
		parts.client_id = session_client_id(c->session);
	if (props->set != 0) {
		parts.properties = forwarded_properties(h, props);
		if (properties_has(props, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL))
			parts.expires_ms = h->wall_ms +
			    props->message_expiry_interval * 1000ull;
	}
	return message_new(&parts);
}

static enum ack_policy WORKER_THREAD
policy_of(struct client *c, const struct packet_publish *p)
{
	if (p->qos == 0)
		return ACK_LOCAL;
	/* Nobody replies to an answer: what counts is that NATS has it. */
	if (topics_is_answer(c->home))
		return ACK_SERVER;
	return broker_ack_policy(c->home->broker, p->topic);
}

/* Known at `e` already: it was delivered here before the process started. */
static void WORKER_THREAD
publish(struct client *c, const struct packet_publish *p, struct received *e)
{
	struct home *h = c->home;
	struct session *s = c->session;
	struct message *m = make_message(c, p);
	struct publisher from = { .session = s->handle,
		.packet_id = p->packet_id,
		.link = s->link,
		.owner = s->owner,
		.lasts = s->stored_id != 0,
		.is_delivered = e != NULL };
	enum mqtt_reason reason;
	uint64_t before = h->promises.changes;
	uint64_t token = publish_message(h, m, policy_of(c, p), &from, &reason);

	message_unref(&m);
	if (p->qos == 0)
		return;
	if (h->promises.changes != before)
		s->promised = promise_newest(h);
	if (token != 0 || p->qos == 2)
		await(c, p, e, token);
	if (token == 0)
		client_answer_publish(c, p->qos, p->packet_id, reason, NULL);
}

/* Its subject is needed again; what was said no to then is no matter. */
static void WORKER_THREAD
publish_again(struct client *c, const struct packet_publish *p,
    struct received *e)
{
	const char *why = NULL;

	if (check_content(c, p, &why) == MQTT_RC_SUCCESS) {
		publish(c, p, e);
		return;
	}
	receiving_wait(&c->session->receiving, e, 0);
	receiving_hold(&c->session->receiving, e);
	publish_received(c->home, c->session, e);
	client_answer_publish(c, p->qos, p->packet_id, MQTT_RC_SUCCESS, NULL);
}

/* The store is full: 3.x gets no answer, and sends it again. */
static void WORKER_THREAD
refuse_for_now(struct client *c, const struct packet_publish *p)
{
	home_count(c->home, refused_publishes);
	client_answer_publish(c, p->qos, p->packet_id, MQTT_RC_QUOTA_EXCEEDED,
	    "no room to store it");
}

/* Too fast, and v5 may be told so; at QoS 0 there is no word for it. */
static void WORKER_THREAD
refuse_rate(struct client *c, const struct packet_publish *p)
{
	home_count(c->home, refused_publishes);
	if (p->qos > 0)
		client_answer_publish(c, p->qos, p->packet_id,
		    MQTT_RC_QUOTA_EXCEEDED, "too many messages a second");
}

void
client_on_publish(struct client *c, const struct frame *f)
{
	struct packet_publish p;
	enum mqtt_reason rc = packet_decode_publish(f, c->version, &p);
	const char *why = NULL;

	if (rc != MQTT_RC_SUCCESS) {
		client_close(c, rc, "PUBLISH");
		return;
	}
	home_count(c->home, messages_in);
	home_count_n(c->home, publish_bytes_in, p.payload.len);
	if (!is_legal(c, &p))
		return;
	if (p.qos > 0 && (is_repeated(c, &p) || exceeds_receive_maximum(c)))
		return;
	if (c->is_rated && !rate_take(c, f->size)) {
		refuse_rate(c, &p);
		return;
	}
	if (breaks_rules(c, &p))
		return;
	rc = check_content(c, &p, &why);
	if (rc != MQTT_RC_SUCCESS)
		refuse(c, &p, rc, why);
	else if (p.qos > 0 && promise_lacks_room(c->home))
		refuse_for_now(c, &p);
	else
		publish(c, &p, NULL);
}
