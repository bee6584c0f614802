/* SPDX-License-Identifier: Apache-2.0 */
/* topic_aliases - numbers that we give to topics towards one client. */
#include "broker/topic_aliases.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"

/* A number is given to another topic when all of them could have been used so
 * often since. */
#define PATIENCE 4

struct topic_alias {
	uint64_t used_at; /* of `uses` */
	uint64_t hash;
	char *topic;
	uint16_t len;
};

struct topic_aliases {
	uint64_t uses;
	uint16_t n; /* that were given */
	uint16_t cap;
	struct topic_alias items[];
};

struct topic_aliases *
topic_aliases_new(uint16_t n)
{
	struct topic_aliases *t =
	    xcalloc(1, sizeof(*t) + n * sizeof(t->items[0]));

	t->cap = n;
	return t;
}

void
topic_aliases_free(struct topic_aliases **tp)
{
	struct topic_aliases *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->items[i].topic);
	free(t);
}

uint16_t
topic_aliases_find(struct topic_aliases *t, struct slice topic)
{
	uint64_t hash = hash_key(topic);

	t->uses++;
	for (uint16_t i = 0; i < t->n; i++) {
		struct topic_alias *a = &t->items[i];

		if (a->hash != hash ||
		    !slice_eq(slice_of(a->topic, a->len), topic))
			continue;
		a->used_at = t->uses;
		return (uint16_t)(i + 1);
	}
	return 0;
}

static struct topic_alias *
oldest(struct topic_aliases *t)
{
	struct topic_alias *found = &t->items[0];

	for (size_t i = 1; i < t->n; i++)
		if (t->items[i].used_at < found->used_at)
			found = &t->items[i];
	return found;
}

uint16_t
topic_aliases_add(struct topic_aliases *t, struct slice topic)
{
	struct topic_alias *a;

	if (topic.len < TOPIC_ALIASES_SHORTEST ||
	    topic.len > TOPIC_ALIASES_LONGEST)
		return 0;
	a = t->n < t->cap ? &t->items[t->n++] : oldest(t);
	if (a->topic != NULL &&
	    t->uses - a->used_at < (uint64_t)PATIENCE * t->cap)
		return 0;
	free(a->topic);
	a->topic = xmemdup0(topic.ptr, topic.len);
	a->len = (uint16_t)topic.len;
	a->hash = hash_key(topic);
	a->used_at = t->uses;
	return (uint16_t)(a - t->items + 1);
}
