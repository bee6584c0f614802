/* SPDX-License-Identifier: Apache-2.0 */
/* wire - a small recursive parser of the notation in wire.h. */
#include "mqtt/wire.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "mqtt/writer.h"

static void
die(const char *at)
{
	fprintf(stderr, "bad wire notation at \"%s\"\n", at);
	abort();
}

static uint8_t
hex_byte(const char **p)
{
	char digits[3] = { (*p)[0], (*p)[1], 0 };

	if (!isxdigit((unsigned char)digits[0]) ||
	    !isxdigit((unsigned char)digits[1]))
		die(*p);
	*p += 2;
	return (uint8_t)strtoul(digits, NULL, 16);
}

static void
put_hex(const char **p, struct buf *out)
{
	uint8_t byte = hex_byte(p);
	unsigned long n = 1;
	char *end;

	if (**p == '*') {
		n = strtoul(*p + 1, &end, 10);
		*p = end;
	}
	while (n-- > 0)
		buf_append_byte(out, byte);
}

/* The text up to `close`. */
static struct slice
quoted(const char **p, char close)
{
	const char *start = *p + 1;
	const char *end = strchr(start, close);

	if (end == NULL)
		die(*p);
	*p = end + 1;
	return slice_of(start, (size_t)(end - start));
}

static void put_all(const char **p, struct buf *out, char close);

static void
put_group(const char **p, struct buf *out)
{
	struct buf inner = { 0 };

	++*p;
	put_all(p, &inner, ']');
	if (**p != ']')
		die(*p);
	++*p;
	writer_varint(out, (uint32_t)buf_len(&inner));
	buf_append_slice(out, buf_slice(&inner));
	buf_fini(&inner);
}

static void
put_all(const char **p, struct buf *out, char close)
{
	while (**p != 0 && **p != close) {
		if (**p == ' ')
			++*p;
		else if (**p == '[')
			put_group(p, out);
		else if (**p == '<')
			writer_string(out, quoted(p, '>'));
		else if (**p == '\'')
			buf_append_slice(out, quoted(p, '\''));
		else
			put_hex(p, out);
	}
}

struct slice
wire_new(const char *notation)
{
	struct buf all = { 0 };
	struct slice s;

	put_all(&notation, &all, 0);
	s = wire_copy(buf_slice(&all), buf_len(&all));
	buf_fini(&all);
	return s;
}

struct slice
wire_copy(struct slice s, size_t len)
{
	uint8_t *p;

	if (len == 0)
		return slice_of(NULL, 0);
	p = xmalloc(len);
	memcpy(p, s.ptr, len);
	return slice_of(p, len);
}

void
wire_free(struct slice *s)
{
	free((void *)(uintptr_t)s->ptr);
	*s = slice_of(NULL, 0);
}

const char *
wire_text(struct slice s)
{
	static char text[200];
	size_t i, at = 0;

	text[0] = 0;
	for (i = 0; i < s.len && at + 4 < sizeof(text); i++, at += 3)
		snprintf(text + at, sizeof(text) - at, "%02x ", s.ptr[i]);
	return text;
}
