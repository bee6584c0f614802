/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice - bytes that somebody else owns.
 *
 * `ptr` may be NULL when `len` is 0. Passed by value; never freed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *ptr;
	size_t len;
};

/* For a string literal: SLICE("abc"). */
#define SLICE(literal)                                                         \
	((struct slice){ (const uint8_t *)(literal), sizeof(literal) - 1 })

/* Arguments for printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (const char *)(s).ptr

static inline struct slice
slice_of(const void *p, size_t len)
{
	return (struct slice){ p, len };
}

static inline struct slice
slice_str(const char *s)
{
	return slice_of(s, s != NULL ? strlen(s) : 0);
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len &&
	    (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool
slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	    (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* The rest of `s` behind its first `n` bytes; `n` is at most s.len. */
static inline struct slice
slice_skip(struct slice s, size_t n)
{
	return n == 0 ? s : slice_of(s.ptr + n, s.len - n);
}
