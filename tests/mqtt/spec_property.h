/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_property - v5 table 2-4 once more, written down apart from ours, so
 * that a slip in one of them shows.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct spec_property {
	unsigned id;
	char type; /* 1, 2, 4 bytes, v varint, s string, d data, p pair */
	const char *name;
	/* One letter per packet, where it may stand: see spec_letter. */
	const char *packets;
	uint32_t min, max; /* of a number */
};

extern const struct spec_property spec_properties[];
extern const size_t n_spec_properties;

/*
 * The letter of a packet type (0: Will Properties): w will, c CONNECT,
 * C CONNACK, p PUBLISH, a PUBACK, r PUBREC, l PUBREL, o PUBCOMP, s SUBSCRIBE,
 * S SUBACK, u UNSUBSCRIBE, U UNSUBACK, - none, d DISCONNECT, h AUTH.
 */
char spec_letter(unsigned packet_type);
