/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver - a message to the sessions of this worker that want it, and out to
 * their clients.
 *
 * What a client cannot take now waits in its session: QoS > 0 in the backlog;
 * QoS 0 is dropped and counted.
 */
#include "broker/deliver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/delivering.h"
#include "broker/home.h"
#include "broker/lasting.h"
#include "broker/limit.h"
#include "broker/promise.h"
#include "broker/rights.h"
#include "broker/write.h"
#include "mqtt/packet.h"

/* How one session wants one message, all its matching filters together. */
struct wish {
	const struct subscriber *subs;
	size_t n;
	uint8_t qos;
	bool retain;
};

struct delivery *
delivery_new(struct message *m, uint32_t link, const struct subscriber *to,
    size_t n)
{
	struct delivery *d = xmalloc(sizeof(*d) + n * sizeof(*to));

	memset(d, 0, sizeof(*d));
	d->message = message_ref(m);
	d->link = link;
	d->n = (uint32_t)n;
	memcpy(d->to, to, n * sizeof(*to));
	return d;
}

void
delivery_free(struct delivery *d)
{
	message_unref(&d->message);
	free(d);
}

static void WORKER_THREAD
count_out(struct client *c, const struct message *m)
{
	home_count(c->home, messages_out);
	home_count_n(c->home, publish_bytes_out, m->payload_len);
	client_touch(c);
}

static bool
output_is_full(const struct client *c)
{
	return buf_len(&c->out) >
	    RULES_LIMIT(c->rules->limits.max_output_bytes,
		c->home->broker->options->max_output_bytes);
}

/*
 * v5 [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]: as many as it takes, on
 * this Network Connection. Only PUBLISH asks: v5 [MQTT-3.3.4-10]
 * [MQTT-4.9.0-3].
 */
static bool
can_send_acknowledged(const struct client *c)
{
	const struct inflight *f = &c->session->inflight;

	return f->n - f->n_again < c->send_max && !output_is_full(c);
}

void
delivering_log_drop(const struct session *s, const char *why)
{
	static struct log_limit limit;
	unsigned long held;

	if (log_limit_pass(&limit, &held))
		log_warning("session \"%.*s\": message dropped: %s (%lu more "
			    "since the last line)",
		    s->client_id_len, s->client_id, why, held);
}

/*
 * Send an outgoing at QoS > 0 now; it becomes the in-flight's. `shared` when
 * it is the message that the home is encoding.
 * v5 [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3] [MQTT-4.3.3-1]
 * [MQTT-4.3.3-2] [MQTT-4.3.3-3], v3.1.1 [MQTT-4.3.2-1]
 */
static void WORKER_THREAD
send_acknowledged(struct client *c, const struct outgoing *o, bool shared)
{
	struct session *s = c->session;
	struct outgoing *slot = inflight_add(&s->inflight, o);

	lasting_outgoing(c->home, s, slot);
	/* What a client may have seen at QoS 2 must not be forgotten, or it
	 * would come again, under another identifier. */
	if (slot->qos == 2 && s->stored_id != 0)
		promise_gate(c, promise_newest(c->home));
	if (shared)
		write_publish_shared(c, slot->message, slot);
	else
		write_publish(c, slot->message, slot, false);
	count_out(c, slot->message);
}

static void WORKER_THREAD
on_behind(struct timer *t, void *arg)
{
	struct client *c = container_of(t, struct client, timer);

	(void)arg;
	client_close(c, MQTT_RC_QUOTA_EXCEEDED, "reads too slowly");
}

/*
 * So much was just dropped for it. A client that is too far behind, with what
 * was dropped since it had taken all, will not catch up: it goes, when we are
 * through with its session, which may wait for another connection.
 */
