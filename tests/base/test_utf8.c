/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/attr.h"

static const struct {
	const char *what;
	struct slice text;
	bool valid;
} cases[] = {
	{ "nothing", { NULL, 0 }, true },
	{ "U+0000", SLICE("\x00"), false },
	{ "U+0001", SLICE("\x01"), true },
	{ "U+007F", SLICE("\x7f"), true },
	{ "first of two bytes, U+0080", SLICE("\xc2\x80"), true },
	{ "last of two bytes, U+07FF", SLICE("\xdf\xbf"), true },
	{ "first of three bytes, U+0800", SLICE("\xe0\xa0\x80"), true },
	{ "U+0FFF", SLICE("\xe0\xbf\xbf"), true },
	{ "U+1000", SLICE("\xe1\x80\x80"), true },
	{ "U+CFFF", SLICE("\xec\xbf\xbf"), true },
	{ "last before the surrogates", SLICE("\xed\x9f\xbf"), true },
	{ "first after the surrogates", SLICE("\xee\x80\x80"), true },
	{ "byte order mark, U+FEFF", SLICE("\xef\xbb\xbf"), true },
	{ "non-character U+FDD0", SLICE("\xef\xb7\x90"), true },
	{ "last of three bytes, U+FFFF", SLICE("\xef\xbf\xbf"), true },
	{ "first of four bytes, U+10000", SLICE("\xf0\x90\x80\x80"), true },
	{ "U+3FFFF", SLICE("\xf0\xbf\xbf\xbf"), true },
	{ "U+40000", SLICE("\xf1\x80\x80\x80"), true },
	{ "U+FFFFF", SLICE("\xf3\xbf\xbf\xbf"), true },
	{ "U+100000", SLICE("\xf4\x80\x80\x80"), true },
	{ "last of all, U+10FFFF", SLICE("\xf4\x8f\xbf\xbf"), true },

	{ "U+0000 in two bytes", SLICE("\xc0\x80"), false },
	{ "U+0000 in three bytes", SLICE("\xe0\x80\x80"), false },
	{ "U+0000 in four bytes", SLICE("\xf0\x80\x80\x80"), false },
	{ "U+002F in two bytes", SLICE("\xc0\xaf"), false },
	{ "U+007F in two bytes", SLICE("\xc1\xbf"), false },
	{ "U+07FF in three bytes", SLICE("\xe0\x9f\xbf"), false },
	{ "U+FFFF in four bytes", SLICE("\xf0\x8f\xbf\xbf"), false },
	{ "first surrogate, U+D800", SLICE("\xed\xa0\x80"), false },
	{ "last high surrogate, U+DBFF", SLICE("\xed\xaf\xbf"), false },
	{ "first low surrogate, U+DC00", SLICE("\xed\xb0\x80"), false },
	{ "last surrogate, U+DFFF", SLICE("\xed\xbf\xbf"), false },
	{ "a pair of surrogates", SLICE("\xed\xa0\x80\xed\xb0\x80"), false },
	{ "U+110000", SLICE("\xf4\x90\x80\x80"), false },
	{ "U+140000", SLICE("\xf5\x80\x80\x80"), false },
	{ "U+1FFFFF", SLICE("\xf7\xbf\xbf\xbf"), false },
	{ "five bytes", SLICE("\xf8\x88\x80\x80\x80"), false },
	{ "six bytes", SLICE("\xfc\x84\x80\x80\x80\x80"), false },
	{ "FE", SLICE("\xfe"), false },
	{ "FF", SLICE("\xff"), false },

	{ "first continuation alone", SLICE("\x80"), false },
	{ "last continuation alone", SLICE("\xbf"), false },
	{ "one continuation too many", SLICE("\xc2\x80\x80"), false },
	{ "one of two", SLICE("\xc2"), false },
	{ "one of three", SLICE("\xe1"), false },
	{ "two of three", SLICE("\xe1\x80"), false },
	{ "one of four", SLICE("\xf1"), false },
	{ "two of four", SLICE("\xf1\x80"), false },
	{ "three of four", SLICE("\xf1\x80\x80"), false },
	{ "ASCII for the second of two", SLICE("\xc2\x41"), false },
	{ "ASCII for the second of three", SLICE("\xe1\x41\x80"), false },
	{ "ASCII for the third of three", SLICE("\xe1\x80\x41"), false },
	{ "ASCII for the third of four", SLICE("\xf1\x80\x41\x80"), false },
	{ "ASCII for the fourth of four", SLICE("\xf1\x80\x80\x41"), false },
	{ "lead for the second of two", SLICE("\xc2\xc2\x80"), false },
	{ "lead for the third of three", SLICE("\xe1\x80\xc2\x80"), false },
};

