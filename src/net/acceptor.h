/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acceptor - listening sockets, accept, choice of worker: one thread.
 */
#pragma once

#include <stdatomic.h>

#include "base/attr.h"
#include "base/thread.h"
#include "broker/client.h"
#include "net/door.h"
#include "net/stack.h"

struct acceptor;
struct worker;

/* One `[listener NAME]`; what it refers to is borrowed for the life of the
 * acceptor. */
struct listener_options {
	const char *name;
	/* Numeric, or "/PATH" of a UNIX socket, or "systemd". */
	const char *address;
	unsigned port; /* 0: the kernel chooses */
	/* UNIX sockets: */
	unsigned mode;
	const char *group; /* "": the process's own */
	/* "systemd": the socket that it has opened, owned by us now; -1: there
	 * is none of that name. */
	int inherited;
	const struct door_rules *door;
	struct client_rules rules;
	struct stack stack;
	unsigned max_connections; /* 0: no limit of its own */
	unsigned backlog;
};

struct acceptor_options {
	const struct listener_options *listeners;
	size_t n_listeners;
	unsigned max_connections; /* of the node; 0: no limit */
	struct worker **workers;
	unsigned n_workers;
};

struct acceptor_stats {
	atomic_ullong accepted;
	atomic_ullong refused; /* because of a limit, or its network */
};

/*
 * Open every socket, so that nobody else gets its port. NULL, with a line in
 * the log, when one cannot be opened; then none is.
 */
struct acceptor *
acceptor_new(const struct acceptor_options *options) MAIN_THREAD
MUST_CHECK;
/* Listen and accept from now on; 0 or -errno. */
int
acceptor_start(struct acceptor *a) MAIN_THREAD
MUST_CHECK;
/*
 * One more, with the next number; with `opens` its socket is opened, but
 * nobody let in. False, with a line in the log, when that is not possible.
 */
bool
acceptor_add(struct acceptor *a, const struct listener_options *o,
    bool opens) MAIN_THREAD
MUST_CHECK;
/*
 * Let clients in through it; on the socket of another one, which is closed
 * then, unless `from` is SIZE_MAX.
 */
void acceptor_admit(struct acceptor *a, size_t listener,
    size_t from) MAIN_THREAD;
/* Nobody comes in through it any more. */
void acceptor_close(struct acceptor *a, size_t listener) MAIN_THREAD;
/* Close the sockets and end the thread; harmless when not started. */
void acceptor_stop(struct acceptor *a) MAIN_THREAD;
/*
 * Other rules for who connects through this listener, and other limits, from
 * now on. Everything is borrowed for the life of the acceptor.
 */
void acceptor_renew(struct acceptor *a, size_t listener,
    const struct client_rules *rules, const struct door_rules *door,
    unsigned max_connections) MAIN_THREAD;
void acceptor_set_max(struct acceptor *a, unsigned max_connections) MAIN_THREAD;
/* After the workers have stopped: they count listeners' connections. */
void acceptor_free(struct acceptor **a) MAIN_THREAD;
const struct acceptor_stats *acceptor_stats(
    const struct acceptor *a) ANY_THREAD;
