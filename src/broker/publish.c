/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish - the life of a message that starts on this node.
 *
 * Retained store, subscribers of this worker, subscribers of other workers by
 * mail, NATS. At QoS > 0 somebody must take responsibility before the
 * publisher hears of it; `[qos] ack` says who counts (DESIGN: what an
 * acknowledgement means, doc/architecture.md).
 */
#include "broker/publish.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/deliver.h"
#include "broker/index.h"
#include "store/retained.h"

/* A Will is asked for again after an error, this much later. */
#define WILL_AGAIN_MS 5000

/* A Will that nobody has taken responsibility for yet. */
struct pending_will {
	struct pending p;
	struct timer again;
	struct message *message;
	uint32_t link;
};

/* Tells the publisher's worker that a session here has taken its message. */
struct taken_mail {
	struct mail mail;
	uint64_t token;
};

static void settle(struct home *h, struct pending *p, enum mqtt_reason reason,
    const char *why) WORKER_THREAD;

static void WORKER_THREAD
on_taken(struct mail *mail, void *owner)
{
	struct taken_mail *t = container_of(mail, struct taken_mail, mail);
	struct home *h = owner;
	struct pending *p = pending_find(h, t->token);

	if (p != NULL && p->kind == PENDING_PUBLISH)
		settle(h, p, MQTT_RC_SUCCESS, NULL);
	else if (p != NULL && p->kind == PENDING_WILL)
		p->settled = true; /* a Will: over with the bus's answer */
	free(t);
}

static void
tell_taken(struct home *h, uint64_t token)
{
	struct taken_mail *t = xcalloc(1, sizeof(*t));

	t->mail.handle = on_taken;
	t->token = token;
	mailbox_post(&h->broker->homes[slots_tag(token)]->mailbox, &t->mail);
}

static void WORKER_THREAD
on_delivery(struct mail *mail, void *owner)
{
	struct delivery *d = container_of(mail, struct delivery, mail);
	struct home *h = owner;

	if ((deliver(h, d->message, d->link, d->to, d->n) & DELIVER_TAKEN) !=
		0 &&
	    d->token != 0)
		tell_taken(h, d->token);
	atomic_fetch_sub(&h->mail_bytes, message_size(d->message));
	delivery_free(d);
}

static void
post_delivery(struct home *h, struct message *m, uint64_t token,
    const struct subscriber *to, size_t n)
{
	struct delivery *d = delivery_new(m, 0, to, n);
	struct home *there = h->broker->homes[slots_tag(to->session)];

	d->mail.handle = on_delivery;
	d->token = token;
	atomic_fetch_add(&there->mail_bytes, message_size(m));
	mailbox_post(&there->mailbox, &d->mail);
}

/* Subscribers are sorted by worker: the end of the group that begins at i. */
static size_t
group_end(const struct matches *m, size_t i)
{
	uint8_t worker = slots_tag(m->items[i].session);

	while (i < m->n && slots_tag(m->items[i].session) == worker)
		i++;
	return i;
}

/*
 * To all subscribers of this node. Those of this worker come first: if one of
 * them takes the message, nobody else need tell. DELIVER_ bits.
 */
static unsigned WORKER_THREAD
deliver_on_node(struct home *h, struct message *m, uint64_t token)
{
	struct matches *to = &h->matches;
	unsigned result = 0;
	size_t end;

	if (h->broker->options->identity_user)
		return 0; /* NATS must see and judge it: it comes back */
	index_match(h->broker->index, message_topic(m), to);
	for (size_t i = 0; i < to->n; i = end) {
		end = group_end(to, i);
		if (slots_tag(to->items[i].session) == h->id)
			result |= deliver(h, m, 0, &to->items[i], end - i);
	}
	if (result & DELIVER_TAKEN)
		token = 0;
	for (size_t i = 0; i < to->n; i = end) {
		end = group_end(to, i);
		if (slots_tag(to->items[i].session) == h->id)
			continue;
		post_delivery(h, m, token, &to->items[i], end - i);
		result |= DELIVER_REACHED;
	}
	return result;
}

static void
retain(struct home *h, struct message *m, const char *owner)
{
	if (m->retain &&
	    !retained_set(broker_retained(h->broker, owner), m,
		h->broker->options->max_retained))
		home_count(h, dropped_retained);
}

static bool
goes_to_nats(const struct home *h, const struct message *m)
{
	return h->broker->bus != NULL && m->subject_len > 0;
}

static void WORKER_THREAD
request_publish(struct home *h, struct message *m, enum ack_policy policy,
    uint8_t flags, uint32_t link, uint64_t token)
{
	struct bus_request r = { .type = BUS_PUBLISH,
		.policy = (uint8_t)policy,
		.flags = flags,
		.link = link,
		.token = token,
		.message = message_ref(m) };

	home_request(h, &r);
}

