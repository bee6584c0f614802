/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>

#include <criterion/criterion.h>

#include "base/log.h"
#include "fake/fake_engine.h"

static struct fake_engine engine;
static struct waker wakers[2];
static struct waker *waker_list[2] = { &wakers[0], &wakers[1] };
static struct store *store;
static uint64_t numbers[2];

static void
open_store(enum store_sync sync, unsigned interval_ms)
{
	struct store_options o = { .ops = &fake_engine_ops,
		.engine = &engine,
		.sync = sync,
		.interval_ms = interval_ms,
		.waiting_bytes = 1000,
		.n_streams = 2,
		.wakers = waker_list };

	log_set_level(LOG_ERROR);
	fake_engine_init(&engine);
	for (int i = 0; i < 2; i++) {
		numbers[i] = 0;
		cr_assert_eq(waker_init(&wakers[i]), 0);
	}
	store = store_new(&o);
	cr_assert_not_null(store);
}

static void
start(void)
{
	cr_assert_eq(store_start(store), 0);
}

static void
open_and_start(void)
{
	open_store(STORE_SYNC_COMMIT, 0);
	start();
}

static void
close_store(void)
{
	store_stop(store);
	store_free(&store);
	cr_assert(engine.is_closed);
	for (int i = 0; i < 2; i++)
		waker_fini(&wakers[i]);
}

static struct batch *
batch_of(uint64_t session)
{
	struct batch *b = batch_new();

	if (session != 0)
		batch_add(b, BATCH_PUT, RECORD_SESSION, record_key(session),
		    NULL);
	return b;
}

static void
close_held(struct batch *b, uint64_t held)
{
	batch_add(b, BATCH_CLOSE, RECORD_META, record_key(held), NULL);
}

static void
post(unsigned stream, struct batch *b, uint64_t held)
{
	b->stream = stream;
	b->number = ++numbers[stream];
	b->held = held;
	store_post(store, &b);
}

static void
await(unsigned stream, uint64_t number)
{
	while (store_committed(store, stream) < number)
		sched_yield();
	cr_assert_eq(store_committed(store, stream), number);
}

static const char *
text(void)
{
	static char copy[4096];

	return fake_engine_text(&engine, copy);
}

Test(store, says_when_a_batch_is_committed)
{
	struct pollfd p;

	open_and_start();
	waker_clear(&wakers[0]);
	waker_arm(&wakers[0]);
	post(0, batch_of(7), 0);
	p = (struct pollfd){ .fd = wakers[0].fd, .events = POLLIN };
	cr_assert_eq(poll(&p, 1, 10000), 1);
	await(0, 1);
	cr_expect_str_eq(text(), "s7 | ");
	cr_expect_eq(store_committed(store, 1), 0);
	cr_expect_eq(atomic_load(&store_stats(store)->waiting), 0);
	close_store();
}

Test(store, gathers_what_comes_while_it_writes)
{
	open_and_start();
	atomic_store(&engine.waits, true);
	post(0, batch_of(1), 0);
	/* Until it has taken the first and waits in its commit. */
	while (!engine.is_open)
		sched_yield();
	post(0, batch_of(2), 0);
	post(1, batch_of(3), 0);
	post(0, batch_of(4), 0);
	cr_expect_eq(store_committed(store, 0), 0);
	atomic_store(&engine.waits, false);
	await(0, 3);
	await(1, 1);
	cr_expect_leq(atomic_load(&engine.n_commits), 2);
	close_store();
}

Test(store, holds_a_batch_until_it_is_closed)
{
	struct batch *closing;

	open_and_start();
	post(1, batch_of(1), 55);
	post(1, batch_of(2), 0);
	post(0, batch_of(3), 0);
	await(0, 1);
	/* The second one of its stream is written; the first is not. */
	cr_expect_not_null(strstr(text(), "s2 "));
	cr_expect_null(strstr(text(), "s1 "));
	cr_expect_eq(store_committed(store, 1), 0);
	closing = batch_of(4);
	close_held(closing, 55);
	post(0, closing, 0);
	await(0, 2);
	await(1, 2);
	cr_expect_not_null(strstr(text(), "s1 s4 | "), "%s", text());
	close_store();
}

static struct batch *
batch_on_queue(enum batch_verb verb, uint64_t place)
{
	struct batch *b = batch_new();

	batch_add(b, verb, RECORD_QUEUED, record_key_pair(9, place), NULL);
	return b;
}

Test(store, keeps_changes_of_what_is_held_behind_it)
{
	struct batch *closing = batch_new();

	open_and_start();
	post(1, batch_on_queue(BATCH_PUT, 1), 55);
	post(1, batch_on_queue(BATCH_SET, 2), 0);
	post(1, batch_on_queue(BATCH_SET, 1), 0);
	post(1, batch_on_queue(BATCH_DELETE, 1), 0);
	post(0, batch_of(3), 0);
	await(0, 1);
	cr_expect_null(strstr(text(), "q9.1"), "%s", text());
	cr_expect_eq(store_committed(store, 1), 0);
	close_held(closing, 55);
	post(0, closing, 0);
	await(1, 4);
	cr_expect_not_null(strstr(text(), "q9.2 "), "%s", text());
	cr_expect_not_null(strstr(text(), "q9.1 q9.1 -q9.1 "), "%s", text());
	close_store();
}

