/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots - handles for things that may be gone when somebody comes back.
 *
 *   handle = generation (32 bits) | tag (8) | index (24)
 *
 * A handle is a number that can travel to another thread and back; slots_get
 * gives the thing or NULL, never another thing that took its place. 0 is no
 * handle. The tag says whose table it is (a worker's number). Owned by one
 * thread; slots_tag works anywhere.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct slot;

struct slots {
	struct slot *slots;
	uint32_t n_slots;
	uint32_t n_used;
	uint32_t first_free; /* index + 1; 0: none */
	uint8_t tag;
};

void slots_init(struct slots *s, uint8_t tag);
/* The things are not touched. */
void slots_fini(struct slots *s);
/* A new handle for `thing`, not NULL; aborts beyond 2^24 things. */
uint64_t slots_add(struct slots *s, void *thing);
/* The thing, or NULL when it is gone. */
void *slots_get(const struct slots *s, uint64_t handle);
/* Forget a handle that is valid. */
void slots_remove(struct slots *s, uint64_t handle);
/* Call `fn` for every thing; it may remove the one that it is given. */
void slots_each(struct slots *s, void (*fn)(void *thing, void *arg), void *arg);

static inline uint8_t
slots_tag(uint64_t handle)
{
	return (uint8_t)(handle >> 24);
}
