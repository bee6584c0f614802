/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - one connection to NATS and what must outlive it.
 *
 *            +--------- back-off over ---------+
 *            v                                 |
 *   CONNECTING --connected--> SYNCING --fence--> UP
 *       |                        |              |
 *       +-------- failed --------+---- lost ----+--> DOWN
 *
 * cnats' own reconnecting is off: it holds its lock while it connects, and it
 * gives up for good on errors that we can live with. Every loss, whatever its
 * cause, ends in DOWN, and the next connection is a new one.
 *
 * NATS thread only.
 */
#pragma once

#include <nats/nats.h>

#include "base/timer.h"
#include "nats/ack.h"
#include "nats/bus.h"
#include "nats/cover.h"
#include "nats/link_adapter.h"

struct connect_job;
struct flush_job;
struct intake_gate;
struct outgoing;
struct turnover;
TAILQ_HEAD(outgoing_list, outgoing);

enum link_state {
	LINK_DOWN,       /* waits for its back-off to be over */
	LINK_CONNECTING, /* the helper is at it */
	LINK_SYNCING,    /* subscriptions are on their way */
	LINK_UP,
	LINK_REFUSED /* a device's credentials are wrong; final */
};

struct link {
	struct bus *bus;
	uint32_t id;
	enum link_state state;
	struct hash_node by_id;
	TAILQ_ENTRY(link)
	by_dirt;
	TAILQ_ENTRY(link)
	by_gathering;
	bool is_dirty;     /* touched in this turn */
	bool is_gathering; /* its write was put off */
	bool was_up;       /* once or more */

	/* The connection: SYNCING and UP. */
	struct link_adapter *adapter;
	natsConnection *nc;
	natsSubscription *inbox_subscription;
	size_t max_payload;
	unsigned n_unasked; /* publishes since cnats was asked for its buffer */
	bool is_congested;  /* that buffer is full */

	/* Names; they stay over connections. */
	char *inbox; /* "_MQ.node.epoch." */
	size_t inbox_len;
	char *fence_subject;

	/* Fences: sent and answered are numbers that only grow. */
	uint64_t fences_sent;
	uint64_t fences_answered;
	uint64_t fence_since_ms; /* when the one in flight was sent */
	bool fence_wanted;       /* somebody waits for the next one */
	bool fence_by_ping;      /* the other way does not work here */
	bool inbox_denied; /* NATS lets its user not subscribe to `inbox` */
	char *denial;      /* what it has refused last, on this connection */
	bool was_denied;   /* something but its inbox, on this connection */
	bool heard_denial; /* since the fence in flight was sent */
	struct timer late; /* for what may be refused, see link_denial.h */
	uint64_t late_fence;
	unsigned late_rounds;
	struct turnover *turnover; /* of subscriptions; NULL: none */
	struct flush_job *flush;   /* the flusher is at it */
	uint64_t drain_fence;      /* the one behind everything */
	uint64_t alive_ms;         /* when the server last gave a sign */
	STAILQ_HEAD(, subscribed) subscribed;

	/* What must outlive the connection. */
	struct cover *cover;
	struct ack_table acks;
	struct outgoing_list waiting;   /* to be published, in order */
	struct outgoing_list droppable; /* those of them without an ack */
	size_t droppable_bytes;

	struct timer retry;       /* DOWN: connect again */
	struct timer watch;       /* SYNCING, UP: liveness */
	struct timer expire;      /* the first deadline of acks */
	struct timer narrow;      /* the cover has become loose */
	unsigned n_failed;        /* attempts since it was last up */
	char *complaint;          /* the last failure that was logged */
	uint64_t flushed_us;      /* when it was last written */
	struct intake_gate *gate; /* without NATS_HOOK */
	struct device *device;    /* whose it is; NULL: the daemon's own */
	struct side *side;        /* its second connection, if it has one */
	struct link *main;        /* it is the side's of this link, or NULL */
};

/* `main`: it will be the link of that one's side. */
struct link *link_new(struct bus *b, uint32_t id, struct device *device,
    struct link *main);
/* Closes at once. Requests and acks are dropped without an answer. */
void link_free(struct link **l) NATS_THREAD;

/* Connect now; for LINK_DOWN only. */
void link_connect(struct link *l);
/* Has it failed, or was it lost, since it was last up? */
bool link_is_away(const struct link *l);
/* The helper is done with a job of this link. */
void link_on_connect(struct link *l, struct connect_job *j) NATS_THREAD;

/* It is to be looked at when this turn ends. */
void link_touch(struct link *l);
/* The end of a turn: notice a loss, send a fence, write. */
void link_turn(struct link *l) NATS_THREAD;
/* Is everything that was published with the server, as far as it can be? */
bool link_is_drained(const struct link *l);
/* Send a fence behind everything published so far, for link_is_drained. */
void link_drain(struct link *l);
/* Shut the socket and forget the connection; the back-off begins. */
void link_abort(struct link *l, const char *why) NATS_THREAD;

/* Can a message be published now? Then before anything that waits. */
bool link_is_writable(const struct link *l);
/* A fence was answered: the server has handled what is before it. */
void link_on_fence(struct link *l, uint64_t fence) NATS_THREAD;
/* Everything that waits for fences up to this number is done. */
void link_settle_fence(struct link *l, uint64_t fence) NATS_THREAD;
