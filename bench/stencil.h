/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stencil - the bytes of one publish, copied and patched for every use.
 *
 *   | header, topic | id | ... | lane, seq, sent_ns | rest of the payload |
 *                    ^id_at     ^payload_at
 *
 * The first bytes of a payload say which message it is: the lane (one
 * publisher, one topic), the number in the lane and the time of sending.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* The start of every payload, in the byte order of this machine. */
struct stamp {
	uint32_t lane;
	uint32_t seq;
	uint64_t sent_ns;
};

enum id_form {
	ID_NONE,
	ID_BINARY, /* MQTT: two bytes, the higher one first */
	ID_DECIMAL /* NATS: five digits at the end of the reply subject */
};

struct stencil {
	/* To be set before wire->compose. */
	const char *topic;  /* in MQTT's form; borrowed for that call */
	uint32_t publisher; /* number of the peer that will send it */
	uint32_t size;      /* of the payload, at least of a struct stamp */
	unsigned qos;       /* NATS: above 0 asks for a reply */
	bool retain;
	/* Set by it. */
	struct buf bytes;
	enum id_form id_form;
	size_t id_at;
	size_t payload_at;
};

/* Append one publish to `out`. */
void stencil_use(const struct stencil *s, struct buf *out, uint32_t id,
    const struct stamp *stamp);
