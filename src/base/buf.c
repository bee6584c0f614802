/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - bytes that we own, growing at the end, consumed at the start.
 *
 * Invariant: start <= end <= cap, and base is NULL exactly when cap is 0.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"

#define BUF_MIN_CAP 64u

void
buf_fini(struct buf *b)
{
	free(b->base);
	*b = (struct buf){ 0 };
}

void
buf_reset(struct buf *b)
{
	b->start = 0;
	b->end = 0;
}

static size_t
grown_cap(size_t cap, size_t need)
{
	size_t doubled = cap > BUF_MIN_CAP / 2 ? cap * 2 : BUF_MIN_CAP;

	return doubled > need ? doubled : need;
}

static void
move_to_front(struct buf *b)
{
	size_t len = buf_len(b);

	if (len > 0)
		memmove(b->base, b->base + b->start, len);
	b->start = 0;
	b->end = len;
}

static void
grow(struct buf *b, size_t need)
{
	size_t len = buf_len(b);
	size_t cap = grown_cap(b->cap, need);
	uint8_t *base;

	if (b->start == 0) {
		b->base = xrealloc(b->base, cap);
		b->cap = cap;
		return;
	}
	/* Not realloc: it would carry the consumed bytes along. */
	base = xmalloc(cap);
	if (len > 0)
		memcpy(base, b->base + b->start, len);
	free(b->base);
	*b = (struct buf){ .base = base, .end = len, .cap = cap };
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	size_t len = buf_len(b);

	assert(n < SIZE_MAX / 4 && b->cap < SIZE_MAX / 4);
	if (b->base == NULL || b->cap - b->end < n) {
		/*
		 * Moving costs `len` and wins `start`: where it wins less
		 * than it costs, a queue that is nearly full would be moved
		 * for every few bytes, so that one grows instead.
		 */
		if (b->base != NULL && b->cap - len >= n && b->start >= len)
			move_to_front(b);
		else
			grow(b, len + n);
	}
	return b->base + b->end;
}

void
buf_commit(struct buf *b, size_t n)
{
	assert(n <= b->cap - b->end);
	b->end += n;
}

void
buf_append(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(buf_reserve(b, n), p, n);
	b->end += n;
}

void
buf_append_slice(struct buf *b, struct slice s)
{
	buf_append(b, s.ptr, s.len);
}

void
buf_append_str(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void
buf_append_byte(struct buf *b, uint8_t c)
{
	*buf_reserve(b, 1) = c;
	b->end++;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int len;

	/* One byte more than the text: vsnprintf ends it with a zero. */
	buf_reserve(b, BUF_MIN_CAP);
	room = b->cap - b->end;
	va_start(ap, fmt);
	len = vsnprintf((char *)b->base + b->end, room, fmt, ap);
	va_end(ap);
	assert(len >= 0);
	if ((size_t)len >= room) {
		room = (size_t)len + 1;
		buf_reserve(b, room);
		va_start(ap, fmt);
		vsnprintf((char *)b->base + b->end, room, fmt, ap);
		va_end(ap);
	}
	b->end += (size_t)len;
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->start += n;
	if (b->start == b->end)
		buf_reset(b);
}
