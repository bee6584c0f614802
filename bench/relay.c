/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay - a server that forwards and does nothing else: the floor.
 *
 * It lets every client in, takes the last one that subscribes as the sink
 * and writes to it whatever the others send, byte by byte. One publisher at
 * QoS 0 and one subscriber: what a broker costs beyond that is its own.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "mqtt/mqtt.h"

#define EVENTS_MAX 64

static uint8_t relay_bytes[256 * 1024];

static int
relay_listen(const struct endpoint *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 ||
	    bind(fd, (const struct sockaddr *)&at->address,
		sizeof(at->address)) < 0 ||
	    listen(fd, EVENTS_MAX) < 0)
		die("relay: %s", strerror(errno));
	return fd;
}

static void
relay_watch(int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void
relay_accept(int epoll, int listener)
{
	int fd = accept(listener, NULL, NULL), on = 1;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	relay_watch(epoll, fd);
}

static void
relay_send(int fd, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0)
			return;
	}
}

/* A client sends CONNECT and SUBSCRIBE alone and waits for the answer. */
static void
relay_forward(int fd, int *sink)
{
	static const uint8_t connack[] = { MQTT_CONNACK << 4, 2, 0, 0 };
	static const uint8_t suback[] = { MQTT_SUBACK << 4, 3, 0, 1, 0 };
	ssize_t n = recv(fd, relay_bytes, sizeof(relay_bytes), 0);

	if (n <= 0) {
		close(fd);
		if (fd == *sink)
			*sink = -1;
	} else if (relay_bytes[0] == MQTT_CONNECT << 4) {
		relay_send(fd, connack, sizeof(connack));
	} else if (relay_bytes[0] == (MQTT_SUBSCRIBE << 4 | 2)) {
		relay_send(fd, suback, sizeof(suback));
		*sink = fd;
	} else {
		relay_send(*sink, relay_bytes, (size_t)n);
	}
}

void
relay_run(const struct options *o)
{
	struct epoll_event events[EVENTS_MAX];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = relay_listen(&o->from), sink = -1;

	relay_watch(epoll, listener);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener)
				relay_accept(epoll, listener);
			else
				relay_forward(fd, &sink);
		}
	}
}
