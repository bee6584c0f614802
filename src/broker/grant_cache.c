/* SPDX-License-Identifier: Apache-2.0 */
/* grant_cache - what a service has said a moment ago. */
#include "broker/grant_cache.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/queue.h"
#include "base/random.h"
#include "base/xalloc.h"

struct entry {
	struct hash_node node;
	TAILQ_ENTRY(entry)
	by_age;
	struct grant_key key;
	struct grant *grant;
	uint64_t until_ms;
};

struct grant_cache {
	pthread_mutex_t lock;
	uint8_t secret[GRANT_KEY_LEN]; /* [I] */
	struct hash entries;           /* [l] */
	TAILQ_HEAD(, entry) by_age;    /* [l] */
};

static struct slice
key_slice(const struct grant_key *key)
{
	return slice_of(key->bytes, sizeof(key->bytes));
}

static bool
has_key(const struct hash_node *node, struct slice key)
{
	const struct entry *e = container_of(node, const struct entry, node);

	return CRYPTO_memcmp(e->key.bytes, key.ptr, key.len) == 0;
}

struct grant_cache *
grant_cache_new(void)
{
	struct grant_cache *c = xcalloc(1, sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	random_bytes(c->secret, sizeof(c->secret));
	hash_init(&c->entries, has_key);
	TAILQ_INIT(&c->by_age);
	return c;
}

static void
drop(struct grant_cache *c, struct entry *e)
{
	hash_remove(&c->entries, &e->node);
	TAILQ_REMOVE(&c->by_age, e, by_age);
	grant_unref(&e->grant);
	free(e);
}

static void
drop_all(struct grant_cache *c)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(&c->by_age)) != NULL)
		drop(c, e);
}

void
grant_cache_free(struct grant_cache **cp)
{
	struct grant_cache *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	drop_all(c);
	hash_fini(&c->entries);
	OPENSSL_cleanse(c->secret, sizeof(c->secret));
	pthread_mutex_destroy(&c->lock);
	free(c);
}

struct grant_key
grant_cache_key(const struct grant_cache *c, struct slice question)
{
	struct grant_key key = { { 0 } };
	unsigned len = 0;

	if (HMAC(EVP_sha256(), c->secret, sizeof(c->secret), question.ptr,
		question.len, key.bytes, &len) == NULL)
		abort();
	assert(len == sizeof(key.bytes));
	return key;
}

static struct entry *
find(const struct grant_cache *c, const struct grant_key *key)
{
	struct hash_node *node =
	    hash_find(&c->entries, key_slice(key), hash_key(key_slice(key)));

	return node != NULL ? container_of(node, struct entry, node) : NULL;
}

struct grant *
grant_cache_find(struct grant_cache *c, const struct grant_key *key,
    uint64_t now_ms)
{
	struct grant *g = NULL;
	struct entry *e;

	pthread_mutex_lock(&c->lock);
	e = find(c, key);
	if (e != NULL && e->until_ms <= now_ms)
		drop(c, e);
	else if (e != NULL)
		g = grant_ref(e->grant);
	pthread_mutex_unlock(&c->lock);
	return g;
}

void
grant_cache_put(struct grant_cache *c, const struct grant_key *key,
    struct grant *g, uint64_t until_ms)
{
	struct entry *e;

	pthread_mutex_lock(&c->lock);
	e = find(c, key);
	if (e != NULL)
		drop(c, e);
	if (c->entries.n >= GRANT_CACHE_MAX)
		drop(c, TAILQ_FIRST(&c->by_age));
	e = xcalloc(1, sizeof(*e));
	e->key = *key;
	e->grant = grant_ref(g);
	e->until_ms = until_ms;
	hash_insert(&c->entries, &e->node, hash_key(key_slice(key)));
	TAILQ_INSERT_TAIL(&c->by_age, e, by_age);
	pthread_mutex_unlock(&c->lock);
}

void
grant_cache_clear(struct grant_cache *c)
{
	pthread_mutex_lock(&c->lock);
	drop_all(c);
	pthread_mutex_unlock(&c->lock);
}
