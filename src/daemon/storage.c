/* SPDX-License-Identifier: Apache-2.0 */
/* storage - the durable store, opened for the daemon. */
#include "daemon/storage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "store/store_file.h"
#include "store/store_lmdb.h"

/* More than this part of what may be kept free is not to wait for the disk. */
#define WAITING_OF  64u
#define WAITING_MAX ((size_t)8 << 20)

/* Records of RECORD_META. */
#define NODE  "node"
#define EPOCH "epoch"

static const char *
text_of(int error)
{
	switch (error) {
	case -EBADMSG:
		return "damaged, or not a store of mqtt-natsd";
	case -EPROTO:
		return "of another version's format";
	default:
		return strerror(-error);
	}
}

static int MAIN_THREAD
take_lock(struct storage *s, const char *directory)
{
	pid_t other = 0;
	int fd = store_file_lock(directory, &other);

	if (fd >= 0) {
		s->lock = fd;
		return 0;
	}
	if (fd == -EEXIST)
		log_error("already running with pid %ld (store %s)",
		    (long)other, directory);
	else
		log_error("cannot lock the store %s: %s", directory,
		    strerror(-fd));
	return fd;
}

/* Nobody starts empty because of a fault without having been told to. */
static int MAIN_THREAD
on_damage(const struct config *c, const char *path, int error)
{
	char *name;
	int moved;

	if (error != -EBADMSG || c->store.on_damage == ON_DAMAGE_STOP) {
		log_error("store %s is %s%s", path, text_of(error),
		    error == -EBADMSG ? "; move it away, or set [store] "
					"on_damage = aside"
				      : "");
		return error;
	}
	moved = store_file_set_aside(path, &name);
	if (moved != 0) {
		log_error("store %s is %s, and cannot be moved: %s", path,
		    text_of(error), strerror(-moved));
		return moved;
	}
	log_error("store %s is %s: moved to %s; starting with nothing", path,
	    text_of(error), name);
	free(name);
	return 0;
}

static int MAIN_THREAD
open_engine(const struct config *c, const char *path, struct store_lmdb **out)
{
	struct store_lmdb_options o = { .path = path,
		.max_size = c->store.max_size,
		.no_sync = c->store.sync == STORE_SYNC_NONE };
	int error = store_file_check(&o);

	if (error != 0)
		error = on_damage(c, path, error);
	if (error != 0)
		return error;
	error = store_lmdb_open(&o, out);
	if (error != 0)
		log_error("cannot open the store %s: %s", path, text_of(error));
	return error;
}

/* The number in the meta record of that name; 0: none. */
static uint64_t
get_number(struct store_lmdb *l, const char *name)
{
	struct buf text = { 0 };
	uint64_t n = 0;

	if (store_lmdb_get_meta(l, name, &text)) {
		buf_append_byte(&text, '\0');
		n = strtoull((const char *)buf_ptr(&text), NULL, 10);
	}
	buf_fini(&text);
	return n;
}

static int
count_start(struct storage *s, struct store_lmdb *l)
{
	char text[24];

	s->epoch = get_number(l, EPOCH) + 1;
	(void)snprintf(text, sizeof(text), "%" PRIu64, s->epoch);
	return store_lmdb_put_meta(l, EPOCH, slice_str(text));
}

/* A node without a name of its own keeps the first one that it was given. */
static int
keep_name(struct store_lmdb *l, struct config *c)
{
	struct buf name = { 0 };
	int error = 0;

	if (c->server.node_name_made && store_lmdb_get_meta(l, NODE, &name)) {
		free(c->server.node_name);
		c->server.node_name = xmemdup0(buf_ptr(&name), buf_len(&name));
		c->server.node_name_made = false;
	} else {
		error = store_lmdb_put_meta(l, NODE,
		    slice_str(c->server.node_name));
	}
	buf_fini(&name);
	return error;
}

/*
 * Both want a little room; a disk without any is no reason not to start, for
 * that is how it becomes empty.
 */
static int MAIN_THREAD
identify(struct storage *s, struct config *c, struct store_lmdb *engine)
{
	int error = keep_name(engine, c);

	if (error == 0)
		error = count_start(s, engine);
	if (error != 0 && error != -ENOSPC) {
		log_error("cannot write the store: %s", text_of(error));
		return error;
	}
	log_notice("store: node %s, start %" PRIu64, c->server.node_name,
	    s->epoch);
	return 0;
}

static size_t
waiting_bytes(const struct config *c)
{
	size_t part = c->store.max_size / WAITING_OF;

	return part < WAITING_MAX ? part : WAITING_MAX;
}

static int MAIN_THREAD
open_store(struct storage *s, struct config *c, struct waker *const *wakers)
{
	struct store_options o = { .ops = &store_lmdb_ops,
		.sync = c->store.sync,
		.interval_ms = c->store.sync_interval_ms,
		.waiting_bytes = waiting_bytes(c),
		.n_streams = c->server.workers,
		.wakers = wakers };
	struct store_lmdb *engine;
	char *path = store_file_path(c->store.path);
	int error = open_engine(c, path, &engine);

	free(path);
	if (error == 0 && (error = identify(s, c, engine)) != 0)
		o.ops->close(engine);
	if (error != 0)
		return error;
	o.engine = engine;
	s->store = store_new(&o);
	if (s->store == NULL) {
		o.ops->close(engine);
		error = -EMFILE;
	}
	return error;
}

int
storage_open(struct storage *s, struct config *c, struct waker *const *wakers)
{
	int error;

	*s = (struct storage){ .lock = -1 };
	if (*c->store.path == '\0')
		return 0;
	error = store_file_make_directory(c->store.path);
	if (error != 0)
		log_error("cannot make the directory %s: %s", c->store.path,
		    strerror(-error));
	if (error == 0)
		error = take_lock(s, c->store.path);
	if (error == 0)
		error = open_store(s, c, wakers);
	if (error != 0)
		storage_close(s);
	return error;
}

void
storage_close(struct storage *s)
{
	if (s->store != NULL)
		store_free(&s->store);
	if (s->lock >= 0)
		close(s->lock);
	s->lock = -1;
}

/* --- for operators --- */

int
storage_open_to_read(const struct config *c, FILE *err, struct store_lmdb **out)
{
	struct store_lmdb_options o = { .max_size = c->store.max_size,
		.read_only = true };
	char *path;
	int error;

	if (*c->store.path == '\0') {
		fputs("mqtt-natsd: [store] path is not set\n", err);
		return -EINVAL;
	}
	path = store_file_path(c->store.path);
	o.path = path;
	error = access(path, F_OK) == 0 ? store_file_check(&o) : -errno;
	if (error == 0)
		error = store_lmdb_open(&o, out);
	if (error != 0)
		fprintf(err, "mqtt-natsd: store %s: %s\n", path,
		    text_of(error));
	free(path);
	return error;
}

int
storage_check(const struct config *c, FILE *out, FILE *err)
{
	size_t count[RECORD_TABLES];
	struct store_lmdb *l;
	size_t used, size;
	int error = storage_open_to_read(c, err, &l);

	if (error != 0)
		return EXIT_FAILURE;
	error = store_lmdb_check(l, count);
	if (error == 0)
		for (unsigned t = 0; t < RECORD_TABLES; t++)
			fprintf(out, "%-12s %zu\n", record_table_name(t),
			    count[t]);
	else
		fprintf(err, "mqtt-natsd: %s\n", text_of(error));
	store_lmdb_ops.measure(l, &used, &size);
	fprintf(out, "%-12s %zu of %zu bytes\n", "used", used, size);
	store_lmdb_ops.close(l);
	return error == 0 && fflush(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
