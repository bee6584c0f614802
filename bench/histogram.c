/* SPDX-License-Identifier: Apache-2.0 */
/* histogram - many durations, 1.6 % exact, in little memory. */
#include "histogram.h"

#include <stddef.h>

/* The first 64 are exact; above, the six bits behind the first one count. */
static size_t
bucket_of(uint64_t ns)
{
	unsigned power;
	size_t i;

	if (ns < HISTOGRAM_STEPS)
		return (size_t)ns;
	power = 63 - 6 - (unsigned)__builtin_clzll(ns);
	i = (size_t)power * HISTOGRAM_STEPS + (size_t)(ns >> power);
	if (i >= HISTOGRAM_POWERS * HISTOGRAM_STEPS)
		i = HISTOGRAM_POWERS * HISTOGRAM_STEPS - 1;
	return i;
}

static uint64_t
value_of(size_t bucket)
{
	size_t power;

	if (bucket < HISTOGRAM_STEPS)
		return bucket;
	power = bucket / HISTOGRAM_STEPS - 1;
	return (uint64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS) << power;
}

void
histogram_add(struct histogram *h, uint64_t ns)
{
	h->bucket[bucket_of(ns)]++;
	h->count++;
	if (ns > h->max)
		h->max = ns;
}

uint64_t
histogram_percentile(const struct histogram *h, double part)
{
	uint64_t below = (uint64_t)((double)h->count * part);
	uint64_t seen = 0;

	if (h->count == 0)
		return 0;
	for (size_t i = 0; i < HISTOGRAM_POWERS * HISTOGRAM_STEPS; i++) {
		seen += h->bucket[i];
		if (seen > below)
			return value_of(i);
	}
	return h->max;
}