static void WORKER_THREAD
fall_behind(struct client *c, size_t dropped)
{
	struct home *h = c->home;
	size_t max = RULES_LIMIT(c->rules->limits.max_behind_bytes,
	    h->broker->options->max_behind_bytes);
	struct client_extras *x;

	if (max == 0 || buf_len(&c->out) == 0)
		return;
	x = client_extras(c);
	x->behind_bytes += dropped;
	if (x->behind_bytes + c->session->backlog_bytes + buf_len(&c->out) <=
	    max)
		return;
	x->behind_bytes = 0;
	limit_strike_client(c, LIMIT_MAX_BEHIND_BYTES);
	timer_cancel(h->timers, &c->timer);
	timer_init(&c->timer, on_behind);
	timer_arm(h->timers, &c->timer, h->now_ms);
}

static unsigned WORKER_THREAD
send_unacknowledged(struct client *c, struct message *m,
    const struct outgoing *o)
{
	if (output_is_full(c)) {
		home_count(c->home, dropped_slow);
		limit_strike_client(c, LIMIT_MAX_OUTPUT_BYTES);
		fall_behind(c, message_size(m));
		return 0;
	}
	write_publish_shared(c, m, o);
	count_out(c, m);
	return DELIVER_REACHED;
}

/* v5 [MQTT-3.8.3-3]: not back to where it came from */
static bool
is_kept_out(const struct subscriber *sub, const struct message *m)
{
	return sub->no_local && m->publisher == sub->session;
}

/*
 * Fill in the Subscription Identifiers: the first, then those behind it. v5
 * [MQTT-3.3.4-5]
 */
static void
set_ids(struct outgoing *o, const struct wish *w, const struct message *m)
{
	uint32_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (w->subs[i].id == 0 || is_kept_out(&w->subs[i], m))
			continue;
		if (o->subscription_id == 0) {
			o->subscription_id = w->subs[i].id;
			continue;
		}
		if (o->more_ids == NULL)
			o->more_ids = xcalloc(w->n, sizeof(*o->more_ids));
		o->more_ids[++n] = w->subs[i].id;
		o->more_ids[0] = n;
	}
}

static unsigned
taken(const struct session *s, const struct outgoing *o)
{
	if (o->qos == 0)
		return 0;
	return DELIVER_TAKEN | (s->stored_id != 0 ? DELIVER_STORED : 0);
}

struct session_limits
delivering_queue_limits(const struct home *h, const struct session *s)
{
	struct session_limits l = h->broker->options->queue;

	if (s->client != NULL) {
		const struct session_limits *own =
		    &s->client->rules->limits.queue;

		l.max_queued_messages = RULES_LIMIT(own->max_queued_messages,
		    l.max_queued_messages);
		l.max_queued_bytes =
		    RULES_LIMIT(own->max_queued_bytes, l.max_queued_bytes);
	}
	return l;
}

static void WORKER_THREAD
drop(struct home *h, struct session *s, struct outgoing *o)
{
	home_count(h, dropped_queue);
	if (s->client != NULL)
		fall_behind(s->client, message_size(o->message));
	outgoing_fini(o);
}

/* v5 [MQTT-4.5.0-1], v3.1.1 [MQTT-3.1.2-5] [MQTT-4.5.0-1] */
static unsigned WORKER_THREAD
queue(struct home *h, struct session *s, struct outgoing *o)
{
	struct session_limits limits = delivering_queue_limits(h, s);

	if (limit_all_queued(h, s, message_size(o->message))) {
		drop(h, s, o);
		return 0;
	}
	if (session_queue(s, o, &limits)) {
		home_count_queued(h, 1, message_size(o->message));
		lasting_outgoing(h, s,
		    outbox_at(&s->backlog, s->backlog.n - 1));
		return DELIVER_REACHED | taken(s, o);
	}
	limit_strike_session(&h->broker->limits, LIMIT_MAX_QUEUED, s);
	drop(h, s, o);
	return 0;
}

