/* SPDX-License-Identifier: Apache-2.0 */
/* stencil - the bytes of one publish, copied and patched for every use. */
#include "stencil.h"

#include <string.h>

static void
patch_id(uint8_t *at, enum id_form form, uint32_t id)
{
	if (form == ID_BINARY) {
		at[0] = (uint8_t)(id >> 8);
		at[1] = (uint8_t)id;
		return;
	}
	for (int i = 4; i >= 0; i--) {
		at[i] = (uint8_t)('0' + id % 10);
		id /= 10;
	}
}

void
stencil_use(const struct stencil *s, struct buf *out, uint32_t id,
    const struct stamp *stamp)
{
	size_t len = buf_len(&s->bytes);
	uint8_t *at = buf_reserve(out, len);

	memcpy(at, buf_ptr(&s->bytes), len);
	if (s->id_form != ID_NONE)
		patch_id(at + s->id_at, s->id_form, id);
	memcpy(at + s->payload_at, stamp, sizeof(*stamp));
	buf_commit(out, len);
}
