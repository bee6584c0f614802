/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader - a cursor over a byte range whose error sticks. Pure.
 *
 * A failed read moves the cursor to the end, so that every later read of a
 * byte fails by itself and no function has to look at `bad` first.
 */
#include "mqtt/reader.h"

#include "base/utf8.h"

/* Stands in for NULL, to which no offset may be added, not even 0. */
static const uint8_t nothing[1];

static void
fail(struct reader *r)
{
	r->bad = true;
	r->p = r->end;
}

/* The next `n` bytes, or NULL and the reader is bad. */
static inline const uint8_t *
take(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if ((size_t)(r->end - p) < n) {
		fail(r);
		return NULL;
	}
	r->p = p + n;
	return p;
}

struct reader
reader_of(struct slice s)
{
	const uint8_t *p = s.len > 0 ? s.ptr : nothing;

	return (struct reader){ .p = p, .end = p + s.len };
}

size_t
reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

uint8_t
reader_u8(struct reader *r)
{
	const uint8_t *p = take(r, 1);

	return p != NULL ? p[0] : 0;
}

uint16_t
reader_u16(struct reader *r)
{
	const uint8_t *p = take(r, 2);

	return p != NULL ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

uint32_t
reader_u32(struct reader *r)
{
	const uint8_t *p = take(r, 4);

	if (p == NULL)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

uint32_t
reader_varint(struct reader *r)
{
	uint32_t v = 0;
	unsigned shift;
	uint8_t c;

	for (shift = 0; shift < 28; shift += 7) {
		c = reader_u8(r);
		v |= (uint32_t)(c & 0x7F) << shift;
		if ((c & 0x80) != 0)
			continue;
		if (c == 0 && shift > 0) /* v5 [MQTT-1.5.5-1] */
			break;
		return v;
	}
	fail(r);
	return 0;
}

struct slice
reader_binary(struct reader *r)
{
	return reader_bytes(r, reader_u16(r));
}

/* v5 [MQTT-1.5.4-3], v3.1.1 [MQTT-1.5.3-3]: a byte order mark stays */
struct slice
reader_string(struct reader *r)
{
	struct slice s = reader_binary(r);

	/* v5 [MQTT-1.5.4-1] [MQTT-1.5.4-2], v3.1.1 [MQTT-1.5.3-1]
	 * [MQTT-1.5.3-2] */
	if (utf8_valid(s))
		return s;
	fail(r);
	return (struct slice){ 0 };
}

struct slice
reader_bytes(struct reader *r, size_t n)
{
	const uint8_t *p = take(r, n);

	return slice_of(p, p != NULL ? n : 0);
}

struct slice
reader_rest(struct reader *r)
{
	return reader_bytes(r, reader_left(r));
}
