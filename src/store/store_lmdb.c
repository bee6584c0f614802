/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_lmdb - the engine of the embedded store, on LMDB.
 *
 * LMDB writes pages that are free to new places, syncs, and then writes one
 * of two alternating meta pages: a crash leaves the transaction before.
 *
 * Room: a transaction that only deletes needs free pages too. Therefore a
 * reserve is kept, of the map and, by asking for the blocks ahead, of the
 * disk; when it is touched the store says that it is full, while what is
 * under way can still be written.
 */
#include "store/store_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/xalloc.h"

#define FILE_MODE    0600
#define RESERVE_MAX  ((size_t)32 << 20)
/* Of the map, when that is small. */
#define RESERVE_OF   8u
/* Blocks are asked for in steps, or each commit would change the file. */
#define RESERVE_STEP ((size_t)4 << 20)

/* A message as it was before this transaction, should that fail. */
struct before {
	struct message *message; /* one reference */
	uint64_t id;
	uint32_t refs;
};

struct store_lmdb {
	MDB_env *env;
	MDB_dbi tables[RECORD_TABLES];
	MDB_txn *txn; /* open, or NULL */
	uint64_t next_message;
	struct before *before;
	size_t n_before, cap_before;
	struct buf value; /* scratch */
	size_t page_size;
	size_t map_size;
	size_t reserve;
	size_t allocated; /* bytes of the file that the disk has promised */
	bool was_low;
};

/* Is it one of the ways to say that there is no room? */
static bool
is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static int
error_of(int rc)
{
	if (is_full(rc))
		return -ENOSPC;
	switch (rc) {
	case MDB_SUCCESS:
		return 0;
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_INVALID:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_PANIC:
	case MDB_BAD_TXN:
		return -EBADMSG;
	case MDB_VERSION_MISMATCH:
		return -EPROTO;
	default:
		return rc > 0 ? -rc : -EIO;
	}
}

static MDB_val
val_of(struct slice s)
{
	return (
	    MDB_val){ .mv_size = s.len, .mv_data = (void *)(uintptr_t)s.ptr };
}

static struct slice
slice_of_val(const MDB_val *v)
{
	return slice_of(v->mv_data, v->mv_size);
}

/* --- messages and who refers to them --- */

/* Remember what the message is now, for abort. */
static void
remember(struct store_lmdb *l, struct message *m)
{
	if (l->n_before == l->cap_before) {
		l->cap_before = l->cap_before == 0 ? 64 : l->cap_before * 2;
		l->before =
		    xrealloc(l->before, l->cap_before * sizeof(*l->before));
	}
	l->before[l->n_before++] = (struct before){ .message = message_ref(m),
		.id = m->stored_id,
		.refs = m->stored_refs };
}

static void
forget_before(struct store_lmdb *l)
{
	for (size_t i = 0; i < l->n_before; i++)
		message_unref(&l->before[i].message);
	l->n_before = 0;
}

static void
restore_before(struct store_lmdb *l)
{
	for (size_t i = l->n_before; i-- > 0;) {
		struct before *b = &l->before[i];

		b->message->stored_id = b->id;
		b->message->stored_refs = b->refs;
	}
	forget_before(l);
}

/* Write the value in the scratch, which has all but its check. */
static int
put(struct store_lmdb *l, enum record_table table, const struct record_key *key,
    unsigned flags)
{
	struct slice k = record_key_slice(key);
	MDB_val mk = val_of(k);
	MDB_val mv;
	int rc;

	record_seal(&l->value, 0, k);
	mv = val_of(buf_slice(&l->value));
	rc = mdb_put(l->txn, l->tables[table], &mk, &mv, flags);
	/* It was not the largest key. */
	if (rc == MDB_KEYEXIST && flags == MDB_APPEND)
		rc = mdb_put(l->txn, l->tables[table], &mk, &mv, 0);
	return error_of(rc);
}

