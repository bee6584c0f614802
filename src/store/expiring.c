/* SPDX-License-Identifier: Apache-2.0 */
/* expiring - a binary heap whose members know where they stand. */
#include "store/expiring.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void
expiring_fini(struct expiring *e)
{
	free(e->items);
	memset(e, 0, sizeof(*e));
}

/* Places count from 1: the children of `i` are at 2 i and 2 i + 1. */
static struct expiring_item *
at(const struct expiring *e, uint32_t place)
{
	return e->items[place - 1];
}

static void
stand(struct expiring *e, struct expiring_item *item, uint32_t place)
{
	e->items[place - 1] = item;
	item->place = place;
}

/* Towards the first place, as far as those in front are later. */
static void
move_up(struct expiring *e, struct expiring_item *item)
{
	uint32_t place = item->place;

	while (place > 1 && at(e, place / 2)->at_ms > item->at_ms) {
		stand(e, at(e, place / 2), place);
		place /= 2;
	}
	stand(e, item, place);
}

static void
move_down(struct expiring *e, struct expiring_item *item)
{
	uint32_t place = item->place, child;

	while ((child = place * 2) <= e->n) {
		if (child < e->n &&
		    at(e, child + 1)->at_ms < at(e, child)->at_ms)
			child++;
		if (at(e, child)->at_ms >= item->at_ms)
			break;
		stand(e, at(e, child), place);
		place = child;
	}
	stand(e, item, place);
}

static void
insert(struct expiring *e, struct expiring_item *item)
{
	if (e->n == e->cap) {
		e->cap = e->cap == 0 ? 16 : e->cap * 2;
		e->items = xrealloc(e->items, e->cap * sizeof(*e->items));
	}
	stand(e, item, ++e->n);
	move_up(e, item);
}

static void
take_out(struct expiring *e, struct expiring_item *item)
{
	struct expiring_item *last = at(e, e->n);
	uint32_t place = item->place;

	item->place = 0;
	e->n--;
	if (last != item) {
		stand(e, last, place);
		move_up(e, last);
		move_down(e, last);
	}
	if (e->n == 0)
		expiring_fini(e);
}

void
expiring_set(struct expiring *e, struct expiring_item *item, uint64_t at_ms)
{
	if (at_ms == 0) {
		if (item->place != 0)
			take_out(e, item);
		return;
	}
	item->at_ms = at_ms;
	if (item->place == 0) {
		insert(e, item);
		return;
	}
	move_up(e, item);
	move_down(e, item);
}

struct expiring_item *
expiring_first(const struct expiring *e)
{
	return e->n > 0 ? at(e, 1) : NULL;
}
