/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one line per event, to standard error or a file.
 *
 * Writers take no lock: a line is put together on the stack and goes out
 * with one write. The file's descriptor is therefore never closed once it
 * was opened; another file is put under the same number (dup3), so that a
 * writer who has just read the number cannot meet a stranger's file there.
 */
#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#define TEXT_SIZE 2048u
#define LINE_SIZE 4096u
#define LIMIT_MS  1000u

enum style { STYLE_UNKNOWN, STYLE_PLAIN, STYLE_JOURNAL };

static const struct {
	const char *name;
	const char *journal; /* the levels of syslog(3) */
} levels[] = {
	[LOG_ERROR] = { "error", "<3>" },
	[LOG_WARNING] = { "warning", "<4>" },
	[LOG_NOTICE] = { "notice", "<5>" },
	[LOG_INFO] = { "info", "<6>" },
	[LOG_DEBUG] = { "debug", "<7>" },
};

static atomic_int max_level = LOG_INFO;
static atomic_int out_fd = STDERR_FILENO;
static atomic_int stderr_style = STYLE_UNKNOWN;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int file_fd = -1; /* [l] once opened, never closed */
static char *file_path;  /* [l] NULL: standard error */

/* A line on its way out; what does not fit is cut off. */
struct line {
	char text[LINE_SIZE];
	size_t len;
};

static int
open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

/* Let file_fd be what `fd` is. */
static int
put_under_file_fd(int fd)
{
	if (file_fd < 0)
		file_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	else if (dup3(fd, file_fd, O_CLOEXEC) < 0)
		return -errno;
	return file_fd < 0 ? -errno : 0;
}

static int
send_to_file(const char *path)
{
	int fd = open_file(path), rc;

	if (fd < 0)
		return fd;
	rc = put_under_file_fd(fd);
	close(fd);
	if (rc == 0)
		atomic_store(&out_fd, file_fd);
	return rc;
}

static void
send_to_stderr(void)
{
	atomic_store(&stderr_style, STYLE_UNKNOWN);
	atomic_store(&out_fd, STDERR_FILENO);
	/* Let go of the file, and serve the writers that are still there. */
	if (file_fd >= 0)
		(void)put_under_file_fd(STDERR_FILENO);
	free(file_path);
	file_path = NULL;
}

int
log_open(const char *path)
{
	char *copy;
	int rc = 0;

	pthread_mutex_lock(&lock);
	if (path == NULL || path[0] == '\0')
		send_to_stderr();
	else
		rc = send_to_file(path);
	if (rc == 0 && path != NULL && path[0] != '\0') {
		copy = xstrdup(path);
		free(file_path);
		file_path = copy;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

int
log_give(uid_t uid, gid_t gid)
{
	int rc = 0;

	pthread_mutex_lock(&lock);
	if (file_path != NULL && fchown(file_fd, uid, gid) != 0)
		rc = -errno;
	pthread_mutex_unlock(&lock);
	return rc;
}

int
log_reopen(void)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = file_path != NULL ? send_to_file(file_path) : 0;
	pthread_mutex_unlock(&lock);
	return rc;
}

void
log_close(void)
{
	pthread_mutex_lock(&lock);
	send_to_stderr();
	pthread_mutex_unlock(&lock);
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

enum log_level
log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&max_level,
	    memory_order_relaxed);
}

bool
log_level_parse(const char *name, enum log_level *out)
{
	size_t i;

	for (i = 0; i < countof(levels); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *
log_level_name(enum log_level level)
{
	return levels[level].name;
}

bool
log_enabled(enum log_level level)
{
	return level <= log_get_level();
}

/*
 * JOURNAL_STREAM is inherited by whatever a service starts, so it counts
 * only where it names the very file that standard error is (systemd.exec(5)).
 */
static enum style
find_stderr_style(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) != 0)
		return STYLE_PLAIN;
	snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(stream, here) == 0 ? STYLE_JOURNAL : STYLE_PLAIN;
}

static bool
is_for_journal(int fd)
{
	int style;

	if (fd != STDERR_FILENO)
		return false;
	style = atomic_load(&stderr_style);
	if (style == STYLE_UNKNOWN) {
		style = (int)find_stderr_style();
		atomic_store(&stderr_style, style);
	}
	return style == STYLE_JOURNAL;
}

