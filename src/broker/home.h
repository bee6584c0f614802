/* SPDX-License-Identifier: Apache-2.0 */
/*
 * home - the broker's part of one worker: the sessions that live here, their
 * timers, their mail.
 *
 * Only its worker touches it; others post to `mailbox`. The worker calls
 * home_turn once per loop turn and then attends to every client on `dirty`.
 */
#pragma once

#include <stdatomic.h>

#include "base/buf.h"
#include "base/mailbox.h"
#include "base/queue.h"
#include "base/slots.h"
#include "base/thread.h"
#include "base/timer.h"
#include "broker/index.h"
#include "broker/promise.h"
#include "nats/bus.h"
#include "store/session.h"

struct broker;
struct client;
struct acl;
struct rights_answer;
struct match_memos;
struct topic_memo;
struct tokens;
struct users;

/* Written by the worker, read by anyone. */
struct home_stats {
	atomic_ullong packets_in;
	atomic_ullong answers_out;                         /* all but PUBLISH */
	atomic_ullong messages_in, messages_out;           /* PUBLISH */
	atomic_ullong publish_bytes_in, publish_bytes_out; /* of payloads */
	atomic_ullong bytes_in, bytes_out;                 /* of the sockets */
	atomic_ullong sockets;  /* that have come to this worker */
	atomic_ullong connects; /* CONNECTs accepted */
	atomic_ullong refused_connects;
	atomic_ullong refused_publishes;
	atomic_ullong dropped_slow;     /* QoS 0, the client does not read */
	atomic_ullong dropped_queue;    /* QoS > 0, the backlog is full */
	atomic_ullong dropped_expired;  /* Message Expiry Interval */
	atomic_ullong dropped_retained; /* limit of retained messages */
	atomic_ullong unacknowledged;   /* no answer from NATS in time */
	atomic_ullong expired_sessions;
	atomic_ullong queued; /* messages that wait now, for all sessions */
	atomic_ullong queued_bytes;
	atomic_uint clients; /* online */
	atomic_uint sessions;
};

/* A PUBLISH head, encoded once for all receivers of a message. */
struct encoded {
	struct buf head;
	size_t id_offset;
	bool valid;
};

TAILQ_HEAD(client_list, client);

struct home {
	unsigned id;           /* [I] the worker's number */
	struct broker *broker; /* [I] */
	struct waker waker;
	struct mailbox mailbox;
	atomic_size_t mail_bytes; /* [a] of messages in the mailbox */
	struct timer_wheel *timers;
	struct users *users;           /* NULL: there is no password file */
	struct tokens *tokens;         /* NULL: no key signs any */
	struct acl *acl;               /* NULL: everybody may do everything */
	unsigned n_own_acls;           /* sessions that have their own */
	struct rights_answer *answers; /* rights', what was asked lately */
	struct slots sessions;         /* of struct session */
	struct slots pending;          /* of struct pending */
	struct client_list dirty;      /* want the worker's attention */
	struct client_list stalled;    /* do not read because of `congested` */
	struct bus_request *overflow;  /* what the bus's ring had no room for */
	size_t n_overflow, cap_overflow;
	bool congested;
	bool bus_is_dirty;
	struct promises promises;        /* what waits for the store */
	uint64_t share;                  /* that `deliver` is for, or 0 */
	struct matches matches;          /* scratch */
	struct match_memos *match_memos; /* NULL: nobody has published */
	struct buf scratch;              /* properties */
	struct topic_memo *topic_memos;  /* topics', what was checked lately */
	struct buf subject;              /* scratch */
	struct encoded encoded[2][3]; /* [is v5][QoS] of the message at hand */
	uint64_t now_ms, wall_ms;     /* of this loop turn */
	uint64_t expire_at_ms;        /* worker 0: look for what has expired */
	struct home_stats stats;
};

/* A home without sessions. Returns NULL when no eventfd is to be had. */
struct home *
home_new(struct broker *b, unsigned id) MAIN_THREAD
ALONE
MUST_CHECK;
/* Ends every session; no client is left. */
void home_free(struct home **h) MAIN_THREAD;

/*
 * Take what others have sent (mail, events of the bus), fire timers, retry
 * what the bus had no room for, show it what is new.
 */
void home_turn(struct home *h) WORKER_THREAD;
/* Show the bus what was put; after the clients were attended to. */
void home_flush(struct home *h) WORKER_THREAD;
/* Is there mail or an event that home_turn would take? */
bool home_has_work(struct home *h) WORKER_THREAD;
/* Read the clocks. */
void home_tick(struct home *h) WORKER_THREAD;

/*
 * A request for the bus; never refused. What its ring does not take is kept
 * and `congested` set: then read no more from clients.
 */
void home_request(struct home *h, const struct bus_request *r) WORKER_THREAD;

#define home_count(h, counter) home_count_n((h), counter, 1)
#define home_count_n(h, counter, by)                                           \
	atomic_store_explicit(&(h)->stats.counter,                             \
	    atomic_load_explicit(&(h)->stats.counter, memory_order_relaxed) +  \
		(by),                                                          \
	    memory_order_relaxed)

/* So many messages more, or (n negative) less, wait for clients. */
static inline void
home_count_queued(struct home *h, int n, size_t bytes)
{
	home_count_n(h, queued, (unsigned long long)n);
	home_count_n(h, queued_bytes,
	    n < 0 ? -(unsigned long long)bytes : bytes);
}
