/* SPDX-License-Identifier: Apache-2.0 */
/*
 * door - what the connections of a listener share with it: how many they are,
 * and from where they may come.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/network.h"

/* From where clients may come; constant, a reload makes another. */
struct door_rules {
	struct networks allow;   /* none: from anywhere */
	struct networks deny;    /* but not from here */
	struct networks proxies; /* that are believed */
	bool proxy_protocol;     /* everybody comes through one of them */
	bool trusts_local;       /* what has no IP address is a proxy, too */
};

struct door {
	const char *name;    /* [I] of the listener, for the log */
	atomic_uint n_conns; /* [a] through it */
	_Atomic(const struct door_rules *) rules; /* [a] the newest */
};

/* May a client come from there? What has no IP address may always. */
bool door_admits(const struct door_rules *r, const struct sockaddr *sa);
/* Is what it says about others to be believed? */
bool door_trusts(const struct door_rules *r, const struct sockaddr *sa);
