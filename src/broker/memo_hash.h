/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memo_hash - a hash that costs next to nothing, for tables that may forget.
 *
 * Anybody can find topics that share one: only for tables where those drive
 * each other out and nothing else happens. Pure.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "base/slice.h"

/* Eight bytes at a time; the last ones overlap. */
static inline uint32_t
memo_hash(struct slice s)
{
	uint64_t hash = s.len, word = 0;
	size_t i;

	for (i = 0; s.len - i > sizeof(word); i += sizeof(word)) {
		memcpy(&word, s.ptr + i, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	word = 0;
	if (s.len >= sizeof(word))
		memcpy(&word, s.ptr + s.len - sizeof(word), sizeof(word));
	else if (s.len > 0)
		memcpy(&word, s.ptr, s.len);
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32);
}
