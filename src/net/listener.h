/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener - one listening socket: of TCP, of UNIX, or one that systemd has
 * opened for us.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/attr.h"

struct listener_options;

/* Bytes that hold every address_print. */
#define ADDRESS_SIZE 72

struct listener_socket {
	int fd;           /* -1: none */
	const char *path; /* of a UNIX socket that we made; NULL: none */
	dev_t device;     /* what it was then */
	ino_t inode;
	bool is_listening; /* since before us */
};

/*
 * A bound, non-blocking socket; 0, or -errno with a line in the log that names
 * the listener. A UNIX socket that nobody listens on any more is replaced.
 */
int listener_open(const struct listener_options *o,
    struct listener_socket *out) MUST_CHECK;
/* Let clients in: from now on they may connect. 0, or -errno as above. */
int listener_listen(const struct listener_socket *s,
    const struct listener_options *o) MUST_CHECK;
/* It was opened for another listener: mode and group of a UNIX socket are this
 * one's now. */
void listener_retouch(struct listener_socket *s,
    const struct listener_options *o);
/* Harmless when not open. The file of a UNIX socket goes, if it is still the
 * one that we made. */
void listener_close(struct listener_socket *s);

/* "10.0.0.9:50122" or "[::1]:50122"; "unknown" for another family. */
void address_print(const struct sockaddr *sa, socklen_t len,
    char out[ADDRESS_SIZE]);
/* The same for the peer of `fd`, which may be a process: "unix uid 7 pid 9". */
void listener_print_peer(int fd, const struct sockaddr *sa, socklen_t len,
    char out[ADDRESS_SIZE]);
