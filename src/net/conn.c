/* SPDX-License-Identifier: Apache-2.0 */
/* conn - a Network Connection: bytes <-> Control Packets, back-pressure. */
#include "net/conn.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/home.h"
#include "broker/promise.h"
#include "net/admission.h"
#include "net/door.h"
#include "net/listener.h"
#include "net/proxied.h"
#include "net/worker.h"

/* How long the last words to a client that does not read may take. */
#define LINGER_MS 2000
/* The least that is read when a packet is known to be incomplete. */
#define READ_MIN  4096

/* A connection on its way to the worker where its session lives. */
struct moving {
	struct mail mail;
	struct worker *to;
	struct client client; /* as it was left */
	struct conn_origin origin;
	struct buf in;
};

static void on_event(evutil_socket_t fd, short what, void *arg);

static void
watch(struct conn *c, short events)
{
	if (c->watched == events)
		return;
	if (c->watched != 0)
		event_del_noblock(&c->event);
	c->watched = events;
	if (events == 0)
		return;
	event_assign(&c->event, c->worker->base, c->fd,
	    (short)(events | EV_PERSIST), on_event, c);
	event_add(&c->event, NULL);
}

static struct conn *
conn_new(struct worker *w, const struct conn_origin *o)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->worker = w;
	c->fd = o->fd;
	c->stream = o->stream;
	c->door = o->door;
	c->is_counted = o->is_counted;
	LIST_INSERT_HEAD(&w->conns, c, entry);
	return c;
}

void
conn_open(struct worker *w, const struct conn_origin *o)
{
	struct conn *c = conn_new(w, o);

	c->stream = stack_open(o->stack, c->fd);
	c->awaits_proxy = o->awaits_proxy;
	client_init(&c->client, w->home, o->rules, o->address);
	watch(c, EV_READ);
}

/* Free all but the socket and the streams on it. */
static void WORKER_THREAD
forget(struct conn *c)
{
	watch(c, 0);
	client_fini(&c->client);
	buf_fini(&c->in);
	LIST_REMOVE(c, entry);
	atomic_fetch_sub(&c->worker->n_conns, 1);
	/* libevent may still hold its event in this turn's active list. */
	worker_bury(c->worker, c);
}

/*
 * Read what has come and throw it away: closing a socket with unread bytes
 * resets the connection, and the last words would be lost.
 */
static void
discard_input(struct conn *c)
{
	for (int i = 0; i < 16; i++)
		if (stream_read(&stream_tcp, c->fd, c->worker->scratch,
			WORKER_SCRATCH) <= 0)
			return;
}

void
conn_close(struct conn **cp)
{
	struct conn *c = *cp;

	*cp = NULL;
	if (!c->is_broken) {
		stream_goodbye(c->stream, c->fd);
		(void)shutdown(c->fd, SHUT_WR);
		discard_input(c);
	}
	stream_free(&c->stream);
	if (c->is_counted)
		admission_leave(c->worker->admission, c->client.address);
	forget(c);
	close(c->fd);
	atomic_fetch_sub(&c->door->n_conns, 1);
}

/* In the worker where the session lives: go on with its CONNECT. */
static void WORKER_THREAD
on_moved(struct mail *mail, void *owner)
{
	struct moving *m = container_of(mail, struct moving, mail);
	struct worker *w = m->to;
	struct conn *c;

	(void)owner;
	c = conn_new(w, &m->origin);
	client_init_moved(&c->client, w->home, &m->client);
	c->in = m->in;
	free(m);
	if (w->closes || w->stops) {
		client_end(&c->client, false, "server shutting down");
	} else {
		client_start_moved(&c->client);
		/* Paused: attending reads on, first what it brought. */
		c->client.is_paused = true;
		client_touch(&c->client);
	}
	if (w->stops) /* nobody attends any more */
		conn_close(&c);
}

