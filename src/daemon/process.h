/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process - what a daemon owes its operator: signals, a pid file, room for
 * descriptors, and word to systemd.
 *
 * Main thread only, one daemon per process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/thread.h"

struct event_base;

/* What an operator asks for, by a signal or by --signal=WORD. */
enum process_signal {
	PROCESS_RELOAD,    /* HUP   "reload" */
	PROCESS_REOPEN,    /* USR1  "reopen", the log */
	PROCESS_LAME_DUCK, /* USR2  "ldm" */
	PROCESS_STOP       /* TERM, INT  "stop" */
};

/* The word of --signal; false when it is none. */
bool process_signal_parse(const char *word, enum process_signal *out);

/* Send it to another daemon. Returns 0 or -errno. */
int process_signal_send(enum process_signal what, pid_t pid) MUST_CHECK;

/*
 * Block the signals above and ignore SIGPIPE. To be called before the first
 * thread is started, libraries' threads included: they inherit it.
 */
void process_block_signals(void) MAIN_THREAD;

/*
 * From now on `on_signal` runs in the loop of `base` for each signal that
 * comes, those included that came since process_block_signals. Returns 0 or
 * -errno.
 */
int
process_signals_start(struct event_base *base,
    void (*on_signal)(enum process_signal what, void *arg),
    void *arg) MAIN_THREAD
MUST_CHECK;
/* Before the base is freed; harmless when not started. */
void process_signals_stop(void) MAIN_THREAD;

/*
 * Become the daemon of this pid file: create it, lock it for as long as the
 * process lives and write our pid. -EEXIST: another daemon holds it, *other
 * is its pid (0: it has not written it yet); or -errno.
 */
int
process_pid_file_take(const char *path, pid_t *other) MAIN_THREAD
MUST_CHECK;
/* Remove it and let go; harmless when none was taken. */
void process_pid_file_drop(void) MAIN_THREAD;
/* Who holds this pid file? -ESRCH: nobody; or -errno. */
int process_pid_file_read(const char *path, pid_t *out) MUST_CHECK;

/*
 * Raise the soft limit of open descriptors to the hard one. Returns what is
 * in force then.
 */
size_t process_raise_files(void) MAIN_THREAD;

/*
 * Never gain privileges, whatever is executed: nothing is, so whoever makes us
 * gains nothing.
 */
void process_renounce(void) MAIN_THREAD;

/*
 * Keep what is in memory, passwords and keys, out of core files, and debuggers
 * of the same user out of the process; or (false) do not. A build with a leak
 * checker is left as it is, since that is a debugger.
 */
void process_hide_memory(bool hide) MAIN_THREAD;

/* What systemd is told; see sd_notify(3). */
enum process_state {
	PROCESS_READY, /* also: reloading is done */
	PROCESS_RELOADING,
	PROCESS_STOPPING,
	PROCESS_WATCHDOG /* still alive */
};
/*
 * Tell the service manager, with a line of status for `systemctl status` (may
 * be NULL). Does nothing when not started by one that wants to know.
 */
void process_notify(enum process_state state, const char *status) MAIN_THREAD;

/*
 * How often the service manager wants to hear that, microseconds; 0: it does
 * not. See sd_watchdog_enabled(3).
 */
uint64_t process_watchdog_us(void) MAIN_THREAD;
