/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_trie - many Topic Filters: which of them match this Topic Name?
 *
 * A level_tree of filters, `+` and `#` being levels like any other. A match
 * goes down level by level with all nodes that the topic so far leads to, so
 * that a level is hashed once, whatever number of nodes look for it; each
 * node is visited at most once.
 */
#include "topic/filter_trie.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "topic/level_tree.h"
#include "topic/split.h"
#include "topic/topic.h"

struct filter_trie {
	struct level_tree tree;
	uint32_t one_hash;  /* of the level `+` */
	uint32_t rest_hash; /* of the level `#` */
};

struct filter_trie *
filter_trie_new(void)
{
	struct filter_trie *t = xmalloc(sizeof(*t));

	level_tree_init(&t->tree);
	t->one_hash = level_hash(SLICE("+"));
	t->rest_hash = level_hash(SLICE("#"));
	return t;
}

void
filter_trie_free(struct filter_trie **t)
{
	if (*t == NULL)
		return;
	level_tree_fini(&(*t)->tree);
	free(*t);
	*t = NULL;
}

size_t
filter_trie_len(const struct filter_trie *t)
{
	return t->tree.n_names;
}

void **
filter_trie_slot(struct filter_trie *t, struct slice filter)
{
	return level_tree_slot(&t->tree, filter);
}

void *
filter_trie_find(const struct filter_trie *t, struct slice filter)
{
	return level_tree_find(&t->tree, filter);
}

void *
filter_trie_remove(struct filter_trie *t, struct slice filter)
{
	return level_tree_remove(&t->tree, filter);
}

/* One match: what it looks through and whom it tells. */
struct search {
	const struct filter_trie *trie;
	void (*fn)(void *value, void *arg);
	void *arg;
};

static void
tell(const struct search *s, const struct level_node *n)
{
	if (n->value != NULL)
		s->fn(n->value, s->arg);
}

/* The filter that ends with `#` right below `n`, if there is one. */
static void
tell_rest(const struct search *s, const struct level_node *n)
{
	if (n->has_rest)
		tell(s, level_node_find(n, SLICE("#"), s->trie->rest_hash));
}

/* From the nodes in `from` to those one `level` deeper, in `to`. */
static void
descend(const struct search *s, const struct level_stack *from,
    struct level_stack *to, struct slice level, bool wildcards)
{
	const struct level_node *n, *child;
	uint32_t hash = level_hash(level);
	size_t i;

	to->n = 0;
	for (i = 0; i < from->n; i++) {
		n = from->at[i].node;
		child = level_node_find(n, level, hash);
		if (child != NULL)
			level_stack_push(to, child);
		if (!wildcards)
			continue;
		tell_rest(s, n);
		if (n->has_one) {
			level_stack_push(to,
			    level_node_find(n, SLICE("+"), s->trie->one_hash));
		}
	}
}

void
filter_trie_match(const struct filter_trie *t, struct slice topic,
    void (*fn)(void *value, void *arg), void *arg)
{
	const struct search s = { .trie = t, .fn = fn, .arg = arg };
	struct level_stack stacks[2], *now = &stacks[0], *next = &stacks[1];
	struct level_stack *swap;
	bool more = true, wildcards;
	struct slice level;
	size_t i;

	level_stack_init(now);
	level_stack_init(next);
	level_stack_push(now, t->tree.root);
	wildcards = !topic_is_dollar(topic); /* v5 [MQTT-4.7.2-1] */
	while (now->n > 0 && split_next(&topic, &more, '/', &level)) {
		descend(&s, now, next, level, wildcards);
		wildcards = true;
		swap = now;
		now = next;
		next = swap;
	}
	for (i = 0; i < now->n; i++) {
		tell(&s, now->at[i].node);
		tell_rest(&s, now->at[i].node); /* "x/#" matches "x" */
	}
	level_stack_fini(now);
	level_stack_fini(next);
}
