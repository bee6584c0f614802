/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - the one thread that writes what must survive a crash.
 *
 *   mailbox --take--> todo --write--> done: said, freed
 *              |       ^
 *              v       | a batch that closes it has come
 *             held ----'
 *
 * What cannot be written for want of room stays in `todo` and is tried again;
 * any other error ends the process, since from then on nothing that it says
 * could be believed.
 */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

/* How soon to look again whether there is room. */
#define RETRY_MS    200
/* What one transaction takes, so that nobody waits for too large a one. */
#define GROUP_BYTES ((size_t)8 << 20)
#define GROUP_OPS   32768u

TAILQ_HEAD(batch_list, batch);

struct stream {
	struct waker *waker;     /* [I] */
	uint64_t taken;          /* [s] the newest number */
	bool is_dirty;           /* [s] there is something to say */
	atomic_ullong committed; /* [a] */
};

struct store {
	struct store_options o;  /* [I] */
	struct waker waker;      /* the store thread's */
	struct mailbox mailbox;  /* of batches */
	struct batch_list fresh; /* [s] out of the mailbox */
	struct batch_list held;  /* [s] */
	struct batch_list todo;  /* [s] to be written, the oldest first */
	size_t n_applied;        /* [s] of todo, in the open transaction */
	size_t group_bytes;      /* [s] in it */
	size_t group_ops;        /* [s] in it */
	bool is_open;            /* [s] a transaction */
	bool lacks_room;         /* [s] the last write failed for that */
	uint64_t commit_at_ms;   /* [s] of STORE_SYNC_INTERVAL */
	uint64_t look_at_ms;     /* [s] whether there is room */
	struct stream *streams;  /* [I] n_streams */
	atomic_ullong next_id;
	atomic_bool stops;
	bool runs; /* [main] */
	pthread_t thread;
	struct store_stats stats;
};

static void STORE_THREAD
on_batch(struct mail *mail, void *owner)
{
	struct batch *b = container_of(mail, struct batch, mail);
	struct store *s = owner;

	TAILQ_INSERT_TAIL(&s->fresh, b, entry);
}

struct store *
store_new(const struct store_options *o)
{
	struct store *s = xcalloc(1, sizeof(*s));

	s->o = *o;
	if (waker_init(&s->waker) != 0) {
		free(s);
		return NULL;
	}
	mailbox_init(&s->mailbox, &s->waker);
	TAILQ_INIT(&s->fresh);
	TAILQ_INIT(&s->held);
	TAILQ_INIT(&s->todo);
	s->streams = xcalloc(o->n_streams, sizeof(*s->streams));
	for (unsigned i = 0; i < o->n_streams; i++)
		s->streams[i].waker = o->wakers[i];
	atomic_init(&s->next_id, 1);
	return s;
}

static void
free_batches(struct batch_list *list)
{
	struct batch *b;

	while ((b = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, b, entry);
		batch_free(&b);
	}
}

void
store_free(struct store **sp)
{
	struct store *s = *sp;

	*sp = NULL;
	assert(!s->runs);
	mailbox_drain(&s->mailbox, s);
	free_batches(&s->fresh);
	free_batches(&s->held);
	free_batches(&s->todo);
	s->o.ops->close(s->o.engine);
	waker_fini(&s->waker);
	free(s->streams);
	free(s);
}

/* --- what has come --- */

/* What was held under this number goes before the batch that closes it. */
static void STORE_THREAD
release(struct store *s, uint64_t number)
{
	struct batch *b, *next;

	TAILQ_FOREACH_SAFE(b, &s->held, entry, next) {
		if (b->held != number)
			continue;
		TAILQ_REMOVE(&s->held, b, entry);
		TAILQ_INSERT_TAIL(&s->todo, b, entry);
		atomic_fetch_add(&s->stats.waiting, b->cost);
	}
}

static void STORE_THREAD
release_all(struct store *s, const struct batch *b)
{
	uint64_t number;

	for (size_t i = 0; i < b->n; i++)
		if (b->ops[i].verb == BATCH_CLOSE &&
		    record_key_read(record_key_slice(&b->ops[i].key), &number,
			NULL))
			release(s, number);
}

