/* SPDX-License-Identifier: Apache-2.0 */
/* token - one MQTT level as one NATS token: the escapes of both modes. */
#include "topic/token.h"

#include "topic/split.h"

/* What NATS cannot carry, and the letter that stands for it behind a `/`. */
static const uint8_t letter_of[256] = {
	[' '] = 's',
	['\t'] = 't',
	['\n'] = 'n',
	['\r'] = 'r',
	['\f'] = 'f',
	[0x7f] = 'd',
};
static const uint8_t char_of[256] = {
	['s'] = ' ',
	['t'] = '\t',
	['n'] = '\n',
	['r'] = '\r',
	['f'] = '\f',
	['d'] = 0x7f,
};

/* Levels that would be a wildcard, or nothing at all, as a token. */
static const struct whole {
	struct slice level;
	struct slice token;
} wholes[] = {
	{ { (const uint8_t *)"", 0 }, { (const uint8_t *)"/", 1 } },
	{ { (const uint8_t *)"*", 1 }, { (const uint8_t *)"/a", 2 } },
	{ { (const uint8_t *)">", 1 }, { (const uint8_t *)"/g", 2 } },
};

static uint8_t *
put(uint8_t *out, struct slice s)
{
	if (s.len > 0)
		memcpy(out, s.ptr, s.len);
	return out + s.len;
}

/*
 * Mode swap: may a `.` be written as one `/`, with `after` behind it in the
 * same level? The answer is the same for `after` encoded or not, as all that
 * is escaped begins with `/`.
 */
static bool
dot_is_plain(struct slice after, bool is_first)
{
	uint8_t next;

	if (after.len == 0)
		return !is_first; /* not the token of the empty level */
	next = after.ptr[0];
	if (next == '/' || next == '.' || letter_of[next] || char_of[next])
		return false;
	/* nor `/a` and `/g` */
	return !is_first || after.len > 1 || (next != 'a' && next != 'g');
}

static uint8_t *
encode_byte(enum mapping_mode mode, struct slice level, size_t i, uint8_t *out)
{
	uint8_t c = level.ptr[i];

	if (c == '.') {
		*out++ = '/';
		if (mode == MAPPING_NATS ||
		    !dot_is_plain(slice_skip(level, i + 1), i == 0))
			*out++ = '/';
	} else if (letter_of[c] != 0) {
		*out++ = '/';
		*out++ = letter_of[c];
	} else {
		*out++ = c;
	}
	return out;
}

uint8_t *
token_encode(enum mapping_mode mode, struct slice level, uint8_t *out)
{
	size_t i;

	for (i = 0; i < countof(wholes); i++)
		if (slice_eq(level, wholes[i].level))
			return put(out, wholes[i].token);
	for (i = 0; i < level.len; i++)
		out = encode_byte(mode, level, i, out);
	return out;
}

/*
 * Decode the escape in front of token.ptr[*i] into *c and step over it; false
 * when it is none.
 */
static bool
decode_slash(enum mapping_mode mode, struct slice token, size_t *i, uint8_t *c)
{
	struct slice after = slice_skip(token, *i + 1);
	uint8_t next = after.len > 0 ? after.ptr[0] : 0;

	*c = '.';
	if (next == '/') {
		if (mode == MAPPING_SWAP &&
		    dot_is_plain(slice_skip(after, 1), *i == 0))
			return false;
		*i += 2;
		return true;
	}
	if (char_of[next] != 0) {
		*c = char_of[next];
		*i += 2;
		return true;
	}
	*i += 1;
	return mode == MAPPING_SWAP;
}

/* May this byte of a token be the same byte in a level? */
static bool
is_plain(uint8_t c)
{
	return c != '\0' && c != '+' && c != '#' && letter_of[c] == 0;
}

uint8_t *
token_decode(enum mapping_mode mode, struct slice token, uint8_t *out)
{
	size_t i;

	for (i = 0; i < countof(wholes); i++)
		if (slice_eq(token, wholes[i].token))
			return put(out, wholes[i].level);
	if (token.len == 0 || split_is(token, '*') || split_is(token, '>'))
		return NULL;
	for (i = 0; i < token.len; out++) {
		if (token.ptr[i] != '/') {
			if (!is_plain(token.ptr[i]))
				return NULL;
			*out = token.ptr[i++];
		} else if (!decode_slash(mode, token, &i, out)) {
			return NULL;
		}
	}
	return out;
}
