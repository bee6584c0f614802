/* SPDX-License-Identifier: Apache-2.0 */
/*
 * privileges - who the daemon is: root until it has what only root may have,
 * then [server] user and group for good.
 *
 *   root: pid file, log, certificates, passwords, sockets
 *     borrow ... give_back   as the user, to open what it will write later
 *   drop                     the user, with no way back
 *
 * Main thread, before the first other thread that is to go with it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/thread.h"

struct privileges {
	const char *user; /* [I] borrowed; as in the configuration */
	uid_t uid;
	gid_t gid;
	bool is_root; /* and is not to stay it */
};

/*
 * Look the names up ("" for none; without a group, the user's). False: there
 * is no `*missing` of that name, "user" or "group".
 */
bool privileges_find(struct privileges *p, const char *user, const char *group,
    const char **missing) MUST_CHECK;

/*
 * Act as the user until give_back; `directory` (may be NULL) is made for it
 * first if it is not there. Nothing happens without root. Return 0 or -errno.
 */
int privileges_borrow(const struct privileges *p,
    const char *directory) MAIN_THREAD;
int privileges_give_back(const struct privileges *p) MAIN_THREAD;

/*
 * Become the user: all user and group ids, supplementary groups, capabilities.
 * Says in the log what it did, or that it is not root. Returns 0, or -errno
 * when something of root is left.
 */
int
privileges_drop(const struct privileges *p) MAIN_THREAD
MUST_CHECK;
