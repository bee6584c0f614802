/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ack - messages that were published to NATS and wait for somebody to take
 * responsibility.
 *
 *   WAITING --sent--> SENT --reply, PubAck, fence, 503, attempts over--> gone
 *      ^               |
 *      +--- timeout ---+    (published again, marked as a duplicate)
 *      +-- "soon" over -+
 *
 * The sequence number is the last token of the reply subject, the same for
 * every attempt, so that a late reply to the first still counts. Deadlines
 * are all equally far away, so the order of sending is the order of expiry.
 * One table per link; NATS thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/queue.h"
#include "nats/bus.h"

/* What a table waits for a reply with when there is no deadline. */
#define ACK_NEVER UINT64_MAX

enum ack_state {
	ACK_WAITING, /* to be published (again); in no list below */
	ACK_SENT,    /* in `due`: a reply, or the deadline */
	ACK_SOON,    /* in `soon`: to be published again in a moment */
	ACK_FENCED   /* in `fenced`: the answer of a fence */
};

struct ack {
	struct hash_node node;
	TAILQ_ENTRY(ack)
	by_seq;
	TAILQ_ENTRY(ack)
	by_due; /* in due or in fenced */
	uint64_t seq;
	uint64_t token;
	uint64_t deadline; /* ACK_SENT, ACK_SOON: ms */
	uint64_t fence;    /* ACK_FENCED: settled by this one */
	struct message *message;
	unsigned worker;
	unsigned n_sent;    /* published so often */
	unsigned n_expired; /* nobody has replied in time so often */
	unsigned n_soon;    /* "no responders" was not believed so often */
	uint8_t policy;
	uint8_t flags;
	uint8_t state;
	bool doubted; /* nobody was there, but our own groups may come */
	void *queued; /* the publisher's, while WAITING */
};
TAILQ_HEAD(ack_list, ack);

struct ack_table {
	struct hash by_number;
	struct ack_list all;    /* by sequence number */
	struct ack_list due;    /* by deadline */
	struct ack_list soon;   /* by deadline */
	struct ack_list fenced; /* by fence */
	uint64_t next_seq;
	uint64_t timeout_ms;
	unsigned attempts;
	size_t n;
	size_t bytes; /* of their messages */
};

void ack_table_init(struct ack_table *t, uint64_t timeout_ms,
    unsigned attempts);
/* Everything must have been ended. */
void ack_table_fini(struct ack_table *t);

/* A new entry, WAITING; it keeps a reference to the message of its own. */
struct ack *ack_begin(struct ack_table *t, unsigned worker,
    const struct bus_request *r);
/* It was published now and waits for a reply. */
void ack_sent(struct ack_table *t, struct ack *a, uint64_t now_ms);
/*
 * There were no responders, which can mean that a stream is just changing its
 * leader (ADR-22): try again in ACK_SOON_MS. False: that was done often
 * enough, believe it.
 */
#define ACK_SOON_MS    250u
#define ACK_SOON_TIMES 2u
bool ack_again_soon(struct ack_table *t, struct ack *a,
    uint64_t now_ms) MUST_CHECK;
/* It was published now and waits for the answer of this fence. */
void ack_fenced(struct ack_table *t, struct ack *a, uint64_t fence);
/* It waits to be published again. */
void ack_wait(struct ack_table *t, struct ack *a);
/* Forget it: it is settled. Clears *a. */
void ack_end(struct ack_table *t, struct ack **a);

/* The entry with this number, or NULL when it is settled or never was. */
struct ack *ack_find(const struct ack_table *t, uint64_t seq);
/*
 * One whose deadline is over, or NULL. It is WAITING then, unless it is
 * exhausted.
 */
struct ack *ack_overdue(struct ack_table *t, uint64_t now_ms);
/* The next one that this fence, or one before it, settles, or NULL. */
struct ack *ack_behind(const struct ack_table *t, uint64_t fence);
/* Was it published, and waited for, as often as it may be? */
bool ack_is_exhausted(const struct ack_table *t, const struct ack *a);
/* When ack_overdue will have something; ACK_NEVER: nothing waits. */
uint64_t ack_deadline(const struct ack_table *t);
/*
 * The link is gone: everything waits to be published again. Time does not
 * count, and what was sent so far may have been lost unseen.
 */
void ack_wait_all(struct ack_table *t);
