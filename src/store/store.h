/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - what must survive a crash, and the one thread that writes it.
 *
 *   worker 0 --batches-->  +-------+
 *   worker 1 --batches-->  | store | --one transaction--> engine --> disk
 *            <-committed-- +-------+
 *
 * A worker posts batches and goes on; the store takes whatever has come in,
 * writes it in one transaction and then says up to which number the batches
 * of each stream are on disk. While it writes, the next ones gather: the
 * slower the disk, the larger the groups.
 *
 * All batches form one sequence, in the order in which they were posted; when
 * one is on disk all before it are, but for those that are held.
 *
 * All state is in memory too: the engine is read at start only.
 */
#pragma once

#include <stdatomic.h>

#include "base/attr.h"
#include "base/thread.h"
#include "base/waker.h"
#include "store/batch.h"

struct store;

/* When what was promised may be said. */
enum store_sync {
	STORE_SYNC_COMMIT,   /* when it is on disk */
	STORE_SYNC_INTERVAL, /* at once; on disk within an interval */
	STORE_SYNC_NONE      /* when the kernel has it */
};

/*
 * An engine: where the records are. Of the store thread, but for `each` and
 * what opened it, before that starts. Functions return 0 or -errno; -ENOSPC
 * says that there is no room now, everything else that there is no going on.
 */
struct store_ops {
	int (*begin)(void *engine);
	int (*apply)(void *engine, const struct batch *b,
	    const struct batch_op *op);
	/* After an error of any of these nothing of it has happened. */
	int (*commit)(void *engine);
	void (*abort)(void *engine);
	/* Enough for what may be under way, and not only just? */
	bool (*has_room)(void *engine);
	/* Of disk and of what max_size gives, bytes. */
	void (*measure)(void *engine, size_t *used, size_t *size);
	/* Every record of a table, unsealed, in the order of its keys, until
	 * `fn` returns something else than 0. */
	int (*each)(void *engine, enum record_table table,
	    int (*fn)(void *arg, struct slice key, struct slice value),
	    void *arg);
	size_t (*count)(void *engine, enum record_table table);
	void (*close)(void *engine);
};

struct store_options {
	const struct store_ops *ops;
	void *engine; /* closed with the store */
	enum store_sync sync;
	unsigned interval_ms; /* of STORE_SYNC_INTERVAL */
	size_t waiting_bytes; /* more have not been written: it is behind */
	unsigned n_streams;
	struct waker *const *wakers; /* one per stream, kicked when committed */
};

/* Counters, read by anyone. */
struct store_stats {
	atomic_ullong commits;
	atomic_ullong batches;
	atomic_ullong changes;    /* records put, set and deleted */
	atomic_ullong commit_us;  /* all of them together */
	atomic_ullong last_us;    /* the latest one */
	atomic_ullong max_us;     /* the longest one */
	atomic_size_t used, size; /* bytes */
	atomic_size_t waiting;    /* bytes to be written */
	atomic_bool full;         /* new messages are refused */
};

/* Options are copied, but for what they point to. */
struct store *store_new(const struct store_options *o) MAIN_THREAD;
/* Returns 0 or -errno. */
int
store_start(struct store *s) MAIN_THREAD
MUST_CHECK;
/* Write what has been posted, then end the thread. */
void store_stop(struct store *s) MAIN_THREAD;
void store_free(struct store **s) MAIN_THREAD;

/* Give a batch away; its stream, number and `held` are set. */
void store_post(struct store *s, struct batch **b) ANY_THREAD;
/*
 * The same for one that belongs to no stream: whoever must know when it is
 * committed posts another one, later, and waits for that.
 */
void store_post_alone(struct store *s, struct batch **b) ANY_THREAD;

/* Batches of this stream that are committed: all up to this number. */
uint64_t store_committed(const struct store *s, unsigned stream) ANY_THREAD;
/* Has it more to write than it should? Then give it no more from outside. */
bool store_is_behind(const struct store *s) ANY_THREAD;
/* Is there no room? Then take on nothing new. */
bool store_is_full(const struct store *s) ANY_THREAD;
const struct store_stats *store_stats(const struct store *s) ANY_THREAD;

/* A number that no other call gives: for sessions and Wills. */
uint64_t store_next_id(struct store *s) ANY_THREAD;
/* This one is in use already. */
void store_skip_id(struct store *s, uint64_t id) MAIN_THREAD;

/* store_ops.count and each, before the store is started. */
size_t store_count(struct store *s, enum record_table table) MAIN_THREAD;
int
store_each(struct store *s, enum record_table table,
    int (*fn)(void *arg, struct slice key, struct slice value),
    void *arg) MAIN_THREAD
MUST_CHECK;
