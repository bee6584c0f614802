/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copies - which of several copies of a message is the first.
 */
#include "nats/copies.h"

#include <stdlib.h>

#include "base/xalloc.h"

/* Copies of one message come within this, or are taken for several. */
#define COPY_AGE_MS  500u
/* How many contents are remembered; beyond, a message may come twice. */
#define COPIES_MAX   65536u
/* Subscriptions that are told apart for one content. */
#define MAX_COUNTERS 4u

struct counter {
	int64_t subscription;
	uint64_t n;
};

/* Messages that say the same. */
struct copy {
	struct hash_node node;
	TAILQ_ENTRY(copy)
	entry;
	uint64_t content;
	uint64_t seen_ms;
	uint64_t n_messages; /* so many first copies */
	unsigned n_counters;
	bool is_crowded; /* there were more than fit */
	struct counter counters[MAX_COUNTERS];
};

static bool
copy_matches(const struct hash_node *node, struct slice key)
{
	const struct copy *e = container_of(node, const struct copy, node);

	return slice_eq(slice_of(&e->content, sizeof(e->content)), key);
}

void
copies_init(struct copies *c)
{
	hash_init(&c->by_content, copy_matches);
	TAILQ_INIT(&c->by_age);
}

static void
drop(struct copies *c, struct copy *e)
{
	hash_remove(&c->by_content, &e->node);
	TAILQ_REMOVE(&c->by_age, e, entry);
	free(e);
}

void
copies_fini(struct copies *c)
{
	struct copy *e;

	while ((e = TAILQ_FIRST(&c->by_age)) != NULL)
		drop(c, e);
	hash_fini(&c->by_content);
}

static void
drop_old(struct copies *c, uint64_t now_ms)
{
	struct copy *e;

	while ((e = TAILQ_FIRST(&c->by_age)) != NULL &&
	    (now_ms - e->seen_ms > COPY_AGE_MS ||
		c->by_content.n >= COPIES_MAX))
		drop(c, e);
}

static struct copy *
get(struct copies *c, uint64_t content)
{
	struct slice key = slice_of(&content, sizeof(content));
	struct hash_node *node = hash_find(&c->by_content, key, content);
	struct copy *e;

	if (node != NULL) {
		e = container_of(node, struct copy, node);
		TAILQ_REMOVE(&c->by_age, e, entry);
	} else {
		e = xcalloc(1, sizeof(*e));
		e->content = content;
		hash_insert(&c->by_content, &e->node, content);
	}
	TAILQ_INSERT_TAIL(&c->by_age, e, entry);
	return e;
}

static struct counter *
counter_of(struct copy *e, int64_t subscription)
{
	struct counter *least = &e->counters[0];

	for (unsigned i = 0; i < e->n_counters; i++) {
		struct counter *k = &e->counters[i];

		if (k->subscription == subscription)
			return k;
		if (k->n < least->n)
			least = k;
	}
	/* The one that is furthest behind is the least missed. */
	if (e->n_counters < MAX_COUNTERS)
		least = &e->counters[e->n_counters++];
	else
		e->is_crowded = true;
	*least = (struct counter){ .subscription = subscription };
	return least;
}

bool
copies_is_first(struct copies *c, uint64_t content, int64_t subscription,
    uint64_t now_ms)
{
	struct counter *k;
	struct copy *e;

	drop_old(c, now_ms);
	e = get(c, content);
	e->seen_ms = now_ms;
	k = counter_of(e, subscription);
	if (++k->n <= e->n_messages)
		return false;
	e->n_messages = k->n;
	return true;
}

static bool
is_among(int64_t subscription, const int64_t *all, size_t n)
{
	while (n > 0) {
		size_t half = n / 2;

		if (all[half] == subscription)
			return true;
		if (all[half] < subscription) {
			all += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return false;
}

/*
 * The copy of a single message may be on its way by another subscription and
 * is none of a second; where many say the same, a message too many is better
 * than one too few. So it is where the one that has brought the copy already
 * may have lost its counter.
 */
static void
forget(struct copy *e, const int64_t *subscriptions, size_t n)
{
	uint64_t most = 0;
	unsigned kept = 0;

	if (e->n_messages == 1 && !e->is_crowded)
		return;
	for (unsigned i = 0; i < e->n_counters; i++) {
		struct counter k = e->counters[i];

		if (is_among(k.subscription, subscriptions, n))
			continue;
		e->counters[kept++] = k;
		if (k.n > most)
			most = k.n;
	}
	e->n_counters = kept;
	e->n_messages = most;
}

void
copies_forget(struct copies *c, const int64_t *subscriptions, size_t n)
{
	struct copy *e;

	TAILQ_FOREACH(e, &c->by_age, entry)
		forget(e, subscriptions, n);
}
