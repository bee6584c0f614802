/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake - how messages come from cnats.
 *
 * With NATS_HOOK (of config.h, which comes first) cnats hands messages over in
 * the NATS thread, by a function that its header does not declare. Without,
 * and on the link of a side, its delivery thread posts them to our mailbox.
 * `receive` gets them all, in the NATS thread.
 */
#pragma once

#include <nats/nats.h>

#include "base/mailbox.h"
#include "nats/link.h"

/*
 * What a subscription knows of its link: links come and go, and the delivery
 * thread may be late, so gates stay until the bus has stopped.
 */
struct intake_gate {
	struct intake_gate *next;
	struct mailbox *mailbox;
	uint32_t link;
	uint64_t share; /* of a queue group, else 0 */
};

#ifdef NATS_HOOK
#define INTAKE_BY_HOOK true
#else
#define INTAKE_BY_HOOK false
#endif

/* A gate for a link, where one is needed; else NULL. */
struct intake_gate *intake_gate_new(struct link *l);
void intake_free_gates(struct bus *b);

/* Messages of this new connection are for this link. */
void intake_start(struct link *l, natsConnection *nc);
/* A subscription of the link; NULL when cnats refuses. */
natsSubscription *intake_subscribe(struct link *l, const char *subject);
/* The link of a side: a member of a queue group; NULL as above. */
natsSubscription *intake_subscribe_group(struct link *l, const char *subject,
    const char *group, uint64_t share);
/* The link of a side: interest alone, what comes is dropped. */
natsSubscription *intake_hold(struct link *l, const char *subject);
/* Free a message that was made or received. */
void intake_free(natsMsg *msg);
