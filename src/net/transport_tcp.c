/* SPDX-License-Identifier: Apache-2.0 */
/* transport_tcp - bytes as they are. */
#include <errno.h>
#include <sys/socket.h>

#include "net/transport.h"

static ssize_t
tcp_read(struct stream *s, int fd, void *p, size_t size)
{
	ssize_t n;

	(void)s;
	do {
		n = recv(fd, p, size, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t
tcp_write(struct stream *s, int fd, const void *p, size_t size)
{
	ssize_t n;

	(void)s;
	do {
		n = send(fd, p, size, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static const struct transport transport_tcp = {
	.name = "tcp",
	.read = tcp_read,
	.write = tcp_write,
};

struct stream stream_tcp = { &transport_tcp };
