/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_adapter - a cnats connection in our event loop.
 *
 * Since cnats does not reconnect here (see link.h), `attach` comes from the
 * helper that connects, before the NATS thread knows the connection, `write`
 * from the NATS thread or from the helper that waits for a PONG, and the rest
 * from the NATS thread inside of a call of ours. Nothing relies on that.
 */
#include "config.h"

#include "nats/link_adapter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/xalloc.h"

/* Data that the peer has not acknowledged for so long: it is dead. */
#define USER_TIMEOUT_MS 10000u

struct link_adapter *
link_adapter_new(struct waker *waker)
{
	struct link_adapter *a = xcalloc(1, sizeof(*a));

	a->waker = waker;
	atomic_init(&a->fd, -1);
	a->polled = -1;
	atomic_init(&a->want_write, false);
	atomic_init(&a->gone, false);
	return a;
}

static void
free_events(struct link_adapter *a)
{
	if (a->read != NULL)
		event_free(a->read);
	if (a->write != NULL)
		event_free(a->write);
	a->read = NULL;
	a->write = NULL;
	if (a->polled >= 0)
		close(a->polled);
	a->polled = -1;
	a->reading = false;
	a->writing = false;
}

void
link_adapter_free(struct link_adapter **a)
{
	if (*a == NULL)
		return;
	free_events(*a);
	free(*a);
	*a = NULL;
}

void
link_adapter_orphan(struct link_adapter *a)
{
	a->waker = NULL;
}

/* --- called by cnats ---------------------------------------------------- */

/* Best effort: without these a dead peer is found by the fence only. */
static void
set_socket_options(int fd)
{
	const int on = 1;
	const unsigned timeout = USER_TIMEOUT_MS;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
	    sizeof(timeout));
}

static natsStatus
on_attach(void **user, void *loop, natsConnection *nc, natsSock fd)
{
	struct link_adapter *a = loop;

	(void)nc;
	set_socket_options(fd);
	atomic_store(&a->fd, fd);
	*user = a;
	return NATS_OK;
}

static void
give_up(struct link_adapter *a)
{
	atomic_store(&a->gone, true);
	if (a->waker != NULL)
		waker_kick(a->waker);
}

static natsStatus
on_read_wanted(void *user, bool add)
{
	struct link_adapter *a = user;

	if (!add)
		give_up(a);
	return NATS_OK;
}

static natsStatus
on_write_wanted(void *user, bool add)
{
	struct link_adapter *a = user;

	atomic_store(&a->want_write, add);
	if (add && a->waker != NULL)
		waker_kick(a->waker);
	return NATS_OK;
}

static natsStatus
on_detach(void *user)
{
	give_up(user);
	return NATS_OK;
}

natsStatus
link_adapter_install(struct link_adapter *a, natsOptions *options)
{
	return natsOptions_SetEventLoop(options, a, on_attach, on_read_wanted,
	    on_write_wanted, on_detach);
}

/* --- called by the loop ------------------------------------------------- */

/*
 * cnats closes the socket as soon as it has told us to stop polling, and the
 * acceptor may get the same number at once; so what we poll is a duplicate of
 * our own, which is closed behind its events.
 */
static void
drop_if_gone(struct link_adapter *a)
{
	if (!atomic_load(&a->gone) || a->read == NULL)
		return;
	free_events(a);
#ifdef HAVE_NATSCONNECTION_PROCESSCLOSEEVENT
	/* Newer versions leave the closing to the loop. */
	natsSock fd = atomic_exchange(&a->fd, -1);
	natsConnection_ProcessCloseEvent(&fd);
#endif
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct link_adapter *a = arg;

	(void)fd;
	(void)what;
	thread_assert_nats();
	/* We are awake; kicks need not write to the eventfd. */
	waker_disarm(a->waker);
	natsConnection_ProcessReadEvent(a->nc);
	drop_if_gone(a);
	a->on_event(a->arg, true);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct link_adapter *a = arg;

	(void)fd;
	(void)what;
	thread_assert_nats();
	waker_disarm(a->waker);
	link_adapter_flush(a);
	a->on_event(a->arg, false);
}

void
link_adapter_start(struct link_adapter *a, struct event_base *base,
    natsConnection *nc, link_adapter_fn *on_event, void *arg)
{
	int fd = atomic_load(&a->fd);

	assert(fd >= 0 && a->read == NULL);
	a->nc = nc;
	a->on_event = on_event;
	a->arg = arg;
	a->polled = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (a->polled < 0) {
		/* Out of descriptors: the link is tried again later. */
		give_up(a);
		return;
	}
	a->read =
	    event_new(base, a->polled, EV_READ | EV_PERSIST, on_readable, a);
	a->write =
	    event_new(base, a->polled, EV_WRITE | EV_PERSIST, on_writable, a);
	assert(a->read != NULL && a->write != NULL);
	link_adapter_read(a, true);
}

/* Add or delete an event unless that is so already. */
static void
set_event(struct event *ev, bool *is, bool on)
{
	int r;

	if (*is == on)
		return;
	r = on ? event_add(ev, NULL) : event_del(ev);
	assert(r == 0);
	*is = on;
}

void
link_adapter_read(struct link_adapter *a, bool on)
{
	if (a->read != NULL)
		set_event(a->read, &a->reading, on);
}

void
link_adapter_flush(struct link_adapter *a)
{
	if (a->write == NULL)
		return;
	if (atomic_load(&a->want_write))
		natsConnection_ProcessWriteEvent(a->nc);
	drop_if_gone(a);
	if (a->write != NULL)
		set_event(a->write, &a->writing, atomic_load(&a->want_write));
}

bool
link_adapter_is_gone(struct link_adapter *a)
{
	drop_if_gone(a);
	return atomic_load(&a->gone);
}
