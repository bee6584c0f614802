/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retained - the Retained Messages of this node.
 *
 * Sharded by the first level of the topic: a filter whose first level is
 * literal visits one shard. Each shard has a lock of its own and nobody holds
 * two. A match visits only the branches of the trie that can match.
 */
#pragma once

#include "base/attr.h"
#include "base/thread.h"
#include "store/message.h"

struct retained;
struct store;

struct retained *retained_new(void);
void retained_free(struct retained **r);

/*
 * From now on every change goes to the store too, as this User Name's (NULL:
 * the node's). Whoever must know when it is there posts a batch afterwards.
 */
void retained_keep(struct retained *r, struct store *store, const char *owner);
/* One from the store: its order is what it was. */
void retained_restore(struct retained *r, struct message *m, uint64_t order);

/*
 * Keep `m` as its topic's retained message instead of the one before; an
 * empty payload only removes that, v3.1.1 [MQTT-3.3.1-10]. False when
 * it is new and there are `max` already (0: no limit); nothing is changed
 * then. The message is borrowed, a reference is kept.
 */
bool
retained_set(struct retained *r, struct message *m, size_t max) ANY_THREAD
MUST_CHECK;

/*
 * Call `fn` for every retained message whose topic matches and that is not
 * expired, until it returns false. It runs under a shard's lock: take a
 * reference and return. `order` counts the first retention of each topic.
 */
void retained_match(struct retained *r, struct slice filter, uint64_t wall_ms,
    bool (*fn)(struct message *m, uint64_t order, void *arg),
    void *arg) ANY_THREAD;

/*
 * Forget what has expired by now, some of it if it is much, so that it does
 * not count against a limit. Returns how many went.
 */
size_t retained_expire(struct retained *r, uint64_t wall_ms) ANY_THREAD;

size_t retained_count(const struct retained *r) ANY_THREAD;
/* Bytes of the messages. */
size_t retained_bytes(const struct retained *r) ANY_THREAD;
