/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - one thread, one event loop: the connections and sessions of a
 * home.
 *
 * A turn of the loop: wait; sockets that are readable are read and their
 * packets handled; mail, the bus and timers are seen to; every connection
 * that has something to write is written once; the bus is shown what is new.
 */
#pragma once

#include <event2/event_struct.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "base/thread.h"
#include "net/conn.h"

struct admission;
struct broker;
struct event_base;
struct home;

/* What one read takes at most. */
#define WORKER_SCRATCH 65536

struct worker {
	unsigned id;                 /* [I] */
	struct home *home;           /* [I] */
	struct worker **workers;     /* [I] all of them, by number */
	struct event_base *base;     /* [w] made without locks */
	struct event on_wake;        /* [w] */
	struct event on_timer;       /* [w] */
	uint64_t timer_due_ms;       /* [w] when on_timer fires; 0: not armed */
	LIST_HEAD(, conn) conns;     /* [w] */
	LIST_HEAD(, conn) buried;    /* [w] freed at the end of the turn */
	uint8_t *scratch;            /* [w] WORKER_SCRATCH bytes */
	bool is_ticked;              /* [w] the home's clock is of this turn */
	bool stops;                  /* [w] */
	bool closes;                 /* [w] clients are being sent away */
	struct admission *admission; /* [I] of all workers */
	atomic_uint n_conns;         /* [a] here or on their way, to balance */
	atomic_ullong busy_since_ms; /* [a] this turn; 0: it waits */
	atomic_ullong late_until_ms; /* [a] a turn has taken too long */
	pthread_t thread;            /* [main] */
};

/*
 * One per home of the broker; their threads do not run yet. Returns NULL
 * when the kernel gives no epoll.
 */
struct worker **
workers_new(struct broker *b) MAIN_THREAD
MUST_CHECK;
/* Start all threads; 0 or -errno. */
int
workers_start(struct worker **workers, unsigned n) MAIN_THREAD
MUST_CHECK;
/*
 * Send every client away (v5: 0x8B), publish what Wills are due, write what
 * is to be written. Returns when all are gone or after `timeout_ms`.
 */
void workers_drain(struct worker **workers, unsigned n,
    unsigned timeout_ms) MAIN_THREAD;
/* End the threads; what the bus still had for them is taken first. */
void workers_stop(struct worker **workers, unsigned n) MAIN_THREAD;
void workers_free(struct worker ***workers, unsigned n) MAIN_THREAD;

/* Hand over an accepted socket; the origin is copied. */
void worker_post_conn(struct worker *w, const struct conn_origin *o) ANY_THREAD;

/* Does it take too long to get round, [limits] max_lag? */
bool worker_is_late(const struct worker *w, uint64_t now_ms) ANY_THREAD;

/* Has it been in the same turn for so long? */
bool worker_is_stuck(const struct worker *w, uint64_t now_ms,
    uint64_t patience_ms) ANY_THREAD;

/* For conn: */
struct worker *worker_number(struct worker *w, unsigned id);
/* Read the clock, once per turn. */
void worker_tick(struct worker *w) WORKER_THREAD;
/* Free it when libevent can no longer call it. */
void worker_bury(struct worker *w, struct conn *c) WORKER_THREAD;
