/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiring - things by the time at which they are over: a binary heap whose
 * members know where they stand, so that one may change or leave at any time.
 *
 * All zero is an empty one. The things embed their member and belong to the
 * caller, as does the lock.
 */
#pragma once

#include <stdint.h>

struct expiring_item {
	uint64_t at_ms;
	uint32_t place; /* from 1; 0: not in it */
};

struct expiring {
	struct expiring_item **items;
	uint32_t n;
	uint32_t cap;
};

/* The members are not touched. */
void expiring_fini(struct expiring *e);
/* Put it in, or move it; 0 takes it out, or leaves it out. */
void expiring_set(struct expiring *e, struct expiring_item *item,
    uint64_t at_ms);
/* The one that is over first, or NULL. */
struct expiring_item *expiring_first(const struct expiring *e);
