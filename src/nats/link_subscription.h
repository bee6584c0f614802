/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_subscription - what a link is subscribed to.
 *
 * Devices' filters are counted by the cover, which outlives connections; its
 * subscriptions live on the connection there is. A BUS_SUBSCRIBE is answered
 * by the fence behind it.
 *
 * NATS thread only.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"
#include "base/thread.h"

struct link;

void link_subscriptions_init(struct link *l);
void link_subscriptions_fini(struct link *l);

/* BUS_SUBSCRIBE and BUS_UNSUBSCRIBE. */
void link_subscribe(struct link *l, unsigned worker, uint64_t token,
    struct slice subject) NATS_THREAD;
void link_unsubscribe(struct link *l, struct slice subject) NATS_THREAD;

/* BUS_SUBSCRIBED when the server has what `l` has subscribed to so far. */
void link_answer_subscribed(struct link *l, unsigned worker, uint64_t token,
    struct slice subject) NATS_THREAD;

/* There is a new connection: subscribe to everything on it. */
void link_subscriptions_open(struct link *l);
/* A fence was answered: what waited for it, or for one before, is done. */
void link_subscriptions_on_fence(struct link *l, uint64_t fence) NATS_THREAD;
/* The connection is about to be closed. */
void link_subscriptions_close(struct link *l);
/* The link is down: nobody waits for its connection. */
void link_subscriptions_down(struct link *l) NATS_THREAD;

/* NATS has refused a subscription to exactly this. */
void link_subscription_denied(struct link *l, struct slice subject);
