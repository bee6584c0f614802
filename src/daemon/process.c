/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process - what a daemon owes its operator.
 *
 * Signals stay blocked in every thread and are read from a signalfd by main's
 * loop, so no code of ours ever runs inside of a signal handler. The pid file
 * is locked as long as we live: a lock goes with its process, however that
 * ends, and so a file that was left behind stops nobody and is never taken
 * for a living daemon's.
 */
#include <config.h> /* the build's, not ours */

#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/xalloc.h"

/* --- signals --- */

static const struct {
	int number;
	enum process_signal what;
	const char *word;
} signals[] = {
	{ SIGHUP, PROCESS_RELOAD, "reload" },
	{ SIGUSR1, PROCESS_REOPEN, "reopen" },
	{ SIGUSR2, PROCESS_LAME_DUCK, "ldm" },
	{ SIGTERM, PROCESS_STOP, "stop" },
	{ SIGINT, PROCESS_STOP, "stop" },
};

static struct event *signal_event;
static void (*signal_handler)(enum process_signal what, void *arg);

bool
process_signal_parse(const char *word, enum process_signal *out)
{
	for (size_t i = 0; i < countof(signals); i++) {
		if (strcmp(signals[i].word, word) == 0) {
			*out = signals[i].what;
			return true;
		}
	}
	return false;
}

int
process_signal_send(enum process_signal what, pid_t pid)
{
	size_t i = 0;

	while (signals[i].what != what)
		i++;
	return kill(pid, signals[i].number) < 0 ? -errno : 0;
}

static void
signal_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < countof(signals); i++)
		sigaddset(set, signals[i].number);
}

void
process_block_signals(void)
{
	sigset_t set;

	signal_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A limit of file sizes is an error to us, not the end. */
	signal(SIGXFSZ, SIG_IGN);
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct signalfd_siginfo info;

	(void)what;
	thread_assert_main();
	/* A handler may stop the signals: then the event is gone. */
	while (signal_event != NULL &&
	    read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		for (size_t i = 0; i < countof(signals); i++) {
			if (signals[i].number == (int)info.ssi_signo)
				signal_handler(signals[i].what, arg);
		}
	}
}

int
process_signals_start(struct event_base *base,
    void (*handler)(enum process_signal what, void *arg), void *arg)
{
	sigset_t set;
	int fd;

	signal_set(&set);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	signal_handler = handler;
	signal_event =
	    event_new(base, fd, EV_READ | EV_PERSIST, on_signal, arg);
	if (signal_event == NULL || event_add(signal_event, NULL) < 0) {
		process_signals_stop();
		close(fd);
		return -ENOMEM;
	}
	return 0;
}

void
process_signals_stop(void)
{
	int fd;

	if (signal_event == NULL)
		return;
	fd = event_get_fd(signal_event);
	event_free(signal_event);
	signal_event = NULL;
	close(fd);
}

/* --- pid file --- */

static int pid_fd = -1;
static char *pid_path;

/* Is the file that we have locked still the one that has this name? */
static bool
is_same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* The number in the file; 0 when there is none. */
static pid_t
read_pid(int fd)
{
	char text[16] = "";
	long pid;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	pid = strtol(text, NULL, 10);
	return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* One write first, so that a reader sees the old number or the new one. */
static int
write_pid(int fd)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (pwrite(fd, text, (size_t)len, 0) != len)
		return errno != 0 ? -errno : -EIO;
	return ftruncate(fd, len) < 0 ? -errno : 0;
}

/* Returns a descriptor that holds the lock, or -errno. */
static int
open_locked(const char *path, pid_t *other)
{
	for (;;) {
		int fd =
		    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			int err = errno == EWOULDBLOCK ? -EEXIST : -errno;

			*other = read_pid(fd);
			close(fd);
			return err;
		}
		if (is_same_file(fd, path))
			return fd;
		/* The last daemon removed it between our open and lock. */
		close(fd);
	}
}

int
process_pid_file_take(const char *path, pid_t *other)
{
	int fd = open_locked(path, other);
	int err;

	if (fd < 0)
		return fd;
	err = write_pid(fd);
	if (err < 0) {
		unlink(path);
		close(fd);
		return err;
	}
	pid_fd = fd;
	pid_path = xstrdup(path);
	return 0;
}

void
process_pid_file_drop(void)
{
	if (pid_fd < 0)
		return;
	/* Before the lock goes, so that it cannot be another daemon's. */
	if (is_same_file(pid_fd, pid_path))
		unlink(pid_path);
	close(pid_fd);
	free(pid_path);
	pid_fd = -1;
	pid_path = NULL;
}

int
process_pid_file_read(const char *path, pid_t *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	pid_t pid;
	bool is_held;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	is_held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	pid = read_pid(fd);
	close(fd);
	if (!is_held || pid == 0)
		return -ESRCH;
	*out = pid;
	return 0;
}

/* --- descriptors --- */

void
process_renounce(void)
{
	/* Kernels before 3.5 do not know it. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_CHECKER
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HAS_LEAK_CHECKER
#endif

void
process_hide_memory(bool hide)
{
#ifdef HAS_LEAK_CHECKER
	(void)hide;
#else
	(void)prctl(PR_SET_DUMPABLE, hide ? 0 : 1, 0, 0, 0);
#endif
}

size_t
process_raise_files(void)
{
	struct rlimit limit, want;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	want = limit;
	want.rlim_cur = limit.rlim_max;
	if (limit.rlim_cur < limit.rlim_max &&
	    setrlimit(RLIMIT_NOFILE, &want) == 0)
		limit = want;
	return (size_t)limit.rlim_cur;
}

/* --- systemd --- */

/* The address in NOTIFY_SOCKET: a path, or a name behind an @. */
static bool
notify_address(struct sockaddr_un *out, socklen_t *len)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t n = name != NULL ? strlen(name) : 0;

	if (n < 2 || n >= sizeof(out->sun_path) ||
	    (name[0] != '/' && name[0] != '@'))
		return false;
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(out->sun_path, name, n);
	if (name[0] == '@')
		out->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return true;
}

static void
notify_send(const char *text)
{
	struct sockaddr_un to;
	socklen_t len;
	int fd;

	if (!notify_address(&to, &len))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody to tell it to if it fails. */
	(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (void *)&to, len);
	close(fd);
}

void
process_notify(enum process_state state, const char *status)
{
	static const char *const words[] = {
		[PROCESS_READY] = "READY=1",
		[PROCESS_RELOADING] = "RELOADING=1",
		[PROCESS_STOPPING] = "STOPPING=1",
		[PROCESS_WATCHDOG] = "WATCHDOG=1",
	};
	char *text;

	/* systemd wants to know which reload was asked for first. */
	text = xasprintf("%s\nMONOTONIC_USEC=%llu%s%s", words[state],
	    (unsigned long long)clock_mono_us(),
	    status != NULL ? "\nSTATUS=" : "", status != NULL ? status : "");
	notify_send(text);
	free(text);
}

uint64_t
process_watchdog_us(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	unsigned long long n;

	if (usec == NULL ||
	    (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	n = strtoull(usec, NULL, 10);
	return n <= 86400000000ull ? n : 0;
}
