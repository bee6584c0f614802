/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include <stdio.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

Test(slice, equal_means_the_same_bytes)
{
	static const struct {
		struct slice a, b;
		bool equal;
	} cases[] = {
		{ SLICE("abc"), SLICE("abc"), true },
		{ SLICE("abc"), SLICE("abd"), false },
		{ SLICE("abc"), SLICE("ab"), false },
		{ SLICE("a\0c"), SLICE("a\0d"), false },
		{ SLICE(""), { NULL, 0 }, true },
		{ { NULL, 0 }, { NULL, 0 }, true },
		{ { NULL, 0 }, SLICE("a"), false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect(slice_eq(cases[i].a, cases[i].b) == cases[i].equal,
		    "case %zu", i);
		cr_expect(slice_eq(cases[i].b, cases[i].a) == cases[i].equal,
		    "case %zu, the other way", i);
	}
}

Test(slice, starts_with_its_prefixes_only)
{
	static const struct {
		struct slice s, prefix;
		bool starts;
	} cases[] = {
		{ SLICE("$SYS/a"), SLICE("$SYS"), true },
		{ SLICE("$SYS"), SLICE("$SYS"), true },
		{ SLICE("$SY"), SLICE("$SYS"), false },
		{ SLICE("xSYS"), SLICE("$SYS"), false },
		{ SLICE("abc"), SLICE(""), true },
		{ { NULL, 0 }, { NULL, 0 }, true },
		{ { NULL, 0 }, SLICE("a"), false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect(slice_starts(cases[i].s, cases[i].prefix) ==
			cases[i].starts,
		    "case %zu", i);
}

Test(slice, skip_leaves_the_rest)
{
	struct slice s = SLICE("abc"), none = { NULL, 0 };

	cr_expect(slice_eq(slice_skip(s, 0), s));
	cr_expect(slice_eq(slice_skip(s, 2), SLICE("c")));
	cr_expect(slice_eq(slice_skip(s, 3), none));
	cr_expect(slice_eq(slice_skip(none, 0), none));
}

Test(slice, of_a_string_ends_before_its_zero)
{
	cr_expect(eq(sz, slice_str("abc").len, 3));
	cr_expect(eq(sz, slice_str("").len, 0));
	cr_expect(eq(sz, slice_str(NULL).len, 0));
	cr_expect(eq(sz, SLICE("a\0b").len, 3));
}

Test(slice, prints_with_its_length)
{
	struct slice s = slice_of("abcdef", 3);
	char out[16];

	snprintf(out, sizeof(out), "<%.*s>", SLICE_ARG(s));
	cr_expect_str_eq(out, "<abc>");
}
