/* SPDX-License-Identifier: Apache-2.0 */
/* acceptor - listening sockets, accept, choice of worker: one thread. */
#include "net/acceptor.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/waker.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/home.h"
#include "net/admission.h"
#include "net/listener.h"
#include "net/worker.h"

/* Sockets accepted per readiness, so that listeners take turns. */
#define ACCEPT_BATCH  64
/* Without descriptors, try again after this. */
#define PAUSE_MS      100
/* Ahead of connect_rate, the same. */
#define RATE_PAUSE_MS 10

struct listener {
	struct acceptor *acceptor;
	struct listener_options options;   /* [I] */
	struct client_rules rules;         /* [I] the first ones */
	const struct client_rules *newest; /* [main] those in force */
	struct event *event;               /* [acceptor] */
	struct event *pause;               /* [acceptor] */
	atomic_bool closes;                /* [a] nothing is to be added */
	struct admission_bucket bucket;    /* [acceptor] */
	struct sockaddr_storage address;   /* [I] that it listens on */
	struct door door;
	struct listener_socket socket; /* [acceptor] */
	atomic_uint max_connections;
};

struct acceptor {
	const struct acceptor_options *options;
	struct event_base *base;
	struct event *on_stop;
	struct waker stop;
	struct listener **listeners; /* [main] closed ones stay */
	size_t n_listeners;          /* [main] */
	struct log_limit strangers;
	struct log_limit errors;
	struct acceptor_stats stats;
	atomic_uint max_connections;
	pthread_t thread;
	bool runs;
	unsigned next; /* worker to begin with */
};

static unsigned
n_connections(const struct acceptor *a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->options->n_workers; i++)
		n += atomic_load(&a->options->workers[i]->n_conns);
	return n;
}

/* Who has least to do; in turn when several have. NULL: all of them are
 * late. */
static struct worker *
choose_worker(struct acceptor *a, uint64_t now_ms)
{
	unsigned n = a->options->n_workers;
	struct worker *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		struct worker *w = a->options->workers[(a->next + i) % n];

		if (worker_is_late(w, now_ms))
			continue;
		if (best == NULL ||
		    atomic_load(&w->n_conns) < atomic_load(&best->n_conns))
			best = w;
	}
	a->next = (a->next + 1) % n;
	return best;
}

static struct limits *
limits_of(const struct acceptor *a)
{
	return &a->options->workers[0]->home->broker->limits;
}

static bool
is_full(struct acceptor *a, const struct listener *l)
{
	unsigned max = atomic_load(&a->max_connections);
	unsigned own = atomic_load(&l->max_connections);

	if ((max == 0 || n_connections(a) < max) &&
	    (own == 0 || atomic_load(&l->door.n_conns) < own))
		return false;
	limit_strike(limits_of(a), LIMIT_MAX_CONNECTIONS, "listener %s refuses",
	    l->options.name);
	return true;
}

/* Does its address have too many, or make them too fast? */
static bool
is_too_much(struct acceptor *a, const struct listener *l,
    const struct sockaddr *from, socklen_t len, uint64_t now_ms,
    bool *is_counted)
{
	char address[ADDRESS_SIZE];
	enum limit which;

	if (!admission_refuses(a->options->workers[0]->admission, from,
		&rules_newest(&l->rules)->limits, now_ms, is_counted, &which))
		return false;
	address_print(from, len, address);
	limit_strike(limits_of(a), which, "listener %s refuses %s",
	    l->options.name, address);
	return true;
}

/* Who is to serve it; NULL: nobody, and a limit says why. */
static struct worker *
admit(struct acceptor *a, struct listener *l, const struct sockaddr *from,
    socklen_t len, struct conn_origin *o)
{
	uint64_t now_ms = clock_mono_ms();
	struct worker *w;

	if (is_full(a, l))
		return NULL;
	w = choose_worker(a, now_ms);
	if (w == NULL) {
		limit_strike(limits_of(a), LIMIT_MAX_LAG,
		    "the workers are late, listener %s refuses",
		    l->options.name);
		return NULL;
	}
	/* Of a proxy the client's address counts, when it is known. */
	if (!o->awaits_proxy &&
	    is_too_much(a, l, from, len, now_ms, &o->is_counted))
		return NULL;
	return w;
}

