/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turnover - subscriptions that others replace, while both bring messages.
 *
 *   SUB wide            fence answered          UNSUB narrow
 *      |  narrow alone   |   both: copies are     |   copies may
 *      |  or both        |   dropped              |   still come
 *      +-----------------+------ GRACE_MS --------+-- AFTERMATH_MS --+
 *
 * The server matches a message before it sends it, and may be interrupted in
 * between for a while: what it has matched with the narrow subscription alone
 * comes behind the answer to a fence that was sent behind the wide one. So
 * the narrow one stays for some time, and copies are told from first ones
 * (copies.h). That needs the subscription by which a message has come, which
 * cnats' filter does not tell: where it matters, the filter lets a marker
 * through in place of the message, and looks afterwards where it has gone.
 *
 * NATS thread only.
 */
#pragma once

#include <stdint.h>

#include <nats/nats.h>

#include "base/slice.h"
#include "base/thread.h"

struct link;
struct turnover;

/*
 * What tells subscriptions apart. Not the id that cnats gives them: asking for
 * that takes its locks.
 */
static inline int64_t
turnover_number(const natsSubscription *subscription)
{
	return (int64_t)(intptr_t)subscription;
}

/*
 * `subscription` is replaced by what the link has subscribed to just now, and
 * given away. `fence` is behind that.
 */
void turnover_add(struct link *l, const char *subject,
    natsSubscription *subscription, uint64_t fence);
/* One that is to stay after all is given back; NULL when there is none. */
natsSubscription *turnover_take_back(struct link *l, const char *subject);
/* A subscription of the link that nobody needs was ended. */
void turnover_on_end(struct link *l, int64_t subscription);
/* This fence was answered. */
void turnover_on_fence(struct link *l, uint64_t fence);
/* End all: the connection is about to be closed. */
void turnover_free(struct link *l);

/*
 * Is this message, which has come by the subscription of that number, the
 * first copy?
 */
bool turnover_is_first(struct link *l, natsMsg *msg, int64_t subscription);
/*
 * In cnats' filter: keep *msg and put a marker in its place, if it matters by
 * which subscription it comes. turnover_settle must follow before the next.
 */
bool turnover_hold(struct link *l, natsMsg **msg);
/* The marker has arrived somewhere: receive what was kept, or drop it. */
void turnover_settle(struct link *l) NATS_THREAD;
