/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry - Client Identifier -> session, for the whole node.
 *
 * Sharded by the keyed hash of the identifier; a shard has one lock and
 * nobody holds two. The handle's tag says which worker the session lives on.
 * The session's own node links it in, so an entry costs no allocation.
 */
#pragma once

#include "base/thread.h"
#include "store/session.h"

struct registry;

struct registry *registry_new(void);
/* It is empty by then. */
void registry_free(struct registry **r);

/* The handle of the identifier's session, or 0. May be gone when used. */
uint64_t registry_find(struct registry *r, struct slice client_id) ANY_THREAD;
/*
 * Enter a session (its handle is set). Returns 0, or the handle of the one
 * that has the identifier already, and then nothing was entered: two
 * Network Connections with one identifier raced on two workers.
 */
uint64_t
registry_claim(struct registry *r, struct session *s) WORKER_THREAD
MUST_CHECK;
/* The session ends. */
void registry_release(struct registry *r, struct session *s) WORKER_THREAD;
size_t registry_len(const struct registry *r) ANY_THREAD;
