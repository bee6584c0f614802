/* SPDX-License-Identifier: Apache-2.0 */
/* proxied - the PROXY header at the beginning of a connection. */
#include "net/proxied.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static ssize_t
receive(int fd, void *p, size_t size, int flags)
{
	ssize_t n;

	do {
		n = recv(fd, p, size, flags);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return -EPIPE;
	return n < 0 ? -errno : n;
}

/* Take what was looked at. */
static int
take(int fd, void *p, size_t size)
{
	ssize_t n = receive(fd, p, size, 0);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EIO;
}

int
proxied_read(int fd, struct buf *in, struct proxy_header *out)
{
	uint8_t seen[PROXY_HEADER_MAX];
	size_t kept = buf_len(in), size;
	struct proxy_header h;
	enum proxy_result result;
	ssize_t n;
	int error;

	memcpy(seen, kept > 0 ? buf_ptr(in) : seen, kept);
	/* Never full: no header that is not whole is that long. */
	n = receive(fd, seen + kept, sizeof(seen) - kept, MSG_PEEK);
	if (n < 0)
		return (int)n;
	result = proxy_header_decode(slice_of(seen, kept + (size_t)n), &h);
	if (result == PROXY_BAD)
		return -EPROTO;
	size = result == PROXY_DONE ? h.size - kept : (size_t)n;
	error = take(fd, seen + kept, size);
	if (error != 0)
		return error;
	if (result == PROXY_MORE) {
		buf_append(in, seen + kept, size);
		return -EAGAIN;
	}
	buf_fini(in);
	*out = h;
	return 0;
}