static void WORKER_THREAD
move(struct conn *c)
{
	struct moving *m = xcalloc(1, sizeof(*m));

	m->mail.handle = on_moved;
	m->to = worker_number(c->worker, c->client.move_to);
	m->origin = (struct conn_origin){ .fd = c->fd,
		.stream = c->stream,
		.door = c->door,
		.is_counted = c->is_counted };
	m->in = c->in;
	memset(&c->in, 0, sizeof(c->in));
	client_pack(&c->client, &m->client);
	/* Never counted nowhere, or the end of the server would miss it: first
	 * there, then no longer here. */
	atomic_fetch_add(&m->to->n_conns, 1);
	forget(c);
	mailbox_post(&m->to->home->mailbox, &m->mail);
}

static bool
may_hold_secrets(const struct frame *f)
{
	return f->type == MQTT_CONNECT || f->type == MQTT_AUTH;
}

/* It was read into memory of ours, and is not looked at again. */
static void
wipe(struct slice s)
{
	explicit_bzero((void *)(uintptr_t)s.ptr, s.len);
}

/*
 * Take the packets off the front of `in` as long as the client may read;
 * returns how many bytes were taken.
 */
static size_t WORKER_THREAD
take_packets(struct conn *c, struct slice in)
{
	struct client *client = &c->client;
	size_t taken = 0;
	struct frame f;
	enum mqtt_reason reason;

	while (taken < in.len && client_may_read(client)) {
		if (client->state == CLIENT_NEW)
			client_prove(client, stream_peer(c->stream));
		if (client->state == CLIENT_NEW &&
		    in.ptr[taken] >> 4 != MQTT_CONNECT) {
			/* v3.1.1 [MQTT-3.1.0-1]; not to be waited for whole */
			client_end(client, false, "first packet is no CONNECT");
			return in.len;
		}
		switch (framer_next(slice_skip(in, taken),
		    client_max_packet(client), &f, &reason)) {
		case FRAMER_PACKET:
			taken += f.size;
			client_on_packet(client, &f);
			if (may_hold_secrets(&f))
				wipe(f.body);
			break;
		case FRAMER_MORE:
			return taken;
		case FRAMER_BAD:
			client_on_bad_frame(client, reason);
			return in.len;
		}
	}
	return taken;
}

/* Take packets from what the connection has kept. */
static void WORKER_THREAD
take_kept(struct conn *c)
{
	buf_consume(&c->in, take_packets(c, buf_slice(&c->in)));
	if (buf_len(&c->in) == 0)
		buf_fini(&c->in);
}

static void WORKER_THREAD
hang_up(struct conn *c, ssize_t error)
{
	c->is_broken = error != 0;
	client_on_hangup(&c->client, stream_why(c->stream, error));
	if (c->client.state == CLIENT_CLOSING)
		client_touch(&c->client);
}

static ssize_t WORKER_THREAD
read_into(struct conn *c, void *p, size_t size)
{
	ssize_t n = stream_read(c->stream, c->fd, p, size);

	if (n > 0)
		home_count_n(c->worker->home, bytes_in, (size_t)n);
	else if (n != -EAGAIN)
		hang_up(c, n);
	return n;
}

/* Nothing kept: read into the worker's buffer and keep what is left. */
static void WORKER_THREAD
read_fresh(struct conn *c)
{
	uint8_t *p = c->worker->scratch;
	ssize_t n = read_into(c, p, WORKER_SCRATCH);
	size_t taken;

	if (n <= 0)
		return;
	taken = take_packets(c, slice_of(p, (size_t)n));
	if (taken < (size_t)n)
		buf_append(&c->in, p + taken, (size_t)n - taken);
}

/*
 * The beginning of a packet is here: read behind it. Memory grows with what
 * has arrived, never with what a header promises.
 */
