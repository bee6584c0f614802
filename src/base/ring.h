/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring - a bounded, lock-free queue of fixed-size items from one thread to
 * one other.
 *
 * The producer stages items with ring_put and shows them all at once with
 * ring_publish; the consumer copies them out with ring_get. Producer and
 * consumer counters live on cache lines of their own and each side keeps a
 * stale copy of the other's, so that a batch costs one shared access.
 * C11 atomics only, so that ThreadSanitizer sees everything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct ring;

/* `n` items, rounded up to a power of two, of `size` bytes each. */
struct ring *ring_new(size_t n, size_t size);
void ring_free(struct ring **r);
size_t ring_capacity(const struct ring *r);

/* Producer: stage a copy of `item`; false when the ring is full. */
bool ring_put(struct ring *r, const void *item) MUST_CHECK;
/*
 * Producer: show what was staged. True when there was anything, and the
 * consumer may need a waker_kick.
 */
bool ring_publish(struct ring *r);
/* Producer: how many more ring_put are sure to succeed (at least). */
size_t ring_room(struct ring *r);

/* Consumer: copy out the oldest item; false when there is none. */
bool ring_get(struct ring *r, void *item) MUST_CHECK;
/* Consumer: is anything there? */
bool ring_is_empty(struct ring *r);
