/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore - what the store has kept comes back: sessions to the homes, their
 * subscriptions to the index and to NATS, retained messages, Wills.
 */
#pragma once

#include "base/attr.h"
#include "base/thread.h"
#include "broker/broker.h"

struct pending;
struct store;

/* What came back. */
struct restored {
	size_t sessions;
	size_t subscriptions;
	size_t messages; /* queued and in flight */
	size_t retained;
	size_t wills;
	size_t expired; /* sessions, while the process was not there */
};

/*
 * Use this store from now on, and load what is in it. The bus is there, but
 * no thread runs yet, not even the store's. Returns 0 or -errno.
 */
int
restore_load(struct broker *b, struct store *s,
    struct restored *out) MAIN_THREAD
ALONE
MUST_CHECK;

/*
 * Have every home ask NATS for what its sessions want. The workers run.
 */
void restore_join_nats(struct broker *b) MAIN_THREAD;
/* Does NATS have all of it, or is it away? */
bool restore_is_joined(struct broker *b) MAIN_THREAD;

/* The bus has answered PENDING_RESTORE. */
void restore_settled(struct home *h, struct pending *p) WORKER_THREAD;
void restore_free_pending(struct pending *p);

/* What the homes have left goes to the store. All workers have ended. */
void
restore_flush(struct broker *b) MAIN_THREAD
ALONE;
