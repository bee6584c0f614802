/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <event2/event.h>

#include "base/attr.h"
#include "base/random.h"

static char dir[] = "/tmp/test_process.XXXXXX";
static char pid_file[64];

static void
setup(void)
{
	thread_enter(THREAD_MAIN, "main");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(pid_file, sizeof(pid_file), "%s/pid", dir);
}

static void
teardown(void)
{
	unlink(pid_file);
	rmdir(dir);
}

TestSuite(process, .init = setup, .fini = teardown);

/* --- pid file --- */

static void
write_pid_file(const char *text)
{
	FILE *f = fopen(pid_file, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static void
expect_pid_file(pid_t pid)
{
	char text[64] = "", expected[64];
	FILE *f = fopen(pid_file, "r");

	cr_assert_not_null(f);
	cr_expect_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	fclose(f);
	snprintf(expected, sizeof(expected), "%ld\n", (long)pid);
	cr_expect_str_eq(text, expected);
}

Test(process, a_pid_file_holds_our_pid)
{
	struct stat st;
	pid_t other = 0, holder = 0;

	thread_assert_main();
	cr_assert_eq(process_pid_file_take(pid_file, &other), 0);
	expect_pid_file(getpid());
	cr_assert_eq(process_pid_file_read(pid_file, &holder), 0);
	cr_expect_eq(holder, getpid());
	process_pid_file_drop();
	cr_expect_lt(stat(pid_file, &st), 0);
	process_pid_file_drop();
}

Test(process, a_file_left_behind_stops_nobody)
{
	pid_t other = 0, holder;

	thread_assert_main();
	/* Longer than ours: nothing of it may stay. */
	write_pid_file("4194304\n4194304\n");
	cr_expect_eq(process_pid_file_read(pid_file, &holder), -ESRCH);
	cr_assert_eq(process_pid_file_take(pid_file, &other), 0);
	expect_pid_file(getpid());
	process_pid_file_drop();
}

/* A child that holds the pid file until the pipe is closed. */
static pid_t
start_holder(int *stop)
{
	int ready[2], end[2];
	char c;
	pid_t child;

	cr_assert_eq(pipe(ready), 0);
	cr_assert_eq(pipe(end), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		pid_t other;

		thread_assert_main();
		close(end[1]);
		if (process_pid_file_take(pid_file, &other) != 0)
			_exit(1);
		if (write(ready[1], "x", 1) != 1 || read(end[0], &c, 1) != 0)
			_exit(2);
		_exit(0);
	}
	close(ready[1]);
	close(end[0]);
	cr_assert_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*stop = end[1];
	return child;
}

Test(process, a_second_daemon_is_kept_out)
{
	int stop, status;
	pid_t other = 0, holder = 0, child = start_holder(&stop);

	thread_assert_main();
	cr_expect_eq(process_pid_file_take(pid_file, &other), -EEXIST);
	cr_expect_eq(other, child);
	cr_expect_eq(process_pid_file_read(pid_file, &holder), 0);
	cr_expect_eq(holder, child);
	close(stop);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	/* It ended without a word, its lock went with it. */
	expect_pid_file(child);
	cr_expect_eq(process_pid_file_read(pid_file, &holder), -ESRCH);
	cr_expect_eq(process_pid_file_take(pid_file, &other), 0);
	process_pid_file_drop();
}

Test(process, another_daemons_file_is_not_removed)
{
	pid_t other;
	struct stat st;

	thread_assert_main();
	cr_assert_eq(process_pid_file_take(pid_file, &other), 0);
	cr_assert_eq(unlink(pid_file), 0);
	write_pid_file("1\n");
	process_pid_file_drop();
	cr_expect_eq(stat(pid_file, &st), 0);
}

Test(process, a_pid_file_needs_its_directory)
{
	pid_t other, holder;

	thread_assert_main();
	cr_expect_eq(process_pid_file_take("/no/such/dir/pid", &other),
	    -ENOENT);
	cr_expect_eq(process_pid_file_read("/no/such/dir/pid", &holder),
	    -ESRCH);
}

Test(process, a_pid_file_is_no_link)
{
	pid_t other;
	struct stat st;

	thread_assert_main();
	cr_assert_eq(symlink("target", pid_file), 0);
	cr_expect_eq(process_pid_file_take(pid_file, &other), -ELOOP);
	cr_expect_lt(stat(pid_file, &st), 0);
}

/* --- signals --- */

struct seen {
	struct event_base *base;
	unsigned count[4];
	unsigned until; /* so many in all */
};

static void
on_signal(enum process_signal what, void *arg)
{
	struct seen *s = arg;

	s->count[what]++;
	if (--s->until == 0)
		event_base_loopbreak(s->base);
}

/* A test that waits in vain ends all the same. */
static void
run_loop(struct seen *s)
{
	struct timeval limit = { 20, 0 };

	event_base_loopexit(s->base, &limit);
	event_base_dispatch(s->base);
}

Test(process, each_signal_has_its_meaning)
{
	static const struct {
		int number;
		enum process_signal what;
	} cases[] = {
		{ SIGHUP, PROCESS_RELOAD },
		{ SIGUSR1, PROCESS_REOPEN },
		{ SIGUSR2, PROCESS_LAME_DUCK },
		{ SIGTERM, PROCESS_STOP },
		{ SIGINT, PROCESS_STOP },
	};
	struct seen s = { .base = event_base_new() };

	thread_assert_main();
	process_block_signals();
	cr_assert_eq(process_signals_start(s.base, on_signal, &s), 0);
	for (size_t i = 0; i < countof(cases); i++) {
		memset(s.count, 0, sizeof(s.count));
		s.until = 1;
		kill(getpid(), cases[i].number);
		run_loop(&s);
		cr_expect_eq(s.count[cases[i].what], 1, "signal %d",
		    cases[i].number);
	}
	process_signals_stop();
	process_signals_stop();
	event_base_free(s.base);
}

Test(process, an_early_signal_waits)
{
	struct seen s = { .base = event_base_new(), .until = 2 };

	thread_assert_main();
	process_block_signals();
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGHUP);
	cr_assert_eq(process_signals_start(s.base, on_signal, &s), 0);
	run_loop(&s);
	cr_expect_eq(s.count[PROCESS_STOP], 1);
	cr_expect_eq(s.count[PROCESS_RELOAD], 1);
	process_signals_stop();
	event_base_free(s.base);
}

static void
on_signal_stop(enum process_signal what, void *arg)
{
	struct seen *s = arg;

	(void)what;
	thread_assert_main();
	s->count[0]++;
	process_signals_stop();
}

Test(process, a_handler_may_stop_the_signals)
{
	struct seen s = { .base = event_base_new() };

	thread_assert_main();
	process_block_signals();
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGHUP);
	cr_assert_eq(process_signals_start(s.base, on_signal_stop, &s), 0);
	/* Ends because nothing is left to wait for. */
	cr_expect_eq(event_base_dispatch(s.base), 1);
	cr_expect_eq(s.count[0], 1);
	event_base_free(s.base);
}

