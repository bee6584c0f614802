/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_engine - a store engine for tests: it writes down the keys of each
 * transaction as text, waits when told to, and fails when told to.
 *
 *   "s1 q1.2 | s3 -s1 |"   two transactions; "-" deletes
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "store/store.h"

struct fake_engine {
	pthread_mutex_t lock;
	char text[4096];   /* [l] what is committed */
	char staged[1024]; /* of the open transaction */
	atomic_int begin_error, apply_error, commit_error; /* once; 0: none */
	atomic_bool lacks_room;
	atomic_bool waits; /* commit does, until this is false */
	atomic_uint n_commits, n_aborts;
	atomic_bool is_open;
	atomic_bool is_closed;
};

extern const struct store_ops fake_engine_ops;

void fake_engine_init(struct fake_engine *e);
/* A copy of what is committed. */
const char *fake_engine_text(struct fake_engine *e, char out[4096]);
