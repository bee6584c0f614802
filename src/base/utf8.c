/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8 - text as MQTT wants it.
 *
 * ASCII is checked eight bytes at a time, the rest by the table of
 * well-formed byte sequences (Unicode standard, table 3-7): it is the second
 * byte that tells overlong forms, surrogates and too large values apart.
 */
#include "base/utf8.h"

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

struct form {
	uint8_t lead_first, lead_last;
	uint8_t second_first, second_last;
	uint8_t len;
};

static const struct form forms[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, /* below: overlong */
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 }, /* above: surrogates */
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, /* below: overlong */
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 }, /* above: beyond U+10FFFF */
};

static const struct form *
find_form(uint8_t lead)
{
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (lead <= forms[i].lead_last)
			return lead >= forms[i].lead_first ? &forms[i] : NULL;
	return NULL;
}

/* Length of the sequence of several bytes at `p`, or 0 if it is malformed. */
static size_t
sequence_len(const uint8_t *p, size_t room)
{
	const struct form *f = find_form(p[0]);
	size_t i;

	if (f == NULL || f->len > room)
		return 0;
	if (p[1] < f->second_first || p[1] > f->second_last)
		return 0;
	for (i = 2; i < f->len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return f->len;
}

/* How many of the first bytes are U+0001 to U+007F, in steps of eight. */
static size_t
ascii_len(const uint8_t *p, size_t len)
{
	size_t i;
	uint64_t w;

	for (i = 0; len - i >= sizeof(w); i += sizeof(w)) {
		memcpy(&w, p + i, sizeof(w));
		/* The subtraction borrows a high bit where a byte is zero. */
		if (((w | (w - ONES)) & HIGHS) != 0)
			break;
	}
	return i;
}

/* Is all of it U+0001 to U+007F, as nearly every text is? */
static bool
is_ascii(struct slice s)
{
	size_t n = ascii_len(s.ptr, s.len);

	if (n == s.len)
		return true;
	/* The end, with some of what was looked at already. */
	return s.len - n < sizeof(uint64_t) && s.len >= sizeof(uint64_t) &&
	    ascii_len(s.ptr + s.len - sizeof(uint64_t), sizeof(uint64_t)) ==
	    sizeof(uint64_t);
}

bool
utf8_valid(struct slice s)
{
	size_t i = 0, n;

	if (is_ascii(s))
		return true;

	while (i < s.len) {
		if (s.ptr[i] < 0x80) {
			n = ascii_len(s.ptr + i, s.len - i);
			if (n == 0)
				n = s.ptr[i] != 0;
		} else
			n = sequence_len(s.ptr + i, s.len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

bool
utf8_is_text(struct slice s)
{
	const uint8_t *zero;

	while (s.len > 0 && (zero = memchr(s.ptr, 0, s.len)) != NULL) {
		size_t len = (size_t)(zero - s.ptr);

		if (!utf8_valid(slice_of(s.ptr, len)))
			return false;
		s = slice_skip(s, len + 1);
	}
	return utf8_valid(s);
}
