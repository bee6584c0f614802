/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spread - a message to all subscribers of this node.
 *
 * Those of this worker get it at once, those of others by mail. A worker that
 * is to store it for sessions that last sends word when it has posted that to
 * the store; so what the publisher's worker posts then is behind it.
 */
#include "broker/spread.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/deliver.h"
#include "broker/home.h"
#include "broker/match_memo.h"
#include "broker/pending.h"
#include "broker/promise.h"
#include "broker/publish.h"

/* Tells the publisher's worker what became of its message here. */
struct word {
	struct mail mail;
	uint64_t token;
	bool is_last; /* it is dealt with, and posted to the store */
	bool is_taken;
};

static void WORKER_THREAD
on_word(struct mail *mail, void *owner)
{
	struct word *w = container_of(mail, struct word, mail);
	struct home *h = owner;
	struct pending *p = pending_find(h, w->token);

	if (p != NULL && w->is_taken)
		publish_taken(h, p);
	if (p != NULL && w->is_last)
		publish_stored(h, p);
	free(w);
}

void
spread_tell(struct home *h, uint64_t token, bool is_taken, bool is_last)
{
	struct word *w = xcalloc(1, sizeof(*w));

	w->mail.handle = on_word;
	w->token = token;
	w->is_taken = is_taken;
	w->is_last = is_last;
	mailbox_post(&h->broker->homes[slots_tag(token)]->mailbox, &w->mail);
}

static void WORKER_THREAD
on_delivery(struct mail *mail, void *owner)
{
	struct delivery *d = container_of(mail, struct delivery, mail);
	struct home *h = owner;
	bool is_taken;

	if (d->held != 0)
		promise_flush(h);
	is_taken =
	    (deliver(h, d->message, d->link, d->to, d->n) & DELIVER_TAKEN) != 0;
	/* Posted first: then what the publisher posts is behind it. */
	if (d->held != 0)
		promise_hold(h, d->held);
	else if (d->wants_word)
		promise_flush(h);
	if (d->token != 0 && (is_taken || d->wants_word))
		spread_tell(h, d->token, is_taken, d->wants_word);
	atomic_fetch_sub(&h->mail_bytes, message_size(d->message));
	delivery_free(d);
}

static void
post_delivery(struct home *h, struct message *m, const struct pending *p,
    const struct subscriber *to, size_t n)
{
	struct delivery *d = delivery_new(m, 0, to, n);
	struct home *there = h->broker->homes[slots_tag(to->session)];

	d->mail.handle = on_delivery;
	if (p != NULL) {
		d->wants_word = deliver_is_lasting(m, to, n);
		d->held = p->holds && d->wants_word ? p->token : 0;
		d->token = p->token;
	}
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

/* Other workers with sessions that last: they are to send word. */
static uint8_t
n_owing(const struct home *h, const struct message *m, const struct matches *to)
{
	unsigned n = 0;
	size_t end;

	for (size_t i = 0; i < to->n; i = end) {
		end = group_end(to, i);
		if (slots_tag(to->items[i].session) != h->id)
			n += deliver_is_lasting(m, &to->items[i], end - i);
	}
	return (uint8_t)n;
}

static unsigned WORKER_THREAD
deliver_here(struct home *h, struct message *m, const struct matches *to)
{
	unsigned result = 0;
	size_t end;

	for (size_t i = 0; i < to->n; i = end) {
		end = group_end(to, i);
		if (slots_tag(to->items[i].session) == h->id)
			result |= deliver(h, m, 0, &to->items[i], end - i);
	}
	return result;
}

static unsigned
deliver_elsewhere(struct home *h, struct message *m, const struct pending *p,
    const struct matches *to)
{
	unsigned result = 0;
	size_t end;

	for (size_t i = 0; i < to->n; i = end) {
		end = group_end(to, i);
		if (slots_tag(to->items[i].session) == h->id)
			continue;
		post_delivery(h, m, p, &to->items[i], end - i);
		result |= DELIVER_REACHED;
	}
	return result;
}

unsigned
spread_message(struct home *h, struct message *m, struct pending *p, bool lasts)
{
	const struct matches *to;
	unsigned result;

	if (h->broker->options->identity_user)
		return 0; /* NATS must see and judge it: it comes back */
	to = match_memo_find(&h->match_memos, h->broker->index,
	    message_topic(m), &h->matches);
	if (p != NULL)
		p->n_owed += n_owing(h, m, to);
	if (p != NULL && p->n_owed > 0 && lasts && m->qos == 2) {
		p->holds = true;
		promise_flush(h);
	}
	result = deliver_here(h, m, to);
	if (p != NULL && p->holds)
		promise_hold(h, p->token);
	return result | deliver_elsewhere(h, m, p, to);
}
