/* SPDX-License-Identifier: Apache-2.0 */
/* promise - what must be on disk before something is said. */
#include "broker/promise.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/home.h"

struct gate {
	size_t at; /* in the client's `out` */
	uint64_t number;
};

/* Of one client that has any; numbers and places ascend. */
struct gates {
	TAILQ_ENTRY(gates)
	entry;
	struct client *client;
	struct gate *items;
	size_t n;
	size_t cap;
};

struct promised_answer {
	STAILQ_ENTRY(promised_answer)
	entry;
	struct message *message; /* one reference */
	uint64_t number;
	uint32_t link;
};

void
promise_init(struct home *h)
{
	TAILQ_INIT(&h->promises.gates);
	STAILQ_INIT(&h->promises.answers);
}

void
promise_fini(struct home *h)
{
	struct promises *p = &h->promises;
	struct promised_answer *a;

	assert(TAILQ_EMPTY(&p->gates));
	while ((a = STAILQ_FIRST(&p->answers)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->answers, entry);
		message_unref(&a->message);
		free(a);
	}
	if (p->batch != NULL)
		batch_free(&p->batch);
}

bool
promise_is_kept(const struct home *h)
{
	return h->broker->store != NULL;
}

bool
promise_lacks_room(const struct home *h)
{
	return h->broker->store != NULL && store_is_full(h->broker->store);
}

struct batch *
promise_batch(struct home *h)
{
	if (h->promises.batch == NULL)
		h->promises.batch = batch_new();
	return h->promises.batch;
}

void
promise_changed(struct home *h)
{
	h->promises.changes++;
}

uint64_t
promise_newest(const struct home *h)
{
	return h->promises.posted + (h->promises.batch != NULL);
}

uint64_t
promise_all(struct home *h)
{
	(void)promise_batch(h);
	return promise_newest(h);
}

/* --- gates --- */

static struct gates *
gates_of(struct client *c)
{
	if (c->gates == NULL) {
		c->gates = xcalloc(1, sizeof(*c->gates));
		c->gates->client = c;
		TAILQ_INSERT_TAIL(&c->home->promises.gates, c->gates, entry);
	}
	return c->gates;
}

void
promise_gate(struct client *c, uint64_t number)
{
	struct gates *g;

	if (number <= c->home->promises.committed)
		return;
	g = gates_of(c);
	if (g->n > 0 && g->items[g->n - 1].number >= number)
		return; /* it waits for longer anyway */
	if (g->n == g->cap) {
		g->cap = g->cap == 0 ? 2 : g->cap * 2;
		g->items = xrealloc(g->items, g->cap * sizeof(*g->items));
	}
	g->items[g->n++] =
	    (struct gate){ .at = buf_len(&c->out), .number = number };
}

void
promise_overtake(struct client *c, size_t n)
{
	struct buf *out = &c->out;
	uint8_t small[PROMISE_SMALL];
	uint8_t *at;

	if (c->gates == NULL)
		return;
	assert(n <= sizeof(small));
	at = out->base + out->start + c->gates->items[0].at;
	memcpy(small, out->base + out->end - n, n);
	memmove(at + n, at, (size_t)(out->base + out->end - n - at));
	memcpy(at, small, n);
	for (size_t i = 0; i < c->gates->n; i++)
		c->gates->items[i].at += n;
}

size_t
promise_ready(const struct client *c)
{
	return c->gates != NULL ? c->gates->items[0].at : buf_len(&c->out);
}

void
promise_written(struct client *c, size_t n)
{
	for (size_t i = 0; c->gates != NULL && i < c->gates->n; i++) {
		assert(c->gates->items[i].at >= n);
		c->gates->items[i].at -= n;
	}
}

void
promise_forget(struct client *c)
{
	struct gates *g = c->gates;

	if (g == NULL)
		return;
	c->gates = NULL;
	TAILQ_REMOVE(&c->home->promises.gates, g, entry);
	free(g->items);
	free(g);
}

static void WORKER_THREAD
open_gates(struct gates *g, uint64_t committed)
{
	size_t n = 0;

	while (n < g->n && g->items[n].number <= committed)
		n++;
	if (n == 0)
		return;
	client_touch(g->client);
	g->n -= n;
	memmove(g->items, g->items + n, g->n * sizeof(*g->items));
	if (g->n == 0)
		promise_forget(g->client);
}

/* --- answers --- */

static void WORKER_THREAD
answer(struct home *h, struct message **m, uint32_t link)
{
	struct bus_request r = { .type = BUS_ANSWER, .link = link };

	r.message = *m;
	*m = NULL;
	home_request(h, &r);
}

void
promise_answer(struct home *h, struct message *m, uint32_t link,
    uint64_t number)
{
	struct promised_answer *a;
	struct message *ref = message_ref(m);

	if (number <= h->promises.committed) {
		answer(h, &ref, link);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->message = ref;
	a->number = number;
	a->link = link;
	STAILQ_INSERT_TAIL(&h->promises.answers, a, entry);
}

/* --- turns --- */

static void WORKER_THREAD
post(struct home *h, uint64_t held)
{
	struct promises *p = &h->promises;

	p->batch->stream = h->id;
	p->batch->number = ++p->posted;
	p->batch->held = held;
	store_post(h->broker->store, &p->batch);
}

void
promise_flush(struct home *h)
{
	if (h->promises.batch != NULL)
		post(h, 0);
}

void
promise_hold(struct home *h, uint64_t number)
{
	if (h->promises.batch != NULL)
		post(h, number);
}

void
promise_close(struct home *h, uint64_t number)
{
	batch_add(promise_batch(h), BATCH_CLOSE, RECORD_META,
	    record_key(number), NULL);
	promise_changed(h);
}

bool
promise_has_news(const struct home *h)
{
	return h->broker->store != NULL &&
	    store_committed(h->broker->store, h->id) != h->promises.committed;
}

void
promise_turn(struct home *h)
{
	struct promises *p = &h->promises;
	struct promised_answer *a;
	struct gates *g, *next;

	if (!promise_has_news(h))
		return;
	p->committed = store_committed(h->broker->store, h->id);
	TAILQ_FOREACH_SAFE(g, &p->gates, entry, next)
		open_gates(g, p->committed);
	while ((a = STAILQ_FIRST(&p->answers)) != NULL &&
	    a->number <= p->committed) {
		STAILQ_REMOVE_HEAD(&p->answers, entry);
		answer(h, &a->message, a->link);
		free(a);
	}
}
