/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retained - the Retained Messages of this node.
 *
 *   shard[hash(first level)] --> lock, topic trie --> struct kept --> message
 */
#include "store/retained.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "store/expiring.h"
#include "store/store.h"
#include "topic/topic_trie.h"

#define N_SHARDS     64
/* What goes of a shard at a time, since others wait for its lock. */
#define EXPIRE_BATCH 128

/* A topic that is retained: the message changes, its order does not. */
struct kept {
	struct expiring_item expiry; /* [l] in its shard's, if it expires */
	struct message *message;     /* [l] */
	uint64_t order;              /* [l] */
};

struct shard {
	pthread_mutex_t lock;
	struct topic_trie *trie;  /* [l] of struct kept */
	struct expiring expiring; /* [l] */
};

struct retained {
	struct shard shards[N_SHARDS];
	atomic_ullong next_order;
	atomic_size_t n;
	atomic_size_t n_expiring;
	atomic_size_t bytes;
	struct store *store; /* [I] NULL: in memory only */
	char *owner;         /* [I] in the store */
};

struct retained *
retained_new(void)
{
	struct retained *r = xcalloc(1, sizeof(*r));

	for (size_t i = 0; i < N_SHARDS; i++) {
		pthread_mutex_init(&r->shards[i].lock, NULL);
		r->shards[i].trie = topic_trie_new();
	}
	return r;
}

void
retained_keep(struct retained *r, struct store *store, const char *owner)
{
	r->store = store;
	r->owner = owner != NULL ? xstrdup(owner) : NULL;
}

static void
kept_free(struct kept *k)
{
	message_unref(&k->message);
	free(k);
}

static bool
free_one(void *value, void *arg)
{
	(void)arg;
	kept_free(value);
	return true;
}

void
retained_free(struct retained **rp)
{
	struct retained *r = *rp;

	*rp = NULL;
	for (size_t i = 0; i < N_SHARDS; i++) {
		/* `#` leaves topics that begin with `$` out. */
		topic_trie_each(r->shards[i].trie, free_one, NULL);
		topic_trie_free(&r->shards[i].trie);
		expiring_fini(&r->shards[i].expiring);
		pthread_mutex_destroy(&r->shards[i].lock);
	}
	free(r->owner);
	free(r);
}

/*
 * Under the shard's lock, so that the store hears of the changes of a topic
 * in their order. Posting is one exchange; it waits for nothing.
 */
static void
post_change(struct retained *r, const struct kept *k, enum batch_verb verb,
    struct message *m)
{
	struct retained_record record = { .owner = slice_str(r->owner) };
	struct batch *b;

	if (r->store == NULL)
		return;
	b = batch_new();
	if (m != NULL)
		record_put_retained(&b->values, &record);
	batch_add(b, verb, RECORD_RETAINED, record_key(k->order), m);
	store_post_alone(r->store, &b);
}

static struct slice
first_level(struct slice topic)
{
	const uint8_t *slash =
	    topic.len > 0 ? memchr(topic.ptr, '/', topic.len) : NULL;

	return slash != NULL ? slice_of(topic.ptr, (size_t)(slash - topic.ptr))
			     : topic;
}

static struct shard *
shard_of(struct retained *r, struct slice topic)
{
	return &r->shards[hash_key(first_level(topic)) % N_SHARDS];
}

/* Under the shard's lock; 0: it does not expire. */
static void
set_expiry(struct retained *r, struct shard *s, struct kept *k, uint64_t at_ms)
{
	uint32_t before = s->expiring.n;

	expiring_set(&s->expiring, &k->expiry, at_ms);
	atomic_fetch_add(&r->n_expiring, (size_t)s->expiring.n - before);
}

/* Under the shard's lock; the message that went, for the caller to drop. */
static struct message *
clear(struct retained *r, struct shard *s, struct slice topic)
{
	struct kept *k = topic_trie_remove(s->trie, topic);
	struct message *old;

	if (k == NULL)
		return NULL;
	old = k->message;
	post_change(r, k, BATCH_DELETE, NULL);
	set_expiry(r, s, k, 0);
	free(k);
	atomic_fetch_sub(&r->n, 1);
	atomic_fetch_sub(&r->bytes, message_size(old));
	return old;
}

/* In the store, all that are retained for anybody stand in one table. */
static uint64_t
next_order(struct retained *r)
{
	return r->store != NULL ? store_next_id(r->store)
				: atomic_fetch_add(&r->next_order, 1);
}

/* Under the shard's lock. */
static struct kept *
add(struct retained *r, struct shard *s, struct slice topic, uint64_t order)
{
	struct kept *k = xcalloc(1, sizeof(*k));

	k->order = order;
	*topic_trie_slot(s->trie, topic) = k;
	atomic_fetch_add(&r->n, 1);
	return k;
}

