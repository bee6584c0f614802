/* SPDX-License-Identifier: Apache-2.0 */
/* listeners - what is listened on, and what a reload makes of it. */
#include "daemon/listeners.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/activation.h"
#include "daemon/config.h"
#include "daemon/option.h"
#include "daemon/reload.h"
#include "daemon/settings.h"
#include "net/tls.h"

#define NONE SIZE_MAX

/* One that is open, is to be, or was. Its number is the acceptor's, too. */
struct served {
	const struct config_listener *config; /* as it was opened, or renewed */
	struct tls *tls;                      /* NULL: none */
	bool is_open;
	bool is_coming; /* opened by listeners_prepare */
	size_t from;    /* whose socket it takes; NONE: it has its own */
};

struct listeners {
	struct acceptor *acceptor;
	struct served *items;
	struct listener_options *first; /* until the start */
	size_t n;
};

static struct listener_options
options_of(const struct settings *s, size_t i, struct tls *tls)
{
	const struct config_listener *c = &s->config->listeners[i];

	return (struct listener_options){
		.name = c->name,
		.address = c->address,
		.port = c->port,
		.mode = (unsigned)strtoul(c->socket_mode, NULL, 8),
		.group = c->socket_group,
		.inherited = -1,
		.door = &s->doors[i],
		.rules = s->rules[i],
		.stack = { .tls = tls,
		    .ws = c->transport == TRANSPORT_WS ? &s->ws[i] : NULL },
		.max_connections = c->max_connections,
		.backlog = c->backlog,
	};
}

static struct served *
append(struct listeners *l, struct config_listener *c)
{
	struct served *v;

	l->items = xrealloc(l->items, (l->n + 1) * sizeof(*l->items));
	v = &l->items[l->n++];
	*v = (struct served){ .config = c, .from = NONE };
	if (c->tls_context != NULL)
		v->tls = tls_new(&c->tls_context);
	return v;
}

struct listeners *
listeners_new(const struct settings *s)
{
	struct listeners *l = xcalloc(1, sizeof(*l));
	struct config *c = s->config;

	l->first = xcalloc(c->n_listeners, sizeof(*l->first));
	activation_begin();
	for (size_t i = 0; i < c->n_listeners; i++) {
		struct served *v = append(l, &c->listeners[i]);

		v->is_open = true;
		l->first[i] = options_of(s, i, v->tls);
		if (strcmp(l->first[i].address, "systemd") == 0)
			l->first[i].inherited =
			    activation_take(v->config->name);
	}
	activation_end();
	return l;
}

const struct listener_options *
listeners_options(const struct listeners *l, size_t *n)
{
	*n = l->n;
	return l->first;
}

void
listeners_start(struct listeners *l, struct acceptor *a)
{
	l->acceptor = a;
	free(l->first);
	l->first = NULL;
}

void
listeners_free(struct listeners **lp)
{
	struct listeners *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++)
		tls_free(&l->items[i].tls);
	free(l->items);
	free(l->first);
	free(l);
}

/* --- a reload ------------------------------------------------------------ */

static size_t
find_open(const struct listeners *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i].is_open &&
		    strcmp(l->items[i].config->name, name) == 0)
			return i;
	return NONE;
}

/* Has anything changed that takes another socket, or another way to use it? */
static bool
is_other(const struct config_listener *was, const struct config_listener *is)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *o = &option_table[i];

		if (strcmp(o->section, "listener") == 0 &&
		    o->applied == OPTION_REOPEN && !option_same(o, was, is))
			return true;
	}
	return false;
}

/* On the same address: then the socket is handed over, with who waits there. */
static size_t
find_socket(const struct listeners *l, const struct config_listener *c)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct config_listener *was = l->items[i].config;

		if (l->items[i].is_open &&
		    strcmp(was->address, c->address) == 0 &&
		    (c->address[0] == '/' ||
			strcmp(c->address, "systemd") == 0 ||
			(was->port == c->port && c->port != 0)) &&
		    (strcmp(c->address, "systemd") != 0 ||
			strcmp(was->name, c->name) == 0))
			return i;
	}
	return NONE;
}

static bool MAIN_THREAD
open_one(struct listeners *l, const struct settings *s, size_t i)
{
	struct config_listener *c = &s->config->listeners[i];
	size_t from = find_socket(l, c);
	struct served *v = append(l, c);
	struct listener_options o = options_of(s, i, v->tls);

	v->from = from;
	v->is_coming = true;
	return acceptor_add(l->acceptor, &o, from == NONE);
}

static void MAIN_THREAD
undo(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!l->items[i].is_coming)
			continue;
		l->items[i].is_coming = false;
		acceptor_close(l->acceptor, i);
	}
}

bool
listeners_prepare(struct listeners *l, const struct settings *s)
{
	for (size_t i = 0; i < s->config->n_listeners; i++) {
		const struct config_listener *c = &s->config->listeners[i];
		size_t at = find_open(l, c->name);

		if (at != NONE && !is_other(l->items[at].config, c))
			continue;
		if (open_one(l, s, i))
			continue;
		undo(l);
		return false;
	}
	return true;
}

/* The running one has its own, whatever else the new one says of TLS. */
static void MAIN_THREAD
renew_tls(struct served *v, struct config_listener *c)
{
	if (v->tls == NULL || c->tls_context == NULL)
		tls_context_free(&c->tls_context);
	else if (tls_renew(v->tls, &c->tls_context))
		log_notice("listener %s: new connections have the new "
			   "certificates and keys",
		    c->name);
}

static void MAIN_THREAD
renew(struct listeners *l, size_t at, const struct settings *s, size_t i)
{
	struct config_listener *c = &s->config->listeners[i];

	renew_tls(&l->items[at], c);
	l->items[at].config = c;
	acceptor_renew(l->acceptor, at, &s->rules[i], &s->doors[i],
	    c->max_connections);
}

static void MAIN_THREAD
close_gone(struct listeners *l, const struct config *c)
{
	for (size_t i = 0; i < l->n; i++) {
		struct served *v = &l->items[i];

		if (!v->is_open ||
		    reload_find_listener(c, v->config->name) != NULL)
			continue;
		v->is_open = false;
		acceptor_close(l->acceptor, i);
		log_notice("listener %s: closed; its clients stay",
		    v->config->name);
	}
}

/* First of all the sockets change hands: then what is left over is closed. */
static void MAIN_THREAD
let_in(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct served *v = &l->items[i];

		if (!v->is_coming)
			continue;
		acceptor_admit(l->acceptor, i, v->from);
		if (v->from != NONE)
			l->items[v->from].is_open = false;
	}
	for (size_t i = 0; i < l->n; i++) {
		struct served *v = &l->items[i];
		size_t old =
		    v->is_coming ? find_open(l, v->config->name) : NONE;

		if (old == NONE)
			continue;
		l->items[old].is_open = false;
		acceptor_close(l->acceptor, old);
	}
	for (size_t i = 0; i < l->n; i++) {
		struct served *v = &l->items[i];

		v->is_open |= v->is_coming;
		v->is_coming = false;
	}
}

void
listeners_apply(struct listeners *l, const struct settings *s)
{
	for (size_t i = 0; i < s->config->n_listeners; i++) {
		size_t at = find_open(l, s->config->listeners[i].name);

		if (at != NONE &&
		    !is_other(l->items[at].config, &s->config->listeners[i]))
			renew(l, at, s, i);
	}
	let_in(l);
	close_gone(l, s->config);
}