static bool
puts_key(const struct batch *b, const struct batch_op *op)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->ops[i].verb == BATCH_PUT &&
		    b->ops[i].table == op->table &&
		    slice_eq(record_key_slice(&b->ops[i].key),
			record_key_slice(&op->key)))
			return true;
	return false;
}

/* The batch that is held and brings the record that this changes, or NULL. */
static struct batch *
find_held(struct store *s, const struct batch_op *op)
{
	struct batch *b;

	TAILQ_FOREACH(b, &s->held, entry)
		if (puts_key(b, op))
			return b;
	return NULL;
}

/* The new record of this message, too, where one session gave it to another. */
static size_t STORE_THREAD
move_with_message(struct batch *b, size_t i, struct batch *held)
{
	const struct message *m = b->ops[i].message;
	bool is_handed_over = held->stream != b->stream;
	size_t n = 0;

	for (size_t at = 0; is_handed_over && at < i - n;) {
		const struct batch_op *op = &b->ops[at];

		if (op->verb == BATCH_PUT && op->table == RECORD_QUEUED &&
		    op->message == m) {
			batch_move(b, at, held);
			n++;
		} else {
			at++;
		}
	}
	batch_move(b, i - n, held);
	return i - n;
}

/*
 * What changes a record that is held itself comes into force behind it: the
 * message of a client that came, or went for good, meanwhile.
 */
static void STORE_THREAD
defer(struct store *s, struct batch *b)
{
	for (size_t i = 0; i < b->n && !TAILQ_EMPTY(&s->held);) {
		struct batch *held = NULL;

		if (b->ops[i].table == RECORD_QUEUED &&
		    b->ops[i].verb != BATCH_PUT)
			held = find_held(s, &b->ops[i]);
		if (held != NULL)
			i = move_with_message(b, i, held);
		else
			i++;
	}
}

static void STORE_THREAD
take(struct store *s)
{
	struct batch *b;

	mailbox_drain(&s->mailbox, s);
	while ((b = TAILQ_FIRST(&s->fresh)) != NULL) {
		TAILQ_REMOVE(&s->fresh, b, entry);
		if (b->stream < s->o.n_streams)
			s->streams[b->stream].taken = b->number;
		if (b->held != 0) {
			TAILQ_INSERT_TAIL(&s->held, b, entry);
			atomic_fetch_sub(&s->stats.waiting, b->cost);
			continue;
		}
		if (b->closes)
			release_all(s, b);
		defer(s, b);
		TAILQ_INSERT_TAIL(&s->todo, b, entry);
	}
}

/* --- writing --- */

static void NORETURN
give_up(const char *what, int error)
{
	log_error("store: %s: %s; cannot go on", what, strerror(-error));
	/* Nobody was told what is not on disk; the next start begins there. */
	_exit(EXIT_FAILURE);
}

/* What was in the transaction is written. */
static void STORE_THREAD
forget_applied(struct store *s)
{
	for (; s->n_applied > 0; s->n_applied--) {
		struct batch *b = TAILQ_FIRST(&s->todo);

		TAILQ_REMOVE(&s->todo, b, entry);
		atomic_fetch_sub(&s->stats.waiting, b->cost);
		batch_free(&b);
	}
}

static void STORE_THREAD
set_full(struct store *s, bool full)
{
	if (atomic_exchange(&s->stats.full, full) == full)
		return;
	if (full)
		log_error("store: no room left (disk, or [store] max_size): "
			  "new messages at QoS 1 and 2 are refused");
	else
		log_notice("store: there is room again");
}

static void STORE_THREAD
look_for_room(struct store *s)
{
	size_t used, size;

	set_full(s, s->lacks_room || !s->o.ops->has_room(s->o.engine));
	s->o.ops->measure(s->o.engine, &used, &size);
	atomic_store(&s->stats.used, used);
	atomic_store(&s->stats.size, size);
	s->look_at_ms = clock_mono_ms() + RETRY_MS;
}

/* A write has failed; what it was of is still there. */
static void STORE_THREAD
on_error(struct store *s, const char *what, int error)
{
	if (error != -ENOSPC)
		give_up(what, error);
	s->is_open = false;
	s->n_applied = 0;
	s->lacks_room = true;
	look_for_room(s);
}

