/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots - handles for things that may be gone.
 *
 * A slot's generation is odd while it is used and even while it is free, so
 * that an old handle never fits. Free slots are chained through `next`, last
 * freed first.
 */
#include "base/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define INDEX_BITS 24
#define INDEX_MASK ((1u << INDEX_BITS) - 1)

struct slot {
	union {
		void *thing;
		uint32_t next;
	};
	uint32_t generation;
};

void
slots_init(struct slots *s, uint8_t tag)
{
	memset(s, 0, sizeof(*s));
	s->tag = tag;
}

void
slots_fini(struct slots *s)
{
	free(s->slots);
	slots_init(s, s->tag);
}

static void
grow(struct slots *s)
{
	uint32_t old = s->n_slots;
	uint32_t n = old == 0 ? 16 : old * 2;

	assert(n <= INDEX_MASK + 1);
	s->slots = xrealloc(s->slots, n * sizeof(*s->slots));
	for (uint32_t i = n; i-- > old;) {
		s->slots[i].generation = 0;
		s->slots[i].next = s->first_free;
		s->first_free = i + 1;
	}
	s->n_slots = n;
}

uint64_t
slots_add(struct slots *s, void *thing)
{
	struct slot *slot;
	uint32_t i;

	assert(thing != NULL);
	if (s->first_free == 0)
		grow(s);
	i = s->first_free - 1;
	slot = &s->slots[i];
	s->first_free = slot->next;
	slot->generation++;
	slot->thing = thing;
	s->n_used++;
	return (uint64_t)slot->generation << 32 |
	    (uint32_t)s->tag << INDEX_BITS | i;
}

static struct slot *
find(const struct slots *s, uint64_t handle)
{
	uint32_t i = (uint32_t)handle & INDEX_MASK;
	uint32_t generation = (uint32_t)(handle >> 32);

	if (i >= s->n_slots || slots_tag(handle) != s->tag ||
	    generation % 2 == 0 || s->slots[i].generation != generation)
		return NULL;
	return &s->slots[i];
}

void *
slots_get(const struct slots *s, uint64_t handle)
{
	struct slot *slot = find(s, handle);

	return slot != NULL ? slot->thing : NULL;
}

void
slots_remove(struct slots *s, uint64_t handle)
{
	struct slot *slot = find(s, handle);

	assert(slot != NULL);
	slot->generation++;
	slot->next = s->first_free;
	s->first_free = (uint32_t)(slot - s->slots) + 1;
	s->n_used--;
}

void
slots_each(struct slots *s, void (*fn)(void *thing, void *arg), void *arg)
{
	for (uint32_t i = 0; i < s->n_slots; i++)
		if (s->slots[i].generation % 2 == 1)
			fn(s->slots[i].thing, arg);
}