static void WORKER_THREAD
read_more(struct conn *c)
{
	size_t room = buf_len(&c->in);
	ssize_t n;

	if (room < READ_MIN)
		room = READ_MIN;
	if (room > WORKER_SCRATCH)
		room = WORKER_SCRATCH;
	n = read_into(c, buf_reserve(&c->in, room), room);
	if (n <= 0)
		return;
	buf_commit(&c->in, (size_t)n);
	take_kept(c);
}

/*
 * Read no more until its client, on `dirty`, says that this may have changed;
 * only that the peer is gone is still noticed.
 */
static void
pause_reading(struct conn *c)
{
	short write = buf_len(&c->client.out) > 0 ? c->watched & EV_WRITE : 0;

	c->client.is_paused = true;
	watch(c, (short)(write | EV_CLOSED));
}

/*
 * After a read: what else is there, and what comes next? While the stream
 * itself has to write, nothing is read that it would have to answer.
 */
static void WORKER_THREAD
read_next(struct conn *c)
{
	if (!client_may_read(&c->client))
		pause_reading(c);
	else if (stream_wants_write(c->stream))
		watch(c, EV_WRITE);
	else if (!(c->watched & EV_READ))
		watch(c,
		    buf_len(&c->client.out) > 0 ? EV_READ | EV_WRITE : EV_READ);
	if (stream_has_more(c->stream)) {
		/* In the next turn, when others have had theirs. */
		c->client.is_paused = true;
		client_touch(&c->client);
	}
}

/* The limits of its address, which the acceptor could not know. */
static bool WORKER_THREAD
is_too_much(struct conn *c, const struct sockaddr *from)
{
	bool is_counted = false, is_refused;
	enum limit which;

	is_refused = admission_refuses(c->worker->admission, from,
	    &rules_newest(c->client.rules)->limits, c->worker->home->now_ms,
	    &is_counted, &which);
	c->is_counted = is_counted;
	if (is_refused)
		limit_strike_client(&c->client, which);
	return is_refused;
}

/* Who the proxy speaks for is who it is from now on, if it may come in. */
static void WORKER_THREAD
on_proxy_header(struct conn *c, const struct proxy_header *h)
{
	const struct door_rules *r = atomic_load(&c->door->rules);
	struct sockaddr_storage ss = h->client;
	socklen_t len = h->client_len;
	char address[ADDRESS_SIZE];
	bool is_known = true;

	c->awaits_proxy = false;
	if (ss.ss_family != AF_UNSPEC) {
		address_print((const struct sockaddr *)&ss, len, address);
		client_log(&c->client, LOG_DEBUG, "speaks for %s", address);
		client_set_address(&c->client, address);
	} else {
		/* The proxy itself, or it does not know. */
		len = sizeof(ss);
		is_known =
		    getpeername(c->fd, (struct sockaddr *)&ss, &len) == 0;
	}
	if (!is_known || !door_admits(r, (const struct sockaddr *)&ss))
		client_end(&c->client, false,
		    "its network may not use this listener");
	else if (h->client.ss_family != AF_UNSPEC &&
	    is_too_much(c, (const struct sockaddr *)&ss))
		client_end(&c->client, false, "too many from its address");
}

static void WORKER_THREAD
read_proxy_header(struct conn *c)
{
	struct proxy_header h;
	int error = proxied_read(c->fd, &c->in, &h);

	if (error == 0)
		on_proxy_header(c, &h);
	else if (error == -EPROTO)
		client_end(&c->client, false, "no PROXY header");
	else if (error != -EAGAIN)
		hang_up(c, error == -EPIPE ? 0 : error);
}

static void WORKER_THREAD
read_socket(struct conn *c)
{
	if (c->awaits_proxy) {
		read_proxy_header(c);
		return;
	}
	if (!client_may_read(&c->client)) {
		pause_reading(c);
		return;
	}
	if (buf_len(&c->in) > 0)
		read_more(c);
	else
		read_fresh(c);
	read_next(c);
}

