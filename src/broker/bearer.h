/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bearer - clients whose password is a JSON Web Token, checked by the helper
 * thread: a signature takes longer than a turn of a worker's loop may.
 *
 * They count as passwords that wait to be checked ([limits] max_logins).
 */
#pragma once

#include "base/thread.h"
#include "mqtt/packet.h"

struct client;

/* Is it for a token to say who that is? */
bool bearer_is_due(const struct client *c,
    const struct packet_connect *p) WORKER_THREAD;
/* Have it checked. False: too many wait already. */
bool
bearer_start(struct client *c, const struct packet_connect *p) WORKER_THREAD
MUST_CHECK;
