/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive - every message from NATS: reply, retained request, or for devices.
 *
 * With NATS_HOOK (of config.h, which comes first) cnats hands messages over in
 * the NATS thread, by a function that its header does not declare. Without,
 * and on the link of a side, its delivery thread posts them to our mailbox.
 */
#pragma once

#include <nats/nats.h>

#include "base/mailbox.h"
#include "nats/link.h"

/*
 * What a subscription knows of its link: links come and go, and the delivery
 * thread may be late, so gates stay until the bus has stopped.
 */
struct receive_gate {
	struct receive_gate *next;
	struct mailbox *mailbox;
	uint32_t link;
	uint64_t share; /* of a queue group, else 0 */
};

#ifdef NATS_HOOK
#define RECEIVE_BY_HOOK true
#else
#define RECEIVE_BY_HOOK false
#endif

/* A gate for a link, where one is needed; else NULL. */
struct receive_gate *receive_gate_new(struct link *l);
void receive_free_gates(struct bus *b);

/* Messages of this new connection are for this link. */
void receive_start(struct link *l, natsConnection *nc);
/* A subscription of the link; NULL when cnats refuses. */
natsSubscription *receive_subscribe(struct link *l, const char *subject);
/*
 * An answer to what the daemon's own link has published, which its own would
 * not hear from NATS: it has no echo. False: it is for somebody else.
 */
bool receive_own_answer(struct bus *b, struct slice reply) NATS_THREAD;
/* The link of a side: a member of a queue group; NULL as above. */
natsSubscription *receive_subscribe_group(struct link *l, const char *subject,
    const char *group, uint64_t share);
/* The link of a side: interest alone, what comes is dropped. */
natsSubscription *receive_hold(struct link *l, const char *subject);
/*
 * A message that `consumer` has held back: it came on `subject`, empty: its
 * own. Freed.
 */
void receive_held(struct link *l, natsMsg *msg, struct slice subject);
/* Free a message that was made or received. */
void receive_free(natsMsg *msg);
