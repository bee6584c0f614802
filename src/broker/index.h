/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index - all subscriptions of the node: which (worker, session) want this
 * topic?
 *
 * Exact filters are in a hash, wildcard filters in a trie; each filter has
 * its subscribers in one array, sorted by worker and session. Read for every
 * message by every worker and by the NATS thread, under a reader-writer lock.
 */
#pragma once

#include "base/slice.h"
#include "base/slots.h"
#include "base/thread.h"

struct index;

/* One session's subscription to one filter. */
struct subscriber {
	uint64_t session; /* handle; its tag is the worker */
	uint32_t id;      /* Subscription Identifier, 0: none */
	uint8_t qos;
	bool no_local;
	bool retain_as_published;
	bool lasts; /* its session does, in the store */
};

/* What index_match found; reused from call to call, all zero is empty. */
struct matches {
	struct subscriber *items;
	size_t n;
	size_t cap;
	unsigned n_filters; /* that contributed */
	uint64_t version;   /* of the index they are from */
};

struct index *index_new(void);
void index_free(struct index **idx);

/* Add, or replace the options of, a session's subscription to `filter` (a
 * filter_parse `match`). */
void index_add(struct index *idx, struct slice filter,
    const struct subscriber *s) ANY_THREAD;
/* Take it out; harmless when it is not there. */
void index_drop(struct index *idx, struct slice filter,
    uint64_t session) ANY_THREAD;

/*
 * Everybody who wants this topic, sorted by worker and session. A session
 * whose filters overlap stands there once for each.
 */
void index_match(struct index *idx, struct slice topic,
    struct matches *out) ANY_THREAD;
void matches_fini(struct matches *m);
/*
 * Counts the changes, from 1. Who sees the version of what index_match found
 * would find the same again. Seen by whoever learns that a change is done.
 */
uint64_t index_version(struct index *idx) ANY_THREAD;

/* Filters with at least one subscriber, and subscriptions in all. */
size_t index_filters(struct index *idx) ANY_THREAD;
size_t index_subscriptions(struct index *idx) ANY_THREAD;