/* Under the shard's lock. */
static void
fill(struct retained *r, struct shard *s, struct kept *k, struct message *m)
{
	k->message = message_ref(m);
	set_expiry(r, s, k, m->expires_ms);
	atomic_fetch_add(&r->bytes, message_size(m));
}

/* Under the shard's lock; *old is the message that was replaced. */
static bool
replace(struct retained *r, struct shard *s, struct message *m, size_t max,
    struct message **old)
{
	struct kept *k = topic_trie_find(s->trie, message_topic(m));

	if (k == NULL) {
		if (max > 0 && atomic_load(&r->n) >= max)
			return false;
		k = add(r, s, message_topic(m), next_order(r));
	} else {
		*old = k->message;
		atomic_fetch_sub(&r->bytes, message_size(*old));
	}
	fill(r, s, k, m);
	post_change(r, k, *old == NULL ? BATCH_PUT : BATCH_SET, m);
	return true;
}

void
retained_restore(struct retained *r, struct message *m, uint64_t order)
{
	struct shard *s = shard_of(r, message_topic(m));

	pthread_mutex_lock(&s->lock);
	if (topic_trie_find(s->trie, message_topic(m)) == NULL)
		fill(r, s, add(r, s, message_topic(m), order), m);
	pthread_mutex_unlock(&s->lock);
}

/*
 * v5 [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7], v3.1.1 [MQTT-3.3.1-7]
 * [MQTT-3.3.1-11]
 */
bool
retained_set(struct retained *r, struct message *m, size_t max)
{
	struct shard *s = shard_of(r, message_topic(m));
	struct message *old = NULL;
	bool taken = true;

	pthread_mutex_lock(&s->lock);
	if (m->payload_len == 0) /* v3.1.1 [MQTT-3.3.1-10] */
		old = clear(r, s, message_topic(m));
	else /* v3.1.1 [MQTT-3.3.1-5] */
		taken = replace(r, s, m, max, &old);
	pthread_mutex_unlock(&s->lock);
	if (old != NULL)
		message_unref(&old);
	return taken;
}

struct match {
	bool (*fn)(struct message *, uint64_t, void *);
	void *arg;
	uint64_t wall_ms;
	bool stopped;
};

static bool
match_one(void *value, void *arg)
{
	struct kept *k = value;
	struct match *m = arg;

	if (message_is_expired(k->message, m->wall_ms))
		return true;
	m->stopped = !m->fn(k->message, k->order, m->arg);
	return !m->stopped;
}

static void
match_shard(struct shard *s, struct slice filter, struct match *m)
{
	pthread_mutex_lock(&s->lock);
	topic_trie_match(s->trie, filter, match_one, m);
	pthread_mutex_unlock(&s->lock);
}

void
retained_match(struct retained *r, struct slice filter, uint64_t wall_ms,
    bool (*fn)(struct message *, uint64_t, void *), void *arg)
{
	struct match m = { .fn = fn, .arg = arg, .wall_ms = wall_ms };
	struct slice first = first_level(filter);

	if (atomic_load(&r->n) == 0)
		return;
	if (!slice_eq(first, SLICE("+")) && !slice_eq(first, SLICE("#"))) {
		match_shard(shard_of(r, filter), filter, &m);
		return;
	}
	for (size_t i = 0; i < N_SHARDS && !m.stopped; i++)
		match_shard(&r->shards[i], filter, &m);
}

/* Under the shard's lock. */
static struct message *
clear_expired(struct retained *r, struct shard *s, uint64_t wall_ms)
{
	struct expiring_item *first = expiring_first(&s->expiring);
	struct kept *k;

	if (first == NULL || first->at_ms > wall_ms)
		return NULL;
	k = container_of(first, struct kept, expiry);
	return clear(r, s, message_topic(k->message));
}

static size_t
expire_shard(struct retained *r, struct shard *s, uint64_t wall_ms)
{
	struct message *gone[EXPIRE_BATCH];
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	while (n < EXPIRE_BATCH &&
	    (gone[n] = clear_expired(r, s, wall_ms)) != NULL)
		n++;
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < n; i++)
		message_unref(&gone[i]);
	return n;
}

size_t
retained_expire(struct retained *r, uint64_t wall_ms)
{
	size_t n = 0;

	if (atomic_load(&r->n_expiring) == 0)
		return 0;
	for (size_t i = 0; i < N_SHARDS; i++)
		n += expire_shard(r, &r->shards[i], wall_ms);
	return n;
}

size_t
retained_count(const struct retained *r)
{
	return atomic_load(&r->n);
}

size_t
retained_bytes(const struct retained *r)
{
	return atomic_load(&r->bytes);
}
