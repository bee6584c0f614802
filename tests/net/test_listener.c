/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "net/acceptor.h"

static char directory[] = "/tmp/test-listener-XXXXXX";
static char *path;

static void
make_path(void)
{
	log_set_level(LOG_ERROR);
	cr_assert_not_null(mkdtemp(directory));
	path = xasprintf("%s/socket", directory);
}

static void
drop_path(void)
{
	(void)unlink(path);
	(void)rmdir(directory);
	free(path);
}

static struct listener_options
options(unsigned mode)
{
	return (struct listener_options){ .name = "test",
		.address = path,
		.mode = mode,
		.group = "",
		.inherited = -1,
		.backlog = 5 };
}

static int
connect_path(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

	memcpy(sun.sun_path, path, strlen(path));
	error =
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 ? 0 : errno;
	close(fd);
	return error;
}

Test(listener, opens_a_socket_with_its_mode, .init = make_path,
    .fini = drop_path)
{
	static const unsigned modes[] = { 0600, 0660, 0666 };

	for (size_t i = 0; i < countof(modes); i++) {
		struct listener_options o = options(modes[i]);
		struct listener_socket s;
		struct stat st;

		cr_assert_eq(listener_open(&o, &s), 0);
		cr_assert_eq(lstat(path, &st), 0);
		cr_expect(S_ISSOCK(st.st_mode));
		cr_expect_eq(st.st_mode & 0777, modes[i]);
		/* Nobody before it listens. */
		cr_expect_eq(connect_path(), ECONNREFUSED);
		cr_assert_eq(listener_listen(&s, &o), 0);
		cr_expect_eq(connect_path(), 0);
		listener_close(&s);
		cr_expect_neq(lstat(path, &st), 0);
	}
}

Test(listener, replaces_what_nobody_listens_on, .init = make_path,
    .fini = drop_path)
{
	struct listener_options o = options(0600);
	struct listener_socket s, left;

	cr_assert_eq(listener_open(&o, &left), 0);
	cr_assert_eq(listener_listen(&left, &o), 0);
	/* Somebody does. */
	cr_expect_eq(listener_open(&o, &s), -EADDRINUSE);
	cr_expect_eq(connect_path(), 0);
	/* As if killed. */
	close(left.fd);
	cr_expect_eq(listener_open(&o, &s), 0);
	cr_assert_eq(listener_listen(&s, &o), 0);
	/* What is not ours any more stays. */
	left.fd = dup(s.fd);
	left.inode = s.inode + 1;
	listener_close(&left);
	cr_expect_eq(connect_path(), 0);
	listener_close(&s);
}

Test(listener, removes_no_file, .init = make_path, .fini = drop_path)
{
	struct listener_options o = options(0600);
	struct listener_socket s;
	FILE *f = fopen(path, "w");
	struct stat st;

	cr_assert_not_null(f);
	fclose(f);
	cr_expect_eq(listener_open(&o, &s), -EADDRINUSE);
	cr_expect_eq(lstat(path, &st), 0);
}

Test(listener, gives_it_to_no_group_that_is_not, .init = make_path,
    .fini = drop_path)
{
	struct listener_options o = options(0660);
	struct listener_socket s;
	struct stat st;

	o.group = "no-such-group-here";
	cr_expect_eq(listener_open(&o, &s), -ENOENT);
	cr_expect_neq(lstat(path, &st), 0);
}

Test(listener, takes_what_systemd_has_passed, .init = make_path,
    .fini = drop_path)
{
	struct listener_options o = options(0600), inherited = o;
	struct listener_socket s, taken;

	inherited.address = "systemd";
	cr_expect_eq(listener_open(&inherited, &taken), -ENOENT);
	cr_assert_eq(listener_open(&o, &s), 0);
	/* It must listen already. */
	inherited.inherited = dup(s.fd);
	cr_expect_eq(listener_open(&inherited, &taken), -ENOTSOCK);
	cr_assert_eq(listener_listen(&s, &o), 0);
	inherited.inherited = dup(s.fd);
	cr_expect_eq(listener_open(&inherited, &taken), 0);
	cr_expect_eq(listener_listen(&taken, &inherited), 0);
	/* The file is systemd's. */
	listener_close(&taken);
	cr_expect_eq(connect_path(), 0);
	listener_close(&s);
}
