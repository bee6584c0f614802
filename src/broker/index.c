/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index - all subscriptions of the node.
 *
 *   exact: hash    "a/b"  --> entry { subscribers sorted by worker, session }
 *   wild:  trie    "a/+"  --> entry
 */
#include "broker/index.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "topic/filter_trie.h"

/* A filter and who wants it; the only subscriber of most filters is stored
 * in place. */
struct entry {
	struct hash_node node;
	struct subscriber *subscribers; /* &one, or an array of `cap` */
	uint32_t n;
	uint32_t cap;
	struct subscriber one;
	uint32_t filter_len;
	char filter[];
};

struct index {
	pthread_rwlock_t lock;
	struct hash exact;        /* [l] */
	struct filter_trie *wild; /* [l] of struct entry */
	/* Changed under the lock for writing, read without it. */
	atomic_uint_fast64_t version;
	atomic_size_t n_filters;
	atomic_size_t n_subscriptions;
};

static struct slice
entry_filter(const struct entry *e)
{
	return slice_of(e->filter, e->filter_len);
}

static bool
matches_key(const struct hash_node *node, struct slice key)
{
	return slice_eq(entry_filter(
			    container_of(node, const struct entry, node)),
	    key);
}

struct index *
index_new(void)
{
	struct index *idx = xcalloc(1, sizeof(*idx));

	pthread_rwlock_init(&idx->lock, NULL);
	atomic_init(&idx->version, 1);
	hash_init(&idx->exact, matches_key);
	idx->wild = filter_trie_new();
	return idx;
}

void
index_free(struct index **idxp)
{
	struct index *idx = *idxp;

	*idxp = NULL;
	/* Every session has dropped its own by now. */
	assert(atomic_load(&idx->n_filters) == 0);
	hash_fini(&idx->exact);
	filter_trie_free(&idx->wild);
	pthread_rwlock_destroy(&idx->lock);
	free(idx);
}

static bool
is_wild(struct slice filter)
{
	return filter.len > 0 &&
	    (memchr(filter.ptr, '+', filter.len) != NULL ||
		filter.ptr[filter.len - 1] == '#');
}

static struct entry *
entry_new(struct index *idx, struct slice filter)
{
	struct entry *e = xcalloc(1, sizeof(*e) + filter.len + 1);

	e->subscribers = &e->one;
	e->cap = 1;
	e->filter_len = (uint32_t)filter.len;
	memcpy(e->filter, filter.ptr, filter.len);
	atomic_fetch_add(&idx->n_filters, 1);
	return e;
}

static void
entry_free(struct index *idx, struct entry *e)
{
	if (e->subscribers != &e->one)
		free(e->subscribers);
	free(e);
	atomic_fetch_sub(&idx->n_filters, 1);
}

static struct entry *
entry_find(const struct index *idx, struct slice filter)
{
	struct hash_node *node;

	if (is_wild(filter))
		return filter_trie_find(idx->wild, filter);
	node = hash_find(&idx->exact, filter, hash_key(filter));
	return node != NULL ? container_of(node, struct entry, node) : NULL;
}

static struct entry *
entry_get(struct index *idx, struct slice filter)
{
	struct entry *e = entry_find(idx, filter);

	if (e != NULL)
		return e;
	e = entry_new(idx, filter);
	if (is_wild(filter))
		*filter_trie_slot(idx->wild, filter) = e;
	else
		hash_insert(&idx->exact, &e->node, hash_key(filter));
	return e;
}

static void
entry_remove(struct index *idx, struct entry *e)
{
	if (is_wild(entry_filter(e)))
		(void)filter_trie_remove(idx->wild, entry_filter(e));
	else
		hash_remove(&idx->exact, &e->node);
	entry_free(idx, e);
}

/* The order of subscribers: by worker, then by session. */
static uint64_t
rank(uint64_t session)
{
	return (uint64_t)slots_tag(session) << 56 |
	    ((session & 0xffffff) << 32) | session >> 32;
}

