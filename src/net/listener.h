/* SPDX-License-Identifier: Apache-2.0 */
/* listener - one listening socket. */
#pragma once

#include <sys/socket.h>

#include "base/attr.h"

struct listener_options;

/* Bytes that hold every address_print. */
#define ADDRESS_SIZE 72

/*
 * A bound, non-blocking socket, or -errno with a line in the log that names
 * the listener.
 */
int listener_open(const struct listener_options *o) MUST_CHECK;
/* Let clients in: from now on they may connect. 0, or -errno as above. */
int listener_listen(int fd, const struct listener_options *o) MUST_CHECK;

/* "10.0.0.9:50122" or "[::1]:50122"; "unknown" for another family. */
void address_print(const struct sockaddr *sa, socklen_t len,
    char out[ADDRESS_SIZE]);
