/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storage - the durable store as `[store]` configures it: opened for the
 * daemon, or looked into for an operator.
 */
#pragma once

#include <stdio.h>

#include "base/attr.h"
#include "base/thread.h"
#include "daemon/config.h"
#include "store/store.h"

struct storage {
	struct store *store; /* NULL: `path` is empty */
	int lock;            /* descriptor, or -1 */
	uint64_t epoch;      /* how often it was opened to be served from */
};

/*
 * Make the directory, keep others out, look whether the file is whole, open
 * it. What is wrong was logged. Returns 0 or -errno; nothing is to be closed
 * then. `wakers`, one per worker, are borrowed. A node name that config_resolve
 * has made gives way to the one that the store was given at first.
 */
int
storage_open(struct storage *s, struct config *c,
    struct waker *const *wakers) MAIN_THREAD
MUST_CHECK;
/* After every worker has ended and the homes have given what they had. */
void storage_close(struct storage *s) MAIN_THREAD;

struct store_lmdb;

/* Only to read, also while a daemon uses it. What is wrong goes to `err`. */
int
storage_open_to_read(const struct config *c, FILE *err,
    struct store_lmdb **out) MAIN_THREAD
MUST_CHECK;
/* --store-check and --store-dump: exit statuses. */
int
storage_check(const struct config *c, FILE *out, FILE *err) MAIN_THREAD
MUST_CHECK;
int
storage_dump(const struct config *c, FILE *out, FILE *err) MAIN_THREAD
MUST_CHECK;
