/* SPDX-License-Identifier: Apache-2.0 */
/* writer - wire data types to the end of a buffer. Pure. */
#include "mqtt/writer.h"

#include <assert.h>

#include "mqtt/mqtt.h"

void
writer_u8(struct buf *b, uint8_t v)
{
	buf_append_byte(b, v);
}

void
writer_u16(struct buf *b, uint16_t v)
{
	uint8_t *p = buf_reserve(b, 2);

	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	buf_commit(b, 2);
}

void
writer_u32(struct buf *b, uint32_t v)
{
	uint8_t *p = buf_reserve(b, 4);

	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
	buf_commit(b, 4);
}

void
writer_varint(struct buf *b, uint32_t v)
{
	uint8_t *p = buf_reserve(b, 4);
	size_t n = 0;

	assert(v <= MQTT_VARINT_MAX);
	while (v > 0x7F) {
		p[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	p[n++] = (uint8_t)v;
	buf_commit(b, n);
}

void
writer_string(struct buf *b, struct slice s)
{
	assert(s.len <= MQTT_STRING_MAX);
	writer_u16(b, (uint16_t)s.len);
	buf_append_slice(b, s);
}

size_t
writer_varint_len(uint32_t v)
{
	return v < 1u << 7 ? 1 : v < 1u << 14 ? 2 : v < 1u << 21 ? 3 : 4;
}
