/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "store/scratch.h"

static char path[64];
static struct store_lmdb *l;

static int
try_open(size_t max_size)
{
	struct store_lmdb_options o = { .path = path, .max_size = max_size };

	return store_lmdb_open(&o, &l);
}

static void
open_lmdb(void)
{
	if (path[0] == '\0')
		(void)snprintf(path, sizeof(path), "%s/store.mdb",
		    scratch_directory());
	cr_assert_eq(try_open((size_t)16 << 20), 0);
}

static void
close_lmdb(void)
{
	store_lmdb_ops.close(l);
}

static void
reopen_lmdb(void)
{
	close_lmdb();
	open_lmdb();
}

static struct message *
message_of(const char *payload)
{
	struct message_parts parts = { .topic = SLICE("a/b"),
		.payload = slice_str(payload) };

	return message_new(&parts);
}

static void
add_queued(struct batch *b, enum batch_verb verb, uint64_t session,
    uint64_t place, struct message *m)
{
	struct queued_record r = { .qos = 1 };

	if (verb != BATCH_DELETE)
		record_put_queued(&b->values, &r);
	batch_add(b, verb, RECORD_QUEUED, record_key_pair(session, place), m);
}

static int
apply(struct batch *b)
{
	int error = store_lmdb_ops.begin(l);

	for (size_t i = 0; i < b->n && error == 0; i++)
		error = store_lmdb_ops.apply(l, b, &b->ops[i]);
	return error;
}

static void
commit(struct batch *b)
{
	cr_assert_eq(apply(b), 0);
	cr_assert_eq(store_lmdb_ops.commit(l), 0);
	batch_free(&b);
}

static size_t
count(enum record_table t)
{
	return store_lmdb_ops.count(l, t);
}

Test(store_lmdb, keeps_what_was_committed)
{
	struct batch *b = batch_new();

	open_lmdb();
	buf_append_str(&b->values, "value");
	batch_add(b, BATCH_PUT, RECORD_SESSION, record_key(1), NULL);
	commit(b);
	reopen_lmdb();
	cr_expect_eq(count(RECORD_SESSION), 1);
	cr_expect_eq(store_lmdb_check(l, NULL), 0);
	close_lmdb();
}

Test(store_lmdb, forgets_what_was_not)
{
	struct batch *b = batch_new();
	struct message *m = message_of("x");

	open_lmdb();
	add_queued(b, BATCH_PUT, 1, 1, m);
	cr_assert_eq(apply(b), 0);
	store_lmdb_ops.abort(l);
	cr_expect_eq(count(RECORD_QUEUED), 0);
	cr_expect_eq(count(RECORD_MESSAGE), 0);
	/* As if it had never been tried. */
	cr_expect_eq(m->stored_refs, 0);
	cr_expect_eq(m->stored_id, 0);
	commit(b);
	cr_expect_eq(count(RECORD_MESSAGE), 1);
	message_unref(&m);
	close_lmdb();
}

Test(store_lmdb, stores_a_message_once_for_all_who_wait)
{
	struct batch *b = batch_new();
	struct message *m = message_of("x");

	open_lmdb();
	for (uint64_t s = 1; s <= 10; s++)
		add_queued(b, BATCH_PUT, s, 1, m);
	commit(b);
	cr_expect_eq(count(RECORD_QUEUED), 10);
	cr_expect_eq(count(RECORD_MESSAGE), 1);
	b = batch_new();
	for (uint64_t s = 1; s < 10; s++)
		add_queued(b, BATCH_DELETE, s, 1, m);
	commit(b);
	cr_expect_eq(count(RECORD_MESSAGE), 1);
	b = batch_new();
	add_queued(b, BATCH_DELETE, 10, 1, m);
	commit(b);
	cr_expect_eq(count(RECORD_QUEUED), 0);
	cr_expect_eq(count(RECORD_MESSAGE), 0);
	message_unref(&m);
	close_lmdb();
}

Test(store_lmdb, stores_a_message_that_had_gone_again)
{
	struct message *m = message_of("x");

	open_lmdb();
	for (int i = 0; i < 3; i++) {
		struct batch *b = batch_new();

		add_queued(b, BATCH_PUT, 1, 1, m);
		add_queued(b, BATCH_SET, 1, 1, m);
		commit(b);
		cr_expect_eq(count(RECORD_MESSAGE), 1);
		b = batch_new();
		add_queued(b, BATCH_DELETE, 1, 1, m);
		commit(b);
		cr_expect_eq(count(RECORD_MESSAGE), 0);
	}
	message_unref(&m);
	close_lmdb();
}

static int
see_key(void *arg, struct slice key, struct slice value)
{
	struct buf *out = arg;
	uint64_t id, place;

	(void)value;
	if (!record_key_read(key, &id, &place))
		return -EBADMSG;
	buf_printf(out, "%u.%u ", (unsigned)id, (unsigned)place);
	return 0;
}

Test(store_lmdb, reads_a_queue_in_its_order)
{
	static const unsigned added[][2] = { { 2, 300 }, { 1, 5 }, { 2, 4 },
		{ 1, 70 }, { 1, 6 } };
	struct batch *b = batch_new();
	struct message *m = message_of("x");
	struct buf seen = { 0 };

	open_lmdb();
	for (size_t i = 0; i < countof(added); i++)
		add_queued(b, BATCH_PUT, added[i][0], added[i][1], m);
	commit(b);
	cr_assert_eq(store_lmdb_ops.each(l, RECORD_QUEUED, see_key, &seen), 0);
	cr_expect(slice_eq(buf_slice(&seen), SLICE("1.5 1.6 1.70 2.4 2.300 ")));
	buf_fini(&seen);
	message_unref(&m);
	close_lmdb();
}

