/* SPDX-License-Identifier: Apache-2.0 */
/*
 * framer - finds the end of the first Control Packet in a byte range. Pure.
 *
 *   type | flags   Remaining Length, 1-4 bytes   body
 *   4 bits 4 bits  7 bits each, lowest first
 */
#include "mqtt/framer.h"

#define LENGTH_MAX 4 /* bytes of a Remaining Length */

enum framer_result
framer_next(struct slice in, size_t max_size, struct frame *out,
    enum mqtt_reason *reason)
{
	size_t len = 0, n = 0;
	uint8_t c;

	*out = (struct frame){ 0 };
	if (in.len == 0)
		return FRAMER_MORE;
	out->type = in.ptr[0] >> 4;
	out->flags = in.ptr[0] & 0x0F;
	do {
		if (n == LENGTH_MAX) { /* v5 2.1.4, 1.5.5; v3.1.1 2.2.3 */
			*reason = MQTT_RC_MALFORMED_PACKET;
			return FRAMER_BAD;
		}
		if (1 + n == in.len)
			return FRAMER_MORE;
		c = in.ptr[1 + n];
		len |= (size_t)(c & 0x7F) << 7 * n;
		n++;
	} while ((c & 0x80) != 0);
	out->size = 1 + n + len;
	if (out->size > max_size) { /* v5 [MQTT-3.2.2-15] */
		*reason = MQTT_RC_PACKET_TOO_LARGE;
		return FRAMER_BAD;
	}
	if (in.len < out->size)
		return FRAMER_MORE;
	out->body = slice_of(in.ptr + 1 + n, len);
	return FRAMER_PACKET;
}
