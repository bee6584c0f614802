/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon - start, run and stop everything, in one visible order.
 *
 *   start  descriptors, pid file, broker, bus, store (all of it is loaded),
 *          workers, listening sockets; then the threads: store, bus, workers,
 *          acceptor
 *   stop   acceptor (nobody new), clients (last words, Wills), bus (what is
 *          in its rings, a fence), workers, store; then all memory
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/home.h"
#include "broker/renew.h"
#include "broker/restore.h"
#include "daemon/activation.h"
#include "daemon/config.h"
#include "daemon/listeners.h"
#include "daemon/monitor.h"
#include "daemon/privileges.h"
#include "daemon/process.h"
#include "daemon/reload.h"
#include "daemon/settings.h"
#include "daemon/storage.h"
#include "net/acceptor.h"
#include "net/worker.h"

/* Before clients are let in: for NATS to be there, and to know what sessions
 * from the store want. Without it they are served all the same. */
#define NATS_PATIENCE_MS 2000
#define JOIN_PATIENCE_MS 10000

/* Lame duck: nobody new, and this long until the others are sent away. */
#define LAME_DUCK_S 10

struct daemon {
	struct config *config; /* what was started with */
	struct event_base *base;
	struct event *lame_duck;
	struct event *watchdog; /* NULL: nobody wants to know */
	uint64_t watchdog_us;
	struct monitor_options monitor_options;
	struct monitor *monitor; /* NULL: off */
	const struct config_source *source;
	struct settings *settings; /* the newest */
	struct bus_options bus_options;
	struct waker **wakers;
	struct listeners *listeners;
	struct acceptor_options acceptor_options;
	struct storage storage;
	struct restored restored;
	struct broker *broker;
	struct bus *bus;
	struct worker **workers;
	struct acceptor *acceptor;
	struct privileges privileges;
	bool bus_runs;
	unsigned workers_run;
};

static void
fill_wakers(struct daemon *d)
{
	unsigned n = d->config->server.workers;

	d->wakers = xcalloc(n, sizeof(struct waker *));
	for (unsigned i = 0; i < n; i++)
		d->wakers[i] = &d->broker->homes[i]->waker;
}

static void
fill_bus_options(struct daemon *d)
{
	config_bus_options(d->config, &d->bus_options);
	d->bus_options.n_workers = d->config->server.workers;
	d->bus_options.worker_wakers = d->wakers;
}

static void MAIN_THREAD
fill_acceptor_options(struct daemon *d)
{
	const struct config *c = d->config;
	size_t n;

	d->listeners = listeners_new(d->settings);
	d->acceptor_options = (struct acceptor_options){
		.listeners = listeners_options(d->listeners, &n),
		.max_connections = c->limits.max_connections,
		.workers = d->workers,
		.n_workers = c->server.workers,
	};
	d->acceptor_options.n_listeners = n;
}

static void
on_lame_duck_over(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(d->base);
}

/*
 * Alive is who gets round: main, which is here, and every worker. Of one that
 * has been in the same turn for as long as the manager is patient nothing is
 * to be expected any more.
 */
static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	thread_assert_main();
	for (unsigned i = 0; i < d->workers_run; i++)
		if (worker_is_stuck(d->workers[i], clock_mono_ms(),
			d->watchdog_us / 1000))
			return;
	process_notify(PROCESS_WATCHDOG, NULL);
}

static void MAIN_THREAD
start_watchdog(struct daemon *d)
{
	uint64_t half_us;
	struct timeval often;

	d->watchdog_us = process_watchdog_us();
	if (d->watchdog_us == 0)
		return;
	half_us = d->watchdog_us / 2;
	often.tv_sec = (time_t)(half_us / 1000000);
	often.tv_usec = (suseconds_t)(half_us % 1000000);
	d->watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
	event_add(d->watchdog, &often);
}

/* It answers when main is through with the start. */
static int MAIN_THREAD
open_monitor(struct daemon *d)
{
	const struct config *c = d->config;

	if (c->monitor.port == 0)
		return 0;
	d->monitor_options = (struct monitor_options){
		.address = c->monitor.address,
		.port = c->monitor.port,
		.node_name = c->server.node_name,
	};
	d->monitor = monitor_new(d->base, &d->monitor_options, d->broker);
	return d->monitor != NULL ? 0 : -EADDRINUSE;
}

static void MAIN_THREAD
start_lame_duck(struct daemon *d)
{
	const struct timeval grace = { .tv_sec = LAME_DUCK_S };

	log_notice("lame duck: no new connections; the others have %d s",
	    LAME_DUCK_S);
	acceptor_stop(d->acceptor);
	monitor_set_serving(d->monitor, false);
	event_add(d->lame_duck, &grace);
}

