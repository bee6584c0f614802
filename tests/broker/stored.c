/* SPDX-License-Identifier: Apache-2.0 */
/* stored - a node with a durable store that may crash. */
#include "broker/stored.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "broker/device.h"
#include "broker/restore.h"
#include "store/scratch.h"
#include "store/store_file.h"

#define MAX_SIZE ((size_t)64 << 20)

static atomic_bool stops; /* the disk */
static atomic_bool loses; /* what is to be committed */
static struct store_ops ops;
static struct waker *wakers[2];

static int
commit(void *engine)
{
	while (atomic_load(&stops) && !atomic_load(&loses))
		sched_yield();
	if (!atomic_load(&loses))
		return store_lmdb_ops.commit(engine);
	store_lmdb_ops.abort(engine);
	return 0;
}

static int
apply(void *engine, const struct batch *b, const struct batch_op *op)
{
	return atomic_load(&loses) ? 0 : store_lmdb_ops.apply(engine, b, op);
}

static struct store *
open_store(struct node *n)
{
	struct store_lmdb_options lo = { .max_size = MAX_SIZE };
	struct store_options o = { .ops = &ops,
		.waiting_bytes = MAX_SIZE,
		.n_streams = n->options.n_workers,
		.wakers = wakers };
	struct store_lmdb *engine;
	char *path = store_file_path(scratch_directory());
	struct store *s;

	ops = store_lmdb_ops;
	ops.apply = apply;
	ops.commit = commit;
	lo.path = path;
	lo.no_sync = true; /* the machine will not crash */
	cr_assert_eq(store_lmdb_open(&lo, &engine), 0);
	free(path);
	for (unsigned i = 0; i < n->options.n_workers; i++)
		wakers[i] = &node_home(n, i)->waker;
	o.engine = engine;
	s = store_new(&o);
	cr_assert_not_null(s);
	return s;
}

/* Has the store still to say something that it can say? */
bool
node_awaits_store(const struct node *n)
{
	const struct store *s = n->broker->store;

	if (s == NULL || atomic_load(&stops))
		return false;
	for (unsigned i = 0; i < n->options.n_workers; i++)
		if (store_committed(s, i) < node_home(n, i)->promises.posted)
			return true;
	return atomic_load(&store_stats(s)->waiting) > 0;
}

static void
load(struct node *n)
{
	struct store *s = open_store(n);
	struct restored restored = { 0 };

	cr_assert_eq(restore_load(n->broker, s, &restored), 0);
	cr_assert_eq(store_start(s), 0);
	restore_join_nats(n->broker);
	node_run(n);
	cr_assert(restore_is_joined(n->broker));
}

struct node *
stored_node_with(const struct broker_options *o)
{
	struct node *n = node_new_with(o);

	load(n);
	return n;
}

struct node *
stored_node_alone(const struct broker_options *o)
{
	struct node *n = node_new_alone(o);

	load(n);
	return n;
}

struct node *
stored_node(void)
{
	struct broker_options o = node_options();

	return stored_node_with(&o);
}

void
stored_stop_disk(void)
{
	atomic_store(&stops, true);
}

void
stored_go_on(struct node *n)
{
	atomic_store(&stops, false);
	node_run(n);
}

void
stored_sync(struct node *n)
{
	while (atomic_load(&store_stats(n->broker->store)->waiting) > 0)
		sched_yield();
}

void
stored_begin_empty(void)
{
	char *path = store_file_path(scratch_directory());

	(void)unlink(path);
	free(path);
}

static void
begin_again(struct node **n)
{
	struct broker_options o = (*n)->options;

	bool is_alone = (*n)->broker->bus == NULL;

	node_free(n);
	atomic_store(&loses, false);
	atomic_store(&stops, false);
	*n = is_alone ? stored_node_alone(&o) : stored_node_with(&o);
}

void
stored_crash(struct node **n)
{
	atomic_store(&loses, true);
	begin_again(n);
}

void
stored_restart(struct node **n)
{
	begin_again(n);
}
