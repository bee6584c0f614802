/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outgoing - messages on their way to one client, first in first out.
 *
 * The queue under both `inflight` and the backlog of a session. Its memory
 * goes when it is empty, so that an idle session holds none. Owned by the
 * session's worker.
 */
#pragma once

#include "store/message.h"

enum outgoing_state {
	OUTGOING_QUEUED,
	OUTGOING_SENT,     /* waits for PUBACK, or PUBREC at QoS 2 */
	OUTGOING_RELEASED, /* PUBREL sent, waits for PUBCOMP */
	OUTGOING_AGAIN,    /* SENT on an earlier connection, to be repeated */
	OUTGOING_DONE      /* a hole that goes when it comes to the front */
};

struct outgoing {
	struct message *message; /* one reference; NULL when DONE */
	uint32_t *more_ids; /* heap: count, then Subscription Identifiers */
	uint64_t place;     /* in the store; 0: not there */
	uint64_t share;     /* number of the Shared Subscription; 0 */
	uint32_t subscription_id; /* the first one; 0: none */
	uint16_t packet_id;       /* 0 until sent */
	uint8_t qos : 2;
	uint8_t retain : 1;
	uint8_t state; /* enum outgoing_state */
};

struct outbox {
	struct outgoing *items; /* a ring of `cap`, a power of two or 0 */
	uint32_t head;
	uint32_t n;
	uint32_t cap;
};

/* Drop everything. */
void outbox_fini(struct outbox *box);
/* Append; the box takes over what *o refers to. */
struct outgoing *outbox_push(struct outbox *box, const struct outgoing *o);
/* The same at the front. */
struct outgoing *outbox_push_first(struct outbox *box,
    const struct outgoing *o);
/* The i-th from the front, i < n; valid until the box changes. */
struct outgoing *outbox_at(const struct outbox *box, uint32_t i);
/*
 * Take the first into *out, which then owns it; false when there is none.
 */
bool outbox_pop(struct outbox *box, struct outgoing *out);
/* Give back what an outgoing refers to. */
void outgoing_fini(struct outgoing *o);
