/* SPDX-License-Identifier: Apache-2.0 */
/*
 * presence - how many clients of each user are online, on all workers. Any
 * thread, one lock; only where [limits] max_connections_per_user is set, and
 * only users whose password or proof has been found good.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/thread.h"

struct presence;

struct presence *presence_new(void);
void presence_free(struct presence **p);

/* One more; false: there are `max` already. */
bool
presence_enter(struct presence *p, const char *user, unsigned max) ANY_THREAD
MUST_CHECK;
void presence_leave(struct presence *p, const char *user) ANY_THREAD;