static void MAIN_THREAD
renew_log(const struct config *was, const struct config *now)
{
	int error;

	log_set_level(now->log.level);
	if (strcmp(was->log.file, now->log.file) == 0)
		return;
	error = log_open(now->log.file);
	if (error < 0)
		log_error("reload: log file %s: %s", now->log.file,
		    strerror(-error));
}

/* All of it is good by now, and none of this can fail. */
static void MAIN_THREAD
apply(struct daemon *d, const struct config *was)
{
	const struct config *c = d->settings->config;

	renew_log(was, c);
	listeners_apply(d->listeners, d->settings);
	acceptor_set_max(d->acceptor, c->limits.max_connections);
	broker_renew(d->broker, &d->settings->broker);
	log_notice("reload: done");
}

static void MAIN_THREAD
reload(struct daemon *d)
{
	const struct config *was = d->settings->config;
	struct config *c;

	process_notify(PROCESS_RELOADING, NULL);
	c = reload_config(d->source, d->config);
	if (c != NULL) {
		d->settings = settings_new(c, d->settings);
		if (listeners_prepare(d->listeners, d->settings)) {
			apply(d, was);
		} else {
			settings_undo(&d->settings);
			log_error("reload: a listener cannot be opened; "
				  "everything stays as it was");
		}
	}
	process_notify(PROCESS_READY, NULL);
}

static void MAIN_THREAD
on_signal(enum process_signal what, void *arg)
{
	struct daemon *d = arg;

	switch (what) {
	case PROCESS_RELOAD:
		reload(d);
		break;
	case PROCESS_REOPEN:
		if (log_reopen() != 0)
			log_error("cannot open the log file again");
		break;
	case PROCESS_LAME_DUCK:
		start_lame_duck(d);
		break;
	case PROCESS_STOP:
		event_base_loopbreak(d->base);
		break;
	}
}

static int MAIN_THREAD
load_store(struct daemon *d)
{
	const struct restored *r = &d->restored;
	uint64_t start_ms = clock_mono_ms();
	int error;

	if (d->storage.store == NULL)
		return 0;
	error = restore_load(d->broker, d->storage.store, &d->restored);
	if (error != 0) {
		log_error("the store cannot be loaded");
		return error;
	}
	log_notice("store: %zu sessions with %zu subscriptions and %zu "
		   "messages, %zu retained messages, %zu wills loaded in "
		   "%.1f s; %zu sessions had expired",
	    r->sessions, r->subscriptions, r->messages, r->retained, r->wills,
	    (double)(clock_mono_ms() - start_ms) / 1000, r->expired);
	return 0;
}

/* As the user who will write it. */
static int MAIN_THREAD
open_storage(struct daemon *d)
{
	const char *path = d->config->store.path;
	int error =
	    privileges_borrow(&d->privileges, path[0] != '\0' ? path : NULL);

	if (error == 0)
		error = storage_open(&d->storage, d->config, d->wakers);
	if (error == 0)
		error = privileges_give_back(&d->privileges);
	return error;
}

/* Sockets and files are open: nothing of root is needed any more. */
static int MAIN_THREAD
renounce(struct daemon *d)
{
	int error = privileges_drop(&d->privileges);

	if (error != 0)
		log_error("cannot become user %s: %s", d->privileges.user,
		    strerror(-error));
	/* Behind it: it counts from the last change of users. */
	process_hide_memory(!d->config->server.core_dumps);
	return error;
}

/* Everything that can fail because of the machine; nothing runs yet. */
static int MAIN_THREAD
prepare(struct daemon *d)
{
	const struct config *c = d->config;
	int error;

	d->broker = broker_new(&d->settings->broker);
	if (d->broker == NULL)
		return -EMFILE;
	fill_wakers(d);
	/* Before anybody asks for the name of the node. */
	error = open_storage(d);
	if (error != 0)
		return error;
	if (c->nats.url[0] != '\0') {
		fill_bus_options(d);
		d->bus = bus_new(&d->bus_options, &broker_bus_ops, d->broker);
		d->broker->bus = d->bus;
	}
	error = load_store(d);
	if (error != 0)
		return error;
	d->workers = workers_new(d->broker);
	if (d->workers == NULL)
		return -EMFILE;
	fill_acceptor_options(d);
	d->acceptor = acceptor_new(&d->acceptor_options);
	if (d->acceptor == NULL)
		return -EADDRINUSE;
	listeners_start(d->listeners, d->acceptor);
	error = open_monitor(d);
	if (error == 0)
		error = renounce(d);
	if (error != 0)
		return error;
	d->lame_duck = event_new(d->base, -1, 0, on_lame_duck_over, d);
	error = process_signals_start(d->base, on_signal, d);
	return error;
}

static bool MAIN_THREAD
is_linked(struct daemon *d)
{
	return broker_nats_is_up(d->broker);
}

static bool MAIN_THREAD
is_joined(struct daemon *d)
{
	return restore_is_joined(d->broker);
}

