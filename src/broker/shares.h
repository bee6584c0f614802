/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares - the Shared Subscriptions of the node: who is in which group.
 *
 *   $share/GROUP/FILTER, NATS identity --> share --> members (sessions)
 *
 * All of a share's members that are on this node are one member of a NATS
 * queue group; what it gets goes to one of them. Everything here is derived
 * from the sessions' subscriptions. Any thread, under a lock of its own.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "broker/index.h"

struct shares;

enum shares_found {
	SHARES_NONE,   /* no such share, or nobody in it */
	SHARES_ONLINE, /* a member whose client is connected */
	SHARES_AWAY    /* a session that waits for its client */
};

struct shares *shares_new(void) MUST_CHECK;
void shares_free(struct shares **s);

/*
 * A session subscribes, or changes its options. `full` is the whole Topic
 * Filter, $share included, `match` what stands behind the group. Returns the
 * number of the share, which is never used again.
 */
uint64_t shares_join(struct shares *s, uint32_t link, struct slice full,
    struct slice match, const struct subscriber *member, bool online);
/* It unsubscribes. Returns the share's number, 0: it was in none. */
uint64_t shares_leave(struct shares *s, uint32_t link, struct slice full,
    uint64_t session);
/* Its client comes or goes. */
void shares_set_online(struct shares *s, uint32_t link, struct slice full,
    uint64_t session, bool online);

/*
 * Whose turn is it? One that is online and not the session `avoid` (0: nobody
 * is avoided); if there is none and `away` will do, one that is away.
 */
enum shares_found shares_pick(struct shares *s, uint64_t share, uint64_t avoid,
    bool away, struct subscriber *out);
/* Its number, 0: there is none. */
uint64_t shares_find(struct shares *s, uint32_t link, struct slice full);
/* Append its whole Topic Filter; nothing when there is no such share. */
void shares_filter(struct shares *s, uint64_t share, struct buf *out);
/* The shares whose filters match: the `session` of each is its number. */
void shares_match(struct shares *s, struct slice topic, struct matches *out);
/* How many there are, and members of them. */
size_t shares_count(struct shares *s);
size_t shares_members(struct shares *s);
