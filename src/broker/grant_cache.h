/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grant_cache - what a service has said a moment ago, so that it is not asked
 * again by everybody who comes back at once.
 *
 * A question is known by a keyed hash of 256 bits of all of it, so there is no
 * password in here. Bounded: the oldest gives way. Any thread, under a lock of
 * its own.
 */
#pragma once

#include <stdint.h>

#include "auth/grant.h"
#include "base/slice.h"

struct grant_cache;

/* So many answers are kept. */
#define GRANT_CACHE_MAX 65536u

#define GRANT_KEY_LEN 32u

struct grant_key {
	uint8_t bytes[GRANT_KEY_LEN];
};

struct grant_cache *grant_cache_new(void) MUST_CHECK;
void grant_cache_free(struct grant_cache **c);

struct grant_key grant_cache_key(const struct grant_cache *c,
    struct slice question);
/* A reference to what holds for this question now, or NULL. */
struct grant *grant_cache_find(struct grant_cache *c,
    const struct grant_key *key, uint64_t now_ms);
/* It holds until then; a reference is taken. */
void grant_cache_put(struct grant_cache *c, const struct grant_key *key,
    struct grant *g, uint64_t until_ms);
/* Nothing holds any more. */
void grant_cache_clear(struct grant_cache *c);
