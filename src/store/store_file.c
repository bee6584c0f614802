/* SPDX-License-Identifier: Apache-2.0 */
/* store_file - the directory of the embedded store. */
#include "store/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"

#define DIRECTORY_MODE 0700
#define LOCK_MODE      0600

/* What the process that reads says by its status. */
enum { CHECK_GOOD, CHECK_DAMAGED, CHECK_FORMAT, CHECK_FAILED };

int
store_file_make_directory(const char *directory)
{
	struct stat st;

	if (mkdir(directory, DIRECTORY_MODE) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(directory, &st) != 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

char *
store_file_path(const char *directory)
{
	return xasprintf("%s/store.mdb", directory);
}

static pid_t
read_pid(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

static int
write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) != 0)
		return -errno;
	return pwrite(fd, text, (size_t)len, 0) == len ? 0 : -EIO;
}

int
store_file_lock(const char *directory, pid_t *other)
{
	char *path = xasprintf("%s/lock", directory);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, LOCK_MODE);
	int error = fd < 0 ? -errno : 0;

	free(path);
	if (error != 0)
		return error;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		/* On a full disk nobody can read who we are: no matter. */
		(void)write_pid(fd);
		return fd;
	}
	error = errno == EWOULDBLOCK ? -EEXIST : -errno;
	if (error == -EEXIST)
		*other = read_pid(fd);
	close(fd);
	return error;
}

/* --- is it damaged? --- */

static int
status_of(int error)
{
	switch (error) {
	case 0:
		return CHECK_GOOD;
	case -EBADMSG:
		return CHECK_DAMAGED;
	case -EPROTO:
		return CHECK_FORMAT;
	default:
		return CHECK_FAILED;
	}
}

static void NORETURN
read_all(const struct store_lmdb_options *o)
{
	struct store_lmdb_options read_only = *o;
	struct store_lmdb *l;
	int error;

	/* What kills it is an answer, not an accident. */
	signal(SIGABRT, SIG_DFL);
	if (freopen("/dev/null", "w", stderr) == NULL)
		_exit(CHECK_FAILED);
	read_only.read_only = true;
	error = store_lmdb_open(&read_only, &l);
	if (error == 0)
		error = store_lmdb_check(l, NULL);
	_exit(status_of(error));
}

int
store_file_check(const struct store_lmdb_options *o)
{
	struct stat st;
	pid_t child;
	int status;

	if (stat(o->path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_size == 0)
		return 0;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		read_all(o);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status))
		return -EBADMSG;
	switch (WEXITSTATUS(status)) {
	case CHECK_GOOD:
		return 0;
	case CHECK_FORMAT:
		return -EPROTO;
	case CHECK_FAILED:
		return -EIO;
	default:
		return -EBADMSG;
	}
}

int
store_file_set_aside(const char *path, char **name)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	char *to;

	if (localtime_r(&now, &tm) == NULL ||
	    strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm) == 0)
		return -EINVAL;
	to = xasprintf("%s.damaged-%s", path, stamp);
	/* Never over one that was moved in the same second. */
	for (unsigned i = 1; access(to, F_OK) == 0; i++) {
		free(to);
		to = xasprintf("%s.damaged-%s-%u", path, stamp, i);
	}
	if (rename(path, to) != 0) {
		int error = -errno;

		free(to);
		return error;
	}
	*name = to;
	return 0;
}
