/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activation - listening sockets that systemd has opened for us.
 *
 * LISTEN_PID is for whom they are, LISTEN_FDS how many there are from 3 on,
 * LISTEN_FDNAMES what they are called, with colons between.
 */
#include "daemon/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"

#define FIRST_FD 3
#define MOST     256

static struct inherited {
	char *name;
	int fd; /* -1: taken */
} * sockets;
static size_t n_sockets;

static long
number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long v;

	if (text == NULL || *text == '\0')
		return 0;
	v = strtol(text, &end, 10);
	return *end == '\0' ? v : 0;
}

/* The first of the names; *names is what follows. */
static char *
next_name(const char **names)
{
	size_t len = strcspn(*names, ":");
	char *name = len > 0 ? xmemdup0(*names, len) : xstrdup("unknown");

	*names += len + ((*names)[len] == ':');
	return name;
}

void
activation_begin(void)
{
	const char *names = getenv("LISTEN_FDNAMES");
	long n = number_of("LISTEN_FDS");

	if (number_of("LISTEN_PID") != (long)getpid() || n < 1 || n > MOST)
		n = 0;
	if (names == NULL)
		names = "";
	sockets = xcalloc((size_t)n + 1, sizeof(*sockets));
	for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		sockets[n_sockets++] =
		    (struct inherited){ .name = next_name(&names), .fd = fd };
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

int
activation_take(const char *name)
{
	for (size_t i = 0; i < n_sockets; i++) {
		int fd = sockets[i].fd;

		if (fd < 0 || strcmp(sockets[i].name, name) != 0)
			continue;
		sockets[i].fd = -1;
		return fd;
	}
	return -1;
}

void
activation_end(void)
{
	for (size_t i = 0; i < n_sockets; i++) {
		if (sockets[i].fd >= 0) {
			log_warning("systemd has passed a socket \"%s\" that "
				    "no listener takes: [listener %s] with "
				    "address = systemd would",
			    sockets[i].name, sockets[i].name);
			close(sockets[i].fd);
		}
		free(sockets[i].name);
	}
	free(sockets);
	sockets = NULL;
	n_sockets = 0;
}
