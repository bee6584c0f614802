/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_file - the directory of the embedded store.
 *
 *   DIR/           0700
 *   DIR/lock       held, with our pid in it, as long as we use the store
 *   DIR/store.mdb  the records; store.mdb-lock is LMDB's own
 *   DIR/store.mdb.damaged-20261127-064300   moved aside
 *
 * Main thread, before others are started.
 */
#pragma once

#include <sys/types.h>

#include "base/attr.h"
#include "base/thread.h"
#include "store/store_lmdb.h"

/* Make the directory, if its parent is there. 0 or -errno. */
int
store_file_make_directory(const char *directory) MAIN_THREAD
MUST_CHECK;
/* The file of records in it; on the heap. */
char *store_file_path(const char *directory);
/*
 * Keep others out. Returns a descriptor that holds the lock until it is
 * closed, or -errno; -EEXIST: somebody has it, *other is its pid (0: not
 * known).
 */
int
store_file_lock(const char *directory, pid_t *other) MAIN_THREAD
MUST_CHECK;
/*
 * Can all of the file be read? It is tried out in a process of its own, since
 * reading what is damaged may be the end of it. 0, or -errno as
 * store_lmdb_check; a file that is not there is fine.
 */
int
store_file_check(const struct store_lmdb_options *o) MAIN_THREAD
MUST_CHECK;
/* Move the file aside; *name is where to, on the heap. 0 or -errno. */
int
store_file_set_aside(const char *path, char **name) MAIN_THREAD
MUST_CHECK;
