/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sharing - messages for Shared Subscriptions.
 */
#include "broker/sharing.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/answer.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/lasting.h"
#include "broker/pending.h"
#include "broker/promise.h"
#include "broker/rights.h"
#include "broker/shares.h"
#include "broker/spread.h"
#include "topic/filter.h"

/* A message is passed on so often before somebody has to keep it. */
#define MAX_HOPS 4

static struct slice
full_of(const struct subscription *sub)
{
	return slice_of(sub->filter, sub->filter_len);
}

bool
sharing_is_shared(const struct subscription *sub)
{
	return slice_starts(full_of(sub), SLICE("$share/"));
}

uint64_t
sharing_join(struct home *h, const struct session *s,
    const struct subscription *sub)
{
	const struct subscriber member = { .session = s->handle,
		.id = sub->id,
		.qos = sub->qos,
		.retain_as_published = sub->retain_as_published,
		.lasts = s->stored_id != 0 };
	struct filter f;

	if (!filter_parse(full_of(sub), &f))
		return 0; /* it was parsed before */
	return shares_join(h->broker->shares, s->link, f.full, f.match, &member,
	    s->client != NULL);
}

uint64_t
sharing_leave(struct home *h, const struct session *s,
    const struct subscription *sub)
{
	return shares_leave(h->broker->shares, s->link, full_of(sub),
	    s->handle);
}

void
sharing_set_online(struct home *h, const struct session *s, bool online)
{
	const struct subscription *sub;

	LIST_FOREACH(sub, &s->subscriptions, entry)
		if (sharing_is_shared(sub))
			shares_set_online(h->broker->shares, s->link,
			    full_of(sub), s->handle, online);
}

/* --- to the member ------------------------------------------------------- */

/* The same message for another member. */
static struct delivery *
delivery_like(const struct delivery *d, const struct subscriber *to,
    unsigned hops)
{
	struct delivery *next = delivery_new(d->message, d->link, to, 1);

	next->share = d->share;
	next->hops = hops;
	next->token = d->token;
	next->held = d->held;
	next->wants_word = d->wants_word;
	next->from_session = d->from_session;
	next->from_place = d->from_place;
	return next;
}

void
sharing_on_message(struct broker *b, uint32_t link, uint64_t share,
    struct message *m)
{
	const struct delivery d = { .message = m,
		.link = link,
		.share = share };
	struct subscriber to;

	if (shares_pick(b->shares, share, 0, true, &to) != SHARES_NONE)
		bus_deliver(b->bus, slots_tag(to.session),
		    delivery_like(&d, &to, 0));
}

static void WORKER_THREAD
on_mail(struct mail *mail, void *owner)
{
	struct delivery *d = container_of(mail, struct delivery, mail);
	struct home *h = owner;

	sharing_deliver(h, d);
	atomic_fetch_sub(&h->mail_bytes, message_size(d->message));
	delivery_free(d);
}

/* Let another home see whether its session still wants it. */
static void WORKER_THREAD
pass_on(struct home *h, struct delivery *d)
{
	struct home *there = h->broker->homes[slots_tag(d->to[0].session)];

	d->mail.handle = on_mail;
	atomic_fetch_add(&there->mail_bytes, message_size(d->message));
	mailbox_post(&there->mailbox, &d->mail);
}

/*
 * To somebody else, who is connected unless `away` will do; false when there
 * is nobody.
 */
static bool WORKER_THREAD
try_another(struct home *h, const struct delivery *d, uint64_t avoid, bool away,
    unsigned hops)
{
	struct subscriber to;

	if (shares_pick(h->broker->shares, d->share, avoid, away, &to) ==
	    SHARES_NONE)
		return false;
	pass_on(h, delivery_like(d, &to, hops + 1));
	return true;
}

static bool WORKER_THREAD
takes_now(struct home *h, const struct session *s, const struct delivery *d)
{
	struct slice topic = message_topic(d->message);

	return s != NULL && s->client != NULL &&
	    rights_may(h, s, topic, rights_key(h, topic), ACL_READ) &&
	    (d->message->qos == 0 || d->to[0].qos == 0 ||
		deliver_is_ready(s->client));
}

/*
 * A publisher of some node waits for a reply: that a session has it is one,
 * as with other subscriptions. Services wait until the device has it.
 */
static bool
is_from_a_publisher(const struct message *m)
{
	return slice_starts(message_reply(m), SLICE("_MQ."));
}

/*
 * What the member has is in this home's batch. The record of the one before it
 * goes with the same; and who waits for it to be posted may go on.
 */
static void WORKER_THREAD
conclude(struct home *h, const struct delivery *d, bool is_taken)
{
	lasting_end_handed_over(h, d->from_session, d->from_place, d->message);
	if (!d->wants_word)
		return;
	if (d->held != 0)
		promise_hold(h, d->held);
	else
		promise_flush(h);
	spread_tell(h, d->token, is_taken, true);
}

