/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life - how sessions begin and end on a home: created by CONNECT, left when
 * the Network Connection goes, resumed, expired, dropped.
 *
 *            CONNECT              Network Connection goes
 *   (none) ----------> ONLINE <------------------------> AWAY
 *      ^                  |           CONNECT              | expiry, or
 *      `------------------'--------------------------------' Clean Start
 */
#pragma once

#include "base/thread.h"
#include "broker/home.h"
#include "store/session.h"

struct client;
struct pending;

/*
 * The session of this Client Identifier on this home, created if there is
 * none. NULL: it is on another worker, `*worker`.
 */
struct session *life_find_session(struct home *h, struct slice client_id,
    bool *created, uint8_t *worker) WORKER_THREAD;

/* A session that is on no table yet but the home's own. */
struct session *life_create_session(struct home *h,
    struct slice client_id) WORKER_THREAD;

/* The client's Network Connection goes; the session waits or ends. */
void life_leave_session(struct client *c, bool with_will) WORKER_THREAD;

/* End a session: subscriptions, messages, everything; a delayed Will is
 * published. */
void life_end_session(struct home *h, struct session **s) WORKER_THREAD;
/* The same when the process stops: nobody is told. */
void life_drop_session(struct home *h, struct session **s) ALONE;

/* One more or one less subscription of a session; options are in `sub`. */
void life_enter_subscription(struct home *h, struct session *s,
    const struct subscription *sub) WORKER_THREAD;
/*
 * Ask NATS for it too; every answer comes with `token`. Returns how many
 * there will be.
 */
unsigned life_join_nats(struct home *h, const struct session *s,
    const struct subscription *sub, uint64_t token) WORKER_THREAD;
void life_leave_subscription(struct home *h, struct session *s,
    struct subscription **sub) WORKER_THREAD;

/*
 * The session uses this NATS identity from now on and holds it (one
 * BUS_FORGET will be sent for it); the one it held before is given back.
 */
void life_set_link(struct home *h, struct session *s,
    uint32_t link) WORKER_THREAD;

/* A Will that waits; its message is given away. */
struct delayed_will {
	struct message *message;
	uint64_t stored_id; /* 0: not in the store */
	uint64_t delay_ms;
	uint32_t expiry_s; /* once published */
};
void life_arm_will(struct home *h, struct session *s,
    const struct delayed_will *d) WORKER_THREAD;
/* A Will that waits for its Will Delay Interval is not to be. */
void life_cancel_will(struct home *h, struct session *s) WORKER_THREAD;

/* NATS no longer accepts an identity: its clients go. */
void life_refuse_link(struct home *h, uint32_t link) WORKER_THREAD;

/* Free a pending of any kind. */
void life_free_pending(struct pending *p);
