/* SPDX-License-Identifier: Apache-2.0 */
/* tally - which messages of one lane one subscriber has seen. */
#include "tally.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/xalloc.h"

/* Room for holes doubles whenever their number reaches a power of two. */
static void
holes_insert(struct tally *t, size_t at, struct hole h)
{
	if ((t->n_holes & (t->n_holes - 1)) == 0)
		t->holes = xrealloc(t->holes,
		    sizeof(h) * (t->n_holes == 0 ? 1 : t->n_holes * 2));
	memmove(t->holes + at + 1, t->holes + at,
	    (t->n_holes - at) * sizeof(h));
	t->holes[at] = h;
	t->n_holes++;
}

static void
holes_remove(struct tally *t, size_t at)
{
	t->n_holes--;
	memmove(t->holes + at, t->holes + at + 1,
	    (t->n_holes - at) * sizeof(*t->holes));
}

/* Holes that get filled are recent ones as a rule: look from the end. */
static bool
holes_fill(struct tally *t, uint32_t seq)
{
	struct hole *h;
	size_t i = t->n_holes;

	while (i > 0 && t->holes[i - 1].from > seq)
		i--;
	if (i == 0 || seq >= t->holes[i - 1].to)
		return false;
	h = &t->holes[i - 1];
	if (h->from == seq && h->to == seq + 1) {
		holes_remove(t, i - 1);
	} else if (h->from == seq) {
		h->from++;
	} else if (h->to == seq + 1) {
		h->to--;
	} else {
		struct hole rest = { seq + 1, h->to };
		h->to = seq;
		holes_insert(t, i, rest);
	}
	return true;
}

uint32_t
tally_note(struct tally *t, uint32_t seq, struct tally_counts *c)
{
	uint32_t moved;

	if (seq < t->next) {
		if (holes_fill(t, seq)) {
			c->late++;
			c->unique++;
		} else {
			c->duplicate++;
		}
		return 0;
	}
	if (seq > t->next)
		holes_insert(t, t->n_holes, (struct hole){ t->next, seq });
	moved = seq + 1 - t->next;
	t->next = seq + 1;
	c->unique++;
	return moved;
}