/*
 * Does something older wait? Nothing overtakes it, whatever its QoS. v5
 * [MQTT-4.6.0-5] [MQTT-4.6.0-6], v3.1.1 [MQTT-4.6.0-5] [MQTT-4.6.0-6]
 */
static bool
waits(const struct session *s)
{
	return s->backlog.n > 0 || s->inflight.n_again > 0 ||
	    (s->client != NULL && !TAILQ_EMPTY(&s->client->feeds));
}

bool
deliver_is_ready(const struct client *c)
{
	return !waits(c->session) && can_send_acknowledged(c);
}

static unsigned WORKER_THREAD
offer_unacknowledged(struct home *h, struct session *s, struct message *m,
    struct outgoing *o)
{
	unsigned result = 0;

	if (s->client != NULL && !waits(s)) {
		if (write_fits(s->client, m, o))
			result = send_unacknowledged(s->client, m, o);
		free(o->more_ids);
		return result;
	}
	if (s->client == NULL && !h->broker->options->queue_qos0) {
		free(o->more_ids);
		return 0;
	}
	o->message = message_ref(m);
	return queue(h, s, o);
}

/*
 * A session that lasts takes nothing from NATS that could not be kept. What
 * devices publish was looked at before, and there is room for what was taken.
 */
static bool
is_too_much(struct home *h, const struct session *s, const struct message *m)
{
	if (s->stored_id == 0 || !m->from_nats || !promise_lacks_room(h))
		return false;
	home_count(h, dropped_queue);
	delivering_log_drop(s, "there is no room in the store");
	return true;
}

static unsigned WORKER_THREAD
offer(struct home *h, struct session *s, struct message *m,
    const struct wish *w)
{
	struct outgoing o = {
		.qos = w->qos,
		.retain = w->retain,
		.share = h->share,
	};
	struct client *c = s->client;

	set_ids(&o, w, m);
	if (o.qos == 0)
		return offer_unacknowledged(h, s, m, &o);
	o.message = message_ref(m);
	if ((c != NULL && !write_fits(c, m, &o)) || is_too_much(h, s, m)) {
		outgoing_fini(&o);
		return 0;
	}
	if (c == NULL || waits(s) || !can_send_acknowledged(c))
		return queue(h, s, &o);
	send_acknowledged(c, &o, true);
	return DELIVER_REACHED | taken(s, &o);
}

/*
 * One copy however many filters match: at the highest QoS granted (v3.1.1
 * [MQTT-3.3.5-1]), never above the message's own (v3.1.1 [MQTT-3.8.4-6]).
 * False when there is nothing to deliver.
 * v5 [MQTT-3.3.4-2] [MQTT-3.8.4-8] [MQTT-4.8.2-3]
 */
static bool
make_wish(const struct message *m, struct wish *w)
{
	bool wanted = false;

	w->qos = 0;
	w->retain = false;
	for (size_t i = 0; i < w->n; i++) {
		const struct subscriber *sub = &w->subs[i];

		if (is_kept_out(sub, m))
			continue;
		wanted = true;
		if (sub->qos > w->qos)
			w->qos = sub->qos;
		/* v5 [MQTT-3.3.1-12] [MQTT-3.3.1-13], v3.1.1 [MQTT-3.3.1-9] */
		w->retain |= sub->retain_as_published && m->retain;
	}
	if (w->qos > m->qos)
		w->qos = m->qos;
	return wanted;
}

unsigned
deliver(struct home *h, struct message *m, uint32_t link,
    const struct subscriber *to, size_t n)
{
	uint64_t key = rights_key(h, message_topic(m));
	unsigned result = 0;
	size_t next;

	write_begin(h);
	if (message_is_expired(m, h->wall_ms)) {
		home_count(h, dropped_expired);
		return 0;
	}
	for (size_t i = 0; i < n; i = next) {
		struct session *s = slots_get(&h->sessions, to[i].session);
		struct wish w = { .subs = &to[i] };

		next = i + 1;
		while (next < n && to[next].session == to[i].session)
			next++;
		w.n = next - i;
		if (s != NULL && s->link == link && make_wish(m, &w) &&
		    rights_may(h, s, message_topic(m), key, ACL_READ))
			result |= offer(h, s, m, &w);
	}
	return result;
}