static int STORE_THREAD
apply(struct store *s, const struct batch *b)
{
	int error = 0;

	for (size_t i = 0; i < b->n && error == 0; i++)
		if (b->ops[i].verb != BATCH_CLOSE)
			error = s->o.ops->apply(s->o.engine, b, &b->ops[i]);
	if (error != 0)
		s->o.ops->abort(s->o.engine);
	return error;
}

static bool
is_group(const struct store *s)
{
	return s->group_bytes >= GROUP_BYTES || s->group_ops >= GROUP_OPS;
}

static bool STORE_THREAD
begin(struct store *s)
{
	int error;

	if (s->is_open)
		return true;
	error = s->o.ops->begin(s->o.engine);
	if (error != 0) {
		on_error(s, "cannot begin to write", error);
		return false;
	}
	s->is_open = true;
	s->group_bytes = 0;
	s->group_ops = 0;
	s->commit_at_ms = clock_mono_ms() + s->o.interval_ms;
	return true;
}

/*
 * Into the transaction, as much as is good for it. A batch follows what it
 * closes, and a group never ends between them.
 */
static bool STORE_THREAD
apply_todo(struct store *s)
{
	struct batch *b;
	size_t i = 0;
	int error;

	if (!begin(s))
		return false;
	TAILQ_FOREACH(b, &s->todo, entry) {
		if (i++ < s->n_applied)
			continue;
		error = apply(s, b);
		if (error != 0) {
			on_error(s, "cannot write", error);
			return false;
		}
		s->n_applied = i;
		s->group_bytes += b->cost;
		s->group_ops += b->n;
		if (b->held == 0 && is_group(s))
			break;
	}
	return true;
}

static void STORE_THREAD
count_commit(struct store *s, uint64_t took_us)
{
	struct store_stats *t = &s->stats;

	atomic_fetch_add(&t->commits, 1);
	atomic_fetch_add(&t->batches, s->n_applied);
	atomic_fetch_add(&t->changes, s->group_ops);
	atomic_fetch_add(&t->commit_us, took_us);
	atomic_store(&t->last_us, took_us);
	if (took_us > atomic_load(&t->max_us))
		atomic_store(&t->max_us, took_us);
}

static bool STORE_THREAD
commit(struct store *s)
{
	uint64_t start_us = clock_mono_us();
	int error = s->o.ops->commit(s->o.engine);

	if (error != 0) {
		on_error(s, "cannot commit", error);
		return false;
	}
	s->is_open = false;
	s->lacks_room = false;
	count_commit(s, clock_mono_us() - start_us);
	return true;
}

/* --- what may be said --- */

static void
limit(struct store *s, const struct batch *b, uint64_t *up_to)
{
	if (b->stream < s->o.n_streams && b->number <= up_to[b->stream])
		up_to[b->stream] = b->number - 1;
}

/*
 * Of each stream: all that has been taken, less what is still to be written
 * or held.
 */
static void STORE_THREAD
say(struct store *s)
{
	uint64_t *up_to = xcalloc(s->o.n_streams, sizeof(*up_to));
	const struct batch *b;
	size_t i = 0;

	for (unsigned n = 0; n < s->o.n_streams; n++)
		up_to[n] = s->streams[n].taken;
	TAILQ_FOREACH(b, &s->held, entry)
		limit(s, b, up_to);
	TAILQ_FOREACH(b, &s->todo, entry)
		if (i++ >= s->n_applied)
			limit(s, b, up_to);
	for (unsigned n = 0; n < s->o.n_streams; n++) {
		struct stream *stream = &s->streams[n];

		if (up_to[n] == atomic_load(&stream->committed))
			continue;
		atomic_store(&stream->committed, up_to[n]);
		waker_kick(stream->waker);
	}
	free(up_to);
}

/* --- the thread --- */

static bool
is_interval(const struct store *s)
{
	return s->o.sync == STORE_SYNC_INTERVAL;
}

/* Is it time to commit what was applied? */
static bool
is_due(const struct store *s, uint64_t now_ms)
{
	return !is_interval(s) || is_group(s) || now_ms >= s->commit_at_ms ||
	    atomic_load(&s->stops);
}

