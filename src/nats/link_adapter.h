/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_adapter - a cnats connection in our event loop.
 *
 * cnats calls attach, read, write and detach from whatever thread it is in,
 * with its own lock held. The libevent adapter that comes with it adds and
 * frees events right there, which dead-locks against a callback that waits
 * for that lock. This one only notes what was asked for and wakes the loop;
 * events are made, added and freed by the NATS thread alone.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <nats/nats.h>

#include "base/thread.h"
#include "base/waker.h"

struct event;
struct event_base;

/* Called after something was read, or written. */
typedef void link_adapter_fn(void *arg, bool was_read);

struct link_adapter {
	struct waker *waker;    /* of the NATS thread's loop; NULL: orphan */
	atomic_int fd;          /* [a] cnats' socket; -1: not attached yet */
	int polled;             /* a duplicate of it, ours; -1: none */
	atomic_bool want_write; /* [a] cnats has bytes to write */
	atomic_bool gone;       /* [a] cnats has given up the socket */
	/* The NATS thread's, after link_adapter_start. */
	natsConnection *nc;
	struct event *read;
	struct event *write;
	bool reading;
	bool writing;
	link_adapter_fn *on_event;
	void *arg;
};

struct link_adapter *link_adapter_new(struct waker *waker);
/* Frees its events, too; cnats must be done with it. */
void link_adapter_free(struct link_adapter **a);
/*
 * Nobody will start it: wake nobody any more. For the thread that alone has
 * the connection.
 */
void link_adapter_orphan(struct link_adapter *a);
/* Put it into the options of a connection to be made. */
natsStatus link_adapter_install(struct link_adapter *a, natsOptions *options);

/* The connection is made: poll its socket in `base`. */
void link_adapter_start(struct link_adapter *a, struct event_base *base,
    natsConnection *nc, link_adapter_fn *on_event, void *arg) NATS_THREAD;
/* Read, or do not, so that the NATS server has to wait. */
void link_adapter_read(struct link_adapter *a, bool on) NATS_THREAD;
/*
 * Write what cnats has, now; what the socket does not take is written when it
 * does.
 */
void link_adapter_flush(struct link_adapter *a) NATS_THREAD;
/* Has cnats given up the socket? Its events are then gone, too. */
bool link_adapter_is_gone(struct link_adapter *a) NATS_THREAD;
