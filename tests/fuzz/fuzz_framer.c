/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_framer - the first byte chooses the largest packet, as a power of
 * two; the rest is a stream.
 *
 * The law: a packet is found when its last byte is there and not before, and
 * a packet that is refused was not asked for more.
 */
#include <assert.h>

#include "fuzz/fuzz.h"
#include "mqtt/framer.h"

/* The first `n` bytes of the packet `f` ask for the rest. */
static void
check_part(struct slice in, size_t max_size, const struct frame *f, size_t n)
{
	struct frame part;
	enum mqtt_reason rc;
	enum framer_result res =
	    framer_next(slice_of(in.ptr, n), max_size, &part, &rc);

	assert(res == FRAMER_MORE);
	assert(part.size == 0 || part.size == f->size);
}

static void
check_packet(struct slice in, size_t max_size, const struct frame *f)
{
	size_t n;

	assert(f->size <= in.len && f->size <= max_size && f->size >= 2);
	assert(f->body.ptr + f->body.len == in.ptr + f->size);
	assert(f->size - f->body.len <= MQTT_FIXED_HEADER_MAX);
	assert((f->type << 4 | f->flags) == in.ptr[0]);
	for (n = 0; n < f->size && n <= MQTT_FIXED_HEADER_MAX; n++)
		check_part(in, max_size, f, n);
	check_part(in, max_size, f, f->size - 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	enum mqtt_reason rc = MQTT_RC_SUCCESS;
	enum framer_result res;
	struct frame f;
	size_t max_size;

	if (size == 0)
		return 0;
	max_size = (size_t)1 << (data[0] & 31);
	in = slice_skip(in, 1);
	while ((res = framer_next(in, max_size, &f, &rc)) == FRAMER_PACKET) {
		check_packet(in, max_size, &f);
		in = slice_skip(in, f.size);
	}
	if (res == FRAMER_BAD)
		assert(rc == MQTT_RC_PACKET_TOO_LARGE ||
		    rc == MQTT_RC_MALFORMED_PACKET);
	else
		assert(f.size == 0 || (f.size > in.len && f.size <= max_size));
	return 0;
}