/* *was_there: there was one. */
static int
drop(struct store_lmdb *l, enum record_table table,
    const struct record_key *key, bool *was_there)
{
	MDB_val mk = val_of(record_key_slice(key));
	int rc = mdb_del(l->txn, l->tables[table], &mk, NULL);

	*was_there = rc == MDB_SUCCESS;
	return rc == MDB_NOTFOUND ? 0 : error_of(rc);
}

/* One more record refers to it: the first one brings it. */
static int
refer(struct store_lmdb *l, struct message *m)
{
	struct record_key key;

	remember(l, m);
	if (m->stored_refs++ > 0)
		return 0;
	m->stored_id = l->next_message++;
	key = record_key(m->stored_id);
	buf_reset(&l->value);
	record_put_message(&l->value, m);
	return put(l, RECORD_MESSAGE, &key, MDB_APPEND);
}

/* One less: with the last one it goes. */
static int
release(struct store_lmdb *l, struct message *m)
{
	struct record_key key = record_key(m->stored_id);
	bool was_there;

	assert(m->stored_refs > 0);
	remember(l, m);
	if (--m->stored_refs > 0)
		return 0;
	m->stored_id = 0;
	return drop(l, RECORD_MESSAGE, &key, &was_there);
}

/* --- changes --- */

/* Does its value begin with the number of a message, or end with one? */
static bool
refers(const struct batch_op *op)
{
	return op->table == RECORD_QUEUED && op->message != NULL;
}

static int
apply_put(struct store_lmdb *l, const struct batch *b,
    const struct batch_op *op)
{
	bool is_new = op->verb == BATCH_PUT;
	int error = refers(op) && is_new ? refer(l, op->message) : 0;

	if (error != 0)
		return error;
	buf_reset(&l->value);
	if (refers(op))
		record_put_message_id(&l->value, op->message->stored_id);
	buf_append_slice(&l->value, batch_value(b, op));
	if (op->message != NULL && !refers(op))
		record_put_message(&l->value, op->message);
	/* New ones of a session mostly have those of others behind them. */
	return put(l, op->table, &op->key,
	    is_new && op->table != RECORD_QUEUED ? MDB_APPEND : 0);
}

static int
lmdb_apply(void *engine, const struct batch *b, const struct batch_op *op)
{
	struct store_lmdb *l = engine;
	bool was_there;
	int error;

	if (op->verb != BATCH_DELETE)
		return apply_put(l, b, op);
	error = drop(l, op->table, &op->key, &was_there);
	if (error == 0 && was_there && refers(op))
		error = release(l, op->message);
	return error;
}

static int
lmdb_begin(void *engine)
{
	struct store_lmdb *l = engine;

	return error_of(mdb_txn_begin(l->env, NULL, 0, &l->txn));
}

static void
lmdb_abort(void *engine)
{
	struct store_lmdb *l = engine;

	mdb_txn_abort(l->txn);
	l->txn = NULL;
	restore_before(l);
}

/*
 * LMDB takes a write that came to less than it should for an error of the
 * disk, which it is on one that is full, too.
 */
static bool
lacks_blocks(struct store_lmdb *l)
{
	struct statvfs fs;
	int fd;

	if (mdb_env_get_fd(l->env, &fd) != MDB_SUCCESS)
		return false;
	if (fallocate(fd, 0, 0, (off_t)l->allocated) != 0 && is_full(errno))
		return true;
	return fstatvfs(fd, &fs) == 0 && fs.f_bavail * fs.f_frsize < l->reserve;
}

static int
lmdb_commit(void *engine)
{
	struct store_lmdb *l = engine;
	int rc = mdb_txn_commit(l->txn);

	l->txn = NULL; /* gone, whatever came of it */
	if (rc != MDB_SUCCESS)
		restore_before(l);
	else
		forget_before(l);
	return rc == EIO && lacks_blocks(l) ? -ENOSPC : error_of(rc);
}

/* --- room --- */

static size_t
bytes_used(const struct store_lmdb *l)
{
	MDB_envinfo info;

	mdb_env_info(l->env, &info);
	return (info.me_last_pgno + 1) * l->page_size;
}

/*
 * Bytes of pages in the file that are free again: the sum over LMDB's own
 * list, whose records begin with a count.
 */
