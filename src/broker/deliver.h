/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver - a message to the sessions of this worker that want it, and out to
 * their clients.
 */
#pragma once

#include "base/mailbox.h"
#include "base/queue.h"
#include "base/thread.h"
#include "broker/index.h"
#include "store/message.h"
#include "store/outgoing.h"

struct client;
struct home;
struct session;

/* What became of a message; bits. */
#define DELIVER_REACHED 1u /* somebody got it, or has it queued */
#define DELIVER_TAKEN   2u /* a session has taken it at QoS > 0 */
#define DELIVER_STORED  4u /* one that lasts has: wait for the store */

/* A message and who on one worker wants it: mail, or an event of the bus. */
struct delivery {
	struct mail mail; /* from the bus: handle is NULL, or does it all */
	STAILQ_ENTRY(delivery)
	chosen;                  /* before it is mail, see sharing */
	struct message *message; /* one reference */
	uint64_t share;          /* for a member of this share; 0: for all */
	unsigned hops;           /* so many members could not take it */
	uint64_t token;  /* tell its worker when it is taken; 0: nobody */
	uint64_t held;   /* what is stored waits for this; 0: for nothing */
	bool wants_word; /* tell it when it is dealt with in any case */
	/* Of the member that gave it away: its record, not ended yet. */
	uint64_t from_session, from_place;
	uint32_t link;
	uint32_t n;
	struct subscriber to[];
};

/* A delivery of `n` subscribers; takes a reference of its own. */
struct delivery *delivery_new(struct message *m, uint32_t link,
    const struct subscriber *to, size_t n);
void delivery_free(struct delivery *d);

/*
 * Give the message to `n` subscribers of this worker. Those of another NATS
 * identity than `link` are left out. Returns DELIVER_ bits.
 */
unsigned deliver(struct home *h, struct message *m, uint32_t link,
    const struct subscriber *to, size_t n) WORKER_THREAD;

/* Could a message at QoS > 0 be sent to this client at once? */
bool deliver_is_ready(const struct client *c) WORKER_THREAD;
/*
 * Send what waits for this client, as far as its Receive Maximum and its
 * socket allow: retained messages, then the backlog.
 */
void deliver_pump(struct client *c) WORKER_THREAD;
/* After a resumed CONNECT: what was in flight again, with DUP. */
void deliver_resume(struct client *c) WORKER_THREAD;
/*
 * Queue the retained messages of a new subscription for the client.
 * `messages` (an array on the heap with a reference each) is given away. At
 * most `max` wait for one client: with more, the new ones are dropped.
 */
void deliver_retained(struct client *c, struct message **messages, size_t n,
    uint8_t qos, uint32_t subscription_id, size_t max) WORKER_THREAD;
/*
 * The client goes, but not yet its session: what is left of them at QoS > 0
 * waits there if it is kept.
 */
void deliver_forget(struct client *c) WORKER_THREAD;

/* Does any of these last, and want it at QoS > 0? */
bool deliver_is_lasting(const struct message *m, const struct subscriber *to,
    size_t n) ANY_THREAD;
