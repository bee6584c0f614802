/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixed_random - random numbers that are the same in every run, so that a
 * test that failed fails again. Print the seed with every assertion.
 */
#pragma once

#include <stdint.h>

struct fixed_random {
	uint64_t state;
};

static inline void
fixed_random_init(struct fixed_random *r, uint64_t seed)
{
	r->state = seed;
}

/* Any 64 bits (the generator is splitmix64). */
static inline uint64_t
fixed_random_u64(struct fixed_random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to n - 1. */
static inline uint64_t
fixed_random_below(struct fixed_random *r, uint64_t n)
{
	return fixed_random_u64(r) % n;
}

/* As often near 0 as near 2^32 or near 2^64: every magnitude is as likely. */
static inline uint64_t
fixed_random_magnitude(struct fixed_random *r)
{
	unsigned shift = (unsigned)fixed_random_below(r, 64);

	return fixed_random_u64(r) >> shift;
}
