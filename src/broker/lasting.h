/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lasting - what of a session outlives the process: its records in the store.
 *
 * A session lasts when there is a store and its Session Expiry Interval is
 * above 0. The functions change the records to what memory says, and do
 * nothing for a session that does not last. What waits for them: promise.
 */
#pragma once

#include "base/thread.h"
#include "store/session.h"

struct home;

/*
 * The session begins, goes on, or waits since `left_ms` (clock_wall_ms; 0: its
 * client is here). It begins or ends to last as its Expiry Interval says.
 */
void lasting_session(struct home *h, struct session *s,
    uint64_t left_ms) WORKER_THREAD;
/* It was in the store, under this number, and what it has stands there. */
void lasting_restore_session(struct session *s, uint64_t stored_id);
void lasting_restore_place(struct session *s, uint64_t place);
/* It ends, with all its records. */
void lasting_end_session(struct home *h, struct session *s) WORKER_THREAD;

/* A subscription is new, or its options are. */
void lasting_subscription(struct home *h, struct session *s,
    struct subscription *sub) WORKER_THREAD;
void lasting_end_subscription(struct home *h, const struct session *s,
    struct subscription *sub) WORKER_THREAD;

/*
 * A message at QoS > 0 on its way to the client: it has joined the queue or
 * what is in flight, or its state has changed.
 */
void lasting_outgoing(struct home *h, struct session *s,
    struct outgoing *o) WORKER_THREAD;
/* The same for one that stands before all others. */
void lasting_outgoing_first(struct home *h, struct session *s,
    struct outgoing *o) WORKER_THREAD;
/* It is over. */
void lasting_end_outgoing(struct home *h, const struct session *s,
    struct outgoing *o) WORKER_THREAD;
/*
 * It goes to another session, whose home ends it here when it has stored it
 * there: the place of the record, or 0 when there is none.
 */
uint64_t lasting_hand_over(struct home *h, const struct session *s,
    struct outgoing *o) WORKER_THREAD;
void lasting_end_handed_over(struct home *h, uint64_t session, uint64_t place,
    struct message *m) WORKER_THREAD;

/* A QoS 2 message of the client: delivered here, and answered if HELD. */
void lasting_received(struct home *h, const struct session *s,
    const struct received *e) WORKER_THREAD;
void lasting_end_received(struct home *h, const struct session *s,
    uint16_t packet_id) WORKER_THREAD;

/*
 * A Will whose client is there, that waits, or that nobody has acknowledged.
 */
struct lasting_will {
	struct message *message;
	uint64_t session; /* stored_id; 0: it is due whatever becomes of that */
	bool present;     /* the client is there */
	uint64_t due_ms;  /* clock_wall_ms; if present: its delay */
	uint32_t expiry_s;
	const char *owner;
};
/* `id` 0: a new one. Returns its id; 0 without a store. */
uint64_t lasting_will(struct home *h, uint64_t id,
    const struct lasting_will *w) WORKER_THREAD;
void lasting_end_will(struct home *h, uint64_t id) WORKER_THREAD;
