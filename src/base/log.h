/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one line per event, to standard error or a file.
 *
 * error    someone must act          warning  something was lost
 * notice   state of the service      info     a client came or went
 * debug    packets
 *
 * A line is "2026-11-23 11:13:15.227 warning worker-1: text", in local time.
 * Control characters in the text, and what is not UTF-8, are shown as \xNN,
 * so that no peer can forge a line; what is too long is cut. Under systemd
 * (JOURNAL_STREAM names standard error) the time is left out and the level is
 * the "<N>" prefix that journald reads. errno is left alone. Any thread.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/*
 * Send lines to the file at `path`, appended, made 0640; NULL or "": standard
 * error. Returns 0 or -errno, and then logs where it did before.
 */
int log_open(const char *path) MUST_CHECK;
/* Open the same path again, after rotation. */
int log_reopen(void) MUST_CHECK;
/* The file is theirs from now on. Returns 0 or -errno. */
int log_give(uid_t uid, gid_t gid) MUST_CHECK;
void log_close(void);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error" ... "debug" to a level; false when it is none. */
bool log_level_parse(const char *name, enum log_level *out);
const char *log_level_name(enum log_level level);

/* Would a line of this level be written? Ask before costly arguments. */
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_vwrite(enum log_level level, const char *fmt, va_list ap)
    PRINTF_LIKE(2, 0);

#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_enabled(LOG_DEBUG))                                    \
			log_write(LOG_DEBUG, __VA_ARGS__);                     \
	} while (0)

/*
 * For what can happen thousands of times a second: a limiter per kind of
 * event lets one line through each second and counts the rest.
 */
struct log_limit {
	_Atomic unsigned long long next_ms;
	_Atomic unsigned long held;
};
/* True when a line may be written now; *held: how many were held back. */
bool log_limit_pass(struct log_limit *l, unsigned long *held);
