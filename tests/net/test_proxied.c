/* SPDX-License-Identifier: Apache-2.0 */
#include "net/proxied.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define HEADER "PROXY TCP4 192.0.2.7 192.0.2.1 50122 1883\r\n"

static void
pair(int fds[2])
{
	cr_assert_eq(socketpair(AF_UNIX,
			 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
	    0);
}

static void
say(int fd, const char *text, size_t len)
{
	cr_assert_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* However it is cut, what stands behind it stays for others to read. */
Test(proxied, leaves_what_follows)
{
	static const char text[] = HEADER "behind";

	for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
		struct proxy_header h = { 0 };
		struct buf in = { 0 };
		char rest[16] = "";
		int fds[2], error = -EAGAIN;

		pair(fds);
		say(fds[1], text, cut);
		if (cut > 0)
			error = proxied_read(fds[0], &in, &h);
		cr_expect_eq(error, cut < sizeof(HEADER) - 1 ? -EAGAIN : 0);
		say(fds[1], text + cut, sizeof(text) - 1 - cut);
		if (error == -EAGAIN)
			error = proxied_read(fds[0], &in, &h);
		cr_expect_eq(error, 0, "%zu: %d", cut, error);
		cr_expect_eq(h.size, sizeof(HEADER) - 1);
		cr_expect_eq(buf_len(&in), 0);
		cr_expect_null(in.base);
		cr_expect_eq(recv(fds[0], rest, sizeof(rest), 0), 6);
		cr_expect_str_eq(rest, "behind");
		close(fds[0]);
		close(fds[1]);
	}
}

Test(proxied, says_what_went_wrong)
{
	struct proxy_header h;
	struct buf in = { 0 };
	int fds[2];

	pair(fds);
	cr_expect_eq(proxied_read(fds[0], &in, &h), -EAGAIN);
	say(fds[1], "PRO", 3);
	cr_expect_eq(proxied_read(fds[0], &in, &h), -EAGAIN);
	cr_expect_eq(proxied_read(fds[0], &in, &h), -EAGAIN);
	say(fds[1], "XX", 2);
	cr_expect_eq(proxied_read(fds[0], &in, &h), -EPROTO);
	close(fds[1]);
	cr_expect_eq(recv(fds[0], (char[2]){ 0 }, 2, 0), 2);
	cr_expect_eq(proxied_read(fds[0], &in, &h), -EPIPE);
	close(fds[0]);
	buf_fini(&in);
}
