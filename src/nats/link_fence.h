/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_fence - how a link learns what the NATS server has handled.
 *
 * A fence is a publish to a subject that nobody listens to; the "no
 * responders" that comes back proves that the server has handled everything
 * before it. Where somebody does listen to everything, or the user may not
 * publish there, a PING does the same through the flusher's thread.
 *
 * NATS thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct link;

/* The number of the next fence; it will be sent when the turn ends. */
uint64_t link_want_fence(struct link *l);
/* Send it now; the answer calls link_on_fence. None is in flight. */
void link_send_fence(struct link *l);
bool link_fence_in_flight(const struct link *l);
/* Have this connection's fences answered by PONGs, the one in flight too. */
void link_fence_by_ping(struct link *l);

/* Does the flusher's thread use the connection? */
bool link_is_flushing(const struct link *l);
/* Leave the connection and its adapter to the flusher, which frees them. */
void link_leave_flush(struct link *l);
/*
 * The flusher writes through cnats, which only tells the adapter: see to the
 * links that it is at.
 */
void link_touch_flushing(struct bus *b);
