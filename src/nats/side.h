/* SPDX-License-Identifier: Apache-2.0 */
/*
 * side - a second connection of a link, for what its own cannot carry.
 *
 *   link ---- node's connection: no echo, one cover, all messages alike
 *     `-side- its own: echo, a subscription each, whose messages are told apart
 *
 * Queue groups: a message says nothing about the subscription that it came
 * by, so a group's would look like any other on the node's connection; and
 * the group is to get what the node itself publishes. Held subjects: NATS
 * holds a JetStream push consumer back until somebody subscribes to exactly
 * its deliver subject, which the cover does not; what comes by these is
 * dropped. The connection is made when it is needed first. NATS thread only.
 */
#pragma once

#include "base/slice.h"
#include "base/thread.h"
#include "nats/bus.h"
#include "nats/link.h"

struct side;

/* One more, one less of this node is in a group. BUS_JOIN_GROUP and
 * BUS_LEAVE_GROUP; the request's group stays the caller's. */
void side_join(struct link *main, unsigned worker, uint64_t token,
    const struct bus_group *g) NATS_THREAD;
void side_leave(struct link *main, const struct bus_group *g) NATS_THREAD;
/* One more, one less has this subject, which has no wildcards. */
void side_hold(struct link *main, struct slice subject) NATS_THREAD;
void side_let_go(struct link *main, struct slice subject) NATS_THREAD;

/* The link of a side has a new connection, or is about to lose it. */
void side_on_open(struct link *l);
void side_on_close(struct link *l);
/* NATS has refused a subscription to exactly this. */
void side_denied(struct link *l, struct slice subject);
bool side_is_denied(const struct link *l, struct slice subject);

/* Is this literal subject one of a group of this node? */
bool side_has_group(const struct link *main, struct slice subject);
/* Does NATS not know of its groups now, but will? There are some. */
bool side_is_coming(const struct link *main);

/* With its link; harmless when there is none. */
void side_free(struct link *main) NATS_THREAD;
