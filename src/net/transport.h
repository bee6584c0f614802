/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport - how bytes cross a socket. A connection reads and writes through
 * one of these; none of them blocks.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct transport {
	const char *name;
	/*
	 * Up to `size` bytes into `p`. Returns how many; 0 when the peer has
	 * closed; -EAGAIN when there is nothing now; another -errno.
	 */
	ssize_t (*read)(int fd, void *p, size_t size);
	/* The same for writing; never 0 for size > 0. */
	ssize_t (*write)(int fd, const void *p, size_t size);
};

extern const struct transport transport_tcp;
