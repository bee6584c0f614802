/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cover_tree - NATS subscriptions by their tokens, and what overlaps what.
 *
 *   a.b, a.*, x.>      root --+-- a --+-- b (end)
 *                             |       +-- * (end)
 *                             +-- x (rest)
 *
 * Those that overlap a filter are found by walking only where it leads. The
 * leaves are the caller's; each is in one tree at most. One owner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/slice.h"

struct trie_node;

struct cover_leaf {
	struct trie_node *at; /* NULL: in no tree */
};

struct cover_tree {
	struct trie_node *root;
	/* What the last search has found. */
	struct cover_leaf **found;
	size_t n_found;
	size_t found_cap;
};

void cover_tree_init(struct cover_tree *t);
/* It is empty. */
void cover_tree_fini(struct cover_tree *t);
/* There is none of this subject yet. */
void cover_tree_insert(struct cover_tree *t, struct cover_leaf *leaf,
    struct slice subject);
void cover_tree_remove(struct cover_leaf *leaf);
/*
 * Find all leaves that match some subject that `filter` matches, too; they
 * are in t->found until the next search.
 */
void cover_tree_overlaps(struct cover_tree *t, struct slice filter);

/* The first token of *rest, which is cut off it. */
struct slice cover_next_token(struct slice *rest);
/* Does everything that `inner` matches match `outer`, too? */
bool cover_within(struct slice inner, struct slice outer);
/* The narrowest filter of one shape that has all of `a` and all of `b`. */
void cover_join(struct slice a, struct slice b, struct buf *out);
