/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topic_trie - many Topic Names: which of them match this Topic Filter?
 *
 * A level_tree of topics. A match walks it depth first; the node at depth d
 * (the root has 0) chooses among its children by level d of the filter:
 *
 *   filter   a / + / #
 *   step     0   1   2 2 2 ...
 */
#include "topic/topic_trie.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "topic/level_tree.h"
#include "topic/split.h"
#include "topic/topic.h"

struct topic_trie {
	struct level_tree tree;
};

struct topic_trie *
topic_trie_new(void)
{
	struct topic_trie *t = xmalloc(sizeof(*t));

	level_tree_init(&t->tree);
	return t;
}

void
topic_trie_free(struct topic_trie **t)
{
	if (*t == NULL)
		return;
	level_tree_fini(&(*t)->tree);
	free(*t);
	*t = NULL;
}

size_t
topic_trie_len(const struct topic_trie *t)
{
	return t->tree.n_names;
}

void **
topic_trie_slot(struct topic_trie *t, struct slice topic)
{
	return level_tree_slot(&t->tree, topic);
}

void *
topic_trie_find(const struct topic_trie *t, struct slice topic)
{
	return level_tree_find(&t->tree, topic);
}

void *
topic_trie_remove(struct topic_trie *t, struct slice topic)
{
	return level_tree_remove(&t->tree, topic);
}

/* A level of the filter. */
struct step {
	enum { STEP_LEVEL, STEP_ONE, STEP_REST } kind;
	uint32_t hash;
	struct slice level;
};

static void
steps_init(struct step *steps, struct slice filter)
{
	bool more = true;
	struct slice level;

	for (; split_next(&filter, &more, '/', &level); steps++) {
		steps->level = level;
		if (split_is(level, '+')) {
			steps->kind = STEP_ONE;
		} else if (split_is(level, '#')) {
			steps->kind = STEP_REST;
		} else {
			steps->kind = STEP_LEVEL;
			steps->hash = level_hash(level);
		}
	}
}

/* One match: where it goes and whom it tells. */
struct search {
	const struct step *steps;
	size_t n_steps;
	bool with_dollar; /* wildcards match a first level with `$`, too */
	bool (*fn)(void *value, void *arg);
	void *arg;
};

/* What chooses among the children of a node at this depth; NULL: none does. */
static const struct step *
step_at(const struct search *s, size_t depth)
{
	const struct step *last = &s->steps[s->n_steps - 1];

	if (depth < s->n_steps)
		return &s->steps[depth];
	return last->kind == STEP_REST ? last : NULL;
}

/* Does the filter match the whole path down to a node at this depth? */
static bool
ends_at(const struct search *s, size_t depth)
{
	if (depth + 1 == s->n_steps) /* "x/#" matches "x" */
		return s->steps[depth].kind == STEP_REST;
	return depth >= s->n_steps;
}

/* Of the root's children, those that wildcards match. */
static const struct level_node *
next_first_level(const struct search *s, struct level_visit *v)
{
	const struct level_node *child;

	while ((child = level_node_next(v->node, &v->pos)) != NULL)
		if (s->with_dollar || child->level_len == 0 ||
		    child->level[0] != '$') /* v5 [MQTT-4.7.2-1] */
			break;
	return child;
}

/* The next child that the filter takes us to; NULL at the end. */
static const struct level_node *
choose(const struct search *s, struct level_visit *v, size_t depth)
{
	const struct step *step = step_at(s, depth);

	if (step == NULL)
		return NULL;
	if (step->kind == STEP_LEVEL)
		return v->pos++ == 0
		    ? level_node_find(v->node, step->level, step->hash)
		    : NULL;
	if (depth == 0)
		return next_first_level(s, v);
	return level_node_next(v->node, &v->pos);
}

static void
walk(const struct topic_trie *t, const struct search *s)
{
	const struct level_node *child;
	struct level_stack path;

	level_stack_init(&path);
	level_stack_push(&path, t->tree.root);
	while (path.n > 0) {
		child = choose(s, &path.at[path.n - 1], path.n - 1);
		if (child == NULL) {
			path.n--;
			continue;
		}
		if (child->value != NULL && ends_at(s, path.n) &&
		    !s->fn(child->value, s->arg))
			break;
		if (child->n_children > 0)
			level_stack_push(&path, child);
	}
	level_stack_fini(&path);
}

void
topic_trie_match(const struct topic_trie *t, struct slice filter,
    bool (*fn)(void *value, void *arg), void *arg)
{
	size_t n = topic_levels(filter);
	struct step few[16], *steps = few;

	if (n > countof(few))
		steps = xcalloc(n, sizeof(*steps));
	steps_init(steps, filter);
	walk(t,
	    &(struct search){ .steps = steps,
		.n_steps = n,
		.fn = fn,
		.arg = arg });
	if (steps != few)
		free(steps);
}

void
topic_trie_each(const struct topic_trie *t, bool (*fn)(void *value, void *arg),
    void *arg)
{
	const struct step all = { .kind = STEP_REST };

	walk(t,
	    &(struct search){ .steps = &all,
		.n_steps = 1,
		.with_dollar = true,
		.fn = fn,
		.arg = arg });
}
