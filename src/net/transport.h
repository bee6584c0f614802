/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport - how bytes cross a socket: streams, one on top of another.
 *
 *      conn        MQTT
 *        |
 *     [ ws ]       a stream that frames what the one below it carries
 *        |
 *   tcp or tls     a stream that is on the socket itself
 *
 * A connection reads and writes through its topmost stream. None of them
 * blocks. A stream without state of its own is a constant, so that a plain
 * TCP connection takes no memory for this; others embed `struct stream` as
 * their first member. The socket belongs to the connection, which hands it to
 * each call. Touched only by the connection's worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stream;

struct transport {
	const char *name;
	/*
	 * Up to `size` bytes into `p`. Returns how many; 0 when the peer has
	 * closed; -EAGAIN when there is nothing now; another -errno.
	 */
	ssize_t (*read)(struct stream *s, int fd, void *p, size_t size);
	/*
	 * The same for writing; never 0 for size > 0. After -EAGAIN it is
	 * called again with the same bytes, maybe at another address, and
	 * maybe more behind them.
	 */
	ssize_t (*write)(struct stream *s, int fd, const void *p, size_t size);

	/* What a stream need not have: NULL. */

	/*
	 * Bytes are in the stream that the next read would give, whether or
	 * not the socket is readable. What only waits for more is not that.
	 */
	bool (*has_more)(const struct stream *s);
	/*
	 * The last read came to nothing because the stream itself has to
	 * write (a handshake, an answer of its own): read again when the
	 * socket is writable.
	 */
	bool (*wants_write)(const struct stream *s);
	/*
	 * The last words of the stream, after all that was written; what the
	 * socket does not take is lost. It is shut down for writing next.
	 */
	void (*goodbye)(struct stream *s, int fd);
	/* What was wrong, for the log, after read or write had failed. */
	const char *(*why)(const struct stream *s);
	/* Who the peer has proven to be, by certificate or key; NULL: nobody.
	 * To be asked when there is something to read. */
	const char *(*peer)(const struct stream *s);
	/* With the streams below it. */
	void (*free)(struct stream *s);
};

struct stream {
	const struct transport *transport;
};

/* The one of every plain TCP connection. */
extern struct stream stream_tcp;

static inline ssize_t
stream_read(struct stream *s, int fd, void *p, size_t size)
{
	return s->transport->read(s, fd, p, size);
}

static inline ssize_t
stream_write(struct stream *s, int fd, const void *p, size_t size)
{
	return s->transport->write(s, fd, p, size);
}

static inline bool
stream_has_more(const struct stream *s)
{
	return s->transport->has_more != NULL && s->transport->has_more(s);
}

static inline bool
stream_wants_write(const struct stream *s)
{
	return s->transport->wants_write != NULL &&
	    s->transport->wants_write(s);
}

static inline const char *
stream_peer(const struct stream *s)
{
	return s->transport->peer != NULL ? s->transport->peer(s) : NULL;
}

void stream_goodbye(struct stream *s, int fd);
/* `error` (-errno, or 0 when the peer has closed) in words. */
const char *stream_why(const struct stream *s, ssize_t error);
void stream_free(struct stream **s);
