/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic/token; the laws over whole names are in test_subject.c. */
#include "topic/token.h"

#include <criterion/criterion.h>

struct token_case {
	const char *level;
	const char *nats;
	const char *swap;
};

static const struct token_case cases[] = {
	{ "", "/", "/" },
	{ "a", "a", "a" },
	{ "pump-7", "pump-7", "pump-7" },
	{ "\xc3\xa9", "\xc3\xa9", "\xc3\xa9" },
	{ "\x01", "\x01", "\x01" },
	/* what NATS cannot carry */
	{ "a b", "a/sb", "a/sb" },
	{ " ", "/s", "/s" },
	{ "\t\n\r\f\x7f", "/t/n/r/f/d", "/t/n/r/f/d" },
	/* wildcards of NATS are dangerous as whole tokens only */
	{ "*", "/a", "/a" },
	{ ">", "/g", "/g" },
	{ "**", "**", "**" },
	{ "a*b", "a*b", "a*b" },
	{ ">>", ">>", ">>" },
	/* dots; in mode swap plain where one slash says nothing else */
	{ "v1.2", "v1//2", "v1/2" },
	{ "a.b", "a//b", "a/b" },
	{ "a.", "a//", "a/" },
	{ ".b", "//b", "/b" },
	{ ".", "//", "//" },
	{ "..", "////", "///" },
	{ "...", "//////", "/////" },
	{ "a..b", "a////b", "a///b" },
	{ ".a", "//a", "//a" },
	{ ".g", "//g", "//g" },
	{ ".ab", "//ab", "/ab" },
	{ "x.a", "x//a", "x/a" },
	{ "x.s", "x//s", "x//s" },
	{ "x.t", "x//t", "x//t" },
	{ "x.n", "x//n", "x//n" },
	{ "x.r", "x//r", "x//r" },
	{ "x.f", "x//f", "x//f" },
	{ "x.d", "x//d", "x//d" },
	{ "x. ", "x///s", "x///s" },
	{ " .x", "/s//x", "/s/x" },
	{ " .", "/s//", "/s/" },
	{ ".*", "//*", "/*" },
	{ "*.", "*//", "*/" },
};

static void
expect_pair(enum mapping_mode mode, const char *level, const char *token)
{
	struct slice l = slice_str(level), t = slice_str(token);
	uint8_t out[64], *end;

	end = token_encode(mode, l, out);
	cr_expect(slice_eq(slice_of(out, (size_t)(end - out)), t),
	    "mode %d: level %s", mode, level);
	end = token_decode(mode, t, out);
	cr_assert_not_null(end, "mode %d: token %s", mode, token);
	cr_expect(slice_eq(slice_of(out, (size_t)(end - out)), l),
	    "mode %d: token %s", mode, token);
}

Test(token, is_the_image_of_its_level)
{
	size_t i;

	for (i = 0; i < countof(cases); i++) {
		expect_pair(MAPPING_NATS, cases[i].level, cases[i].nats);
		expect_pair(MAPPING_SWAP, cases[i].level, cases[i].swap);
	}
}

Test(token, never_outgrows_its_room)
{
	size_t i;

	for (i = 0; i < countof(cases); i++)
		cr_expect_leq(strlen(cases[i].nats),
		    TOKEN_ROOM(strlen(cases[i].level)));
}

Test(token, without_level_is_refused)
{
	/* both; nats; swap */
	static const char *const both[] = { "", "*", ">", "+", "#", "a+", "a#b",
		"a b", " ", "\t", "\n", "\r", "\f", "\x7f" };
	static const char *const nats[] = { "a/b", "/b", "b/", "a/", "///",
		"a/sb/", "x/a", "/ab", "/g/", "/S", "/*" };
	static const char *const swap[] = { "a//b", "////", "a//", "//b",
		"//ab", "x//a", "/s//x" };
	uint8_t out[64];
	size_t i;

	for (i = 0; i < countof(both); i++) {
		cr_expect_null(token_decode(MAPPING_NATS, slice_str(both[i]),
				   out),
		    "%s", both[i]);
		cr_expect_null(token_decode(MAPPING_SWAP, slice_str(both[i]),
				   out),
		    "%s", both[i]);
	}
	for (i = 0; i < countof(nats); i++)
		cr_expect_null(token_decode(MAPPING_NATS, slice_str(nats[i]),
				   out),
		    "%s", nats[i]);
	for (i = 0; i < countof(swap); i++)
		cr_expect_null(token_decode(MAPPING_SWAP, slice_str(swap[i]),
				   out),
		    "%s", swap[i]);
	cr_expect_null(token_decode(MAPPING_NATS, SLICE("a\0"), out));
	cr_expect_null(token_decode(MAPPING_SWAP, SLICE("/\0"), out));
}
