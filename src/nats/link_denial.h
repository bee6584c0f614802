/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_denial - what NATS does not permit the user of a link.
 *
 * The server says "Permissions Violation for Subscription to ..." or "...
 * Publish to ..." in the order of what it refuses, but cnats hands that to a
 * thread of its own, so the answer of the fence behind it may overtake it. On
 * a connection on which something was refused a fence settles a little later,
 * so that nobody is told of a success that was none.
 *
 * NATS thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <nats/nats.h>

#include "base/thread.h"

struct bus;
struct link;

/*
 * The server's words on the connection `nc`, which may be gone. A refused
 * inbox sends replies through the daemon's own link and fences by PING; what
 * else is refused is told to who asked for it: BUS_DENIED.
 */
void link_on_denied(struct bus *b, const natsConnection *nc,
    const char *text) NATS_THREAD;
/*
 * The fence was answered; may something that NATS has refused before it be
 * on its way to link_on_denied? Then link_settle_fence is called later.
 */
bool link_denial_defers(struct link *l, uint64_t fence);

void link_denial_init(struct link *l);
/* The connection is closed: the next one may be allowed more. */
void link_denial_reset(struct link *l);
