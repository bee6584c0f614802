/* SPDX-License-Identifier: Apache-2.0 */
/* disk - what a program has written to one file, in its order. */
#include "store/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/xalloc.h"

/* What a disk writes whole, or not at all. */
#define SECTOR 512u

struct event {
	bool is_sync;    /* all before it are on the disk */
	bool is_durable; /* this one is when its call returns */
	off_t at;
	size_t len;
	uint8_t *bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct event *events;
static size_t n_events, cap_events, n_syncs;
static char *watched;
static int plain_fd = -1, durable_fd = -1;
static off_t position; /* of plain_fd */

/* The file as it surely is: at first, and while going through the events. */
static uint8_t *first_image, *image;
static size_t first_len, image_len;
static size_t next_event;

static void
note(struct event e)
{
	pthread_mutex_lock(&lock);
	if (n_events == cap_events) {
		cap_events = cap_events == 0 ? 1024 : cap_events * 2;
		events = xrealloc(events, cap_events * sizeof(*events));
	}
	events[n_events++] = e;
	n_syncs += e.is_sync;
	pthread_mutex_unlock(&lock);
}

static void
note_write(int fd, off_t at, const void *p, size_t len)
{
	struct event e = { .at = at,
		.len = len,
		.bytes = xmalloc(len),
		.is_durable = fd == durable_fd };

	memcpy(e.bytes, p, len);
	note(e);
}

static bool
is_watched(int fd)
{
	return fd >= 0 && (fd == plain_fd || fd == durable_fd);
}

/* --- instead of libc --- */

int
open(const char *path, int flags, ...)
{
	va_list ap;
	int mode, fd;

	va_start(ap, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(ap, int) : 0;
	va_end(ap);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (watched == NULL || strcmp(path, watched) != 0)
		return fd;
	if ((flags & O_DSYNC) != 0)
		durable_fd = fd;
	else
		plain_fd = fd;
	return fd;
}

ssize_t
pwrite(int fd, const void *p, size_t len, off_t at)
{
	ssize_t n = (ssize_t)syscall(SYS_pwrite64, fd, p, len, at);

	if (is_watched(fd) && n > 0)
		note_write(fd, at, p, (size_t)n);
	return n;
}

off_t
lseek(int fd, off_t at, int whence)
{
	off_t to = (off_t)syscall(SYS_lseek, fd, at, whence);

	if (fd == plain_fd && to >= 0)
		position = to;
	return to;
}

ssize_t
writev(int fd, const struct iovec *parts, int n_parts)
{
	ssize_t n = (ssize_t)syscall(SYS_writev, fd, parts, n_parts);
	size_t left = n > 0 ? (size_t)n : 0;

	for (int i = 0; is_watched(fd) && i < n_parts && left > 0; i++) {
		size_t len = parts[i].iov_len < left ? parts[i].iov_len : left;

		note_write(fd, position, parts[i].iov_base, len);
		position += (off_t)len;
		left -= len;
	}
	return n;
}

static int
sync_fd(int fd)
{
	if (is_watched(fd))
		note((struct event){ .is_sync = true });
	return 0;
}

int
fdatasync(int fd)
{
	return sync_fd(fd);
}

int
fsync(int fd)
{
	return sync_fd(fd);
}

/* --- what is left --- */

void
disk_watch(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	assert(fd >= 0);
	do {
		first_image = xrealloc(first_image, first_len + 65536);
		n = read(fd, first_image + first_len, 65536);
		first_len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	close(fd);
	watched = xstrdup(path);
}

size_t
disk_now(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = n_events;
	pthread_mutex_unlock(&lock);
	return n;
}

size_t
disk_n_syncs(void)
{
	return n_syncs;
}

static void
write_to(uint8_t **file, size_t *file_len, const struct event *e, size_t from,
    size_t len)
{
	size_t end = (size_t)e->at + from + len;

	if (end > *file_len) {
		*file = xrealloc(*file, end);
		memset(*file + *file_len, 0, end - *file_len);
		*file_len = end;
	}
	memcpy(*file + e->at + from, e->bytes + from, len);
}

void
disk_rewind(void)
{
	free(watched);
	watched = NULL;
	plain_fd = durable_fd = -1;
	next_event = 0;
	image = xrealloc(image, first_len);
	image_len = first_len;
	memcpy(image, first_image, first_len);
}

/* Everything before the last sync, and what was durable by itself. */
static size_t
settle(size_t moment)
{
	size_t sync = next_event;

	for (size_t i = next_event; i < moment; i++)
		if (events[i].is_sync)
			sync = i + 1;
	for (; next_event < sync; next_event++)
		if (!events[next_event].is_sync)
			write_to(&image, &image_len, &events[next_event], 0,
			    events[next_event].len);
	return sync;
}

/* Some of its sectors; a disk keeps none, all, or what it has come to. */
static void
write_some(uint8_t **file, size_t *file_len, const struct event *e,
    uint64_t (*chance)(void))
{
	uint64_t kind = chance() % 3;

	for (size_t at = 0; at < e->len; at += SECTOR) {
		size_t len = e->len - at < SECTOR ? e->len - at : SECTOR;

		if (kind == 0 || (kind == 1 && chance() % 2 == 0))
			continue;
		write_to(file, file_len, e, at, len);
	}
}

static void
write_file(const char *path, const uint8_t *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert(fd >= 0);
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, bytes + done, len - done);

		assert(n > 0);
		done += (size_t)n;
	}
	close(fd);
}

void
disk_restore(const char *path, size_t moment, uint64_t (*chance)(void))
{
	size_t sync = settle(moment);
	size_t len = image_len;
	uint8_t *file = xmalloc(len + 1);

	memcpy(file, image, len);
	for (size_t i = sync; i < moment; i++) {
		if (events[i].is_durable)
			write_to(&file, &len, &events[i], 0, events[i].len);
		else
			write_some(&file, &len, &events[i], chance);
	}
	/* The next one is under way. */
	if (moment < n_events && !events[moment].is_sync)
		write_some(&file, &len, &events[moment], chance);
	write_file(path, file, len);
	free(file);
}