static size_t
bytes_free(const struct store_lmdb *l)
{
	MDB_cursor *c = NULL;
	MDB_txn *txn = NULL;
	MDB_val key, value;
	size_t pages = 0;

	if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
		return 0;
	if (mdb_cursor_open(txn, 0, &c) == MDB_SUCCESS) {
		while (mdb_cursor_get(c, &key, &value, MDB_NEXT) == MDB_SUCCESS)
			pages += *(const size_t *)value.mv_data;
		mdb_cursor_close(c);
	}
	mdb_txn_abort(txn);
	return pages * l->page_size;
}

/* Ask the disk for what is needed next; false: it has not that much. */
static bool
allocate(struct store_lmdb *l, size_t used)
{
	size_t want = used + l->reserve;
	int fd;

	if (want > l->map_size)
		want = l->map_size;
	if (want <= l->allocated)
		return true;
	want += l->map_size - want < RESERVE_STEP ? 0 : RESERVE_STEP;
	if (mdb_env_get_fd(l->env, &fd) != MDB_SUCCESS)
		return true;
	if (fallocate(fd, 0, 0, (off_t)want) == 0) {
		l->allocated = want;
		return true;
	}
	/* One that cannot be asked fails when it is written to. */
	return !is_full(errno);
}

static bool
lmdb_has_room(void *engine)
{
	struct store_lmdb *l = engine;
	size_t used = bytes_used(l);
	/* Once it was low, only twice that is enough again. */
	size_t want = l->was_low ? l->reserve : l->reserve / 2;
	size_t behind = 0; /* the last page, in the map and on the disk */

	if (allocate(l, used))
		behind = l->map_size - used;
	else if (l->allocated > used)
		behind = l->allocated - used;
	l->was_low = behind < want && behind + bytes_free(l) < want;
	return !l->was_low;
}

static void
lmdb_measure(void *engine, size_t *used, size_t *size)
{
	const struct store_lmdb *l = engine;

	*used = bytes_used(l);
	*size = l->map_size;
}

/* --- reading --- */

static int
each_in(struct store_lmdb *l, MDB_txn *txn, enum record_table table,
    int (*fn)(void *arg, struct slice key, struct slice value), void *arg)
{
	MDB_cursor *c;
	MDB_val key, value;
	int error = error_of(mdb_cursor_open(txn, l->tables[table], &c));
	int rc;

	if (error != 0)
		return error;
	while (
	    (rc = mdb_cursor_get(c, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
		struct slice k = slice_of_val(&key);
		struct slice v = slice_of_val(&value);

		error = record_unseal(k, &v) ? fn(arg, k, v) : -EBADMSG;
		if (error != 0)
			break;
	}
	mdb_cursor_close(c);
	if (error == 0 && rc != MDB_NOTFOUND)
		error = error_of(rc);
	return error;
}

static int
lmdb_each(void *engine, enum record_table table,
    int (*fn)(void *arg, struct slice key, struct slice value), void *arg)
{
	struct store_lmdb *l = engine;
	MDB_txn *txn;
	int error = error_of(mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn));

	if (error != 0)
		return error;
	error = each_in(l, txn, table, fn, arg);
	mdb_txn_abort(txn);
	return error;
}

static size_t
lmdb_count(void *engine, enum record_table table)
{
	struct store_lmdb *l = engine;
	MDB_stat stat = { 0 };
	MDB_txn *txn;

	if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
		return 0;
	(void)mdb_stat(txn, l->tables[table], &stat);
	mdb_txn_abort(txn);
	return stat.ms_entries;
}

static int
count_one(void *arg, struct slice key, struct slice value)
{
	size_t *n = arg;

	(void)key;
	(void)value;
	++*n;
	return 0;
}

int
store_lmdb_check(struct store_lmdb *l, size_t count[RECORD_TABLES])
{
	MDB_txn *txn;
	MDB_stat stat;
	int error = error_of(mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn));

	for (unsigned t = 0; error == 0 && t < RECORD_TABLES; t++) {
		size_t n = 0;

		error = each_in(l, txn, t, count_one, &n);
		if (error == 0)
			error = error_of(mdb_stat(txn, l->tables[t], &stat));
		if (error == 0 && stat.ms_entries != n)
			error = -EBADMSG;
		if (count != NULL)
			count[t] = n;
	}
	if (txn != NULL)
		mdb_txn_abort(txn);
	return error;
}

