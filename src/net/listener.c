/* SPDX-License-Identifier: Apache-2.0 */
/* listener - one listening socket. */
#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/acceptor.h"

void
address_print(const struct sockaddr *sa, socklen_t len, char out[ADDRESS_SIZE])
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		(void)snprintf(out, ADDRESS_SIZE, "unknown");
	else if (sa->sa_family == AF_INET6)
		(void)snprintf(out, ADDRESS_SIZE, "[%.52s]:%.6s", host, port);
	else
		(void)snprintf(out, ADDRESS_SIZE, "%.52s:%.6s", host, port);
}

static int
bind_socket(const struct addrinfo *ai)
{
	int on = 1;
	int fd = socket(ai->ai_family,
	    ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
	int error;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

static void
log_open_socket(const struct listener_options *o, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char address[ADDRESS_SIZE] = "unknown";

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		address_print((struct sockaddr *)&ss, len, address);
	log_notice("listener %s: listening on %s", o->name, address);
}

static void
log_failure(const struct listener_options *o, int error)
{
	log_error("listener %s: cannot listen on %s port %u: %s", o->name,
	    o->address, o->port, strerror(-error));
}

/* v5 [MQTT-4.2.0-1], v3.1.1 [MQTT-7.1.1-1] */
int
listener_open(const struct listener_options *o)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	struct addrinfo *ai = NULL;
	char port[8];
	int fd;

	(void)snprintf(port, sizeof(port), "%u", o->port);
	if (getaddrinfo(o->address, port, &hints, &ai) != 0) {
		log_error("listener %s: \"%s\" is no numeric address", o->name,
		    o->address);
		return -EINVAL;
	}
	fd = bind_socket(ai);
	freeaddrinfo(ai);
	if (fd < 0)
		log_failure(o, fd);
	return fd;
}

int
listener_listen(int fd, const struct listener_options *o)
{
	int error = listen(fd, (int)o->backlog) == 0 ? 0 : -errno;

	if (error != 0)
		log_failure(o, error);
	else
		log_open_socket(o, fd);
	return error;
}
