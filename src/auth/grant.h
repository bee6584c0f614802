/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grant - what a service has said about a client that wants to connect.
 *
 *   {"allow": true, "username": "anna", "client_id": "pump-7",
 *    "acl": ["topic read a/#", "pattern write devices/%c/#"],
 *    "limits": {"message_rate": 10}, "expires": 3600, "cache": 60}
 *   {"allow": false, "reason": "not paid"}
 *
 * mqtt-nats.ini(5) explains each. Whatever else is in there makes the whole
 * reply worthless, since it may be a restriction that was misspelt.
 * Immutable, counted, shared by all threads.
 */
#pragma once

#include <stdatomic.h>

#include "auth/acl.h"

/* What it may use up; 0: as others may. */
struct grant_limits {
	uint32_t max_inflight;
	uint32_t max_packet_size;
	uint32_t max_subscriptions;
	uint32_t max_queued_messages;
	uint32_t max_queued_bytes;
	uint32_t message_rate; /* a second */
	uint32_t byte_rate;
};

struct grant {
	atomic_uint n_refs;
	bool allows;
	char *reason;    /* NULL: none was given */
	char *user;      /* NULL: as it says */
	char *client_id; /* NULL: as it says */
	struct acl *acl; /* instead of the file's; NULL: that */
	struct grant_limits limits;
	uint32_t expires_s; /* from now on; 0: never */
	uint32_t cache_s;   /* so long the same answer holds; */
	bool has_cache;     /* false: as is usual */
};

/*
 * Read a reply, which is about a client with this User Name (ptr NULL: it has
 * none). NULL when it is not one; what is wrong is appended to `why`.
 */
struct grant *grant_parse(const char *reply, struct slice user,
    const struct mapping *m, struct buf *why) MUST_CHECK;
struct grant *grant_ref(struct grant *g) ANY_THREAD;
/* *g may be NULL. */
void grant_unref(struct grant **g) ANY_THREAD;
