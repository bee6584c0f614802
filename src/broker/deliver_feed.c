/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver_feed - the retained messages of a new subscription, which go to the
 * client as it can take them.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/deliver.h"
#include "broker/delivering.h"
#include "broker/home.h"
#include "broker/lasting.h"
#include "broker/promise.h"

/* Retained messages of one new subscription, on their way to the client. */
struct feed {
	TAILQ_ENTRY(feed)
	entry;
	struct message **messages;
	size_t n;
	size_t sent;
	size_t stored;        /* those before this one are in the store */
	uint64_t first_place; /* there, had it been stored from 0 on */
	uint32_t subscription_id;
	uint8_t qos;
};

static void
feed_free(struct feed *f)
{
	for (size_t i = f->sent; i < f->n; i++)
		message_unref(&f->messages[i]);
	free(f->messages);
	free(f);
}

/* The i-th of a feed as it goes out; it takes the reference over. */
static struct outgoing
feed_at(const struct feed *f, size_t i)
{
	struct message *m = f->messages[i];
	uint8_t qos = m->qos < f->qos ? m->qos : f->qos;

	return (struct outgoing){ .message = m,
		.place = qos > 0 && i < f->stored ? f->first_place + i : 0,
		.qos = qos,
		.retain = true, /* v3.1.1 [MQTT-3.3.1-8] */
		.subscription_id = f->subscription_id };
}

/* False when the feed could not be sent to its end. */
static bool WORKER_THREAD
pump_feed(struct client *c, struct feed *f)
{
	while (f->sent < f->n) {
		struct outgoing o = feed_at(f, f->sent);

		if (!delivering_may_send(c, o.qos))
			return false;
		f->sent++;
		c->n_feeding--;
		delivering_send(c, &o);
	}
	return true;
}

bool
delivering_feeds(struct client *c)
{
	struct feed *f;

	while ((f = TAILQ_FIRST(&c->feeds)) != NULL) {
		if (!pump_feed(c, f))
			return false;
		TAILQ_REMOVE(&c->feeds, f, entry);
		feed_free(f);
	}
	return true;
}

/*
 * What the client cannot take now is promised by SUBACK. As much of it is
 * stored as would be queued if the client went.
 */
static void WORKER_THREAD
store_feed(struct home *h, struct session *s, struct feed *f)
{
	size_t max = delivering_queue_limits(h, s).max_queued_messages;

	if (s->stored_id == 0 || f->sent == f->n || promise_lacks_room(h))
		return;
	f->first_place = s->next_place - f->sent;
	for (size_t i = f->sent; i < f->n && i - f->sent < max; i++) {
		struct outgoing o = feed_at(f, i);

		lasting_outgoing(h, s, &o);
		f->stored = i + 1;
		s->next_place = f->first_place + f->stored;
	}
}

void
deliver_retained(struct client *c, struct message **messages, size_t n,
    uint8_t qos, uint32_t subscription_id, size_t max)
{
	struct feed *f = xcalloc(1, sizeof(*f));

	f->messages = messages;
	f->n = n;
	f->qos = qos;
	f->subscription_id = subscription_id;
	if (c->n_feeding + n > max) {
		home_count_n(c->home, dropped_queue, n);
		delivering_log_drop(c->session,
		    "too much that is retained waits for it");
		feed_free(f);
		return;
	}
	TAILQ_INSERT_TAIL(&c->feeds, f, entry);
	c->n_feeding += n;
	deliver_pump(c);
	if (TAILQ_LAST(&c->feeds, feed_list) == f)
		store_feed(c->home, c->session, f);
}

/* What is left of a feed stands before all that waits for the session. */
static void WORKER_THREAD
keep_feed(struct home *h, struct session *s, struct feed *f)
{
	for (; f->n > f->sent; f->n--) {
		struct outgoing o = feed_at(f, f->n - 1);

		if (o.qos > 0 &&
		    session_queue_first(s, &o, &h->broker->options->queue)) {
			home_count_queued(h, 1, message_size(o.message));
			if (o.place == 0)
				lasting_outgoing_first(h, s,
				    outbox_at(&s->backlog, 0));
			continue;
		}
		if (o.qos > 0)
			home_count(h, dropped_queue);
		lasting_end_outgoing(h, s, &o);
		outgoing_fini(&o);
	}
}

static void WORKER_THREAD
end_feed(struct home *h, const struct session *s, struct feed *f)
{
	for (; f->n > f->sent; f->n--) {
		struct outgoing o = feed_at(f, f->n - 1);

		lasting_end_outgoing(h, s, &o);
		outgoing_fini(&o);
	}
}

void
deliver_forget(struct client *c)
{
	struct feed *f;

	/* The newest first, so that the oldest will stand in front. */
	while ((f = TAILQ_LAST(&c->feeds, feed_list)) != NULL) {
		TAILQ_REMOVE(&c->feeds, f, entry);
		if (c->session->keep)
			keep_feed(c->home, c->session, f);
		else
			end_feed(c->home, c->session, f);
		feed_free(f);
	}
	c->n_feeding = 0;
}