/* Where everybody comes through a proxy, or else from the right networks. */
static bool
is_stranger(struct acceptor *a, struct listener *l, const struct door_rules *r,
    const struct sockaddr *sa, const char *address)
{
	unsigned long held;

	if (r->proxy_protocol ? door_trusts(r, sa) : door_admits(r, sa))
		return false;
	if (log_limit_pass(&a->strangers, &held))
		log_warning("listener %s: %s is %s, refused (%lu more since "
			    "the last line)",
		    l->options.name, address,
		    r->proxy_protocol ? "no trusted proxy"
				      : "not of a network that may connect",
		    held);
	return true;
}

static void
take(struct acceptor *a, struct listener *l, int fd,
    const struct sockaddr_storage *ss, socklen_t len)
{
	struct worker *w;
	const struct door_rules *r = atomic_load(&l->door.rules);
	struct conn_origin o = { .fd = fd,
		.stack = &l->options.stack,
		.rules = &l->rules,
		.door = &l->door,
		.awaits_proxy = r->proxy_protocol };
	char address[ADDRESS_SIZE];
	int on = 1;

	listener_print_peer(fd, (const struct sockaddr *)ss, len, address);
	w = is_stranger(a, l, r, (const struct sockaddr *)ss, address)
	    ? NULL
	    : admit(a, l, (const struct sockaddr *)ss, len, &o);
	if (w == NULL) {
		atomic_fetch_add(&a->stats.refused, 1);
		admission_give_back(&l->bucket);
		close(fd);
		return;
	}
	if (ss->ss_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	o.address = address;
	atomic_fetch_add(&l->door.n_conns, 1);
	atomic_fetch_add(&a->stats.accepted, 1);
	worker_post_conn(w, &o);
}

static void
pause_accepting(struct listener *l, unsigned ms)
{
	const struct timeval tv = { .tv_usec = ms * 1000 };

	event_del(l->event);
	if (!atomic_load(&l->closes))
		event_add(l->pause, &tv);
}

/* Out of descriptors or memory: the next try would fail as well. */
static void
on_shortage(struct acceptor *a, struct listener *l, int error)
{
	unsigned long held;

	if (log_limit_pass(&a->errors, &held))
		log_error("listener %s: cannot accept: %s", l->options.name,
		    strerror(error));
	pause_accepting(l, PAUSE_MS);
}

static bool
takes_turn(struct listener *l)
{
	unsigned rate = admission_rate_of_listener(
	    rules_newest(&l->rules)->limits.connect_rate,
	    (const struct sockaddr *)&l->address);

	return admission_take(&l->bucket, rate, clock_mono_ms());
}

/*
 * May the one that is there be accepted now? Otherwise it waits in the kernel,
 * where it costs least: many devices that come back at once are served in
 * turn.
 */
static bool
has_turn(struct acceptor *a, struct listener *l)
{
	if (takes_turn(l))
		return true;
	limit_strike(limits_of(a), LIMIT_CONNECT_RATE,
	    "listener %s lets those who come wait", l->options.name);
	pause_accepting(l, RATE_PAUSE_MS);
	return false;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct acceptor *a = l->acceptor;

	(void)what;
	thread_assert_acceptor();
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		int conn;

		if (i == 0 ? !has_turn(a, l) : !takes_turn(l))
			return;
		conn = accept4(fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (conn >= 0) {
			take(a, l, conn, &ss, len);
			continue;
		}
		admission_give_back(&l->bucket);
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			on_shortage(a, l, errno);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	thread_assert_acceptor();
	if (!atomic_load(&l->closes))
		event_add(l->event, NULL);
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct acceptor *a = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(a->base);
}

static struct listener *
append(struct acceptor *a, const struct listener_options *o)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	l->acceptor = a;
	l->options = *o;
	l->rules = o->rules;
	l->newest = &l->rules;
	l->max_connections = o->max_connections;
	l->door.name = o->name;
	l->door.rules = o->door;
	l->socket.fd = -1;
	a->listeners = xrealloc(a->listeners,
	    (a->n_listeners + 1) * sizeof(struct listener *));
	a->listeners[a->n_listeners++] = l;
	return l;
}

/* The base has a lock: the acceptor's thread may be in its loop. */
static void
watch(struct listener *l)
{
	socklen_t len = sizeof(l->address);

	(void)getsockname(l->socket.fd, (struct sockaddr *)&l->address, &len);
	l->event = event_new(l->acceptor->base, l->socket.fd,
	    EV_READ | EV_PERSIST, on_readable, l);
	l->pause = event_new(l->acceptor->base, -1, 0, on_pause_over, l);
	event_add(l->event, NULL);
}

/*
 * Each event_del waits for a call that runs. One that has not seen `closes`
 * may add the other one: twice round, and neither is left.
 */
static void
unwatch(struct listener *l)
{
	if (l->event == NULL)
		return;
	atomic_store(&l->closes, true);
	for (int i = 0; i < 2; i++) {
		event_del(l->pause);
		event_del(l->event);
	}
	event_free(l->pause);
	event_free(l->event);
	l->event = NULL;
	l->pause = NULL;
}

static void
close_listeners(struct acceptor *a)
{
	for (size_t i = 0; i < a->n_listeners; i++) {
		unwatch(a->listeners[i]);
		listener_close(&a->listeners[i]->socket);
	}
}

bool
acceptor_add(struct acceptor *a, const struct listener_options *o, bool opens)
{
	struct listener *l = append(a, o);

	return !opens || listener_open(&l->options, &l->socket) >= 0;
}

void
acceptor_admit(struct acceptor *a, size_t listener, size_t from)
{
	struct listener *l = a->listeners[listener];

	if (from != SIZE_MAX) {
		struct listener *old = a->listeners[from];

		unwatch(old);
		l->socket = old->socket;
		old->socket.fd = -1;
		listener_retouch(&l->socket, &l->options);
	}
	/* A lame duck has no thread that would accept. */
	if (!a->runs)
		listener_close(&l->socket);
	else if (listener_listen(&l->socket, &l->options) == 0)
		watch(l);
}

void
acceptor_close(struct acceptor *a, size_t listener)
{
	unwatch(a->listeners[listener]);
	listener_close(&a->listeners[listener]->socket);
}

struct acceptor *
acceptor_new(const struct acceptor_options *options)
{
	struct acceptor *a = xcalloc(1, sizeof(*a));

	a->options = options;
	a->max_connections = options->max_connections;
	a->base = event_base_new();
	if (a->base == NULL || waker_init(&a->stop) != 0) {
		log_error("cannot make an event loop");
		if (a->base != NULL)
			event_base_free(a->base);
		free(a);
		return NULL;
	}
	a->on_stop = event_new(a->base, a->stop.fd, EV_READ, on_stop, a);
	event_add(a->on_stop, NULL);
	for (size_t i = 0; i < options->n_listeners; i++)
		if (!acceptor_add(a, &options->listeners[i], true)) {
			acceptor_free(&a);
			return NULL;
		}
	return a;
}

static void *
run(void *arg)
{
	struct acceptor *a = arg;

	thread_enter(THREAD_ACCEPTOR, "acceptor");
	event_base_dispatch(a->base);
	return NULL;
}

int
acceptor_start(struct acceptor *a)
{
	int error = 0;

	for (size_t i = 0; i < a->n_listeners && error == 0; i++) {
		struct listener *l = a->listeners[i];

		error = listener_listen(&l->socket, &l->options);
		if (error == 0)
			watch(l);
	}
	if (error == 0)
		error = thread_start(&a->thread, run, a);
	a->runs = error == 0;
	return error;
}

void
acceptor_renew(struct acceptor *a, size_t listener,
    const struct client_rules *rules, const struct door_rules *door,
    unsigned max_connections)
{
	struct listener *l = a->listeners[listener];
	/* Constant for everybody else, but for this one member. */
	struct client_rules *old = (struct client_rules *)(uintptr_t)l->newest;

	atomic_store(&old->newer, rules);
	l->newest = rules;
	atomic_store(&l->door.rules, door);
	atomic_store(&l->max_connections, max_connections);
}

void
acceptor_set_max(struct acceptor *a, unsigned max_connections)
{
	atomic_store(&a->max_connections, max_connections);
}

void
acceptor_stop(struct acceptor *a)
{
	if (!a->runs)
		return;
	waker_kick(&a->stop);
	pthread_join(a->thread, NULL);
	a->runs = false;
	close_listeners(a);
}

void
acceptor_free(struct acceptor **ap)
{
	struct acceptor *a = *ap;

	*ap = NULL;
	close_listeners(a);
	event_free(a->on_stop);
	event_base_free(a->base);
	waker_fini(&a->stop);
	for (size_t i = 0; i < a->n_listeners; i++)
		free(a->listeners[i]);
	free(a->listeners);
	free(a);
}

const struct acceptor_stats *
acceptor_stats(const struct acceptor *a)
{
	return &a->stats;
}
