/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of a WebSocket client. The first byte says in parts of which size
 * they come; however that is, the payload, what is answered and the end are
 * the same, and between two frames nothing is held.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "fuzz/fuzz.h"
#include "net/ws_frames.h"

static void
decode(struct ws_frames *f, struct slice in, size_t part, struct buf *out)
{
	while (in.len > 0) {
		size_t n = part < in.len ? part : in.len, got;
		uint8_t *p = xmalloc(n); /* of exactly this size */

		memcpy(p, in.ptr, n);
		got = ws_frames_decode(f, p, n);
		assert(got <= n);
		buf_append(out, p, got);
		free(p);
		in = slice_skip(in, n);
		assert(buf_len(&f->control) <= 125);
		assert(buf_len(&f->pong) <= 125);
		if (!f->is_inside && f->n_inside == 0)
			assert(f->wslay == NULL && f->control.base == NULL);
	}
}

static void
check_answers(struct ws_frames *f)
{
	struct buf out = { 0 };

	if (f->has_pong) {
		ws_frames_put_pong(f, &out);
		assert(buf_len(&out) == 2u + buf_ptr(&out)[1]);
	}
	buf_reset(&out);
	if (f->close != 0) {
		assert(f->close >= 1000 && f->close <= 4999);
		ws_frames_put_close(f, &out);
		assert(buf_len(&out) == 4);
	}
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_frames whole = { 0 }, parts = { 0 };
	struct buf a = { 0 }, b = { 0 };
	struct slice in;

	if (size < 2)
		return 0;
	in = slice_of(data + 1, size - 1);
	decode(&whole, in, in.len, &a);
	decode(&parts, in, 1u + data[0], &b);
	assert(slice_eq(buf_slice(&a), buf_slice(&b)));
	assert(whole.close == parts.close);
	assert(whole.is_closed_by_peer == parts.is_closed_by_peer);
	assert(whole.has_pong == parts.has_pong);
	assert(slice_eq(buf_slice(&whole.pong), buf_slice(&parts.pong)));
	check_answers(&whole);
	buf_fini(&a);
	buf_fini(&b);
	ws_frames_fini(&whole);
	ws_frames_fini(&parts);
	return 0;
}