void
sharing_deliver(struct home *h, const struct delivery *d)
{
	const struct subscriber *to = &d->to[0];
	struct session *s = slots_get(&h->sessions, to->session);
	unsigned result;
	bool lasts;

	if (!takes_now(h, s, d) && d->hops < MAX_HOPS &&
	    try_another(h, d, to->session, false, d->hops))
		return;
	/* A session that has ended meanwhile: perhaps one that is away. */
	if (s == NULL && d->hops < MAX_HOPS &&
	    try_another(h, d, to->session, true, MAX_HOPS))
		return;
	if (d->held != 0)
		promise_flush(h);
	lasts = deliver_is_lasting(d->message, to, 1);
	if (lasts)
		answer_owe(d->message, 1);
	h->share = d->share;
	result = deliver(h, d->message, d->link, to, 1);
	h->share = 0;
	if (lasts)
		answer_stored(h, d->message, d->link, result);
	else if ((result & DELIVER_TAKEN) != 0 &&
	    is_from_a_publisher(d->message))
		answer_acknowledged(h, s, d->message);
	conclude(h, d, (result & DELIVER_TAKEN) != 0);
}

/*
 * Whoever gets it in the end may be one that lasts: where there is a store,
 * all of them send word.
 */
void
sharing_choose(struct home *h, struct message *m, struct pending *p,
    struct chosen *out)
{
	struct matches *found = &h->matches;
	struct delivery d = { .message = m };
	struct delivery *next;
	struct subscriber to;

	STAILQ_INIT(out);
	d.wants_word = p != NULL && m->qos > 0 && promise_is_kept(h);
	d.token = d.wants_word ? p->token : 0;
	shares_match(h->broker->shares, message_topic(m), found);
	for (size_t i = 0; i < found->n; i++) {
		d.share = found->items[i].session;
		if (shares_pick(h->broker->shares, d.share, 0, true, &to) ==
		    SHARES_NONE)
			continue;
		next = delivery_like(&d, &to, 0);
		STAILQ_INSERT_TAIL(out, next, chosen);
		if (d.wants_word)
			p->n_owed++;
	}
}

void
sharing_publish(struct home *h, struct chosen *chosen, const struct pending *p)
{
	struct delivery *d;

	while ((d = STAILQ_FIRST(chosen)) != NULL) {
		STAILQ_REMOVE_HEAD(chosen, chosen);
		d->held = p != NULL && p->holds ? p->token : 0;
		pass_on(h, d);
	}
}

/* --- from a member that has gone ----------------------------------------- */

/*
 * Somebody else who is connected; when the session ends, also one who is
 * away.
 */
static bool WORKER_THREAD
give(struct home *h, const struct session *s, struct outgoing *o, bool ends)
{
	uint64_t place = o->place;
	struct delivery d = { .message = o->message,
		.link = s->link,
		.share = o->share };

	if (o->share == 0)
		return false;
	d.from_session = s->stored_id;
	d.from_place = lasting_hand_over(h, s, o);
	if (try_another(h, &d, s->handle, ends, 0))
		return true;
	o->place = place;
	return false;
}

static bool
is_for_a_share(const struct outbox *box)
{
	for (uint32_t i = 0; i < box->n; i++)
		if (outbox_at(box, i)->share != 0)
			return true;
	return false;
}

/* What others cannot have stays, in order. */
static void WORKER_THREAD
give_back_waiting(struct home *h, struct session *s, bool ends)
{
	struct outgoing o;

	for (uint32_t n = s->backlog.n; n > 0; n--) {
		if (!session_dequeue(s, &o))
			return;
		if (!give(h, s, &o, ends)) {
			/* It was in there, so it fits. */
			if (!session_queue(s, &o, &h->broker->options->queue))
				outgoing_fini(&o);
			continue;
		}
		outgoing_fini(&o);
	}
}

struct unfinished {
	uint16_t *ids;
	size_t n;
};

static void
gather(struct outgoing *o, void *arg)
{
	struct unfinished *u = arg;

	if (o->share != 0 && o->qos == 1)
		u->ids[u->n++] = o->packet_id;
}

static void WORKER_THREAD
give_back_unfinished(struct home *h, struct session *s, bool ends)
{
	struct unfinished u = {
		.ids = xcalloc(s->inflight.n, sizeof(*u.ids)),
	};

	inflight_each(&s->inflight, gather, &u);
	for (size_t i = 0; i < u.n; i++) {
		struct outgoing *o = inflight_find(&s->inflight, u.ids[i]);

		if (o != NULL && give(h, s, o, ends))
			inflight_done(&s->inflight, o);
	}
	free(u.ids);
}

void
sharing_give_back(struct home *h, struct session *s, bool ends)
{
	if (is_for_a_share(&s->inflight.box))
		give_back_unfinished(h, s, ends);
	if (!is_for_a_share(&s->backlog))
		return;
	home_count_queued(h, -(int)s->backlog.n, s->backlog_bytes);
	give_back_waiting(h, s, ends);
	home_count_queued(h, (int)s->backlog.n, s->backlog_bytes);
}

/* --- from a member that was lost with the process ------------------------ */

bool
sharing_adopt(struct broker *b, struct slice full, struct message *m,
    uint64_t from_session, uint64_t from_place)
{
	struct delivery d = { .message = m,
		.share = shares_find(b->shares, 0, full),
		.from_session = from_session,
		.from_place = from_place };
	struct delivery *to_one;
	struct subscriber to;

	if (shares_pick(b->shares, d.share, 0, true, &to) == SHARES_NONE)
		return false;
	to_one = delivery_like(&d, &to, MAX_HOPS);
	sharing_deliver(b->homes[slots_tag(to.session)], to_one);
	delivery_free(to_one);
	return true;
}
