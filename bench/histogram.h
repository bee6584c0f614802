/* SPDX-License-Identifier: Apache-2.0 */
/* histogram - many durations, 1.6 % exact, in little memory. */
#pragma once

#include <stdint.h>

/* 64 steps for each power of two up to 2^40 ns (18 minutes). */
#define HISTOGRAM_STEPS  64
#define HISTOGRAM_POWERS 36

struct histogram {
	uint64_t count;
	uint64_t max;
	uint64_t bucket[HISTOGRAM_POWERS * HISTOGRAM_STEPS];
};

void histogram_add(struct histogram *h, uint64_t ns);

/* The value below which `part` (0 to 1) of all lie; 0 when there are none. */
uint64_t histogram_percentile(const struct histogram *h, double part);
