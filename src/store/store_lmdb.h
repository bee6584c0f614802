/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_lmdb - the engine of the embedded store, on LMDB.
 *
 * One file with a B+tree for each table of records. New records have the
 * largest key of their table wherever that is possible, so that pages are
 * filled to the brim and a transaction touches few of them.
 */
#pragma once

#include "store/store.h"

struct store_lmdb;

struct store_lmdb_options {
	const char *path; /* of the file */
	size_t max_size;  /* bytes */
	bool no_sync;     /* STORE_SYNC_NONE */
	bool read_only;   /* the file must be there */
};

extern const struct store_ops store_lmdb_ops;

/*
 * Open, or make, the file. Returns 0 or -errno; -EBADMSG: it is no store, or
 * damaged; -EPROTO: of another format than RECORD_FORMAT.
 */
int store_lmdb_open(const struct store_lmdb_options *o,
    struct store_lmdb **out) MUST_CHECK;

/*
 * Read everything there is: -EBADMSG where a record or the count of a table
 * is wrong. A file may be damaged so that reading it ends the process: see
 * store_file_check. `count` (may be NULL) gets the records of each table.
 */
int store_lmdb_check(struct store_lmdb *l,
    size_t count[RECORD_TABLES]) MUST_CHECK;

/* A record of RECORD_META, unsealed; false: there is none. */
bool store_lmdb_get_meta(struct store_lmdb *l, const char *name,
    struct buf *out);
/* Write one, in a transaction of its own. */
int store_lmdb_put_meta(struct store_lmdb *l, const char *name,
    struct slice value) MUST_CHECK;