static void STORE_THREAD
write_out(struct store *s)
{
	uint64_t now_ms = clock_mono_ms();

	if (s->lacks_room && now_ms < s->look_at_ms)
		return;
	while (!TAILQ_EMPTY(&s->todo)) {
		if (!apply_todo(s))
			return;
		/* Said before it is on disk: that is what interval means. */
		if (is_interval(s))
			say(s);
		if (is_interval(s) && !is_due(s, now_ms))
			return;
		if (!commit(s))
			return;
		forget_applied(s);
		say(s);
		look_for_room(s);
		take(s);
	}
}

/* Milliseconds until something is to be done unasked; -1: nothing. */
static int
patience(const struct store *s)
{
	uint64_t now_ms = clock_mono_ms();
	uint64_t at_ms = s->look_at_ms;

	if (is_interval(s) && !TAILQ_EMPTY(&s->todo) && !s->lacks_room)
		at_ms = s->commit_at_ms;
	else if (!s->lacks_room && !atomic_load(&s->stats.full))
		return -1;
	return at_ms <= now_ms ? 0 : (int)(at_ms - now_ms);
}

static void STORE_THREAD
rest(struct store *s)
{
	struct pollfd p = { .fd = s->waker.fd, .events = POLLIN };

	waker_arm(&s->waker);
	if (mailbox_len(&s->mailbox) == 0 && !atomic_load(&s->stops))
		(void)poll(&p, 1, patience(s));
	waker_clear(&s->waker);
}

static bool
is_finished(struct store *s)
{
	return atomic_load(&s->stops) && mailbox_len(&s->mailbox) == 0;
}

static void *
run(void *arg)
{
	struct store *s = arg;

	thread_enter(THREAD_STORE, "store");
	thread_assert_store();
	look_for_room(s);
	for (;;) {
		bool last = is_finished(s);

		take(s);
		write_out(s);
		if (last)
			break;
		if (atomic_load(&s->stats.full) &&
		    clock_mono_ms() >= s->look_at_ms)
			look_for_room(s);
		rest(s);
	}
	if (!TAILQ_EMPTY(&s->todo))
		log_warning("store: no room for what was left to write");
	return NULL;
}

int
store_start(struct store *s)
{
	int error = thread_start(&s->thread, run, s);

	s->runs = error == 0;
	return error;
}

void
store_stop(struct store *s)
{
	if (!s->runs)
		return;
	atomic_store(&s->stops, true);
	waker_kick(&s->waker);
	pthread_join(s->thread, NULL);
	s->runs = false;
}

/* --- for everybody --- */

void
store_post(struct store *s, struct batch **bp)
{
	struct batch *b = *bp;

	*bp = NULL;
	b->mail.handle = on_batch;
	atomic_fetch_add(&s->stats.waiting, b->cost);
	mailbox_post(&s->mailbox, &b->mail);
}

void
store_post_alone(struct store *s, struct batch **bp)
{
	(*bp)->stream = UINT_MAX;
	store_post(s, bp);
}

uint64_t
store_committed(const struct store *s, unsigned stream)
{
	return atomic_load(&s->streams[stream].committed);
}

bool
store_is_behind(const struct store *s)
{
	return atomic_load(&s->stats.waiting) > s->o.waiting_bytes;
}

bool
store_is_full(const struct store *s)
{
	return atomic_load_explicit(&s->stats.full, memory_order_relaxed);
}

const struct store_stats *
store_stats(const struct store *s)
{
	return &s->stats;
}

uint64_t
store_next_id(struct store *s)
{
	return atomic_fetch_add(&s->next_id, 1);
}

void
store_skip_id(struct store *s, uint64_t id)
{
	if (id >= atomic_load(&s->next_id))
		atomic_store(&s->next_id, id + 1);
}

int
store_each(struct store *s, enum record_table table,
    int (*fn)(void *arg, struct slice key, struct slice value), void *arg)
{
	return s->o.ops->each(s->o.engine, table, fn, arg);
}

size_t
store_count(struct store *s, enum record_table table)
{
	return s->o.ops->count(s->o.engine, table);
}