/*
 * The peer will say no more; what it has said may still be unread. While it
 * is our own congestion that keeps us from reading, that counts; otherwise
 * there may be no end to it.
 */
static void WORKER_THREAD
on_closed(struct conn *c)
{
	if (c->worker->home->congested)
		watch(c, (short)(c->watched & ~EV_CLOSED));
	else
		hang_up(c, 0);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	thread_assert_worker();
	worker_tick(c->worker);
	if (what & EV_WRITE) {
		client_touch(&c->client);
		if (stream_wants_write(c->stream))
			what |= EV_READ;
	}
	if ((what & EV_READ) && c->client.state != CLIENT_CLOSING)
		read_socket(c);
	else if ((what & EV_CLOSED) && c->client.state != CLIENT_CLOSING)
		on_closed(c);
	if (c->client.is_moving)
		client_touch(&c->client);
}

static void WORKER_THREAD
write_ready(struct conn *c)
{
	struct buf *out = &c->client.out;
	ssize_t n = stream_write(c->stream, c->fd, buf_ptr(out),
	    promise_ready(&c->client));

	if (n > 0) {
		home_count_n(c->worker->home, bytes_out, (size_t)n);
		buf_consume(out, (size_t)n);
		promise_written(&c->client, (size_t)n);
	} else if (n != -EAGAIN) {
		hang_up(c, n);
	}
}

/* What waits for the store is no reason to ask the socket. */
static void WORKER_THREAD
watch_writable(struct conn *c, short others)
{
	if (promise_ready(&c->client) > 0)
		watch(c, (short)(others | EV_WRITE));
	else
		watch(c, (short)(others & ~EV_WRITE));
}

/* Write what there is; true when nothing is left. */
static bool WORKER_THREAD
flush(struct conn *c)
{
	struct buf *out = &c->client.out;

	if (buf_len(out) == 0)
		return true;
	if (!c->is_broken && promise_ready(&c->client) > 0)
		write_ready(c);
	if (buf_len(out) > 0 && !c->is_broken) {
		watch_writable(c, c->watched);
		return false;
	}
	promise_forget(&c->client);
	buf_fini(out);
	if (stream_wants_write(c->stream))
		watch(c, EV_WRITE);
	else
		watch(c, (short)(c->watched & ~EV_WRITE));
	return true;
}

static void WORKER_THREAD
on_linger(struct timer *t, void *arg)
{
	struct conn *c = container_of(t, struct conn, client.timer);

	(void)arg;
	c->is_broken = true;
	client_touch(&c->client);
}

/* Wait a while for the last words to be taken. */
static void WORKER_THREAD
linger(struct conn *c)
{
	struct home *h = c->worker->home;

	watch_writable(c, 0);
	if (timer_is_armed(&c->client.timer))
		return;
	timer_init(&c->client.timer, on_linger);
	timer_arm(h->timers, &c->client.timer, h->now_ms + LINGER_MS);
}

static void WORKER_THREAD
read_on(struct conn *c)
{
	if (!client_may_read(&c->client))
		return;
	c->client.is_paused = false;
	if (buf_len(&c->in) > 0)
		take_kept(c);
	if (client_may_read(&c->client) && stream_has_more(c->stream))
		read_socket(c);
	else if (client_may_read(&c->client))
		watch(c, (short)((c->watched & ~EV_CLOSED) | EV_READ));
	else
		pause_reading(c);
	if (c->client.state == CLIENT_CLOSING || c->client.is_moving)
		client_touch(&c->client);
}

void
conn_attend(struct conn *c)
{
	bool drained;

	if (c->client.is_moving) {
		move(c);
		return;
	}
	drained = flush(c);
	if (c->client.state == CLIENT_CLOSING) {
		if (drained)
			conn_close(&c);
		else
			linger(c);
		return;
	}
	if (drained)
		client_on_drained(&c->client);
	if (c->client.is_paused)
		read_on(c);
}
