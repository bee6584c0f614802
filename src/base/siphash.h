/* SPDX-License-Identifier: Apache-2.0 */
/* siphash - the keyed hash SipHash-1-3 of Aumasson and Bernstein. Pure. */
#pragma once

#include "base/slice.h"

struct siphash_key {
	uint64_t k0, k1;
};

/* The hash of `s`, the same on every machine. */
uint64_t siphash13(const struct siphash_key *key, struct slice s);
