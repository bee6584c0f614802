/* SPDX-License-Identifier: Apache-2.0 */
/* home - the broker's part of one worker. */
#include "broker/home.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "auth/tokens.h"
#include "auth/users.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "broker/answer.h"
#include "broker/ask.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/deliver.h"
#include "broker/life.h"
#include "broker/login.h"
#include "broker/match_memo.h"
#include "broker/pending.h"
#include "broker/promise.h"
#include "broker/publish.h"
#include "broker/restore.h"
#include "broker/rights.h"
#include "broker/sharing.h"
#include "broker/topics.h"

/* Events taken per turn, so that clients are attended to in between. */
#define EVENTS_PER_TURN    1024
/* Between looks for retained messages that have expired. */
#define EXPIRE_MS          1000
/* Letters that another worker may have unread before we stop reading. */
#define MAILBOX_MARK       8192
#define MAILBOX_BYTES_MARK ((size_t)4 << 20)

struct home *
home_new(struct broker *b, unsigned id)
{
	struct home *h = xcalloc(1, sizeof(*h));

	h->id = id;
	h->broker = b;
	if (waker_init(&h->waker) != 0) {
		free(h);
		return NULL;
	}
	mailbox_init(&h->mailbox, &h->waker);
	home_tick(h);
	h->timers = timer_wheel_new(h->now_ms);
	slots_init(&h->sessions, (uint8_t)id);
	slots_init(&h->pending, (uint8_t)id);
	if (b->options->users != NULL)
		h->users = users_ref(b->options->users);
	if (b->options->tokens != NULL)
		h->tokens = tokens_ref(b->options->tokens);
	if (b->options->acl != NULL)
		h->acl = acl_ref(b->options->acl);
	TAILQ_INIT(&h->dirty);
	TAILQ_INIT(&h->stalled);
	promise_init(h);
	return h;
}

static void
end_session(void *thing, void *arg)
{
	struct session *s = thing;

	life_drop_session(arg, &s);
}

static void
free_pending(void *thing, void *arg)
{
	(void)arg;
	life_free_pending(thing);
}

void
home_free(struct home **hp)
{
	struct home *h = *hp;

	*hp = NULL;
	h->broker->bus = NULL; /* it has stopped; ask it for nothing more */
	slots_each(&h->sessions, end_session, h);
	mailbox_drain(&h->mailbox, h);
	promise_fini(h);
	/* First the wheel: some of these have a timer in it. */
	timer_wheel_free(&h->timers);
	slots_each(&h->pending, free_pending, NULL);
	for (size_t i = 0; i < h->n_overflow; i++)
		bus_request_fini(&h->overflow[i]);
	free(h->overflow);
	slots_fini(&h->sessions);
	slots_fini(&h->pending);
	matches_fini(&h->matches);
	match_memo_free(&h->match_memos);
	buf_fini(&h->scratch);
	buf_fini(&h->subject);
	topics_forget(h);
	users_unref(&h->users);
	tokens_unref(&h->tokens);
	rights_fini(h);
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < 3; j++)
			buf_fini(&h->encoded[i][j].head);
	waker_fini(&h->waker);
	free(h);
}

void
home_tick(struct home *h)
{
	h->now_ms = clock_mono_ms();
	h->wall_ms = clock_wall_ms();
}

static void
keep_request(struct home *h, const struct bus_request *r)
{
	if (h->n_overflow == h->cap_overflow) {
		h->cap_overflow =
		    h->cap_overflow == 0 ? 64 : h->cap_overflow * 2;
		h->overflow = xrealloc(h->overflow,
		    h->cap_overflow * sizeof(*h->overflow));
	}
	h->overflow[h->n_overflow++] = *r;
	h->congested = true;
}

void
home_request(struct home *h, const struct bus_request *r)
{
	if (h->broker->bus == NULL) {
		struct bus_request gone = *r;

		bus_request_fini(&gone);
		return;
	}
	h->bus_is_dirty = true;
	if (h->n_overflow > 0 || !bus_put(h->broker->bus, h->id, r))
		keep_request(h, r);
}

static void WORKER_THREAD
retry_overflow(struct home *h)
{
	size_t n = 0;

	while (n < h->n_overflow &&
	    bus_put(h->broker->bus, h->id, &h->overflow[n]))
		n++;
	h->n_overflow -= n;
	memmove(h->overflow, h->overflow + n,
	    h->n_overflow * sizeof(*h->overflow));
	h->bus_is_dirty |= n > 0;
}

static bool
is_behind(struct home *h)
{
	return mailbox_len(&h->mailbox) > MAILBOX_MARK ||
	    atomic_load(&h->mail_bytes) > MAILBOX_BYTES_MARK;
}

