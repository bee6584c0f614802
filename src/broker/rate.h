/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate - how fast a client may publish: a bucket of messages, and one of
 * bytes, filled as time goes on and never with more than a second's worth.
 *
 * A client that has used up one of them is not read from until there is
 * something in it again. Its last message may be larger than what was left:
 * the bucket owes it then. Only clients that have a limit have buckets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/thread.h"

struct client;

/* It is online: give it buckets if it is to have any. */
void rate_start(struct client *c) WORKER_THREAD;
void rate_stop(struct client *c);

/*
 * A PUBLISH of this many bytes has come. False: there was nothing left for
 * it, and the rules are to say so instead of letting it wait.
 */
bool
rate_take(struct client *c, size_t size) WORKER_THREAD
MUST_CHECK;
/* Is there nothing left? Then the client is touched when there is. */
bool rate_is_spent(struct client *c) WORKER_THREAD;
