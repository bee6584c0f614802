/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cover_tree - NATS subscriptions by their tokens, and what overlaps what.
 */
#include "nats/cover_tree.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct trie_node {
	struct hash_node node; /* in parent's children; a literal token */
	struct trie_node *parent;
	struct hash children;
	struct trie_node *star;  /* the child `*` */
	struct cover_leaf *end;  /* the one whose last token this is */
	struct cover_leaf *rest; /* the one that goes on with `>` */
	size_t len;
	char token[];
};

/* --- tokens -------------------------------------------------------------- */

struct slice
cover_next_token(struct slice *rest)
{
	struct slice token = *rest;
	const uint8_t *dot =
	    token.len > 0 ? memchr(token.ptr, '.', token.len) : NULL;

	if (dot != NULL) {
		token.len = (size_t)(dot - token.ptr);
		*rest = slice_skip(*rest, token.len + 1);
	} else {
		*rest = slice_of(NULL, 0);
	}
	return token;
}

static bool
is_star(struct slice token)
{
	return token.len == 1 && token.ptr[0] == '*';
}

static bool
is_rest(struct slice token)
{
	return token.len == 1 && token.ptr[0] == '>';
}

bool
cover_within(struct slice inner, struct slice outer)
{
	while (inner.len > 0 && outer.len > 0) {
		struct slice in = cover_next_token(&inner);
		struct slice out = cover_next_token(&outer);

		if (is_rest(out))
			return true;
		if (is_rest(in) || (!is_star(out) && !slice_eq(in, out)))
			return false;
	}
	return inner.len == 0 && outer.len == 0;
}

void
cover_join(struct slice a, struct slice b, struct buf *out)
{
	buf_reset(out);
	while (a.len > 0 || b.len > 0) {
		struct slice ta = cover_next_token(&a);
		struct slice tb = cover_next_token(&b);

		if (buf_len(out) > 0)
			buf_append_byte(out, '.');
		if (ta.len == 0 || tb.len == 0 || is_rest(ta) || is_rest(tb)) {
			buf_append_byte(out, '>');
			return;
		}
		buf_append_slice(out, slice_eq(ta, tb) ? ta : SLICE("*"));
	}
}

/* --- the tree ------------------------------------------------------------ */

static bool
node_matches(const struct hash_node *node, struct slice key)
{
	const struct trie_node *n =
	    container_of(node, const struct trie_node, node);

	return slice_eq(slice_of(n->token, n->len), key);
}

static struct trie_node *
node_new(struct trie_node *parent, struct slice token)
{
	struct trie_node *n = xcalloc(1, sizeof(*n) + token.len + 1);

	n->parent = parent;
	hash_init(&n->children, node_matches);
	n->len = token.len;
	if (token.len > 0)
		memcpy(n->token, token.ptr, token.len);
	return n;
}

static struct trie_node *
child_of(const struct trie_node *n, struct slice token)
{
	struct hash_node *found;

	if (is_star(token))
		return n->star;
	if (n->children.n == 0)
		return NULL;
	found = hash_find(&n->children, token, hash_key(token));
	return found != NULL ? container_of(found, struct trie_node, node)
			     : NULL;
}

static struct trie_node *
child_made(struct trie_node *n, struct slice token)
{
	struct trie_node *child = child_of(n, token);

	if (child != NULL)
		return child;
	child = node_new(n, token);
	if (is_star(token))
		n->star = child;
	else
		hash_insert(&n->children, &child->node, hash_key(token));
	return child;
}

void
cover_tree_insert(struct cover_tree *t, struct cover_leaf *leaf,
    struct slice subject)
{
	struct slice rest = subject;
	struct trie_node *n = t->root;

	while (rest.len > 0) {
		struct slice token = cover_next_token(&rest);

		if (is_rest(token)) {
			assert(n->rest == NULL);
			n->rest = leaf;
			leaf->at = n;
			return;
		}
		n = child_made(n, token);
	}
	assert(n->end == NULL);
	n->end = leaf;
	leaf->at = n;
}

static bool
node_is_bare(const struct trie_node *n)
{
	return n->end == NULL && n->rest == NULL && n->star == NULL &&
	    n->children.n == 0;
}

void
cover_tree_remove(struct cover_leaf *leaf)
{
	struct trie_node *n = leaf->at;

	if (n->rest == leaf)
		n->rest = NULL;
	else
		n->end = NULL;
	leaf->at = NULL;
	while (n->parent != NULL && node_is_bare(n)) {
		struct trie_node *parent = n->parent;

		if (parent->star == n)
			parent->star = NULL;
		else
			hash_remove(&parent->children, &n->node);
		hash_fini(&n->children);
		free(n);
		n = parent;
	}
}

/* --- what overlaps ------------------------------------------------------- */

static void
found(struct cover_tree *t, struct cover_leaf *leaf)
{
	if (leaf == NULL)
		return;
	if (t->n_found == t->found_cap) {
		t->found_cap = t->found_cap > 0 ? 2 * t->found_cap : 16;
		t->found = xrealloc(t->found,
		    t->found_cap * sizeof(struct cover_leaf *));
	}
	t->found[t->n_found++] = leaf;
}

static void find_below(struct cover_tree *t, struct trie_node *n);
static void find_from(struct cover_tree *t, struct trie_node *n,
    struct slice rest);

/* What a walk over all literal children carries. */
struct walk {
	struct cover_tree *t;
	struct slice rest;
	bool everything;
};

static void
find_in(struct walk *w, struct trie_node *child)
{
	if (child == NULL)
		return;
	if (w->everything || w->rest.len == 0)
		found(w->t, child->end);
	if (w->everything)
		find_below(w->t, child);
	else if (w->rest.len > 0)
		find_from(w->t, child, w->rest);
}

static bool
find_in_child(struct hash_node *node, void *arg)
{
	find_in(arg, container_of(node, struct trie_node, node));
	return true;
}

/* All subscriptions that have at least one token behind `n`. */
static void
find_below(struct cover_tree *t, struct trie_node *n)
{
	struct walk w = { .t = t, .everything = true };

	found(t, n->rest);
	find_in(&w, n->star);
	hash_each(&n->children, find_in_child, &w);
}

/* All that overlap the filter whose tokens from `n` on are `rest`. */
static void
find_from(struct cover_tree *t, struct trie_node *n, struct slice rest)
{
	struct slice token = cover_next_token(&rest);
	struct walk w = { .t = t, .rest = rest };

	if (is_rest(token)) {
		find_below(t, n);
		return;
	}
	found(t, n->rest);
	find_in(&w, n->star);
	if (is_star(token))
		hash_each(&n->children, find_in_child, &w);
	else
		find_in(&w, child_of(n, token));
}

void
cover_tree_overlaps(struct cover_tree *t, struct slice filter)
{
	t->n_found = 0;
	find_from(t, t->root, filter);
}

/* --- life ---------------------------------------------------------------- */

void
cover_tree_init(struct cover_tree *t)
{
	*t = (struct cover_tree){
		.root = node_new(NULL, slice_of(NULL, 0)),
	};
}

void
cover_tree_fini(struct cover_tree *t)
{
	assert(node_is_bare(t->root));
	hash_fini(&t->root->children);
	free(t->root);
	free(t->found);
}
