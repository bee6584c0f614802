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
#include "broker/lasting.h"
#include "broker/promise.h"
#include "broker/sharing.h"
#include "broker/spread.h"
#include "store/retained.h"

/* A Will is asked for again after an error, this much later. */
#define WILL_AGAIN_MS 5000

/* A Will that nobody has taken responsibility for yet. */
struct pending_will {
	struct pending p;
	struct timer again;
	struct message *message;
	uint64_t stored_id; /* 0: not in the store */
	uint32_t link;
};

static void end_will_if_done(struct home *h, struct pending *p) WORKER_THREAD;

/* v5 [MQTT-3.3.1-8], v3.1.1 [MQTT-3.3.1-12] */
static void WORKER_THREAD
retain(struct home *h, struct message *m, const char *owner)
{
	/* At QoS 1 and 2 it was looked at before the message was taken. */
	bool is_full =
	    m->qos == 0 && m->payload_len > 0 && promise_lacks_room(h);

	if (!m->retain)
		return;
	if (is_full ||
	    !limit_retain(h->broker, broker_retained(h->broker, owner), m))
		home_count(h, dropped_retained);
	if (promise_is_kept(h) && m->qos > 0) {
		(void)promise_all(h);
		promise_changed(h);
	}
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
 * Everything that publishing does; `p` may be NULL. DELIVER_ bits.
 */
static unsigned WORKER_THREAD
carry_out(struct home *h, struct message *m, enum ack_policy policy,
    const struct publisher *from, struct pending *p)
{
	unsigned result = DELIVER_REACHED;
	struct chosen chosen;

	/* Before anything is stored: what all of them get may have to wait. */
	if (!goes_to_nats(h, m))
		sharing_choose(h, m, p, &chosen);
	if (!from->is_delivered) {
		retain(h, m, from->owner);
		result = spread_message(h, m, p, from->lasts);
	}
	if (p != NULL)
		p->reached = (result & DELIVER_REACHED) != 0;
	if (!goes_to_nats(h, m))
		sharing_publish(h, &chosen, p);
	else
		request_publish(h, m,
		    p != NULL && p->asked ? policy : ACK_LOCAL,
		    flags_of(p, (result & DELIVER_TAKEN) != 0), from->link,
		    p != NULL && p->asked ? p->token : 0);
	return result;
}

/* Will somebody answer: NATS, or another worker that has to store it? */
static bool
may_take_time(const struct home *h, const struct message *m)
{
	return m->qos > 0 && (goes_to_nats(h, m) || promise_is_kept(h));
}

static struct pending *WORKER_THREAD
new_pending(struct home *h, const struct message *m, enum ack_policy policy,
    const struct publisher *from)
{
	struct pending *p = xcalloc(1, sizeof(*p));

	p->kind = PENDING_PUBLISH;
	p->policy = (uint8_t)policy;
	p->session = from->session;
	p->packet_id = from->packet_id;
	p->asked = policy != ACK_LOCAL && goes_to_nats(h, m);
	pending_add(h, p);
	return p;
}

/* Nothing more will come for it. */
static void WORKER_THREAD
end_pending(struct home *h, struct pending *p)
{
	if (p->asked || p->n_owed > 0)
		return;
	pending_remove(h, p);
	free(p);
}

uint64_t
publish_message(struct home *h, struct message *m, enum ack_policy policy,
    const struct publisher *from, enum mqtt_reason *reason)
{
	struct pending *p = NULL;
	unsigned result;
	bool is_known;

	if (may_take_time(h, m) && (policy != ACK_LOCAL || promise_is_kept(h)))
		p = new_pending(h, m, policy, from);
	result = carry_out(h, m, policy, from, p);
	*reason = MQTT_RC_SUCCESS;
	/* A session of this worker has it: what NATS says changes nothing. */
	is_known = p == NULL || !p->asked ||
	    (policy == ACK_REPLY && (result & DELIVER_TAKEN) != 0);
	if (is_known && policy == ACK_REPLY && (result & DELIVER_REACHED) == 0)
		*reason = MQTT_RC_NO_MATCHING_SUBSCRIBERS;
	if (p == NULL)
		return 0;
	if (!is_known)
		return p->token;
	if (p->n_owed > 0) {
		p->decided = true;
		p->outcome = (uint8_t)*reason;
		return p->token;
	}
	p->settled = true;
	end_pending(h, p);
	return 0;
}

bool
publish_is_held(struct home *h, uint64_t token)
{
	const struct pending *p = token != 0 ? pending_find(h, token) : NULL;

	return p != NULL && p->holds && p->n_owed > 0;
}

void
publish_received(struct home *h, struct session *s, const struct received *e)
{
	uint64_t before = h->promises.changes;

	lasting_received(h, s, e);
	if (h->promises.changes != before)
		s->promised = promise_newest(h);
}

static void WORKER_THREAD
end_received(struct home *h, struct session *s, struct received *e)
{
	if (e->qos == 2)
		lasting_end_received(h, s, e->packet_id);
	receiving_remove(&s->receiving, e);
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

	if (qos == 2 && !closes) {
		receiving_hold(&s->receiving, e);
		publish_received(h, s, e);
	} else {
		end_received(h, s, e);
	}
	if (s->client == NULL)
		return;
	if (closes)
		client_close(s->client, reason, NULL);
	else
		client_answer_publish(s->client, qos, packet_id,
		    MQTT_RC_SUCCESS, NULL);
}

/* What the publisher waits for; NULL: it does so no longer. */
static struct received *
find_received(struct home *h, const struct pending *p, struct session **s)
{
	struct received *e;

	*s = slots_get(&h->sessions, p->session);
	if (*s == NULL)
		return NULL;
	e = receiving_find(&(*s)->receiving, p->packet_id);
	return e != NULL && e->token == p->token ? e : NULL;
}

/*
 * The publisher learns how it ended; only once. It gets no yes while another
 * worker is still to store the message.
 */
static void WORKER_THREAD
settle(struct home *h, struct pending *p, enum mqtt_reason reason,
    const char *why)
{
	struct session *s;
	struct received *e;
	uint8_t qos;

	if (p->settled)
		return;
	if (p->n_owed > 0 && reason < MQTT_RC_UNSPECIFIED_ERROR) {
		p->decided = true;
		p->outcome = (uint8_t)reason;
		return;
	}
	p->settled = true;
	e = find_received(h, p, &s);
	if (e == NULL)
		return; /* its Network Connection is gone */
	if (s->version != MQTT_V5 &&
	    (reason == MQTT_RC_PACKET_TOO_LARGE ||
		reason == MQTT_RC_NOT_AUTHORIZED)) {
		settle_hopeless(h, s, e, reason);
		return;
	}
	qos = e->qos;
	if (qos == 2 && reason < MQTT_RC_UNSPECIFIED_ERROR) {
		receiving_hold(&s->receiving, e);
		publish_received(h, s, e);
	} else {
		end_received(h, s, e);
	}
	if (s->client != NULL)
		client_answer_publish(s->client, qos, p->packet_id, reason,
		    why);
}

void
publish_taken(struct home *h, struct pending *p)
{
	if (p->policy != ACK_REPLY)
		return;
	p->taken = true;
	if (p->kind == PENDING_WILL)
		p->settled = true;
	else if (p->kind == PENDING_PUBLISH)
		settle(h, p, MQTT_RC_SUCCESS, NULL);
}

/* All that is held for this message comes into force with this batch. */
static void WORKER_THREAD
close_held(struct home *h, const struct pending *p)
{
	struct session *s;
	struct received *e = find_received(h, p, &s);

	if (e != NULL)
		publish_received(h, s, e);
	promise_close(h, p->token);
}

void
publish_stored(struct home *h, struct pending *p)
{
	struct session *s;

	if (--p->n_owed > 0)
		return;
	/* Theirs are posted: what we post now is behind them. */
	(void)promise_all(h);
	promise_changed(h);
	if (p->holds)
		close_held(h, p);
	s = slots_get(&h->sessions, p->session);
	if (s != NULL)
		s->promised = promise_newest(h);
	if (p->kind == PENDING_WILL) {
		end_will_if_done(h, p);
		return;
	}
	if (p->decided)
		settle(h, p, p->outcome, NULL);
	end_pending(h, p);
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
	case BUS_DOWN:
		return "its connection to NATS is gone";
	case BUS_REFUSED:
		return "a stream has refused it";
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
	p->asked = false;
	end_pending(h, p);
}

static void WORKER_THREAD
request_will(struct home *h, struct pending_will *w)
{
	request_publish(h, w->message, w->p.policy,
	    flags_of(&w->p, w->p.settled), w->link, w->p.token);
}

/* Its message is where it should be, but for what others are to store. */
static void WORKER_THREAD
end_will(struct home *h, struct pending *p)
{
	p->asked = false;
	end_will_if_done(h, p);
}

static void WORKER_THREAD
end_will_if_done(struct home *h, struct pending *p)
{
	struct pending_will *w = container_of(p, struct pending_will, p);

	if (p->asked || p->n_owed > 0)
		return;
	lasting_end_will(h, w->stored_id);
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

/* It must not be lost while nobody else has it. */
static uint64_t WORKER_THREAD
keep_will(struct home *h, struct message *m, const char *owner,
    uint64_t stored_id)
{
	struct lasting_will w = { .message = m,
		.due_ms = h->wall_ms,
		.expiry_s = UINT32_MAX,
		.owner = owner };

	return lasting_will(h, stored_id, &w);
}

void
publish_will(struct home *h, struct message **mp, uint32_t link,
    const char *owner, uint64_t stored_id)
{
	struct message *m = *mp;
	enum ack_policy policy = broker_ack_policy(h->broker, message_topic(m));
	struct publisher from = { .link = link, .owner = owner };
	struct pending_will *w;
	unsigned result;

	*mp = NULL;
	if (!may_take_time(h, m) ||
	    (policy == ACK_LOCAL && !promise_is_kept(h))) {
		(void)carry_out(h, m, ACK_LOCAL, &from, NULL);
		lasting_end_will(h, stored_id);
		message_unref(&m);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	timer_init(&w->again, on_again);
	w->p.kind = PENDING_WILL;
	w->p.policy = (uint8_t)policy;
	w->p.asked = policy != ACK_LOCAL && goes_to_nats(h, m);
	w->message = m;
	w->link = link;
	pending_add(h, &w->p);
	result = carry_out(h, m, policy, &from, &w->p);
	if ((result & DELIVER_TAKEN) != 0)
		w->p.settled = policy == ACK_REPLY;
	if (w->p.asked || w->p.n_owed > 0)
		w->stored_id = keep_will(h, m, owner, stored_id);
	else
		w->stored_id = stored_id;
	end_will_if_done(h, &w->p);
}

void
publish_free_will(struct pending *p)
{
	struct pending_will *w = container_of(p, struct pending_will, p);

	message_unref(&w->message);
	free(w);
}