Test(utf8, boundary_cases)
{
	size_t i;

	for (i = 0; i < countof(cases); i++)
		cr_expect(utf8_valid(cases[i].text) == cases[i].valid, "%s",
		    cases[i].what);
}

/* v5 3.3.2.3.2 */
Test(utf8, text_may_hold_zeros)
{
	static const struct {
		struct slice text;
		bool is_text;
	} texts[] = {
		{ { NULL, 0 }, true },
		{ SLICE("\0"), true },
		{ SLICE("a\0\0b"), true },
		{ SLICE("\0\xc3\xa4\0"), true },
		{ SLICE("\0\xc3"), false },
		{ SLICE("\xc3\0\xa4"), false },
		{ SLICE("\xff\0"), false },
	};

	for (size_t i = 0; i < countof(texts); i++)
		cr_expect(utf8_is_text(texts[i].text) == texts[i].is_text,
		    "%zu", i);
}

/*
 * At every place relative to the words of eight bytes, with no byte to spare
 * at the end, so that AddressSanitizer sees a read too far.
 */
Test(utf8, neighbours_do_not_matter)
{
	size_t i, before, after, len;
	uint8_t *text;

	for (i = 0; i < countof(cases); i++) {
		for (before = 0; before < 18; before++) {
			for (after = 0; after < 18; after++) {
				len = before + cases[i].text.len + after;
				text = malloc(len + 1);
				memset(text, 'a', len);
				if (cases[i].text.len > 0)
					memcpy(text + before, cases[i].text.ptr,
					    cases[i].text.len);
				text = realloc(text, len != 0 ? len : 1);
				cr_expect(utf8_valid(slice_of(text, len)) ==
					cases[i].valid,
				    "%s between %zu and %zu", cases[i].what,
				    before, after);
				free(text);
			}
		}
	}
}

static size_t
sequence_len(uint8_t lead)
{
	if (lead < 0x80)
		return 1;
	if ((lead & 0xe0) == 0xc0)
		return 2;
	if ((lead & 0xf0) == 0xe0)
		return 3;
	return (lead & 0xf8) == 0xf0 ? 4 : 0;
}

/*
 * As the definition has it: read the code point, then judge that. Returns
 * its length, or 0 if it is none.
 */
static size_t
character_len(struct slice s)
{
	static const uint8_t lead_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	static const uint32_t least[] = { 0, 1, 0x80, 0x800, 0x10000 };
	size_t len = sequence_len(s.ptr[0]), i;
	uint32_t code;

	if (len == 0 || len > s.len)
		return 0;
	code = s.ptr[0] & lead_bits[len];
	for (i = 1; i < len; i++) {
		if ((s.ptr[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s.ptr[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff)
		return 0;
	return code < 0xd800 || code > 0xdfff ? len : 0;
}

static bool
is_text(struct slice s)
{
	size_t len;

	while (s.len > 0) {
		len = character_len(s);
		if (len == 0)
			return false;
		s = slice_skip(s, len);
	}
	return true;
}

static void
expect_as_defined(const uint8_t *p, size_t len)
{
	struct slice s = slice_of(p, len);

	if (utf8_valid(s) != is_text(s))
		cr_fatal("%zu of %02x %02x %02x %02x", len, p[0], p[1], p[2],
		    p[3]);
}

Test(utf8, every_two_bytes_and_some_more_are_as_defined)
{
	static const uint8_t some[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
		0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xf0, 0xff };
	uint8_t p[4] = { 0 };
	size_t first, second, i, k;

	for (first = 0; first < 256; first++) {
		p[0] = (uint8_t)first;
		expect_as_defined(p, 1);
		for (second = 0; second < 256; second++) {
			p[1] = (uint8_t)second;
			expect_as_defined(p, 2);
			for (i = 0; i < countof(some); i++) {
				p[2] = some[i];
				expect_as_defined(p, 3);
				for (k = 0; k < countof(some); k++) {
					p[3] = some[k];
					expect_as_defined(p, 4);
				}
			}
		}
	}
}