/* Where `session` stands, or would stand. */
static uint32_t
position(const struct entry *e, uint64_t session)
{
	uint32_t lo = 0, hi = e->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (rank(e->subscribers[mid].session) < rank(session))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
stands_at(const struct entry *e, uint32_t i, uint64_t session)
{
	return i < e->n && e->subscribers[i].session == session;
}

static void
make_room(struct entry *e)
{
	struct subscriber *bigger;

	if (e->n < e->cap)
		return;
	e->cap *= 2;
	if (e->subscribers == &e->one) {
		bigger = xmalloc(e->cap * sizeof(*bigger));
		bigger[0] = e->one;
		e->subscribers = bigger;
		return;
	}
	e->subscribers =
	    xrealloc(e->subscribers, e->cap * sizeof(*e->subscribers));
}

void
index_add(struct index *idx, struct slice filter, const struct subscriber *s)
{
	struct entry *e;
	uint32_t i;

	pthread_rwlock_wrlock(&idx->lock);
	e = entry_get(idx, filter);
	i = position(e, s->session);
	if (!stands_at(e, i, s->session)) {
		make_room(e);
		memmove(&e->subscribers[i + 1], &e->subscribers[i],
		    (e->n - i) * sizeof(*s));
		e->n++;
		atomic_fetch_add(&idx->n_subscriptions, 1);
	}
	e->subscribers[i] = *s;
	atomic_fetch_add(&idx->version, 1);
	pthread_rwlock_unlock(&idx->lock);
}

void
index_drop(struct index *idx, struct slice filter, uint64_t session)
{
	struct entry *e;
	uint32_t i;

	pthread_rwlock_wrlock(&idx->lock);
	e = entry_find(idx, filter);
	if (e != NULL && stands_at(e, i = position(e, session), session)) {
		memmove(&e->subscribers[i], &e->subscribers[i + 1],
		    (e->n - i - 1) * sizeof(*e->subscribers));
		atomic_fetch_sub(&idx->n_subscriptions, 1);
		if (--e->n == 0)
			entry_remove(idx, e);
		atomic_fetch_add(&idx->version, 1);
	}
	pthread_rwlock_unlock(&idx->lock);
}

static void
collect(void *value, void *arg)
{
	const struct entry *e = value;
	struct matches *out = arg;

	if (out->n + e->n > out->cap) {
		out->cap = (out->n + e->n) * 2;
		out->items =
		    xrealloc(out->items, out->cap * sizeof(*out->items));
	}
	memcpy(&out->items[out->n], e->subscribers,
	    e->n * sizeof(*e->subscribers));
	out->n += e->n;
	out->n_filters++;
}

static int
by_rank(const void *a, const void *b)
{
	uint64_t ra = rank(((const struct subscriber *)a)->session);
	uint64_t rb = rank(((const struct subscriber *)b)->session);

	return ra < rb ? -1 : ra > rb;
}

void
index_match(struct index *idx, struct slice topic, struct matches *out)
{
	struct hash_node *node;

	out->n = 0;
	out->n_filters = 0;
	/* First: what changes meanwhile has another one. */
	out->version = index_version(idx);
	if (atomic_load_explicit(&idx->n_filters, memory_order_relaxed) == 0)
		return;
	pthread_rwlock_rdlock(&idx->lock);
	out->version = index_version(idx);
	node = hash_find(&idx->exact, topic, hash_key(topic));
	if (node != NULL)
		collect(container_of(node, struct entry, node), out);
	if (filter_trie_len(idx->wild) > 0)
		filter_trie_match(idx->wild, topic, collect, out);
	pthread_rwlock_unlock(&idx->lock);
	if (out->n_filters > 1)
		qsort(out->items, out->n, sizeof(*out->items), by_rank);
}

uint64_t
index_version(struct index *idx)
{
	return atomic_load_explicit(&idx->version, memory_order_acquire);
}

void
matches_fini(struct matches *m)
{
	free(m->items);
	memset(m, 0, sizeof(*m));
}

size_t
index_filters(struct index *idx)
{
	return atomic_load(&idx->n_filters);
}

size_t
index_subscriptions(struct index *idx)
{
	return atomic_load(&idx->n_subscriptions);
}
