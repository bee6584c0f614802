/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring - a bounded, lock-free queue of fixed-size items from one thread to
 * one other.
 *
 *   items   . . . # # # # # # + + + . . .
 *                 ^           ^     ^
 *               head        tail  staged
 *
 * The indices only grow and are masked on use; # is shown, + is put but not
 * shown yet. The consumer alone moves head, the producer the others. Each
 * side looks at the other's index only where its stale copy says that there
 * is nothing left for it to do.
 */
#include "base/ring.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define CACHE_LINE 64

struct ring {
	size_t mask;    /* [I] */
	size_t size;    /* [I] of an item */
	uint8_t *items; /* [I] the bytes belong to who may touch them */

	alignas(CACHE_LINE) atomic_size_t tail; /* [a] written by producer */
	size_t staged;                          /* producer's */
	size_t seen_head;                       /* producer's copy */

	alignas(CACHE_LINE) atomic_size_t head; /* [a] written by consumer */
	size_t seen_tail;                       /* consumer's copy */
};

static size_t
round_up_to_power(size_t n)
{
	size_t power = 1;

	assert(n <= SIZE_MAX / 4);
	while (power < n)
		power *= 2;
	return power;
}

/* aligned_alloc that is as sure as xmalloc; a size fit for both. */
static void *
xaligned(size_t size)
{
	void *p = aligned_alloc(CACHE_LINE,
	    (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);

	assert(p != NULL);
	return p;
}

struct ring *
ring_new(size_t n, size_t size)
{
	struct ring *r = xaligned(sizeof(*r));
	size_t capacity = round_up_to_power(n);

	assert(size > 0 && capacity <= SIZE_MAX / 4 / size);
	memset(r, 0, sizeof(*r));
	r->mask = capacity - 1;
	r->size = size;
	r->items = xaligned(capacity * size);
	atomic_init(&r->tail, 0);
	atomic_init(&r->head, 0);
	return r;
}

void
ring_free(struct ring **r)
{
	if (*r == NULL)
		return;
	free((*r)->items);
	free(*r);
	*r = NULL;
}

size_t
ring_capacity(const struct ring *r)
{
	return r->mask + 1;
}

static uint8_t *
item_at(struct ring *r, size_t index)
{
	return r->items + (index & r->mask) * r->size;
}

bool
ring_put(struct ring *r, const void *item)
{
	if (r->staged - r->seen_head > r->mask) {
		/* Acquire: the consumer is done with what it gives back. */
		r->seen_head =
		    atomic_load_explicit(&r->head, memory_order_acquire);
		if (r->staged - r->seen_head > r->mask)
			return false;
	}
	memcpy(item_at(r, r->staged), item, r->size);
	r->staged++;
	return true;
}

bool
ring_publish(struct ring *r)
{
	if (r->staged == atomic_load_explicit(&r->tail, memory_order_relaxed))
		return false;
	atomic_store_explicit(&r->tail, r->staged, memory_order_release);
	return true;
}

size_t
ring_room(struct ring *r)
{
	r->seen_head = atomic_load_explicit(&r->head, memory_order_acquire);
	return ring_capacity(r) - (r->staged - r->seen_head);
}

bool
ring_is_empty(struct ring *r)
{
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head == r->seen_tail)
		r->seen_tail =
		    atomic_load_explicit(&r->tail, memory_order_acquire);
	return head == r->seen_tail;
}

bool
ring_get(struct ring *r, void *item)
{
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (ring_is_empty(r))
		return false;
	memcpy(item, item_at(r, head), r->size);
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
	return true;
}
