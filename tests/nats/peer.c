/* SPDX-License-Identifier: Apache-2.0 */
/* peer - somebody else on NATS, speaking the protocol over a plain socket. */
#include "nats/peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/clock.h"

#define WAIT_MS 20000

static int
dial(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Read what is there within so long; false: nothing, or the end. */
static bool
fill(struct peer *p, int timeout_ms)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return false;
	n = recv(p->fd, buf_reserve(&p->in, 65536), 65536, 0);
	if (n <= 0)
		return false;
	buf_commit(&p->in, (size_t)n);
	return true;
}

static int
left(uint64_t end)
{
	uint64_t now = clock_mono_ms();

	return now < end ? (int)(end - now) : 0;
}

/* Take a line; false when none comes until `end`. */
static bool
take_line(struct peer *p, char *out, size_t size, uint64_t end)
{
	const uint8_t *lf;
	size_t len;

	while (buf_len(&p->in) == 0 ||
	    (lf = memchr(buf_ptr(&p->in), '\n', buf_len(&p->in))) == NULL)
		if (!fill(p, left(end)))
			return false;
	len = (size_t)(lf - buf_ptr(&p->in));
	cr_assert(len < size);
	memcpy(out, buf_ptr(&p->in), len);
	out[len > 0 && out[len - 1] == '\r' ? len - 1 : len] = '\0';
	buf_consume(&p->in, len + 1);
	return true;
}

static void
take_bytes(struct peer *p, char *out, size_t len)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;

	while (buf_len(&p->in) < len)
		cr_assert(fill(p, left(end)));
	memcpy(out, buf_ptr(&p->in), len);
	buf_consume(&p->in, len);
}

static void
say(struct peer *p, const void *bytes, size_t len)
{
	const char *b = bytes;

	while (len > 0) {
		ssize_t n = send(p->fd, b, len, MSG_NOSIGNAL);

		cr_assert(n > 0);
		b += n;
		len -= (size_t)n;
	}
}

static void
say_str(struct peer *p, const char *text)
{
	say(p, text, strlen(text));
}

bool
peer_greets(int port)
{
	struct peer p = { .fd = dial(port) };
	char line[8192];
	bool ok;

	if (p.fd < 0)
		return false;
	ok = take_line(&p, line, sizeof(line), clock_mono_ms() + 1000) &&
	    strncmp(line, "INFO ", 5) == 0;
	peer_close(&p);
	return ok;
}

static void
await_pong(struct peer *p)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;
	char line[8192];

	do
		cr_assert(take_line(p, line, sizeof(line), end));
	while (strcmp(line, "PONG") != 0);
}

void
peer_open(struct peer *p, int port, const char *login)
{
	char line[8192];

	*p = (struct peer){ .fd = dial(port) };
	cr_assert(p->fd >= 0);
	cr_assert(take_line(p, line, sizeof(line), clock_mono_ms() + WAIT_MS));
	snprintf(line, sizeof(line),
	    "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,"
	    "\"no_responders\":true,\"name\":\"peer\"%s%s}\r\nPING\r\n",
	    login[0] != '\0' ? "," : "", login);
	say_str(p, line);
	await_pong(p);
}

void
peer_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_fini(&p->in);
}

void
peer_subscribe(struct peer *p, const char *subject)
{
	static int sid;
	char line[1024];

	snprintf(line, sizeof(line), "SUB %s %d\r\n", subject, ++sid);
	say_str(p, line);
	peer_flush(p);
}

void
peer_publish(struct peer *p, const char *subject, const char *reply,
    const char *payload)
{
	struct buf b = { 0 };

	buf_printf(&b, "PUB %s %s %zu\r\n%s\r\n", subject,
	    reply != NULL ? reply : "", strlen(payload), payload);
	say(p, buf_ptr(&b), buf_len(&b));
	buf_fini(&b);
}

void
peer_publish_headers(struct peer *p, const char *subject, const char *reply,
    const char *headers, const char *payload)
{
	struct buf b = { 0 };
	size_t head = strlen("NATS/1.0\r\n") + strlen(headers) + 2;

	buf_printf(&b, "HPUB %s %s %zu %zu\r\nNATS/1.0\r\n%s\r\n%s\r\n",
	    subject, reply != NULL ? reply : "", head, head + strlen(payload),
	    headers, payload);
	say(p, buf_ptr(&b), buf_len(&b));
	buf_fini(&b);
}

void
peer_flush(struct peer *p)
{
	say_str(p, "PING\r\n");
	await_pong(p);
}

/* "MSG subject sid [reply] [headers] total" */
static void
take_message(struct peer *p, char *line, struct peer_message *out)
{
	bool with_headers = line[0] == 'H';
	char *words[8], *rest = line, *word;
	size_t n = 0, head = 0, total;
	char crlf[2];

	*out = (struct peer_message){ 0 };
	while ((word = strsep(&rest, " ")) != NULL && n < 8)
		if (*word != '\0')
			words[n++] = word;
	cr_assert(n >= 4);
	snprintf(out->subject, sizeof(out->subject), "%s", words[1]);
	if (n == (with_headers ? 6 : 5))
		snprintf(out->reply, sizeof(out->reply), "%s", words[3]);
	total = strtoul(words[n - 1], NULL, 10);
	if (with_headers)
		head = strtoul(words[n - 2], NULL, 10);
	cr_assert(
	    head < sizeof(out->headers) && total - head < sizeof(out->payload));
	take_bytes(p, out->headers, head);
	take_bytes(p, out->payload, total - head);
	out->payload_len = total - head;
	take_bytes(p, crlf, 2);
}

bool
peer_try(struct peer *p, struct peer_message *out, int timeout_ms)
{
	uint64_t end = clock_mono_ms() + (uint64_t)timeout_ms;
	char line[8192];

	while (take_line(p, line, sizeof(line), end)) {
		if (strcmp(line, "PING") == 0) {
			say_str(p, "PONG\r\n");
		} else if (strncmp(line, "MSG ", 4) == 0 ||
		    strncmp(line, "HMSG ", 5) == 0) {
			take_message(p, line, out);
			return true;
		}
	}
	return false;
}

void
peer_next(struct peer *p, struct peer_message *out)
{
	cr_assert(peer_try(p, out, WAIT_MS), "no message came");
}
