/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivering - what the files of a delivery share: deliver sends what comes,
 * deliver_feed what was retained.
 */
#pragma once

#include "base/thread.h"
#include "store/session.h"

struct client;
struct home;

/* Can the client take a message of this QoS now? */
bool delivering_may_send(const struct client *c, uint8_t qos);
/* Send, or drop, one that waited; what it refers to is given away. */
void delivering_send(struct client *c, struct outgoing *o) WORKER_THREAD;
/*
 * What may wait for a session: those of the listener that its client came
 * through, while it is there.
 */
struct session_limits delivering_queue_limits(const struct home *h,
    const struct session *s);
/* Something was lost: say whose, once a second at most. */
void delivering_log_drop(const struct session *s, const char *why);

/* deliver_feed: retained messages; false: the client can take no more now. */
bool delivering_feeds(struct client *c) WORKER_THREAD;