Test(process, words_send_signals)
{
	static const char *const words[] = { "reload", "reopen", "ldm",
		"stop" };
	struct seen s = { .base = event_base_new() };
	enum process_signal what;

	thread_assert_main();
	process_block_signals();
	cr_assert_eq(process_signals_start(s.base, on_signal, &s), 0);
	for (size_t i = 0; i < countof(words); i++) {
		memset(s.count, 0, sizeof(s.count));
		s.until = 1;
		cr_assert(process_signal_parse(words[i], &what));
		cr_expect_eq(what, i);
		cr_expect_eq(process_signal_send(what, getpid()), 0);
		run_loop(&s);
		cr_expect_eq(s.count[what], 1, "%s", words[i]);
	}
	cr_expect_not(process_signal_parse("kill", &what));
	cr_expect_not(process_signal_parse("", &what));
	process_signals_stop();
	event_base_free(s.base);
}

Test(process, a_broken_pipe_is_no_signal)
{
	int fds[2];

	thread_assert_main();
	process_block_signals();
	cr_assert_eq(pipe(fds), 0);
	close(fds[0]);
	cr_expect_eq(write(fds[1], "x", 1), -1);
	cr_expect_eq(errno, EPIPE);
	close(fds[1]);
}

/* --- descriptors --- */

Test(process, the_soft_limit_is_raised_to_the_hard_one)
{
	struct rlimit limit;

	thread_assert_main();
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max / 2;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(process_raise_files(), limit.rlim_max);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_eq(limit.rlim_cur, limit.rlim_max);
}

Test(process, gains_no_privileges)
{
	process_renounce();
	cr_expect_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

/* --- systemd --- */

/* A socket that stands for systemd's; `name` as in NOTIFY_SOCKET. */
static int
listen_for_notes(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	cr_assert_lt(len, sizeof(addr.sun_path));
	memcpy(addr.sun_path, name, len);
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	cr_assert_eq(bind(fd, (void *)&addr,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			     len)),
	    0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* The next note without its time. */
static const char *
next_note(int fd)
{
	static char text[256];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;
	char *from, *to;

	cr_assert_eq(poll(&p, 1, 20000), 1);
	n = recv(fd, text, sizeof(text) - 1, 0);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	from = strstr(text, "\nMONOTONIC_USEC=");
	cr_assert_not_null(from, "%s", text);
	to = from + 1 + strcspn(from + 1, "\n");
	memmove(from, to, strlen(to) + 1);
	return text;
}

static void
expect_notes(const char *name)
{
	int fd = listen_for_notes(name);

	thread_assert_main();
	process_notify(PROCESS_READY, "all is well");
	cr_expect_str_eq(next_note(fd), "READY=1\nSTATUS=all is well");
	process_notify(PROCESS_RELOADING, NULL);
	cr_expect_str_eq(next_note(fd), "RELOADING=1");
	process_notify(PROCESS_STOPPING, NULL);
	cr_expect_str_eq(next_note(fd), "STOPPING=1");
	close(fd);
}

Test(process, systemd_is_told_over_a_socket)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/notify", dir);
	expect_notes(name);
	unlink(name);
}

Test(process, systemd_is_told_over_an_abstract_socket)
{
	char name[64], random[17];

	random_name(random, sizeof(random) - 1);
	snprintf(name, sizeof(name), "@test_process/%s", random);
	expect_notes(name);
}

Test(process, nobody_is_told_when_nobody_asks)
{
	char longer[200];

	thread_assert_main();
	unsetenv("NOTIFY_SOCKET");
	process_notify(PROCESS_READY, NULL);
	setenv("NOTIFY_SOCKET", "relative", 1);
	process_notify(PROCESS_READY, NULL);
	setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
	process_notify(PROCESS_READY, NULL);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longer, 1);
	process_notify(PROCESS_READY, NULL);
}