bool
store_lmdb_get_meta(struct store_lmdb *l, const char *name, struct buf *out)
{
	struct record_key key = record_key_name(name);
	struct slice k = record_key_slice(&key);
	MDB_val mk = val_of(k), mv;
	struct slice value;
	MDB_txn *txn;
	bool found;

	if (mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
		return false;
	found = mdb_get(txn, l->tables[RECORD_META], &mk, &mv) == MDB_SUCCESS;
	if (found) {
		value = slice_of_val(&mv);
		found = record_unseal(k, &value);
	}
	if (found)
		buf_append_slice(out, value);
	mdb_txn_abort(txn);
	return found;
}

int
store_lmdb_put_meta(struct store_lmdb *l, const char *name, struct slice value)
{
	struct record_key key = record_key_name(name);
	int error = lmdb_begin(l);

	if (error != 0)
		return error;
	buf_reset(&l->value);
	buf_append_slice(&l->value, value);
	error = put(l, RECORD_META, &key, 0);
	if (error != 0)
		lmdb_abort(l);
	else
		error = lmdb_commit(l);
	return error;
}

/* --- life --- */

static void
lmdb_close(void *engine)
{
	struct store_lmdb *l = engine;

	if (l->txn != NULL)
		lmdb_abort(l);
	mdb_env_close(l->env);
	buf_fini(&l->value);
	free(l->before);
	free(l);
}

static int
put_format(struct store_lmdb *l)
{
	struct record_key key = record_key_name("format");

	buf_reset(&l->value);
	buf_printf(&l->value, "%d", RECORD_FORMAT);
	return put(l, RECORD_META, &key, 0);
}

/* Nothing in it at all: made just now, or by one that came no further. */
static bool
is_new_file(struct store_lmdb *l)
{
	MDB_stat stat;
	MDB_dbi main_table;

	return mdb_dbi_open(l->txn, NULL, 0, &main_table) == MDB_SUCCESS &&
	    mdb_stat(l->txn, main_table, &stat) == MDB_SUCCESS &&
	    stat.ms_entries == 0;
}

/* The tables and the format come together or not at all. */
static int
open_tables(struct store_lmdb *l, bool read_only)
{
	int rc =
	    mdb_txn_begin(l->env, NULL, read_only ? MDB_RDONLY : 0, &l->txn);
	bool is_new;
	int error;

	if (rc != MDB_SUCCESS)
		return error_of(rc);
	is_new = !read_only && is_new_file(l);
	for (unsigned t = 0; rc == MDB_SUCCESS && t < RECORD_TABLES; t++)
		rc = mdb_dbi_open(l->txn, record_table_name(t),
		    is_new ? MDB_CREATE : 0, &l->tables[t]);
	/* Otherwise it is a file of LMDB's, but not one of ours. */
	error = rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE ? -EBADMSG
							     : error_of(rc);
	if (error == 0 && is_new)
		error = put_format(l);
	if (error == 0)
		return lmdb_commit(l);
	lmdb_abort(l);
	return error;
}

static int
check_format(struct store_lmdb *l, bool read_only)
{
	struct buf format = { 0 };
	char number[16];
	int error = 0;

	(void)snprintf(number, sizeof(number), "%d", RECORD_FORMAT);
	if (!store_lmdb_get_meta(l, "format", &format))
		error = -EBADMSG;
	else if (slice_eq(buf_slice(&format), SLICE("1")) && !read_only)
		/* What it lacks may be added from now on. */
		error = store_lmdb_put_meta(l, "format", slice_str(number));
	else if (!slice_eq(buf_slice(&format), slice_str(number)) &&
	    !slice_eq(buf_slice(&format), SLICE("1")))
		error = -EPROTO;
	buf_fini(&format);
	return error;
}

static int
find_next_message(struct store_lmdb *l)
{
	MDB_cursor *c;
	MDB_val key, value;
	MDB_txn *txn;
	uint64_t last = 0;
	int rc = mdb_txn_begin(l->env, NULL, MDB_RDONLY, &txn);

	if (rc != MDB_SUCCESS)
		return error_of(rc);
	rc = mdb_cursor_open(txn, l->tables[RECORD_MESSAGE], &c);
	if (rc == MDB_SUCCESS) {
		rc = mdb_cursor_get(c, &key, &value, MDB_LAST);
		mdb_cursor_close(c);
	}
	if (rc == MDB_SUCCESS &&
	    !record_key_read(slice_of_val(&key), &last, NULL))
		rc = MDB_CORRUPTED;
	mdb_txn_abort(txn);
	l->next_message = last + 1;
	return rc == MDB_NOTFOUND ? 0 : error_of(rc);
}

static int
open_env(struct store_lmdb *l, const struct store_lmdb_options *o)
{
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
	MDB_stat stat;
	int rc = mdb_env_create(&l->env);

	if (rc != MDB_SUCCESS)
		return error_of(rc);
	flags |= o->no_sync ? MDB_NOSYNC : 0;
	flags |= o->read_only ? MDB_RDONLY : 0;
	mdb_env_set_maxdbs(l->env, RECORD_TABLES);
	rc = mdb_env_set_mapsize(l->env, o->max_size);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(l->env, o->path, flags, FILE_MODE);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_stat(l->env, &stat);
	if (rc == MDB_SUCCESS)
		l->page_size = stat.ms_psize;
	return error_of(rc);
}

static int
open_file(const struct store_lmdb_options *o, struct store_lmdb **out)
{
	struct store_lmdb *l = xcalloc(1, sizeof(*l));
	MDB_envinfo info;
	int error = open_env(l, o);

	if (error == 0)
		error = open_tables(l, o->read_only);
	if (error == 0)
		error = check_format(l, o->read_only);
	if (error == 0)
		error = find_next_message(l);
	if (error != 0) {
		mdb_env_close(l->env);
		buf_fini(&l->value);
		free(l);
		return error;
	}
	mdb_env_info(l->env, &info);
	l->map_size = info.me_mapsize;
	l->reserve = l->map_size / RESERVE_OF;
	if (l->reserve > RESERVE_MAX)
		l->reserve = RESERVE_MAX;
	*out = l;
	return 0;
}

static int
sync_directory_of(const char *path)
{
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 || fsync(fd) != 0 ? -errno : 0;

	free(copy);
	if (fd >= 0)
		close(fd);
	return error;
}

/* Under another name first: a crash leaves a whole file, or none. */
static int
make_file(const struct store_lmdb_options *o)
{
	struct store_lmdb_options temporary = *o;
	char *path = xasprintf("%s.new", o->path);
	char *lock = xasprintf("%s.new-lock", o->path);
	struct store_lmdb *l;
	int error;

	(void)unlink(path);
	temporary.path = path;
	temporary.no_sync = false;
	error = open_file(&temporary, &l);
	if (error == 0)
		lmdb_close(l);
	if (error == 0 && rename(path, o->path) != 0)
		error = -errno;
	if (error == 0)
		error = sync_directory_of(o->path);
	(void)unlink(lock);
	free(path);
	free(lock);
	return error;
}

int
store_lmdb_open(const struct store_lmdb_options *o, struct store_lmdb **out)
{
	int error = 0;

	if (!o->read_only && access(o->path, F_OK) != 0)
		error = make_file(o);
	return error != 0 ? error : open_file(o, out);
}

const struct store_ops store_lmdb_ops = {
	.begin = lmdb_begin,
	.apply = lmdb_apply,
	.commit = lmdb_commit,
	.abort = lmdb_abort,
	.has_room = lmdb_has_room,
	.measure = lmdb_measure,
	.each = lmdb_each,
	.count = lmdb_count,
	.close = lmdb_close,
};