static void
append(struct line *l, const char *s, size_t len)
{
	if (len > sizeof(l->text) - l->len)
		len = sizeof(l->text) - l->len;
	memcpy(l->text + l->len, s, len);
	l->len += len;
}

static void
append_time(struct line *l)
{
	uint64_t ms = clock_wall_ms();
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[64];
	size_t len;

	localtime_r(&seconds, &tm);
	len = strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	append(l, text, len);
	len = (size_t)snprintf(text, sizeof(text), ".%03u ",
	    (unsigned)(ms % 1000));
	append(l, text, len);
}

static void
append_prefix(struct line *l, enum log_level level, bool journal)
{
	char name[THREAD_NAME_SIZE];

	if (journal)
		append(l, levels[level].journal, strlen(levels[level].journal));
	else {
		append_time(l);
		append(l, levels[level].name, strlen(levels[level].name));
		append(l, " ", 1);
	}
	thread_name(name);
	append(l, name, strlen(name));
	append(l, ": ", 2);
}

/*
 * Is the byte at `i` (part of) a control character? U+0080 to U+009F are,
 * too: terminals obey them. In text that is not UTF-8 they are single bytes.
 */
static bool
is_control(struct slice s, size_t i, bool is_utf8)
{
	uint8_t c = s.ptr[i];

	if (c < 0x80)
		return c < 0x20 || c == 0x7f;
	if (!is_utf8)
		return true;
	if (c == 0xc2)
		return s.ptr[i + 1] < 0xa0;
	return c < 0xa0 && s.ptr[i - 1] == 0xc2;
}

static void
append_escaped(struct line *l, struct slice s)
{
	bool is_utf8 = utf8_valid(s);
	char hex[5];
	size_t i;

	for (i = 0; i < s.len && sizeof(l->text) - l->len > sizeof(hex); i++) {
		if (is_control(s, i, is_utf8)) {
			snprintf(hex, sizeof(hex), "\\x%02x", s.ptr[i]);
			append(l, hex, 4);
		} else
			append(l, (const char *)s.ptr + i, 1);
	}
}

/* What vsnprintf has left of a text, without half a character at its end. */
static struct slice
whole_text(const char *text, size_t wanted)
{
	size_t len = wanted;

	if (wanted < TEXT_SIZE)
		return slice_of(text, wanted);
	len = TEXT_SIZE - 1;
	while (len > 0 && ((uint8_t)text[len - 1] & 0xc0) == 0x80)
		len--;
	if (len > 0 && (uint8_t)text[len - 1] >= 0xc0)
		len--;
	return slice_of(text, len);
}

static void
write_out(int fd, const struct line *l)
{
	ssize_t n;

	/* A line that cannot be written has nowhere else to go. */
	do
		n = write(fd, l->text, l->len);
	while (n < 0 && errno == EINTR);
}

void
log_vwrite(enum log_level level, const char *fmt, va_list ap)
{
	int fd, len, saved = errno;
	char text[TEXT_SIZE];
	struct line l;

	if (!log_enabled(level))
		return;
	l.len = 0;
	len = vsnprintf(text, sizeof(text), fmt, ap);
	if (len < 0)
		len = 0;
	fd = atomic_load_explicit(&out_fd, memory_order_relaxed);
	append_prefix(&l, level, is_for_journal(fd));
	append_escaped(&l, whole_text(text, (size_t)len));
	append(&l, "\n", 1);
	write_out(fd, &l);
	errno = saved;
}

void
log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vwrite(level, fmt, ap);
	va_end(ap);
}

bool
log_limit_pass(struct log_limit *l, unsigned long *held)
{
	unsigned long long now = clock_mono_ms();
	unsigned long long next = atomic_load(&l->next_ms);

	/* Of several threads that find the time has come, one wins. */
	if (now < next ||
	    !atomic_compare_exchange_strong(&l->next_ms, &next,
		now + LIMIT_MS)) {
		atomic_fetch_add(&l->held, 1);
		return false;
	}
	*held = atomic_exchange(&l->held, 0);
	return true;
}