/* Numbers go on, so that nothing is taken for what had them before. */
Test(store_lmdb, numbers_messages_behind_those_that_it_has)
{
	struct message *one = message_of("1"), *two = message_of("2");
	struct batch *b = batch_new();

	open_lmdb();
	add_queued(b, BATCH_PUT, 1, 1, one);
	commit(b);
	reopen_lmdb();
	b = batch_new();
	add_queued(b, BATCH_PUT, 1, 2, two);
	commit(b);
	cr_expect_gt(two->stored_id, one->stored_id);
	cr_expect_eq(count(RECORD_MESSAGE), 2);
	message_unref(&one);
	message_unref(&two);
	close_lmdb();
}

static struct batch *
large_batch(uint64_t first)
{
	static char payload[10001];
	struct batch *b = batch_new();

	memset(payload, 'x', sizeof(payload) - 1);
	for (uint64_t i = first; i < first + 10; i++) {
		struct message *m = message_of(payload);

		add_queued(b, BATCH_PUT, 1, i, m);
		message_unref(&m);
	}
	return b;
}

Test(store_lmdb, says_when_room_ends_and_when_it_is_back)
{
	struct batch *batches[1000];
	unsigned n = 0;

	open_lmdb();
	cr_expect(store_lmdb_ops.has_room(l));
	while (store_lmdb_ops.has_room(l)) {
		cr_assert_lt(n, countof(batches));
		batches[n] = large_batch(n * 10);
		cr_assert_eq(apply(batches[n]), 0);
		cr_assert_eq(store_lmdb_ops.commit(l), 0);
		n++;
	}
	/* What it is full with, less what is for those under way. */
	cr_expect_gt(n, 100);
	for (unsigned i = 0; i < n; i++) {
		struct batch *b = batch_new();

		for (size_t j = 0; j < batches[i]->n; j++)
			add_queued(b, BATCH_DELETE, 1, (uint64_t)i * 10 + j,
			    batches[i]->ops[j].message);
		commit(b);
		batch_free(&batches[i]);
	}
	cr_expect(store_lmdb_ops.has_room(l));
	close_lmdb();
}

Test(store_lmdb, aborts_what_does_not_fit)
{
	struct batch *b;
	int error = 0;
	unsigned n = 0;

	open_lmdb();
	while (error == 0) {
		cr_assert_lt(n, 1000u);
		b = large_batch(n++ * 10);
		error = apply(b);
		if (error == 0)
			error = store_lmdb_ops.commit(l);
		else
			store_lmdb_ops.abort(l);
		if (error != 0)
			cr_expect_eq(b->ops[9].message->stored_refs, 0);
		batch_free(&b);
	}
	cr_expect_eq(error, -ENOSPC);
	reopen_lmdb();
	cr_expect_eq(count(RECORD_QUEUED), (n - 1) * 10);
	cr_expect_eq(store_lmdb_check(l, NULL), 0);
	close_lmdb();
}

Test(store_lmdb, notes_are_kept)
{
	struct buf b = { 0 };

	open_lmdb();
	cr_expect_not(store_lmdb_get_meta(l, "node", &b));
	cr_assert_eq(store_lmdb_put_meta(l, "node", SLICE("pump-7")), 0);
	reopen_lmdb();
	cr_assert(store_lmdb_get_meta(l, "node", &b));
	cr_expect(slice_eq(buf_slice(&b), SLICE("pump-7")));
	buf_fini(&b);
	close_lmdb();
}

Test(store_lmdb, refuses_what_another_version_has_written)
{
	open_lmdb();
	cr_assert_eq(store_lmdb_put_meta(l, "format", SLICE("3")), 0);
	close_lmdb();
	cr_expect_eq(try_open((size_t)16 << 20), -EPROTO);
}

Test(store_lmdb, goes_on_with_the_format_before)
{
	struct buf b = { 0 };

	open_lmdb();
	cr_assert_eq(store_lmdb_put_meta(l, "format", SLICE("1")), 0);
	reopen_lmdb();
	cr_assert(store_lmdb_get_meta(l, "format", &b));
	cr_expect(slice_eq(buf_slice(&b), SLICE("2")));
	buf_fini(&b);
	close_lmdb();
}

Test(store_lmdb, refuses_what_is_no_store)
{
	FILE *f;

	open_lmdb();
	close_lmdb();
	cr_assert_eq(unlink(path), 0);
	f = fopen(path, "w");
	for (int i = 0; i < 10000; i++)
		fputs("this is no store at all\n", f);
	fclose(f);
	cr_expect_eq(try_open((size_t)16 << 20), -EBADMSG);
}

Test(store_lmdb, leaves_the_tables_of_others_alone)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	open_lmdb();
	close_lmdb();
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mdb_env_create(&env), 0);
	mdb_env_set_maxdbs(env, 2);
	cr_assert_eq(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
	cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	cr_assert_eq(mdb_dbi_open(txn, "theirs", MDB_CREATE, &dbi), 0);
	cr_assert_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	cr_expect_eq(try_open((size_t)16 << 20), -EBADMSG);
}
