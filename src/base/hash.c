/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash - a table of things that carry their own link.
 *
 * A node keeps its whole hash, so that growing asks nobody for keys, and a
 * chain is compared by hash before it is compared by key.
 */
#include "base/hash.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/siphash.h"
#include "base/xalloc.h"

#define HASH_MIN_BUCKETS 16u

static struct siphash_key secret;
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void
make_secret(void)
{
	random_bytes(&secret, sizeof(secret));
}

uint64_t
hash_key(struct slice key)
{
	pthread_once(&secret_once, make_secret);
	return siphash13(&secret, key);
}

void
hash_init(struct hash *h, hash_match_fn *match)
{
	*h = (struct hash){ .match = match };
}

void
hash_fini(struct hash *h)
{
	free(h->buckets);
	*h = (struct hash){ .match = h->match };
}

struct hash_node *
hash_find(const struct hash *h, struct slice key, uint64_t hash)
{
	struct hash_node *node;

	if (h->buckets == NULL)
		return NULL;
	for (node = h->buckets[hash & h->mask]; node != NULL; node = node->next)
		if (node->hash == hash && h->match(node, key))
			return node;
	return NULL;
}

static void
link_node(struct hash *h, struct hash_node *node)
{
	struct hash_node **bucket = &h->buckets[node->hash & h->mask];

	node->next = *bucket;
	*bucket = node;
}

static void
grow(struct hash *h)
{
	struct hash_node **old = h->buckets, *node, *next;
	size_t n_old = old != NULL ? h->mask + 1 : 0;
	size_t n_new = old != NULL ? n_old * 2 : HASH_MIN_BUCKETS;
	size_t i;

	h->buckets = xcalloc(n_new, sizeof(h->buckets[0]));
	h->mask = n_new - 1;
	for (i = 0; i < n_old; i++) {
		for (node = old[i]; node != NULL; node = next) {
			next = node->next;
			link_node(h, node);
		}
	}
	free(old);
}

void
hash_insert(struct hash *h, struct hash_node *node, uint64_t hash)
{
	if (h->buckets == NULL || h->n > h->mask)
		grow(h);
	node->hash = hash;
	link_node(h, node);
	h->n++;
}

void
hash_remove(struct hash *h, struct hash_node *node)
{
	struct hash_node **at;

	assert(h->buckets != NULL);
	at = &h->buckets[node->hash & h->mask];
	while (*at != node) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	h->n--;
}

void
hash_each(struct hash *h, bool (*fn)(struct hash_node *, void *), void *arg)
{
	struct hash_node *node, *next;
	size_t i;

	if (h->buckets == NULL)
		return;
	for (i = 0; i <= h->mask; i++) {
		for (node = h->buckets[i]; node != NULL; node = next) {
			next = node->next;
			if (!fn(node, arg))
				return;
		}
	}
}
