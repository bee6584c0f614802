/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - bytes that we own, growing at the end, consumed at the start.
 *
 *   base          start            end              cap
 *    |  consumed    |   content     |   room         |
 *
 * All zero is an empty buffer that holds no memory. Not thread-safe.
 */
#pragma once

#include <stdarg.h>

#include "base/attr.h"
#include "base/slice.h"

struct buf {
	uint8_t *base;
	size_t start;
	size_t end;
	size_t cap;
};

/* Release the memory; the buffer is empty and can be used again. */
void buf_fini(struct buf *b);

/* Forget the content, keep the memory. */
void buf_reset(struct buf *b);

/*
 * Make room for at least `n` more bytes behind the content and return where
 * they start, never NULL. The content may move. Growth at least doubles.
 */
uint8_t *buf_reserve(struct buf *b, size_t n);

/* Count `n` bytes as content that were written after buf_reserve. */
void buf_commit(struct buf *b, size_t n);

void buf_append(struct buf *b, const void *p, size_t n);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_str(struct buf *b, const char *s);
void buf_append_byte(struct buf *b, uint8_t c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drop `n` bytes, at most buf_len, at the start. */
void buf_consume(struct buf *b, size_t n);

static inline size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline const uint8_t *
buf_ptr(const struct buf *b)
{
	/* NULL plus nothing is undefined, too. */
	return b->base != NULL ? b->base + b->start : NULL;
}

/* Change the byte `at` of the content. */
static inline void
buf_set(struct buf *b, size_t at, uint8_t c)
{
	b->base[b->start + at] = c;
}

/* The content; valid until the buffer is changed. */
static inline struct slice
buf_slice(const struct buf *b)
{
	return slice_of(buf_ptr(b), buf_len(b));
}
