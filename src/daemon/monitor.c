/* SPDX-License-Identifier: Apache-2.0 */
/* monitor - HTTP for those who watch the daemon. */
#include <config.h> /* the build's, not ours */

#include "daemon/monitor.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/home.h"
#include "broker/stats.h"
#include "nats/bus.h"
#include "store/store.h"

/* What somebody who asks may take. */
#define MAX_CONNECTIONS 16
#define MAX_HEAD        4096
#define TIMEOUT_S       5
/* With all of them taken, look again after this. */
#define FULL_MS         100

struct monitor {
	const struct monitor_options *options;
	struct broker *broker;
	struct evhttp *http;
	uint64_t started_ms;
	struct evconnlistener *listener;
	struct event *full; /* looks whether there is room again */
	struct bufferevent *conns[2 * MAX_CONNECTIONS];
	unsigned n_conns;
	bool serving;
};

static uint64_t
of(const atomic_ullong *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
put(json_t *to, const char *name, uint64_t value)
{
	json_object_set_new(to, name, json_integer((json_int_t)value));
}

/* --- what there is to say --- */

static json_t *
clients_of(const struct stats *s)
{
	json_t *o = json_object();

	put(o, "connected", s->clients);
	put(o, "away", s->clients_away);
	put(o, "sessions", s->sessions);
	put(o, "expired", s->expired);
	put(o, "sockets", s->sockets);
	put(o, "connects", s->connects);
	put(o, "subscriptions", s->subscriptions);
	put(o, "shared_subscriptions", s->shared_subscriptions);
	return o;
}

static json_t *
messages_of(const struct stats *s)
{
	json_t *o = json_object();

	put(o, "packets_in", s->packets_in);
	put(o, "packets_out", s->packets_out);
	put(o, "publishes_in", s->publishes_in);
	put(o, "publishes_out", s->publishes_out);
	put(o, "publishes_dropped", s->publishes_dropped);
	put(o, "publish_bytes_in", s->publish_bytes_in);
	put(o, "publish_bytes_out", s->publish_bytes_out);
	put(o, "bytes_in", s->bytes_in);
	put(o, "bytes_out", s->bytes_out);
	put(o, "queued", s->queued);
	put(o, "queued_bytes", s->queued_bytes);
	put(o, "retained", s->retained);
	put(o, "retained_bytes", s->retained_bytes);
	return o;
}

static json_t *
nats_of(const struct bus *b)
{
	const struct bus_stats *s = bus_stats(b);
	json_t *o = json_object();

	json_object_set_new(o, "up", json_boolean(atomic_load(&s->up)));
	put(o, "out_messages", of(&s->out_msgs));
	put(o, "out_bytes", of(&s->out_bytes));
	put(o, "in_messages", of(&s->in_msgs));
	put(o, "in_bytes", of(&s->in_bytes));
	put(o, "dropped_pending", of(&s->dropped_pending));
	put(o, "dropped_unmapped", of(&s->dropped_unmapped));
	put(o, "unsendable", of(&s->unsendable));
	put(o, "republished", of(&s->republished));
	put(o, "reconnects", of(&s->reconnects));
	put(o, "permission_errors", of(&s->permission_errors));
	put(o, "links", atomic_load(&s->links));
	put(o, "subscriptions", atomic_load(&s->subscriptions));
	put(o, "outstanding", atomic_load(&s->outstanding));
	return o;
}

static json_t *
store_of(const struct store *store)
{
	const struct store_stats *s = store_stats(store);
	json_t *o = json_object();

	json_object_set_new(o, "full", json_boolean(store_is_full(store)));
	put(o, "commits", of(&s->commits));
	put(o, "batches", of(&s->batches));
	put(o, "changes", of(&s->changes));
	put(o, "commit_us", of(&s->commit_us));
	put(o, "last_us", of(&s->last_us));
	put(o, "max_us", of(&s->max_us));
	put(o, "used", atomic_load(&s->used));
	put(o, "size", atomic_load(&s->size));
	put(o, "waiting", atomic_load(&s->waiting));
	return o;
}

static json_t *
limits_of(const struct limits *l)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < LIMIT_COUNT; i++)
		put(o, limit_name((enum limit)i),
		    limit_struck(l, (enum limit)i));
	return o;
}

static json_t *
all_of(const struct monitor *m)
{
	const struct broker *b = m->broker;
	json_t *o = json_object();
	struct stats s;

	stats_read(b, &s);
	json_object_set_new(o, "version", json_string(PACKAGE_VERSION));
	json_object_set_new(o, "node", json_string(m->options->node_name));
	put(o, "uptime_s", (clock_mono_ms() - m->started_ms) / 1000);
	json_object_set_new(o, "clients", clients_of(&s));
	json_object_set_new(o, "messages", messages_of(&s));
	if (b->bus != NULL)
		json_object_set_new(o, "nats", nats_of(b->bus));
	if (b->store != NULL)
		json_object_set_new(o, "store", store_of(b->store));
	json_object_set_new(o, "limits", limits_of(&b->limits));
	return o;
}

/* Why it is not ready; NULL: it is. */
static const char *
what_is_missing(const struct monitor *m)
{
	const struct broker *b = m->broker;

	if (!m->serving)
		return "not serving";
	if (b->store != NULL && store_is_full(b->store))
		return "the store is full";
	if (b->bus != NULL && !broker_nats_is_up(b))
		return "NATS is away";
	return NULL;
}

/* --- saying it --- */