static void MAIN_THREAD
await(struct daemon *d, bool (*is_so)(struct daemon *), unsigned timeout_ms)
{
	uint64_t deadline = clock_mono_ms() + timeout_ms;
	const struct timespec pause = { .tv_nsec = 2000000 };

	while (!is_so(d) && clock_mono_ms() < deadline)
		nanosleep(&pause, NULL);
}

/* NATS knows what the sessions want before a client is let in. */
static void MAIN_THREAD
join_nats(struct daemon *d)
{
	if (d->bus == NULL || d->restored.subscriptions == 0)
		return;
	await(d, is_linked, NATS_PATIENCE_MS);
	restore_join_nats(d->broker);
	await(d, is_joined, JOIN_PATIENCE_MS);
}

static int MAIN_THREAD
start(struct daemon *d)
{
	int error =
	    d->storage.store != NULL ? store_start(d->storage.store) : 0;

	if (error == 0 && d->bus != NULL)
		error = bus_start(d->bus);
	if (error != 0)
		return error;
	d->bus_runs = d->bus != NULL;
	error = broker_start(d->broker);
	if (error != 0)
		return error;
	error = workers_start(d->workers, d->config->server.workers);
	if (error != 0)
		return error;
	d->workers_run = d->config->server.workers;
	join_nats(d);
	return acceptor_start(d->acceptor);
}

static void MAIN_THREAD
stop(struct daemon *d)
{
	unsigned timeout_ms = d->settings->config->server.drain_timeout_ms;

	if (d->acceptor != NULL)
		acceptor_stop(d->acceptor);
	if (d->workers_run > 0)
		workers_drain(d->workers, d->workers_run, timeout_ms);
	if (d->bus_runs)
		bus_stop(d->bus, timeout_ms);
	if (d->workers_run > 0)
		workers_stop(d->workers, d->workers_run);
	if (d->broker != NULL)
		broker_stop(d->broker);
	if (d->storage.store == NULL)
		return;
	restore_flush(d->broker);
	store_stop(d->storage.store);
}

static void MAIN_THREAD
release(struct daemon *d)
{
	process_signals_stop();
	if (d->lame_duck != NULL)
		event_free(d->lame_duck);
	if (d->watchdog != NULL)
		event_free(d->watchdog);
	monitor_free(&d->monitor);
	if (d->acceptor != NULL)
		acceptor_free(&d->acceptor);
	if (d->workers != NULL)
		workers_free(&d->workers, d->config->server.workers);
	if (d->broker != NULL)
		broker_free(&d->broker);
	storage_close(&d->storage);
	if (d->bus != NULL)
		bus_free(&d->bus);
	free(d->wakers);
	listeners_free(&d->listeners);
	settings_free(&d->settings);
	if (d->base != NULL)
		event_base_free(d->base);
}

static int MAIN_THREAD
serve(struct daemon *d)
{
	int error;

	d->base = event_base_new();
	if (d->base == NULL)
		return -EMFILE;
	error = prepare(d);
	if (error == 0)
		error = start(d);
	if (error == 0) {
		log_notice("serving with %u worker%s as node %s",
		    d->config->server.workers,
		    d->config->server.workers == 1 ? "" : "s",
		    d->config->server.node_name);
		process_notify(PROCESS_READY, NULL);
		monitor_set_serving(d->monitor, true);
		start_watchdog(d);
		event_base_dispatch(d->base);
		log_notice("stopping");
		process_notify(PROCESS_STOPPING, NULL);
	}
	stop(d);
	return error;
}

static int MAIN_THREAD
take_pid_file(const struct config *c)
{
	pid_t other = 0;
	int error;

	if (c->server.pid_file[0] == '\0')
		return 0;
	error = process_pid_file_take(c->server.pid_file, &other);
	if (error == -EEXIST)
		log_error("already running with pid %ld (%s)", (long)other,
		    c->server.pid_file);
	else if (error != 0)
		log_error("cannot write %s: %s", c->server.pid_file,
		    strerror(-error));
	return error;
}

int
daemon_run(struct config *c, const struct config_source *source)
{
	struct daemon d = { .config = c,
		.source = source,
		.storage = { .lock = -1 } };
	const char *missing;
	int error;

	thread_assert_main();
	evthread_use_pthreads();
	process_block_signals();
	process_raise_files();
	process_renounce();
	process_hide_memory(!c->server.core_dumps);
	if (!privileges_find(&d.privileges, c->server.user, c->server.group,
		&missing)) {
		log_error("there is no %s of that name any more", missing);
		return 1;
	}
	if (take_pid_file(c) != 0)
		return 1;
	d.settings = settings_new(c, NULL);
	error = serve(&d);
	release(&d);
	if (error != 0)
		log_error("not started: %s", strerror(-error));
	else
		log_notice("stopped");
	process_pid_file_drop();
	libevent_global_shutdown();
	return error == 0 ? 0 : 1;
}