static bool
others_are_behind(const struct home *h)
{
	const struct broker *b = h->broker;

	for (unsigned i = 0; i < b->options->n_workers; i++)
		if (i != h->id && is_behind(b->homes[i]))
			return true;
	return false;
}

static bool
store_lags(const struct home *h)
{
	return h->broker->store != NULL && store_is_behind(h->broker->store);
}

static void WORKER_THREAD
update_congestion(struct home *h)
{
	struct client *c;

	h->congested =
	    h->n_overflow > 0 || others_are_behind(h) || store_lags(h);
	if (h->congested)
		return;
	while ((c = TAILQ_FIRST(&h->stalled)) != NULL) {
		TAILQ_REMOVE(&h->stalled, c, entry);
		c->is_stalled = false;
		client_touch(c);
	}
}

static void WORKER_THREAD
on_delivery(struct home *h, struct delivery *d)
{
	unsigned result;

	if (d->mail.handle != NULL) {
		d->mail.handle(&d->mail, h);
		return;
	}
	if (d->share != 0) {
		sharing_deliver(h, d);
		delivery_free(d);
		return;
	}
	result = deliver(h, d->message, d->link, d->to, d->n);
	if (deliver_is_lasting(d->message, d->to, d->n))
		answer_stored(h, d->message, d->link, result);
	delivery_free(d);
}

static void WORKER_THREAD
on_link(struct home *h, const struct bus_event *e)
{
	/* Credentials that NATS no longer accepts end their clients. */
	if (e->link != 0 && e->result == BUS_REFUSED)
		life_refuse_link(h, e->link);
}

static void WORKER_THREAD
on_identified(struct home *h, struct pending *p, const struct bus_event *e)
{
	enum login_result result = e->result == BUS_OK ? LOGIN_GOOD
	    : e->result == BUS_REFUSED                 ? LOGIN_WRONG
						       : LOGIN_LATE;

	login_settled(h, p, result, e->link);
}

static void WORKER_THREAD
on_event(struct home *h, struct bus_event *e)
{
	struct pending *p;

	switch ((enum bus_event_type)e->type) {
	case BUS_DELIVERY:
		on_delivery(h, e->delivery);
		return;
	case BUS_LINK:
		on_link(h, e);
		return;
	case BUS_SETTLED:
	case BUS_SUBSCRIBED:
	case BUS_IDENTIFIED:
		break;
	}
	p = pending_find(h, e->token);
	if (p == NULL) {
		if (e->type == BUS_SETTLED)
			free(e->text);
		return;
	}
	switch ((enum pending_kind)p->kind) {
	case PENDING_PUBLISH:
	case PENDING_WILL:
		publish_settled(h, p, e->result, e->text);
		break;
	case PENDING_SUBSCRIBE:
		subscribe_settled(h, p, e->result);
		break;
	case PENDING_LOGIN:
		on_identified(h, p, e);
		break;
	case PENDING_ASK:
		ask_settled(h, p, e->result, e->text);
		break;
	case PENDING_RESTORE:
		restore_settled(h, p);
		break;
	}
}

/*
 * One worker does it for all, now and then while it turns anyway: nobody gets
 * an expired message, this is about the room that it takes.
 */
static void WORKER_THREAD
expire_retained(struct home *h)
{
	if (h->id != 0 || h->now_ms < h->expire_at_ms)
		return;
	h->expire_at_ms = h->now_ms + EXPIRE_MS;
	broker_expire_retained(h->broker, h->wall_ms);
}

/* While the store cannot follow, what comes from NATS waits in its ring. */
static bool
takes_events(const struct home *h)
{
	return h->broker->bus != NULL && !store_lags(h);
}

void
home_turn(struct home *h)
{
	struct bus_event e;

	home_tick(h);
	if (h->n_overflow > 0)
		retry_overflow(h);
	promise_turn(h);
	mailbox_drain(&h->mailbox, h);
	if (takes_events(h))
		for (unsigned i = 0; i < EVENTS_PER_TURN &&
		     bus_next_event(h->broker->bus, h->id, &e);
		     i++)
			on_event(h, &e);
	timer_advance(h->timers, h->now_ms, h);
	expire_retained(h);
	update_congestion(h);
}

void
home_flush(struct home *h)
{
	promise_flush(h);
	if (!h->bus_is_dirty)
		return;
	h->bus_is_dirty = false;
	bus_flush(h->broker->bus, h->id);
}

bool
home_has_work(struct home *h)
{
	struct bus *bus = h->broker->bus;

	if (mailbox_len(&h->mailbox) > 0 || promise_has_news(h))
		return true;
	return bus != NULL &&
	    ((takes_events(h) && bus_has_event(bus, h->id)) ||
		(h->n_overflow > 0 && bus_room(bus, h->id) > 0));
}
