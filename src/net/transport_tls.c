/* SPDX-License-Identifier: Apache-2.0 */
/* transport_tls - TLS on a socket. */
#include "net/transport_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/xalloc.h"
#include "net/tls.h"

#define WHY_SIZE 160

struct tls_stream {
	struct stream stream;
	SSL *ssl;
	struct tls_peer peer;
	char *name; /* who it has proven to be; NULL: nobody */
	char *why;  /* it broke; NULL: it did not */
	bool is_up;
	bool has_more;
	bool wants_write;
};

static struct tls_stream *
tls_of(struct stream *s)
{
	return container_of(s, struct tls_stream, stream);
}

/* In words, once: later calls would find other errors, or none. */
static void
note_why(struct tls_stream *t)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	long verdict = SSL_get_verify_result(t->ssl);

	if (t->why != NULL)
		return;
	t->why = xcalloc(1, WHY_SIZE);
	if (verdict != X509_V_OK)
		(void)snprintf(t->why, WHY_SIZE,
		    "TLS: its certificate was refused: %s",
		    X509_verify_cert_error_string(verdict));
	else
		(void)snprintf(t->why, WHY_SIZE, "TLS: %s",
		    reason != NULL ? reason : "protocol error");
}

/*
 * An alert may be on its way: closing a socket with unread bytes would reset
 * the connection, and the peer would not hear what is wrong.
 */
static void
let_alert_out(int fd)
{
	char waste[4096];

	(void)shutdown(fd, SHUT_WR);
	for (int i = 0; i < 16; i++)
		if (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) <= 0)
			return;
}

/* What a call that returned `r` comes to. */
static ssize_t
result(struct tls_stream *t, int fd, int r)
{
	int error = errno;

	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		t->wants_write = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return error != 0 ? -error : 0;
	default:
		break;
	}
	/* MQTT tells by itself where it ends; many never say goodbye. */
	if (ERR_GET_REASON(ERR_peek_error()) ==
	    SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return 0;
	note_why(t);
	ERR_clear_error();
	if (!t->is_up)
		let_alert_out(fd);
	return -EPROTO;
}

static ssize_t
shake_hands(struct tls_stream *t, int fd)
{
	int r;

	errno = 0;
	r = SSL_do_handshake(t->ssl);
	if (r != 1)
		return result(t, fd, r);
	t->is_up = true;
	t->name = tls_identify(t->ssl, t->peer.psk_name);
	free(t->peer.psk_name);
	t->peer.psk_name = NULL;
	return 1;
}

/* As many records as there is room for: less than that is all there is. */
static ssize_t
read_records(struct tls_stream *t, int fd, uint8_t *p, size_t size)
{
	size_t n = 0, got;

	do {
		errno = 0;
		if (SSL_read_ex(t->ssl, p + n, size - n, &got) != 1) {
			ssize_t r = result(t, fd, 0);

			/* What is wrong is told by the next read. */
			t->has_more = n > 0 && r != -EAGAIN;
			return n > 0 ? (ssize_t)n : r;
		}
		n += got;
	} while (n < size && SSL_has_pending(t->ssl));
	t->has_more = SSL_has_pending(t->ssl);
	return (ssize_t)n;
}

static ssize_t
tls_read(struct stream *s, int fd, void *p, size_t size)
{
	struct tls_stream *t = tls_of(s);

	t->has_more = false;
	t->wants_write = false;
	if (t->why != NULL)
		return -EPROTO;
	ERR_clear_error();
	if (!t->is_up) {
		ssize_t r = shake_hands(t, fd);

		if (r != 1)
			return r;
	}
	return read_records(t, fd, p, size);
}

static ssize_t
tls_write(struct stream *s, int fd, const void *p, size_t size)
{
	struct tls_stream *t = tls_of(s);
	const uint8_t *from = p;
	size_t n = 0, done;

	if (t->why != NULL)
		return -EPROTO;
	if (!t->is_up)
		return -EAGAIN;
	ERR_clear_error();
	while (n < size) {
		bool wanted = t->wants_write;

		errno = 0;
		if (SSL_write_ex(t->ssl, from + n, size - n, &done) != 1) {
			ssize_t r = result(t, fd, 0);

			/* That is for reading only: whoever writes waits
			 * for the socket anyway. */
			t->wants_write = wanted;
			return n > 0 ? (ssize_t)n : r;
		}
		n += done;
	}
	return (ssize_t)n;
}

static bool
tls_has_more(const struct stream *s)
{
	return ((const struct tls_stream *)s)->has_more;
}

static bool
tls_wants_write(const struct stream *s)
{
	return ((const struct tls_stream *)s)->wants_write;
}

static void
tls_goodbye(struct stream *s, int fd)
{
	struct tls_stream *t = tls_of(s);

	(void)fd;
	if (!t->is_up || t->why != NULL)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

static const char *
tls_why(const struct stream *s)
{
	return ((const struct tls_stream *)s)->why;
}

static const char *
tls_peer(const struct stream *s)
{
	return ((const struct tls_stream *)s)->name;
}

static void
tls_free_stream(struct stream *s)
{
	struct tls_stream *t = tls_of(s);

	SSL_free(t->ssl);
	free(t->peer.psk_name);
	free(t->name);
	free(t->why);
	free(t);
}

static const struct transport transport_tls = {
	.name = "tls",
	.read = tls_read,
	.write = tls_write,
	.has_more = tls_has_more,
	.wants_write = tls_wants_write,
	.goodbye = tls_goodbye,
	.why = tls_why,
	.peer = tls_peer,
	.free = tls_free_stream,
};

struct stream *
transport_tls_open(struct tls *tls, int fd)
{
	struct tls_stream *t = xcalloc(1, sizeof(*t));

	t->stream.transport = &transport_tls;
	t->ssl = tls_open(tls);
	SSL_set_app_data(t->ssl, &t->peer);
	if (SSL_set_fd(t->ssl, fd) != 1)
		abort();
	return &t->stream;
}
