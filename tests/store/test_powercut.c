/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_powercut - the store after power cuts: it opens, and what it had said
 * to be on disk is there.
 *
 * Two streams put a record per batch and delete the one of WINDOW batches
 * ago, beside a queue whose messages both share; now and then one is held and
 * the other closes it. What was said to be committed is noted with how much
 * had been written by then. Afterwards the file is made as a cut at any moment
 * would have left it, and looked at.
 *
 *   POWERCUT_CUTS    how many (500)
 *   POWERCUT_SEED    which
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "store/disk.h"
#include "store/scratch.h"
#include "store/store_lmdb.h"

#define N_STREAMS 2u
#define N_BATCHES 1500u /* of each stream */
#define WINDOW    20u
#define HELD_STEP 7u
/* A session of the records that come in pairs. */
#define PAIRS     1000u

struct said {
	size_t moment;
	uint64_t committed[N_STREAMS];
};

static struct said *said;
static size_t n_said, cap_said;
static uint64_t seed;

static uint64_t
chance(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

#define check(what, ...)                                                       \
	do {                                                                   \
		if (!(what)) {                                                 \
			printf("test_powercut: " __VA_ARGS__);                 \
			printf("\n");                                          \
			exit(EXIT_FAILURE);                                    \
		}                                                              \
	} while (0)

/* --- writing --------------------------------------------------------------*/

static void
put_queued(struct batch *b, enum batch_verb verb, uint64_t session,
    uint64_t place, struct message *m)
{
	struct queued_record r = { .qos = 1 };

	if (verb != BATCH_DELETE)
		record_put_queued(&b->values, &r);
	batch_add(b, verb, RECORD_QUEUED, record_key_pair(session, place), m);
}

static struct message *messages[N_BATCHES + 1];

static struct message *
message_number(uint64_t i)
{
	static char payload[3000];
	struct message_parts parts = { .topic = SLICE("a/b") };

	if (messages[i] == NULL) {
		memset(payload, 'a' + (int)(i % 26), sizeof(payload));
		parts.payload = slice_of(payload, chance() % sizeof(payload));
		messages[i] = message_new(&parts);
	}
	return messages[i];
}

static struct batch *
batch_number(unsigned stream, uint64_t i)
{
	struct batch *b = batch_new();

	b->stream = stream;
	b->number = i;
	buf_printf(&b->values, "%u.%" PRIu64, stream, i);
	batch_add(b, BATCH_PUT, RECORD_SESSION,
	    record_key((uint64_t)stream << 32 | i), NULL);
	put_queued(b, BATCH_PUT, stream, i, message_number(i));
	if (i <= WINDOW)
		return b;
	batch_add(b, BATCH_DELETE, RECORD_SESSION,
	    record_key((uint64_t)stream << 32 | (i - WINDOW)), NULL);
	put_queued(b, BATCH_DELETE, stream, i - WINDOW,
	    message_number(i - WINDOW));
	return b;
}

static void
note_said(struct store *s)
{
	struct said now = { 0 };
	bool is_new = false;

	for (unsigned i = 0; i < N_STREAMS; i++) {
		now.committed[i] = store_committed(s, i);
		is_new |= n_said == 0 ||
		    now.committed[i] != said[n_said - 1].committed[i];
	}
	if (!is_new)
		return;
	/* After it was said: so much had been written for sure. */
	now.moment = disk_now();
	if (n_said == cap_said) {
		cap_said = cap_said == 0 ? 256 : cap_said * 2;
		said = xrealloc(said, cap_said * sizeof(*said));
	}
	said[n_said++] = now;
}

static void
post(struct store *s, struct batch *b)
{
	store_post(s, &b);
}

/* Every HELD_STEP-th of stream 1 is held until that of stream 0 closes it. */
static void
post_pair(struct store *s, uint64_t i)
{
	struct batch *zero = batch_number(0, i);
	struct batch *one = batch_number(1, i);

	if (i % HELD_STEP == 0) {
		struct received_record r = { .held = true };

		one->held = i;
		put_queued(one, BATCH_PUT, PAIRS, i, message_number(i));
		record_put_received(&zero->values, &r);
		batch_add(zero, BATCH_SET, RECORD_RECEIVED,
		    record_key_pair(PAIRS, i), NULL);
		batch_add(zero, BATCH_CLOSE, RECORD_META, record_key(i), NULL);
	}
	post(s, one);
	post(s, zero);
}

static void
make(const char *path)
{
	struct store_lmdb_options o = { .path = path,
		.max_size = (size_t)64 << 20 };
	struct store_lmdb *l;

	check(store_lmdb_open(&o, &l) == 0, "cannot make it");
	store_lmdb_ops.close(l);
}

static void
work(const char *path)
{
	struct store_lmdb_options lo = { .path = path,
		.max_size = (size_t)64 << 20 };
	struct waker wakers[N_STREAMS];
	struct waker *list[N_STREAMS];
	struct store_options o = { .ops = &store_lmdb_ops,
		.waiting_bytes = (size_t)8 << 20,
		.n_streams = N_STREAMS,
		.wakers = list };
	struct store_lmdb *l;
	struct store *s;

	check(store_lmdb_open(&lo, &l) == 0, "cannot open");
	o.engine = l;
	for (unsigned i = 0; i < N_STREAMS; i++) {
		list[i] = &wakers[i];
		check(waker_init(list[i]) == 0, "no waker");
	}
	s = store_new(&o);
	check(s != NULL && store_start(s) == 0, "no store");
	for (uint64_t i = 1; i <= N_BATCHES; i++) {
		post_pair(s, i);
		while (chance() % 3 != 0) {
			note_said(s);
			sched_yield();
		}
		while (store_committed(s, 0) + 10 < i)
			note_said(s);
	}
	while (store_committed(s, 0) < N_BATCHES)
		note_said(s);
	note_said(s);
	store_stop(s);
	store_free(&s);
	for (unsigned i = 0; i < N_STREAMS; i++)
		waker_fini(&wakers[i]);
}

/* --- looking at what is left ---------------------------------------------- */

struct found {
	uint64_t newest[N_STREAMS + 1], n[N_STREAMS + 1]; /* sessions */
	uint64_t n_queued[N_STREAMS];
	bool pair_queued[N_BATCHES + 1], pair_received[N_BATCHES + 1];
	bool is_wanted[4 * N_BATCHES]; /* messages */
	size_t n_wanted, n_messages;
};

static struct found found;

static int
see_session(void *arg, struct slice key, struct slice value)
{
	uint64_t id, i;
	unsigned stream;
	char text[64];

	(void)arg;
	check(record_key_read(key, &id, NULL), "a key");
	stream = (unsigned)(id >> 32);
	i = id & UINT32_MAX;
	(void)snprintf(text, sizeof(text), "%u.%" PRIu64, stream, i);
	check(slice_eq(value, slice_str(text)), "the value of %s", text);
	found.n[stream]++;
	if (i > found.newest[stream])
		found.newest[stream] = i;
	return 0;
}

static int
see_queued(void *arg, struct slice key, struct slice value)
{
	struct queued_record r;
	uint64_t session, place;

	(void)arg;
	check(record_key_read(key, &session, &place), "a key");
	check(record_get_queued(value, &r), "a queued record");
	if (session == PAIRS)
		found.pair_queued[place] = true;
	else
		found.n_queued[session]++;
	check(r.message < countof(found.is_wanted), "message numbers");
	found.n_wanted += !found.is_wanted[r.message];
	found.is_wanted[r.message] = true;
	return 0;
}

static int
see_received(void *arg, struct slice key, struct slice value)
{
	uint64_t session, i;

	(void)arg;
	(void)value;
	check(record_key_read(key, &session, &i), "a key");
	found.pair_received[i] = true;
	return 0;
}

static int
see_message(void *arg, struct slice key, struct slice value)
{
	uint64_t id;

	(void)arg;
	(void)value;
	check(record_key_read(key, &id, NULL), "a key");
	check(found.is_wanted[id], "message %" PRIu64 " is nobody's", id);
	found.n_messages++;
	return 0;
}

static const struct said *
said_by(size_t moment)
{
	static const struct said nothing;
	const struct said *newest = &nothing;

	for (size_t i = 0; i < n_said && said[i].moment <= moment; i++)
		newest = &said[i];
	return newest;
}

static void
look_at_stream(unsigned stream, size_t moment)
{
	uint64_t newest = found.newest[stream];
	uint64_t promised = said_by(moment)->committed[stream];
	uint64_t want = newest < WINDOW ? newest : WINDOW;

	check(newest >= promised,
	    "cut at %zu: stream %u has %" PRIu64 ", was promised %" PRIu64,
	    moment, stream, newest, promised);
	/* Neither are there gaps, nor has anything come back. */
	check(found.n[stream] == want && found.n_queued[stream] == want,
	    "cut at %zu: stream %u has %" PRIu64 " and %" PRIu64
	    " records, not %" PRIu64,
	    moment, stream, found.n[stream], found.n_queued[stream], want);
}

static void
look(struct store_lmdb *l, size_t moment)
{
	const struct store_ops *ops = &store_lmdb_ops;

	memset(&found, 0, sizeof(found));
	check(ops->each(l, RECORD_SESSION, see_session, NULL) == 0 &&
		ops->each(l, RECORD_QUEUED, see_queued, NULL) == 0 &&
		ops->each(l, RECORD_RECEIVED, see_received, NULL) == 0 &&
		ops->each(l, RECORD_MESSAGE, see_message, NULL) == 0,
	    "cut at %zu: cannot be read", moment);
	for (unsigned i = 0; i < N_STREAMS; i++)
		look_at_stream(i, moment);
	for (size_t i = 1; i <= N_BATCHES; i++)
		check(found.pair_queued[i] == found.pair_received[i],
		    "cut at %zu: half of pair %zu", moment, i);
	check(found.n_messages == found.n_wanted,
	    "cut at %zu: %zu messages, not %zu", moment, found.n_messages,
	    found.n_wanted);
}

static void
cut(const char *path, size_t moment)
{
	struct store_lmdb_options o = { .path = path,
		.max_size = (size_t)64 << 20 };
	struct store_lmdb *l;
	int error;

	disk_restore(path, moment, chance);
	error = store_lmdb_open(&o, &l);
	check(error == 0, "cut at %zu: %s", moment, strerror(-error));
	error = store_lmdb_check(l, NULL);
	check(error == 0, "cut at %zu: check: %s", moment, strerror(-error));
	look(l, moment);
	store_lmdb_ops.close(l);
}

static int
by_moment(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

static size_t
number_of(const char *name, size_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

int
main(void)
{
	size_t n_cuts = number_of("POWERCUT_CUTS", 500);
	size_t *moments = xcalloc(n_cuts, sizeof(*moments));
	char *path = xasprintf("%s/store.mdb", scratch_directory());
	char *copy = xasprintf("%s/cut.mdb", scratch_directory());
	size_t first_seed;

	seed = number_of("POWERCUT_SEED", (size_t)time(NULL) * 7919 + 1);
	first_seed = seed;
	make(path);
	disk_watch(path);
	work(path);
	check(disk_n_syncs() > 20 && n_said > 20, "nothing was synced");
	for (size_t i = 0; i < n_cuts; i++)
		moments[i] = chance() % (disk_now() + 1);
	qsort(moments, n_cuts, sizeof(*moments), by_moment);
	disk_rewind();
	for (size_t i = 0; i < n_cuts; i++)
		cut(copy, moments[i]);
	printf("test_powercut: %zu cuts in %zu writes and %zu syncs, "
	       "POWERCUT_SEED=%zu\n",
	    n_cuts, disk_now(), disk_n_syncs(), first_seed);
	free(moments);
	free(path);
	free(copy);
	return EXIT_SUCCESS;
}
