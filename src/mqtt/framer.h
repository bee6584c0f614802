/* SPDX-License-Identifier: Apache-2.0 */
/*
 * framer - a byte stream cut into Control Packets. Pure; keeps no state.
 */
#pragma once

#include "base/attr.h"
#include "base/slice.h"
#include "mqtt/reason.h"

struct frame {
	uint8_t type;  /* enum mqtt_type; 0 is possible and is malformed */
	uint8_t flags; /* low four bits of the first byte */
	size_t size;   /* of the whole packet */
	struct slice body;
};

enum framer_result {
	FRAMER_PACKET, /* *out is a whole packet */
	FRAMER_MORE,   /* *out->size is what it will need, 0: not known yet */
	FRAMER_BAD     /* *reason says why */
};

/*
 * Look at the first packet in `in`. A packet larger than `max_size` bytes is
 * bad (PACKET_TOO_LARGE) as soon as its length is known, before it has
 * arrived; a Remaining Length of more than four bytes is MALFORMED_PACKET.
 */
enum framer_result framer_next(struct slice in, size_t max_size,
    struct frame *out, enum mqtt_reason *reason) MUST_CHECK;
