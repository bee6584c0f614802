/* SPDX-License-Identifier: Apache-2.0 */
/* fake_engine - a store engine that writes down what it is told. */
#include "fake/fake_engine.h"

#include <assert.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

void
fake_engine_init(struct fake_engine *e)
{
	memset(e, 0, sizeof(*e));
	pthread_mutex_init(&e->lock, NULL);
}

const char *
fake_engine_text(struct fake_engine *e, char out[4096])
{
	pthread_mutex_lock(&e->lock);
	memcpy(out, e->text, sizeof(e->text));
	pthread_mutex_unlock(&e->lock);
	return out;
}

static int
take_error(atomic_int *error)
{
	return atomic_exchange(error, 0);
}

static int
begin(void *engine)
{
	struct fake_engine *e = engine;
	int error = take_error(&e->begin_error);

	assert(!e->is_open);
	e->is_open = error == 0;
	e->staged[0] = '\0';
	return error;
}

static int
apply(void *engine, const struct batch *b, const struct batch_op *op)
{
	struct fake_engine *e = engine;
	size_t len = strlen(e->staged);
	uint64_t id = 0, second = 0;
	struct slice key = record_key_slice(&op->key);
	int error = take_error(&e->apply_error);

	(void)b;
	assert(e->is_open);
	if (error != 0)
		return error;
	if (!record_key_read(key, &id, NULL))
		(void)!record_key_read(key, &id, &second);
	len += (size_t)snprintf(e->staged + len, sizeof(e->staged) - len,
	    "%s%c%" PRIu64, op->verb == BATCH_DELETE ? "-" : "",
	    *record_table_name(op->table), id);
	if (second != 0)
		len += (size_t)snprintf(e->staged + len,
		    sizeof(e->staged) - len, ".%" PRIu64, second);
	(void)snprintf(e->staged + len, sizeof(e->staged) - len, " ");
	return 0;
}

static int
commit(void *engine)
{
	struct fake_engine *e = engine;
	int error = take_error(&e->commit_error);
	size_t len;

	assert(e->is_open);
	while (atomic_load(&e->waits))
		sched_yield();
	e->is_open = false;
	if (error != 0)
		return error;
	pthread_mutex_lock(&e->lock);
	len = strlen(e->text);
	(void)snprintf(e->text + len, sizeof(e->text) - len, "%s| ", e->staged);
	pthread_mutex_unlock(&e->lock);
	atomic_fetch_add(&e->n_commits, 1);
	return 0;
}

static void
abort_it(void *engine)
{
	struct fake_engine *e = engine;

	assert(e->is_open);
	e->is_open = false;
	atomic_fetch_add(&e->n_aborts, 1);
}

static bool
has_room(void *engine)
{
	struct fake_engine *e = engine;

	return !atomic_load(&e->lacks_room);
}

static void
measure(void *engine, size_t *used, size_t *size)
{
	(void)engine;
	*used = 1;
	*size = 2;
}

static int
each(void *engine, enum record_table table,
    int (*fn)(void *arg, struct slice key, struct slice value), void *arg)
{
	(void)engine;
	(void)table;
	(void)fn;
	(void)arg;
	return 0;
}

static size_t
count(void *engine, enum record_table table)
{
	(void)engine;
	(void)table;
	return 0;
}

static void
close_it(void *engine)
{
	struct fake_engine *e = engine;

	e->is_closed = true;
}

const struct store_ops fake_engine_ops = {
	.begin = begin,
	.apply = apply,
	.commit = commit,
	.abort = abort_it,
	.has_room = has_room,
	.measure = measure,
	.each = each,
	.count = count,
	.close = close_it,
};
