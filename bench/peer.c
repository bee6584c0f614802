/* SPDX-License-Identifier: Apache-2.0 */
/* peer - one connection of the load generator. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

#define READ_MAX          ((size_t)256 * 1024)
#define EVENTS_MAX        1024
#define PORTS_PER_ADDRESS 20000u

void
die(const char *fmt, ...)
{
	va_list ap;

	fputs("load: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint32_t
run_number(void)
{
	return (uint32_t)getpid();
}

bool
endpoint_parse(struct endpoint *e, const char *text)
{
	static const struct wire *const wires[] = { &wire_mqtt, &wire_mqtt5,
		&wire_nats };
	char scheme[8], host[16];
	unsigned port;

	if (sscanf(text, "%7[a-z0-9]://%15[0-9.]:%u", scheme, host, &port) != 3)
		return false;
	for (size_t i = 0; i < countof(wires); i++)
		if (strcmp(wires[i]->scheme, scheme) == 0)
			e->wire = wires[i];
	e->address.sin_family = AF_INET;
	e->address.sin_port = htons((uint16_t)port);
	return e->wire != NULL && port > 0 && port < 65536 &&
	    inet_pton(AF_INET, host, &e->address.sin_addr) == 1;
}

void
peer_loop_init(struct peer_loop *loop)
{
	*loop = (struct peer_loop){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
	if (loop->epoll < 0)
		die("epoll_create1: %s", strerror(errno));
	buf_reserve(&loop->scratch, READ_MAX);
}

void
peer_loop_fini(struct peer_loop *loop)
{
	close(loop->epoll);
	buf_fini(&loop->scratch);
}

/* A loopback server sees us come from as many addresses as it takes. */
static void
bind_source(int fd, const struct endpoint *to, uint32_t number)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	uint32_t address = INADDR_LOOPBACK + number / PORTS_PER_ADDRESS;
	int on = 1;

	if (number < PORTS_PER_ADDRESS ||
	    ntohl(to->address.sin_addr.s_addr) >> 24 != 127)
		return;
	from.sin_addr.s_addr = htonl(address);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		die("bind: %s", strerror(errno));
}

static void
peer_say_hello(struct peer *p)
{
	char id[40];

	snprintf(id, sizeof(id), "bench-%u-%u", run_number(), p->number);
	p->wire->hello(p, id);
}

void
peer_open(struct peer *p, struct peer_loop *loop, const struct endpoint *to,
    const struct peer_events *events, uint32_t number)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };
	int on = 1;

	p->loop = loop;
	p->wire = to->wire;
	p->events = events;
	p->number = number;
	p->connecting = true;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		die("socket: %s", strerror(errno));
	bind_source(p->fd, to, number);
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(p->fd, (const struct sockaddr *)&to->address,
		sizeof(to->address)) < 0 &&
	    errno != EINPROGRESS)
		die("connect: %s", strerror(errno));
	/* What is written before the connection stands waits for EPOLLOUT. */
	ev.events |= EPOLLOUT;
	p->blocked = true;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, p->fd, &ev) < 0)
		die("epoll_ctl: %s", strerror(errno));
	peer_say_hello(p);
}

void
peer_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_fini(&p->in);
	buf_fini(&p->out);
}

void
peer_fail(struct peer *p, const char *why)
{
	if (p->fd < 0)
		return;
	peer_close(p);
	p->events->closed(p, why);
}

void
peer_dirty(struct peer *p)
{
	if (p->in_dirty || p->blocked || p->fd < 0)
		return;
	p->in_dirty = true;
	p->next_dirty = p->loop->dirty;
	p->loop->dirty = p;
}

static void
peer_watch(struct peer *p, bool writable)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };

	if (writable)
		ev.events |= EPOLLOUT;
	p->blocked = writable;
	epoll_ctl(p->loop->epoll, EPOLL_CTL_MOD, p->fd, &ev);
}

static void
peer_write(struct peer *p)
{
	ssize_t n;

	if (p->fd < 0 || buf_len(&p->out) == 0)
		return;
	n = send(p->fd, buf_ptr(&p->out), buf_len(&p->out), MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		peer_fail(p, strerror(errno));
		return;
	}
	if (n > 0)
		buf_consume(&p->out, (size_t)n);
	if (buf_len(&p->out) > 0)
		peer_watch(p, true);
}

void
peer_loop_flush(struct peer_loop *loop)
{
	struct peer *p;

	while ((p = loop->dirty) != NULL) {
		loop->dirty = p->next_dirty;
		p->in_dirty = false;
		peer_write(p);
	}
}

/* A packet that goes on is rare: then, and only then, bytes are copied. */
static void
peer_take(struct peer *p, const uint8_t *data, size_t len)
{
	size_t used;

	if (buf_len(&p->in) == 0) {
		used = p->wire->take(p, data, len);
		if (p->fd >= 0 && used < len)
			buf_append(&p->in, data + used, len - used);
		return;
	}
	buf_append(&p->in, data, len);
	used = p->wire->take(p, buf_ptr(&p->in), buf_len(&p->in));
	if (p->fd >= 0)
		buf_consume(&p->in, used);
}

static void
peer_read(struct peer *p)
{
	uint8_t *scratch = p->loop->scratch.base;
	ssize_t n = recv(p->fd, scratch, READ_MAX, 0);

	if (n == 0)
		peer_fail(p, "closed by the server");
	else if (n < 0 && errno != EAGAIN)
		peer_fail(p, strerror(errno));
	if (n <= 0)
		return;
	p->loop->now_ns = now_ns();
	peer_take(p, scratch, (size_t)n);
}

void
peer_loop_turn(struct peer_loop *loop, uint64_t timeout_ns)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec timeout = { (time_t)(timeout_ns / 1000000000u),
		(long)(timeout_ns % 1000000000u) };
	int n = epoll_pwait2(loop->epoll, events, EVENTS_MAX, &timeout, NULL);

	if (n < 0 && errno != EINTR)
		die("epoll_pwait2: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		struct peer *p = events[i].data.ptr;
		if (p->fd >= 0 && events[i].events & EPOLLOUT) {
			peer_watch(p, false);
			peer_write(p);
		}
		if (p->fd >= 0 && events[i].events & ~(uint32_t)EPOLLOUT)
			peer_read(p);
	}
}
