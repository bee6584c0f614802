/* SPDX-License-Identifier: Apache-2.0 */
/*
 * level_tree - names cut into levels, a node for each: what filter_trie and
 * topic_trie have in common.
 *
 *   a/b, a/+, x        root --+-- a --+-- b
 *                             |       +-- +
 *                             +-- x
 *
 * Built for a million nodes: a node is 28 bytes and its level. Its only child
 * hangs on it directly; two and more are in a table with open addressing,
 * hashed by level with the secret of the process and never more than three
 * quarters full. Nothing here recurses, as a name can have 65536 levels. Not
 * thread-safe; reading needs nothing but the absence of a writer.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct level_node {
	void *value;
	union {
		struct level_node *only;   /* of at most one child, or NULL */
		struct level_node **table; /* of more; NULL: free slot */
	} children;
	uint32_t n_children;
	uint32_t hash; /* of the level */
	uint16_t level_len;
	uint8_t table_log2; /* the table has two to this many slots */
	bool is_name : 1;   /* a name ends here */
	bool has_one : 1;   /* has a child `+` */
	bool has_rest : 1;  /* has a child `#` */
	uint8_t level[];
};

struct level_tree {
	struct level_node *root; /* the empty path, not a name */
	size_t n_names;
};

void level_tree_init(struct level_tree *t);
/* Free all nodes; the values are not touched. */
void level_tree_fini(struct level_tree *t);

/* As in the headers of the two tries. */
void **level_tree_slot(struct level_tree *t, struct slice name);
void *level_tree_find(const struct level_tree *t, struct slice name);
void *level_tree_remove(struct level_tree *t, struct slice name);

uint32_t level_hash(struct slice level);
/* The child with that level and its hash, or NULL. */
struct level_node *level_node_find(const struct level_node *n,
    struct slice level, uint32_t hash);
/* Children one by one, in no order: start with *pos = 0, ends with NULL. */
struct level_node *level_node_next(const struct level_node *n, size_t *pos);

/* Nodes still to be visited; the first few need no memory. */
struct level_visit {
	const struct level_node *node;
	size_t pos;
};

struct level_stack {
	struct level_visit *at;
	size_t n;
	size_t cap;
	struct level_visit few[32];
};

void level_stack_init(struct level_stack *s);
void level_stack_fini(struct level_stack *s);
void level_stack_push(struct level_stack *s, const struct level_node *node);