/*
 * What a session of this node has taken is settled: NATS gets it once. A
 * Will is repeated until it is acknowledged. Where a session of this node
 * may do that, the bus is not to repeat it for ever by itself.
 */
static uint8_t
flags_of(const struct pending *p, bool taken)
{
	if (p != NULL && p->policy == ACK_REPLY && taken)
		return BUS_ONCE;
	if (p == NULL || p->kind != PENDING_WILL ||
	    (p->policy == ACK_REPLY && p->reached))
		return 0;
	return BUS_UNTIL_SETTLED;
}

/*
 * Everything that publishing does; with `p` the bus's answer will come for
 * it. DELIVER_ bits.
 */
static unsigned WORKER_THREAD
carry_out(struct home *h, struct message *m, enum ack_policy policy,
    uint32_t link, const char *owner, struct pending *p)
{
	uint64_t token = p != NULL ? p->token : 0;
	unsigned result;

	retain(h, m, owner);
	result = deliver_on_node(h, m, policy == ACK_REPLY ? token : 0);
	if (p != NULL)
		p->reached = (result & DELIVER_REACHED) != 0;
	if (goes_to_nats(h, m))
		request_publish(h, m, p != NULL ? policy : ACK_LOCAL,
		    flags_of(p, (result & DELIVER_TAKEN) != 0), link, token);
	return result;
}

uint64_t
publish_message(struct home *h, struct message *m, enum ack_policy policy,
    const struct publisher *from, enum mqtt_reason *reason)
{
	struct pending *p = NULL;
	unsigned result;

	if (m->qos > 0 && policy != ACK_LOCAL && goes_to_nats(h, m)) {
		p = xcalloc(1, sizeof(*p));
		p->kind = PENDING_PUBLISH;
		p->policy = (uint8_t)policy;
		p->session = from->session;
		p->packet_id = from->packet_id;
		pending_add(h, p);
	}
	result = carry_out(h, m, policy, from->link, from->owner, p);
	*reason = MQTT_RC_SUCCESS;
	if (p == NULL) {
		if (policy == ACK_REPLY && (result & DELIVER_REACHED) == 0)
			*reason = MQTT_RC_NO_MATCHING_SUBSCRIBERS;
		return 0;
	}
	if (policy != ACK_REPLY || (result & DELIVER_TAKEN) == 0)
		return p->token;
	/* A session of this worker has it; what NATS says changes nothing. */
	p->settled = true;
	return 0;
}

/*
 * NATS does not take it, however often the device sends it. 3.x has no word
 * for that: acknowledged and dropped, as in client_publish, or closed.
 * v3.1.1 [MQTT-3.3.5-2]
 */
static void WORKER_THREAD
settle_hopeless(struct home *h, struct session *s, struct received *e,
    enum mqtt_reason reason)
{
	uint16_t packet_id = e->packet_id;
	uint8_t qos = e->qos;
	bool closes = h->broker->options->v3_refuse_close;

	if (qos == 2 && !closes)
		receiving_hold(&s->receiving, e);
	else
		receiving_remove(&s->receiving, e);
	if (s->client == NULL)
		return;
	if (closes)
		client_close(s->client, reason, NULL);
	else
		client_answer_publish(s->client, qos, packet_id,
		    MQTT_RC_SUCCESS, NULL);
}

/* The publisher learns how it ended; only once. */
static void WORKER_THREAD
settle(struct home *h, struct pending *p, enum mqtt_reason reason,
    const char *why)
{
	struct session *s = slots_get(&h->sessions, p->session);
	struct received *e;
	uint8_t qos;

	if (p->settled)
		return;
	p->settled = true;
	e = s != NULL ? receiving_find(&s->receiving, p->packet_id) : NULL;
	if (e == NULL || e->token != p->token)
		return; /* its Network Connection is gone */
	if (s->version != MQTT_V5 &&
	    (reason == MQTT_RC_PACKET_TOO_LARGE ||
		reason == MQTT_RC_NOT_AUTHORIZED)) {
		settle_hopeless(h, s, e, reason);
		return;
	}
	qos = e->qos;
	if (qos == 2 && reason < MQTT_RC_UNSPECIFIED_ERROR)
		receiving_hold(&s->receiving, e);
	else
		receiving_remove(&s->receiving, e);
	if (s->client != NULL)
		client_answer_publish(s->client, qos, p->packet_id, reason,
		    why);
}

static enum mqtt_reason
result_reason(const struct pending *p, enum bus_result result)
{
	switch (result) {
	case BUS_OK:
		return MQTT_RC_SUCCESS;
	case BUS_NO_RESPONDERS:
		if (p->policy != ACK_REPLY)
			return MQTT_RC_UNSPECIFIED_ERROR;
		return p->reached ? MQTT_RC_SUCCESS
				  : MQTT_RC_NO_MATCHING_SUBSCRIBERS;
	case BUS_DENIED:
		return MQTT_RC_NOT_AUTHORIZED;
	case BUS_REFUSED:
		return MQTT_RC_QUOTA_EXCEEDED;
	case BUS_UNSENDABLE:
		return MQTT_RC_PACKET_TOO_LARGE;
	case BUS_TIMEOUT:
	case BUS_DOWN:
		break;
	}
	return MQTT_RC_UNSPECIFIED_ERROR;
}