/* Its rights may be others than when the message was queued. */
static bool WORKER_THREAD
may_read(const struct client *c, const struct message *m)
{
	struct slice topic = message_topic(m);

	return rights_may(c->home, c->session, topic,
	    rights_key(c->home, topic), ACL_READ);
}

void
delivering_send(struct client *c, struct outgoing *o)
{
	struct home *h = c->home;

	if (message_is_expired(o->message, h->wall_ms)) {
		home_count(h, dropped_expired);
		lasting_end_outgoing(h, c->session, o);
		outgoing_fini(o);
	} else if (!may_read(c, o->message)) {
		home_count(h, dropped_queue);
		lasting_end_outgoing(h, c->session, o);
		outgoing_fini(o);
	} else if (!write_fits(c, o->message, o)) {
		lasting_end_outgoing(h, c->session, o);
		outgoing_fini(o);
	} else if (o->qos > 0) {
		send_acknowledged(c, o, false);
	} else {
		write_publish(c, o->message, o, false);
		count_out(c, o->message);
		outgoing_fini(o);
	}
}

bool
delivering_may_send(const struct client *c, uint8_t qos)
{
	return qos > 0 ? can_send_acknowledged(c) : !output_is_full(c);
}

/*
 * v3.1.1 [MQTT-4.4.0-1], v5 [MQTT-4.4.0-1]: what an earlier connection has not
 * acknowledged, with DUP (v3.1.1 [MQTT-3.3.1-1], v5 [MQTT-3.3.1-1]), expired
 * or not (v5 [MQTT-4.3.3-7]). False when there is more than the client takes
 * now.
 */
static bool WORKER_THREAD
pump_again(struct client *c)
{
	struct inflight *f = &c->session->inflight;
	struct outgoing *o;

	while ((o = inflight_next_again(f)) != NULL) {
		if (!can_send_acknowledged(c))
			return false;
		if (write_fits(c, o->message, o)) {
			write_publish(c, o->message, o, true);
			inflight_sent_again(f, o);
			count_out(c, o->message);
		} else {
			lasting_end_outgoing(c->home, c->session, o);
			inflight_done(f, o); /* v5 [MQTT-3.1.2-25] */
		}
	}
	return true;
}

void
deliver_pump(struct client *c)
{
	struct session *s = c->session;
	struct outgoing o;

	assert(c->state == CLIENT_ONLINE);
	if (!pump_again(c) || !delivering_feeds(c))
		return;
	while (s->backlog.n > 0 &&
	    delivering_may_send(c, outbox_at(&s->backlog, 0)->qos) &&
	    session_dequeue(s, &o)) {
		home_count_queued(c->home, -1, message_size(o.message));
		delivering_send(c, &o);
	}
}

static void WORKER_THREAD
release_again(struct outgoing *o, void *arg)
{
	struct client *c = arg;

	if (o->state != OUTGOING_RELEASED)
		return;
	packet_encode_ack(&c->out, c->version, MQTT_PUBREL, o->packet_id,
	    MQTT_RC_SUCCESS, (struct slice){ 0 });
	home_count(c->home, answers_out);
	client_touch(c);
}

void
deliver_resume(struct client *c)
{
	inflight_reconnect(&c->session->inflight);
	inflight_each(&c->session->inflight, release_again, c);
	deliver_pump(c);
}

bool
deliver_is_lasting(const struct message *m, const struct subscriber *to,
    size_t n)
{
	for (size_t i = 0; m->qos > 0 && i < n; i++)
		if (to[i].lasts && to[i].qos > 0)
			return true;
	return false;
}
