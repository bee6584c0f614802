/* SPDX-License-Identifier: Apache-2.0 */
/*
 * level_tree - names cut into levels, a node for each.
 *
 *   children   0          1              2 and more
 *              NULL       only -> node   table -> [ ][node][ ][node]
 *
 * A table is probed linearly. It is never full, so that a probe ends at a
 * free slot; taking one out moves those behind it up, so that no search has
 * to step over graves.
 */
#include "topic/level_tree.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "topic/split.h"
#include "topic/topic.h"

#define TABLE_MIN_LOG2 2

static_assert(offsetof(struct level_node, level) == 28,
    "a node has no holes in front of its level");
static_assert(TOPIC_MAX <= UINT16_MAX, "level_len holds every length");

uint32_t
level_hash(struct slice level)
{
	return (uint32_t)hash_key(level);
}

static size_t
table_mask(const struct level_node *n)
{
	return ((size_t)1 << n->table_log2) - 1;
}

static bool
has_level(const struct level_node *n, struct slice level, uint32_t hash)
{
	return n->hash == hash && n->level_len == level.len &&
	    (level.len == 0 || memcmp(n->level, level.ptr, level.len) == 0);
}

struct level_node *
level_node_find(const struct level_node *n, struct slice level, uint32_t hash)
{
	struct level_node *child;
	size_t i, mask;

	if (n->n_children <= 1) {
		child = n->children.only;
		return child != NULL && has_level(child, level, hash) ? child
								      : NULL;
	}
	mask = table_mask(n);
	for (i = hash & mask; (child = n->children.table[i]) != NULL;
	     i = (i + 1) & mask)
		if (has_level(child, level, hash))
			return child;
	return NULL;
}

struct level_node *
level_node_next(const struct level_node *n, size_t *pos)
{
	size_t end;

	if (n->n_children <= 1)
		return (*pos)++ == 0 ? n->children.only : NULL;
	end = table_mask(n) + 1;
	while (*pos < end)
		if (n->children.table[(*pos)++] != NULL)
			return n->children.table[*pos - 1];
	return NULL;
}

/* Put a child into a free slot of the table. */
static void
table_put(struct level_node *n, struct level_node *child)
{
	size_t mask = table_mask(n);
	size_t i = child->hash & mask;

	while (n->children.table[i] != NULL)
		i = (i + 1) & mask;
	n->children.table[i] = child;
}

static void
table_resize(struct level_node *n, unsigned log2)
{
	struct level_node **old = n->children.table;
	size_t i, end = table_mask(n) + 1;

	n->children.table = xcalloc((size_t)1 << log2, sizeof(old[0]));
	n->table_log2 = (uint8_t)log2;
	for (i = 0; i < end; i++)
		if (old[i] != NULL)
			table_put(n, old[i]);
	free(old);
}

/* Take the child in slot `hole` out and close the gap. */
static void
table_take(struct level_node *n, size_t hole)
{
	struct level_node **table = n->children.table;
	size_t i, mask = table_mask(n);

	for (i = (hole + 1) & mask; table[i] != NULL; i = (i + 1) & mask) {
		/* Only what would be found in the hole may move there. */
		if (((i - table[i]->hash) & mask) < ((i - hole) & mask))
			continue;
		table[hole] = table[i];
		hole = i;
	}
	table[hole] = NULL;
}

static void
table_new(struct level_node *n)
{
	struct level_node *only = n->children.only;

	n->table_log2 = TABLE_MIN_LOG2;
	n->children.table =
	    xcalloc((size_t)1 << TABLE_MIN_LOG2, sizeof(struct level_node *));
	table_put(n, only);
}

/* The table holds one child: let that hang on the node directly. */
static void
table_free(struct level_node *n)
{
	struct level_node **table = n->children.table;
	size_t i = 0;

	while (table[i] == NULL)
		i++;
	n->children.only = table[i];
	n->table_log2 = 0;
	free(table);
}

static struct level_node *
node_new(struct slice level, uint32_t hash)
{
	/* Less than sizeof, which counts padding that the level may use. */
	const size_t head = offsetof(struct level_node, level);
	struct level_node *n = xmalloc(head + level.len);

	memset(n, 0, head);
	n->hash = hash;
	n->level_len = (uint16_t)level.len;
	if (level.len > 0)
		memcpy(n->level, level.ptr, level.len);
	return n;
}

static struct slice
node_level(const struct level_node *n)
{
	return slice_of(n->level, n->level_len);
}

static void
note_wildcard(struct level_node *parent, const struct level_node *child,
    bool there)
{
	if (split_is(node_level(child), '+'))
		parent->has_one = there;
	else if (split_is(node_level(child), '#'))
		parent->has_rest = there;
}

