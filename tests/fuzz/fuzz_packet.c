/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_packet - the first byte chooses the version ('3', '4' or '5', any
 * other is taken modulo three), the rest is a stream of packets.
 *
 * The law: what decodes, decodes to the same after it was encoded again. The
 * line for the log must come out of any packet.
 */
#include <assert.h>

#include "fuzz/fuzz.h"
#include "mqtt/any_packet.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct buf line = { 0 };
	struct any_packet p;
	struct frame f;
	enum mqtt_reason rc;
	unsigned version;

	if (size == 0)
		return 0;
	version = MQTT_V31 + data[0] % 3;
	in = slice_skip(in, 1);
	while (framer_next(in, size, &f, &rc) == FRAMER_PACKET) {
		rc = any_packet_decode(&f, version, &p);
		if (rc == MQTT_RC_SUCCESS)
			assert(any_packet_round_trip(&p) == NULL);
		buf_reset(&line);
		packet_print(&line, &f, version);
		assert(buf_len(&line) > 0);
		in = slice_skip(in, f.size);
	}
	buf_fini(&line);
	return 0;
}
