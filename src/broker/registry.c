/* SPDX-License-Identifier: Apache-2.0 */
/* registry - Client Identifier -> session, for the whole node. */
#include "broker/registry.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/xalloc.h"

#define N_SHARDS 64

struct shard {
	pthread_mutex_t lock;
	struct hash sessions; /* [l] */
};

struct registry {
	struct shard shards[N_SHARDS];
	atomic_size_t n;
};

static bool
matches(const struct hash_node *node, struct slice key)
{
	return slice_eq(session_client_id(
			    container_of(node, const struct session, node)),
	    key);
}

struct registry *
registry_new(void)
{
	struct registry *r = xcalloc(1, sizeof(*r));

	for (size_t i = 0; i < N_SHARDS; i++) {
		pthread_mutex_init(&r->shards[i].lock, NULL);
		hash_init(&r->shards[i].sessions, matches);
	}
	return r;
}

void
registry_free(struct registry **rp)
{
	struct registry *r = *rp;

	*rp = NULL;
	assert(atomic_load(&r->n) == 0);
	for (size_t i = 0; i < N_SHARDS; i++) {
		hash_fini(&r->shards[i].sessions);
		pthread_mutex_destroy(&r->shards[i].lock);
	}
	free(r);
}

/* The high bits choose the shard, the low ones the bucket in it. */
static struct shard *
shard_of(struct registry *r, uint64_t hash)
{
	return &r->shards[hash >> 58];
}

/* Under the shard's lock. */
static uint64_t
find(const struct shard *s, struct slice client_id, uint64_t hash)
{
	struct hash_node *node = hash_find(&s->sessions, client_id, hash);

	return node != NULL ? container_of(node, struct session, node)->handle
			    : 0;
}

uint64_t
registry_find(struct registry *r, struct slice client_id)
{
	uint64_t hash = hash_key(client_id);
	struct shard *s = shard_of(r, hash);
	uint64_t handle;

	pthread_mutex_lock(&s->lock);
	handle = find(s, client_id, hash);
	pthread_mutex_unlock(&s->lock);
	return handle;
}

/* v5 [MQTT-3.1.3-2], v3.1.1 [MQTT-3.1.3-2] */
uint64_t
registry_claim(struct registry *r, struct session *session)
{
	uint64_t hash = hash_key(session_client_id(session));
	struct shard *s = shard_of(r, hash);
	uint64_t other;

	assert(session->handle != 0);
	pthread_mutex_lock(&s->lock);
	other = find(s, session_client_id(session), hash);
	if (other == 0)
		hash_insert(&s->sessions, &session->node, hash);
	pthread_mutex_unlock(&s->lock);
	if (other == 0)
		atomic_fetch_add(&r->n, 1);
	return other;
}

void
registry_release(struct registry *r, struct session *session)
{
	struct shard *s = shard_of(r, hash_key(session_client_id(session)));

	pthread_mutex_lock(&s->lock);
	hash_remove(&s->sessions, &session->node);
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_sub(&r->n, 1);
}

size_t
registry_len(const struct registry *r)
{
	return atomic_load(&r->n);
}
