/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate - legal packets at random, built member by member without the
 * codec under test, as far as the structs allow. Seeded: the same seed gives
 * the same packets everywhere.
 */
#pragma once

#include "mqtt/any_packet.h"

struct generator {
	uint64_t state; /* never 0 */
	size_t used;
	uint8_t pool[1 << 18]; /* what the slices of the packet point into */
};

void generator_init(struct generator *g, uint64_t seed);
/* A number below `n`, which is not 0. */
uint32_t generate_below(struct generator *g, uint32_t n);
/* A packet of this type and version; the one before is gone. */
void generate_packet(struct generator *g, unsigned type, unsigned version,
    struct any_packet *out);
