/* SPDX-License-Identifier: Apache-2.0 */
/* worker - one thread, one event loop: the connections of a home. */
#include "net/worker.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/home.h"
#include "net/admission.h"

/* How soon what did not fit into a full ring is tried again. */
#define RETRY_MS 1
/* Who was late is so for that long. */
#define LATE_MS  1000

/* An accepted socket on its way. */
struct accepted {
	struct mail mail;
	struct worker *to;
	struct conn_origin origin;
	char address[];
};

/* Main asks something of a worker. */
struct order {
	struct mail mail;
	struct worker *to;
};

struct worker *
worker_number(struct worker *w, unsigned id)
{
	return w->workers[id];
}

void
worker_tick(struct worker *w)
{
	if (w->is_ticked)
		return;
	w->is_ticked = true;
	home_tick(w->home);
	atomic_store_explicit(&w->busy_since_ms, w->home->now_ms,
	    memory_order_relaxed);
}

static unsigned
max_lag_ms(const struct worker *w)
{
	return w->home->broker->options->max_lag_ms;
}

bool
worker_is_late(const struct worker *w, uint64_t now_ms)
{
	uint64_t since = atomic_load(&w->busy_since_ms);
	unsigned max = max_lag_ms(w);

	if (max == 0)
		return false;
	return now_ms < atomic_load(&w->late_until_ms) ||
	    (since != 0 && now_ms > since + max);
}

bool
worker_is_stuck(const struct worker *w, uint64_t now_ms, uint64_t patience_ms)
{
	uint64_t since = atomic_load(&w->busy_since_ms);

	return since != 0 && now_ms > since + patience_ms;
}

/* The turn is over: how long did it take? */
static void
note_lag(struct worker *w)
{
	uint64_t now_ms = clock_mono_ms();
	uint64_t since =
	    atomic_load_explicit(&w->busy_since_ms, memory_order_relaxed);
	unsigned max = max_lag_ms(w);

	if (max != 0 && now_ms > since + max)
		atomic_store(&w->late_until_ms, now_ms + LATE_MS);
	atomic_store_explicit(&w->busy_since_ms, 0, memory_order_relaxed);
}

void
worker_bury(struct worker *w, struct conn *c)
{
	LIST_INSERT_HEAD(&w->buried, c, entry);
}

static void
free_buried(struct worker *w)
{
	struct conn *c;

	while ((c = LIST_FIRST(&w->buried)) != NULL) {
		LIST_REMOVE(c, entry);
		free(c);
	}
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	thread_assert_worker();
	waker_clear(&w->home->waker);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	thread_assert_worker();
	w->timer_due_ms = 0; /* home_turn does the rest */
}

/* Everybody who asked for attention up to now; those who ask meanwhile come
 * next turn. */
static void WORKER_THREAD
attend(struct worker *w)
{
	struct home *h = w->home;
	struct client *last = TAILQ_LAST(&h->dirty, client_list);
	struct client *c;

	while ((c = TAILQ_FIRST(&h->dirty)) != NULL) {
		bool is_last = c == last;

		TAILQ_REMOVE(&h->dirty, c, entry);
		c->is_dirty = false;
		conn_attend(container_of(c, struct conn, client));
		if (is_last)
			break;
	}
}

static void
arm_timer(struct worker *w)
{
	struct home *h = w->home;
	int ms = timer_next_ms(h->timers, h->now_ms);
	struct timeval tv;

	if (h->congested)
		ms = RETRY_MS;
	if (ms < 0)
		return;
	if (w->timer_due_ms != 0 && w->timer_due_ms <= h->now_ms + (unsigned)ms)
		return;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	w->timer_due_ms = h->now_ms + (unsigned)ms;
	event_add(&w->on_timer, &tv);
}

static void WORKER_THREAD
turn(struct worker *w)
{
	struct home *h = w->home;
	int flags = EVLOOP_ONCE;

	arm_timer(w);
	waker_arm(&h->waker);
	if (home_has_work(h) || !TAILQ_EMPTY(&h->dirty))
		flags |= EVLOOP_NONBLOCK;
	w->is_ticked = false;
	(void)event_base_loop(w->base, flags);
	waker_disarm(&h->waker);
	worker_tick(w);
	home_turn(h);
	attend(w);
	home_flush(h);
	note_lag(w);
	free_buried(w);
}

static void *WORKER_THREAD
run(void *arg)
{
	struct worker *w = arg;
	char name[16];

	(void)snprintf(name, sizeof(name), "worker-%u", w->id);
	thread_enter(THREAD_WORKER, name);
	while (!w->stops)
		turn(w);
	while (home_has_work(w->home))
		turn(w);
	free_buried(w);
	return NULL;
}