static const char *
result_text(enum bus_result result)
{
	switch (result) {
	case BUS_NO_RESPONDERS:
		return "no stream has this subject";
	case BUS_TIMEOUT:
		return "nobody acknowledged in time";
	case BUS_DENIED:
		return "NATS does not permit it";
	case BUS_UNSENDABLE:
		return "larger than NATS takes";
	default:
		return NULL;
	}
}

static void WORKER_THREAD
settled_publish(struct home *h, struct pending *p, enum bus_result result,
    const char *text)
{
	enum mqtt_reason reason = result_reason(p, result);

	if (result == BUS_UNSENDABLE && !p->settled)
		home_count(h, refused_publishes);
	else if (reason >= MQTT_RC_UNSPECIFIED_ERROR && !p->settled)
		home_count(h, unacknowledged);
	settle(h, p, reason,
	    reason < MQTT_RC_UNSPECIFIED_ERROR ? NULL
		: text != NULL                 ? text
					       : result_text(result));
	pending_remove(h, p);
	free(p);
}

static void WORKER_THREAD
request_will(struct home *h, struct pending_will *w)
{
	request_publish(h, w->message, w->p.policy,
	    flags_of(&w->p, w->p.settled), w->link, w->p.token);
}

static void WORKER_THREAD
end_will(struct home *h, struct pending *p)
{
	pending_remove(h, p);
	publish_free_will(p);
}

static void WORKER_THREAD
on_again(struct timer *t, void *arg)
{
	struct pending_will *w = container_of(t, struct pending_will, again);
	struct home *h = arg;

	if (message_is_expired(w->message, h->wall_ms))
		home_count(h, dropped_expired);
	else if (!w->p.settled) {
		request_will(h, w);
		return;
	}
	end_will(h, &w->p);
}

/* May it be acknowledged another time? */
static bool
is_worth_another_try(const struct pending_will *w, enum bus_result result)
{
	if (w->p.settled || result == BUS_UNSENDABLE || result == BUS_DENIED)
		return false;
	/* The identity it was to go under is gone, and does not come back. */
	if (result == BUS_DOWN && w->link != 0)
		return false;
	return result_reason(&w->p, result) >= MQTT_RC_UNSPECIFIED_ERROR;
}

static void WORKER_THREAD
settled_will(struct home *h, struct pending *p, enum bus_result result,
    const char *text)
{
	struct pending_will *w = container_of(p, struct pending_will, p);
	struct slice topic = message_topic(w->message);

	if (is_worth_another_try(w, result)) {
		log_warning("will on \"%.*s\" not acknowledged: %s; again in "
			    "%d ms",
		    SLICE_ARG(topic), text != NULL ? text : "no answer",
		    WILL_AGAIN_MS);
		timer_arm(h->timers, &w->again, h->now_ms + WILL_AGAIN_MS);
		return;
	}
	if (!p->settled &&
	    result_reason(p, result) >= MQTT_RC_UNSPECIFIED_ERROR)
		log_warning("will on \"%.*s\" dropped: %s", SLICE_ARG(topic),
		    result == BUS_DOWN ? "its NATS identity is gone"
				       : result_text(result));
	end_will(h, p);
}

void
publish_settled(struct home *h, struct pending *p, enum bus_result result,
    char *text)
{
	if (p->kind == PENDING_WILL)
		settled_will(h, p, result, text);
	else
		settled_publish(h, p, result, text);
	free(text);
}

void
publish_will(struct home *h, struct message **mp, uint32_t link,
    const char *owner)
{
	struct message *m = *mp;
	enum ack_policy policy = broker_ack_policy(h->broker, message_topic(m));
	struct pending_will *w;

	*mp = NULL;
	if (m->qos == 0 || policy == ACK_LOCAL || !goes_to_nats(h, m)) {
		(void)carry_out(h, m, ACK_LOCAL, link, owner, NULL);
		message_unref(&m);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	timer_init(&w->again, on_again);
	w->p.kind = PENDING_WILL;
	w->p.policy = (uint8_t)policy;
	w->message = m;
	w->link = link;
	pending_add(h, &w->p);
	if (carry_out(h, m, policy, link, owner, &w->p) & DELIVER_TAKEN)
		w->p.settled = policy == ACK_REPLY;
}

void
publish_free_will(struct pending *p)
{
	struct pending_will *w = container_of(p, struct pending_will, p);

	message_unref(&w->message);
	free(w);
}