static void
add_child(struct level_node *n, struct level_node *child)
{
	note_wildcard(n, child, true);
	n->n_children++;
	if (n->n_children == 1) {
		n->children.only = child;
		return;
	}
	if (n->n_children == 2)
		table_new(n);
	else if (n->n_children > (table_mask(n) + 1) / 4 * 3)
		table_resize(n, n->table_log2 + 1);
	table_put(n, child);
}

static void
drop_child(struct level_node *n, const struct level_node *child)
{
	size_t i, mask = table_mask(n);

	note_wildcard(n, child, false);
	n->n_children--;
	if (n->n_children == 0) {
		n->children.only = NULL;
		return;
	}
	for (i = child->hash & mask; n->children.table[i] != child;)
		i = (i + 1) & mask;
	table_take(n, i);
	if (n->n_children == 1)
		table_free(n);
	else if (n->table_log2 > TABLE_MIN_LOG2 &&
	    n->n_children < (mask + 1) / 8)
		table_resize(n, n->table_log2 - 1);
}

void
level_tree_init(struct level_tree *t)
{
	t->root = node_new(SLICE(""), 0);
	t->n_names = 0;
}

void
level_tree_fini(struct level_tree *t)
{
	struct level_node *todo = t->root, *child, *n;
	size_t pos;

	/* Nodes that wait to be freed are chained through their values. */
	while ((n = todo) != NULL) {
		todo = n->value;
		for (pos = 0; (child = level_node_next(n, &pos)) != NULL;) {
			child->value = todo;
			todo = child;
		}
		if (n->n_children > 1)
			free(n->children.table);
		free(n);
	}
	*t = (struct level_tree){ .root = NULL };
}

/* The node at the end of the path `name`, or NULL. */
static struct level_node *
node_at(const struct level_tree *t, struct slice name)
{
	struct level_node *n = t->root;
	struct slice level;
	bool more = true;

	while (n != NULL && split_next(&name, &more, '/', &level))
		n = level_node_find(n, level, level_hash(level));
	return n;
}

void **
level_tree_slot(struct level_tree *t, struct slice name)
{
	struct level_node *n = t->root, *child;
	struct slice level;
	bool more = true;
	uint32_t hash;

	while (split_next(&name, &more, '/', &level)) {
		hash = level_hash(level);
		child = level_node_find(n, level, hash);
		if (child == NULL) {
			child = node_new(level, hash);
			add_child(n, child);
		}
		n = child;
	}
	t->n_names += !n->is_name;
	n->is_name = true;
	return &n->value;
}

void *
level_tree_find(const struct level_tree *t, struct slice name)
{
	const struct level_node *n = node_at(t, name);

	return n != NULL ? n->value : NULL;
}

/*
 * The node at the end of the path has become useless: free it, and with it
 * those above that only led there, up to one with a name, with another child,
 * or the root.
 */
static void
prune(struct level_tree *t, struct slice name)
{
	struct level_node *n = t->root, *needed = n, *cut = NULL, *child;
	struct slice level;
	bool more = true;

	while (split_next(&name, &more, '/', &level)) {
		child = level_node_find(n, level, level_hash(level));
		if (n == t->root || n->is_name || n->n_children > 1) {
			needed = n;
			cut = child;
		}
		n = child;
	}
	drop_child(needed, cut);
	for (n = cut; n != NULL; n = child) {
		child = n->children.only;
		free(n);
	}
}

void *
level_tree_remove(struct level_tree *t, struct slice name)
{
	struct level_node *n = node_at(t, name);
	void *value;

	if (n == NULL || !n->is_name)
		return NULL;
	value = n->value;
	n->value = NULL;
	n->is_name = false;
	t->n_names--;
	if (n->n_children == 0)
		prune(t, name);
	return value;
}

void
level_stack_init(struct level_stack *s)
{
	s->at = s->few;
	s->n = 0;
	s->cap = countof(s->few);
}

void
level_stack_fini(struct level_stack *s)
{
	if (s->at != s->few)
		free(s->at);
}

static void
stack_grow(struct level_stack *s)
{
	struct level_visit *old = s->at;

	s->cap *= 2;
	s->at = xmalloc(s->cap * sizeof(*s->at));
	memcpy(s->at, old, s->n * sizeof(*s->at));
	if (old != s->few)
		free(old);
}

void
level_stack_push(struct level_stack *s, const struct level_node *node)
{
	if (s->n == s->cap)
		stack_grow(s);
	s->at[s->n++] = (struct level_visit){ .node = node };
}