static void
answer(struct evhttp_request *r, int code, const char *reason, json_t **body)
{
	char *text = json_dumps(*body, JSON_INDENT(1));
	struct evkeyvalq *head = evhttp_request_get_output_headers(r);
	struct evbuffer *out = evbuffer_new();

	json_decref(*body);
	*body = NULL;
	evhttp_add_header(head, "Content-Type", "application/json");
	evhttp_add_header(head, "Cache-Control", "no-store");
	evbuffer_add_printf(out, "%s\n", text);
	evhttp_send_reply(r, code, reason, out);
	evbuffer_free(out);
	free(text);
}

static void
on_varz(struct evhttp_request *r, void *arg)
{
	json_t *body = all_of(arg);

	answer(r, HTTP_OK, "OK", &body);
}

static void
on_healthz(struct evhttp_request *r, void *arg)
{
	const char *query =
	    evhttp_uri_get_query(evhttp_request_get_evhttp_uri(r));
	bool only_live = query != NULL && strcmp(query, "live=1") == 0;
	const char *missing = only_live ? NULL : what_is_missing(arg);
	json_t *body = json_object();

	json_object_set_new(body, "status",
	    json_string(missing == NULL ? "ok" : "unavailable"));
	if (missing != NULL)
		json_object_set_new(body, "error", json_string(missing));
	answer(r, missing == NULL ? HTTP_OK : HTTP_SERVUNAVAIL,
	    missing == NULL ? "OK" : "Service Unavailable", &body);
}

static void
on_other(struct evhttp_request *r, void *arg)
{
	json_t *body = json_object();

	(void)arg;
	json_object_set_new(body, "error",
	    json_string("there are /healthz and /varz"));
	answer(r, HTTP_NOTFOUND, "Not Found", &body);
}

/* --- being there --- */

/* libevent frees it with its connection: then nobody is called any more. */
static bool
has_ended(struct bufferevent *b)
{
	bufferevent_data_cb on_read, on_write;
	bufferevent_event_cb on_event;
	void *arg;

	bufferevent_getcb(b, &on_read, &on_write, &on_event, &arg);
	return on_read == NULL && on_write == NULL && on_event == NULL;
}

/* Let go of those that have ended. */
static void
sweep(struct monitor *m)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < m->n_conns; i++)
		if (has_ended(m->conns[i]))
			bufferevent_decref(m->conns[i]);
		else
			m->conns[kept++] = m->conns[i];
	m->n_conns = kept;
}

static void
wait_for_room(struct monitor *m)
{
	const struct timeval soon = { .tv_usec = FULL_MS * 1000 };

	event_add(m->full, &soon);
}

static void
on_full(evutil_socket_t fd, short what, void *arg)
{
	struct monitor *m = arg;

	(void)fd;
	(void)what;
	sweep(m);
	if (m->n_conns < MAX_CONNECTIONS)
		evconnlistener_enable(m->listener);
	else
		wait_for_room(m);
}

/*
 * What a connection is made of. We keep a reference, to see when it ends; with
 * as many as there may be, others wait in the kernel.
 */
static struct bufferevent *
on_connection(struct event_base *base, void *arg)
{
	struct monitor *m = arg;
	struct bufferevent *b = bufferevent_socket_new(base, -1, 0);

	sweep(m);
	/* Those that were accepted in the same go. */
	if (b == NULL || m->n_conns == countof(m->conns))
		return b;
	bufferevent_incref(b);
	m->conns[m->n_conns++] = b;
	if (m->n_conns < MAX_CONNECTIONS)
		return b;
	evconnlistener_disable(m->listener);
	wait_for_room(m);
	return b;
}

static bool
listens(struct monitor *m)
{
	const struct monitor_options *o = m->options;
	struct evhttp_bound_socket *bound;

	if (m->http == NULL)
		return false;
	evhttp_set_max_headers_size(m->http, MAX_HEAD);
	evhttp_set_max_body_size(m->http, 0);
	evhttp_set_timeout(m->http, TIMEOUT_S);
	evhttp_set_bevcb(m->http, on_connection, m);
	evhttp_set_allowed_methods(m->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_cb(m->http, "/healthz", on_healthz, m);
	evhttp_set_cb(m->http, "/varz", on_varz, m);
	evhttp_set_gencb(m->http, on_other, m);
	bound = evhttp_bind_socket_with_handle(m->http, o->address,
	    (uint16_t)o->port);
	if (bound == NULL)
		return false;
	m->listener = evhttp_bound_socket_get_listener(bound);
	return true;
}

struct monitor *
monitor_new(struct event_base *base, const struct monitor_options *o,
    struct broker *b)
{
	struct monitor *m = xcalloc(1, sizeof(*m));

	m->options = o;
	m->broker = b;
	m->started_ms = clock_mono_ms();
	m->http = evhttp_new(base);
	m->full = event_new(base, -1, 0, on_full, m);
	if (!listens(m)) {
		log_error("monitor: cannot listen on %s port %u", o->address,
		    o->port);
		monitor_free(&m);
		return NULL;
	}
	log_notice("monitor: listening on %s port %u", o->address, o->port);
	return m;
}

void
monitor_free(struct monitor **mp)
{
	struct monitor *m = *mp;

	*mp = NULL;
	if (m == NULL)
		return;
	m->listener = NULL; /* ends with what it is part of */
	if (m->http != NULL)
		evhttp_free(m->http);
	for (unsigned i = 0; i < m->n_conns; i++)
		bufferevent_decref(m->conns[i]);
	event_free(m->full);
	free(m);
}

void
monitor_set_serving(struct monitor *m, bool serving)
{
	if (m != NULL)
		m->serving = serving;
}
