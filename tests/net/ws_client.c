/* SPDX-License-Identifier: Apache-2.0 */
/* ws_client - frames as a WebSocket client makes them. */
#include "net/ws_client.h"

#define MASKED 0x80

void
ws_client_put(struct buf *out, unsigned first, struct slice payload)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

	buf_append_byte(out, (uint8_t)first);
	if (payload.len < 126) {
		buf_append_byte(out, (uint8_t)(MASKED | payload.len));
	} else {
		int bytes = payload.len <= UINT16_MAX ? 2 : 8;

		buf_append_byte(out, MASKED | (bytes == 2 ? 126 : 127));
		while (bytes-- > 0)
			buf_append_byte(out,
			    (uint8_t)((uint64_t)payload.len >> 8 * bytes));
	}
	buf_append(out, mask, sizeof(mask));
	for (size_t i = 0; i < payload.len; i++)
		buf_append_byte(out, payload.ptr[i] ^ mask[i % 4]);
}