/* What the other session has then is held with it: both, or neither. */
Test(store, keeps_a_message_held_that_another_session_was_given)
{
	struct batch *closing = batch_new();
	struct batch *given = batch_new();
	struct message_parts parts = { .topic = SLICE("a") };
	struct message *m = message_new(&parts);

	batch_add(given, BATCH_PUT, RECORD_QUEUED, record_key_pair(8, 3), NULL);
	batch_add(given, BATCH_PUT, RECORD_QUEUED, record_key_pair(8, 4), m);
	batch_add(given, BATCH_DELETE, RECORD_QUEUED, record_key_pair(9, 1), m);
	message_unref(&m);
	open_and_start();
	post(1, batch_on_queue(BATCH_PUT, 1), 55);
	post(0, given, 0);
	await(0, 1);
	cr_expect_not_null(strstr(text(), "q8.3"), "%s", text());
	cr_expect_null(strstr(text(), "q8.4"), "%s", text());
	close_held(closing, 55);
	post(0, closing, 0);
	await(1, 1);
	cr_expect_not_null(strstr(text(), "q9.1 q8.4 -q9.1 "), "%s", text());
	close_store();
}

Test(store, ends_without_what_is_still_held)
{
	open_and_start();
	post(0, batch_of(1), 55);
	post(0, batch_of(2), 0);
	close_store();
	cr_expect_str_eq(text(), "s2 | ");
}

Test(store, writes_what_was_posted_before_it_ends)
{
	open_store(STORE_SYNC_COMMIT, 0);
	for (uint64_t i = 1; i <= 100; i++)
		post(0, batch_of(i), 0);
	start();
	close_store();
	cr_expect_not_null(strstr(text(), "s100 "));
}

Test(store, tries_again_when_there_is_room)
{
	open_store(STORE_SYNC_COMMIT, 0);
	atomic_store(&engine.apply_error, -ENOSPC);
	start();
	log_close();
	post(0, batch_of(1), 0);
	while (!store_is_full(store))
		sched_yield();
	post(0, batch_of(2), 0);
	cr_expect_eq(store_committed(store, 0), 0);
	await(0, 2);
	while (store_is_full(store))
		sched_yield();
	cr_expect_str_eq(text(), "s1 s2 | ");
	cr_expect_eq(atomic_load(&engine.n_aborts), 1);
	close_store();
}

Test(store, writes_a_failed_commit_again)
{
	open_store(STORE_SYNC_COMMIT, 0);
	atomic_store(&engine.commit_error, -ENOSPC);
	start();
	post(0, batch_of(1), 0);
	await(0, 1);
	cr_expect_str_eq(text(), "s1 | ");
	cr_expect_eq(atomic_load(&engine.n_aborts), 0);
	close_store();
}

Test(store, is_full_before_a_write_fails)
{
	open_store(STORE_SYNC_COMMIT, 0);
	atomic_store(&engine.lacks_room, true);
	start();
	post(0, batch_of(1), 0);
	await(0, 1);
	while (!store_is_full(store))
		sched_yield();
	atomic_store(&engine.lacks_room, false);
	/* By itself: nothing more is posted. */
	while (store_is_full(store))
		sched_yield();
	close_store();
}

Test(store, ends_the_process_when_the_disk_fails, .exit_code = EXIT_FAILURE)
{
	open_store(STORE_SYNC_COMMIT, 0);
	atomic_store(&engine.commit_error, -EIO);
	start();
	post(0, batch_of(1), 0);
	await(0, 1);
}

Test(store, with_interval_says_so_before_it_commits)
{
	open_store(STORE_SYNC_INTERVAL, 3600000);
	start();
	post(0, batch_of(1), 0);
	await(0, 1);
	cr_expect_str_eq(text(), "");
	post(0, batch_of(2), 0);
	await(0, 2);
	close_store();
	cr_expect_str_eq(text(), "s1 s2 | ");
}

Test(store, with_interval_commits_unasked)
{
	open_store(STORE_SYNC_INTERVAL, 1);
	start();
	post(0, batch_of(1), 0);
	while (*text() == '\0')
		sched_yield();
	cr_expect_str_eq(text(), "s1 | ");
	close_store();
}

Test(store, is_behind_with_too_much_to_write)
{
	open_store(STORE_SYNC_COMMIT, 0);
	cr_expect_not(store_is_behind(store));
	for (int i = 0; i < 100; i++)
		post(0, batch_of(1), 0);
	cr_expect(store_is_behind(store));
	start();
	await(0, 100);
	cr_expect_not(store_is_behind(store));
	close_store();
}

Test(store, counts_a_batch_of_nobody)
{
	struct batch *b = batch_of(1);

	open_and_start();
	store_post_alone(store, &b);
	post(0, batch_of(0), 0);
	await(0, 1);
	cr_expect_eq(strncmp(text(), "s1 ", 3), 0);
	close_store();
}

Test(store, numbers_go_on_behind_those_in_use)
{
	open_store(STORE_SYNC_COMMIT, 0);
	cr_expect_eq(store_next_id(store), 1);
	store_skip_id(store, 40);
	store_skip_id(store, 3);
	cr_expect_eq(store_next_id(store), 41);
	close_store();
}