static struct worker *
worker_new(struct worker **workers, struct home *h)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	struct event_config *config = event_config_new();

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	w->base = event_base_new_with_config(config);
	event_config_free(config);
	if (w->base == NULL) {
		free(w);
		return NULL;
	}
	w->id = h->id;
	w->home = h;
	w->workers = workers;
	w->scratch = xmalloc(WORKER_SCRATCH);
	LIST_INIT(&w->conns);
	LIST_INIT(&w->buried);
	event_assign(&w->on_wake, w->base, h->waker.fd, EV_READ | EV_PERSIST,
	    on_wake, w);
	event_add(&w->on_wake, NULL);
	event_assign(&w->on_timer, w->base, -1, 0, on_timer, w);
	return w;
}

static void
worker_free(struct worker *w)
{
	assert(LIST_EMPTY(&w->conns));
	event_del(&w->on_wake);
	event_del(&w->on_timer);
	event_base_free(w->base);
	free(w->scratch);
	free(w);
}

struct worker **
workers_new(struct broker *b)
{
	unsigned n = b->options->n_workers;
	struct worker **workers = xcalloc(n, sizeof(struct worker *));
	struct admission *admission = admission_new();

	for (unsigned i = 0; i < n; i++) {
		workers[i] = worker_new(workers, b->homes[i]);
		if (workers[i] == NULL) {
			if (i == 0)
				admission_free(&admission);
			workers_free(&workers, i);
			return NULL;
		}
		workers[i]->admission = admission;
	}
	return workers;
}

void
workers_free(struct worker ***workersp, unsigned n)
{
	struct worker **workers = *workersp;

	*workersp = NULL;
	if (n > 0)
		admission_free(&workers[0]->admission);
	for (unsigned i = 0; i < n; i++)
		worker_free(workers[i]);
	free(workers);
}

int
workers_start(struct worker **workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int error = thread_start(&workers[i]->thread, run, workers[i]);

		if (error != 0) {
			workers_stop(workers, i);
			return error;
		}
	}
	return 0;
}

static void WORKER_THREAD
on_accepted(struct mail *mail, void *owner)
{
	struct accepted *a = container_of(mail, struct accepted, mail);

	(void)owner;
	conn_open(a->to, &a->origin);
	if (a->to->closes) {
		struct conn *c = LIST_FIRST(&a->to->conns);

		client_end(&c->client, false, "server shutting down");
	}
	free(a);
}

void
worker_post_conn(struct worker *w, const struct conn_origin *o)
{
	size_t len = strlen(o->address);
	struct accepted *a = xcalloc(1, sizeof(*a) + len + 1);

	a->mail.handle = on_accepted;
	a->to = w;
	a->origin = *o;
	memcpy(a->address, o->address, len);
	a->origin.address = a->address;
	atomic_fetch_add(&w->n_conns, 1);
	mailbox_post(&w->home->mailbox, &a->mail);
}

static void
give_order(struct worker *w, void (*handle)(struct mail *, void *))
{
	struct order *o = xcalloc(1, sizeof(*o));

	o->mail.handle = handle;
	o->to = w;
	mailbox_post(&w->home->mailbox, &o->mail);
}

static void WORKER_THREAD
on_close_all(struct mail *mail, void *owner)
{
	struct order *o = container_of(mail, struct order, mail);
	struct conn *c;

	(void)owner;
	o->to->closes = true;
	LIST_FOREACH(c, &o->to->conns, entry)
		client_send_away(&c->client);
	free(o);
}

static bool
no_mail(struct worker **workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (mailbox_len(&workers[i]->home->mailbox) > 0)
			return false;
	return true;
}

static bool
all_gone(struct worker **workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (atomic_load(&workers[i]->n_conns) > 0)
			return false;
	return no_mail(workers, n);
}

void
workers_drain(struct worker **workers, unsigned n, unsigned timeout_ms)
{
	uint64_t deadline = clock_mono_ms() + timeout_ms;
	const struct timespec pause = { .tv_nsec = 2000000 };

	for (unsigned i = 0; i < n; i++)
		give_order(workers[i], on_close_all);
	while (!all_gone(workers, n) && clock_mono_ms() < deadline)
		nanosleep(&pause, NULL);
}

static void WORKER_THREAD
on_stop(struct mail *mail, void *owner)
{
	struct order *o = container_of(mail, struct order, mail);
	struct conn *c, *next;

	(void)owner;
	o->to->stops = true;
	/* Those that did not take their last words in time. */
	LIST_FOREACH_SAFE(c, &o->to->conns, entry, next) {
		client_end(&c->client, false, "server shutting down");
		c->is_broken = true;
		conn_close(&c);
	}
	free(o);
}

void
workers_stop(struct worker **workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		give_order(workers[i], on_stop);
	for (unsigned i = 0; i < n; i++)
		pthread_join(workers[i]->thread, NULL);
	/* What a worker has sent to one that had already ended. */
	while (!no_mail(workers, n))
		for (unsigned i = 0; i < n; i++) {
			mailbox_drain(&workers[i]->home->mailbox,
			    workers[i]->home);
			free_buried(workers[i]);
		}
}
