/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <signal.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/fixed_random.h"
#include "base/xalloc.h"

static bool
holds(const struct buf *b, const char *text)
{
	return slice_eq(buf_slice(b), slice_str(text));
}

/* `n` bytes of `c` behind the content. */
static void
fill(struct buf *b, int c, size_t n)
{
	memset(buf_reserve(b, n), c, n);
	buf_commit(b, n);
}

Test(buf, all_zero_is_empty)
{
	struct buf b = { 0 };

	cr_expect(eq(sz, buf_len(&b), 0));
	cr_expect(eq(sz, buf_slice(&b).len, 0));
	buf_consume(&b, 0);
	buf_append(&b, NULL, 0);
	buf_reset(&b);
	cr_expect(eq(ptr, b.base, NULL));
	buf_fini(&b);
	cr_expect(ne(ptr, buf_reserve(&b, 0), NULL));
	buf_fini(&b);
}

Test(buf, appends_in_every_way)
{
	struct buf b = { 0 };

	buf_append(&b, "ab", 2);
	buf_append_slice(&b, SLICE("cd"));
	buf_append_slice(&b, (struct slice){ NULL, 0 });
	buf_append_str(&b, "ef");
	buf_append_byte(&b, 'g');
	buf_printf(&b, "-%d", 42);
	memcpy(buf_reserve(&b, 3), "xyz", 3);
	buf_commit(&b, 2);
	cr_expect(holds(&b, "abcdefg-42xy"));
	buf_fini(&b);
}

Test(buf, consumes_at_the_start)
{
	struct buf b = { 0 };

	buf_append_str(&b, "abcdef");
	buf_consume(&b, 2);
	cr_expect(holds(&b, "cdef"));
	buf_append_str(&b, "gh");
	cr_expect(holds(&b, "cdefgh"));
	buf_consume(&b, 6);
	cr_expect(holds(&b, ""));
	buf_fini(&b);
}

Test(buf, refuses_to_consume_more_than_there_is, .signal = SIGABRT)
{
	struct buf b = { 0 };

	buf_append_str(&b, "abc");
	buf_consume(&b, 4);
}

Test(buf, refuses_to_commit_more_than_the_room, .signal = SIGABRT)
{
	struct buf b = { 0 };

	buf_reserve(&b, 10);
	buf_commit(&b, b.cap + 1);
}

Test(buf, growth_at_least_doubles)
{
	struct buf b = { 0 };
	size_t before;
	int i;

	buf_append_byte(&b, 'x');
	for (i = 0; i < 10; i++) {
		fill(&b, 'x', b.cap - b.end);
		before = b.cap;
		buf_append_byte(&b, 'y');
		cr_expect(ge(sz, b.cap, before * 2));
	}
	buf_fini(&b);
}

Test(buf, a_large_reserve_is_met_at_once)
{
	struct buf b = { 0 };

	buf_append_str(&b, "abc");
	buf_reserve(&b, 1000000);
	cr_expect(ge(sz, b.cap - b.end, 1000000));
	cr_expect(holds(&b, "abc"));
	buf_fini(&b);
}

Test(buf, consumed_space_is_used_again_before_growing)
{
	struct buf b = { 0 };
	size_t cap;

	fill(&b, 'x', 1000);
	cap = b.cap;
	buf_consume(&b, 990);
	buf_reserve(&b, cap - 10);
	cr_expect(eq(sz, b.cap, cap));
	cr_expect(holds(&b, "xxxxxxxxxx"));
	buf_fini(&b);
}

Test(buf, a_queue_of_bounded_length_stays_bounded)
{
	struct buf b = { 0 };
	int i;

	fill(&b, 'x', 1000);
	for (i = 0; i < 100000; i++) {
		buf_append_str(&b, "0123456");
		buf_consume(&b, 7);
	}
	cr_expect(le(sz, b.cap, 4096));
	buf_fini(&b);
}

/* That would cost the whole content for every few bytes. */
Test(buf, a_nearly_full_queue_is_not_moved_again_and_again)
{
	struct buf b = { 0 };
	size_t start;
	int i, n_moves = 0;

	fill(&b, 'x', 1000);
	fill(&b, 'x', b.cap - b.end);
	for (i = 0; i < 1000; i++) {
		buf_consume(&b, 1);
		start = b.start;
		buf_append_byte(&b, 'y');
		n_moves += b.start < start;
	}
	cr_expect(le(int, n_moves, 2));
	buf_fini(&b);
}

Test(buf, reset_keeps_the_memory_and_fini_does_not)
{
	struct buf b = { 0 };
	size_t cap;

	fill(&b, 'x', 100);
	cap = b.cap;
	buf_reset(&b);
	cr_expect(eq(sz, buf_len(&b), 0));
	cr_expect(eq(sz, b.cap, cap));
	buf_fini(&b);
	cr_expect(eq(ptr, b.base, NULL));
	cr_expect(eq(sz, b.cap, 0));
}

/* Among them the text that leaves no room for vsnprintf's zero. */
Test(buf, printf_fits_every_length)
{
	struct buf b = { 0 };
	char *text;
	int len;

	for (len = 0; len < 300; len++) {
		buf_append_str(&b, "head:");
		buf_printf(&b, "%*s", len, "");
		buf_printf(&b, "%s", "tail");
		text = xasprintf("head:%*stail", len, "");
		cr_assert(holds(&b, text), "length %d", len);
		free(text);
		buf_fini(&b);
	}
}

/* Whatever is appended and consumed, the bytes come out in their order. */
Test(buf, behaves_like_a_queue_of_bytes)
{
	struct fixed_random r;
	struct buf b = { 0 };
	uint8_t put = 0, got = 0;
	size_t n, i, model_len = 0;
	int step;

	fixed_random_init(&r, 1);
	for (step = 0; step < 5000; step++) {
		n = fixed_random_below(&r, 200);
		for (i = 0; i < n; i++)
			buf_append_byte(&b, put++);
		model_len += n;
		n = fixed_random_below(&r, model_len + 1);
		for (i = 0; i < n; i++)
			cr_assert(eq(u8, buf_ptr(&b)[i], got++), "step %d",
			    step);
		buf_consume(&b, n);
		model_len -= n;
		cr_assert(eq(sz, buf_len(&b), model_len), "step %d", step);
	}
	buf_fini(&b);
}
