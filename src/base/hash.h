/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash - a table of things that carry their own link.
 *
 * Chained, grown by doubling, keyed by SipHash with a secret of the process,
 * so that nobody on the network can choose colliding keys. The table owns
 * its bucket array only; the things belong to the caller. Not thread-safe.
 */
#pragma once

#include "base/slice.h"

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

/* Is the thing behind this node the one with that key? */
typedef bool hash_match_fn(const struct hash_node *node, struct slice key);

struct hash {
	struct hash_node **buckets; /* NULL while nothing was inserted */
	size_t mask;                /* number of buckets less one */
	size_t n;
	hash_match_fn *match;
};

/* The keyed hash of `key`; the same in every thread of this process. */
uint64_t hash_key(struct slice key);

void hash_init(struct hash *h, hash_match_fn *match);
/* Free the buckets; the things in them are not touched. */
void hash_fini(struct hash *h);

/* The node with this key, or NULL. `hash` is hash_key(key). */
struct hash_node *hash_find(const struct hash *h, struct slice key,
    uint64_t hash);
/* Add a node; that no other has its key is the caller's care. */
void hash_insert(struct hash *h, struct hash_node *node, uint64_t hash);
/* Take out a node that is in the table. */
void hash_remove(struct hash *h, struct hash_node *node);
/*
 * Call `fn` for every node; it may remove and free the node that it is
 * given, and must not insert. Stops early when it returns false.
 */
void hash_each(struct hash *h, bool (*fn)(struct hash_node *, void *),
    void *arg);
