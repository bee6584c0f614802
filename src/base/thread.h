/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread - which thread may call what.
 *
 * Every prototype that touches shared or owned state carries one of the
 * marks below. Clang checks them (-Wthread-safety); a callback, whose caller
 * the compiler cannot see, proves itself first with thread_assert_*.
 */
#pragma once

#include <pthread.h>

#if defined(__clang__)
#define ROLE(x) __attribute__((x))
#else
#define ROLE(x)
#endif

struct ROLE(capability("thread role")) role {
	char unused;
};
extern struct role main_role, acceptor_role, worker_role, nats_role, store_role;

#define MAIN_THREAD     ROLE(requires_capability(main_role))
#define ACCEPTOR_THREAD ROLE(requires_capability(acceptor_role))
#define WORKER_THREAD   ROLE(requires_capability(worker_role))
#define NATS_THREAD     ROLE(requires_capability(nats_role))
#define STORE_THREAD    ROLE(requires_capability(store_role))
#define ANY_THREAD
/* Nobody else runs: before the threads start or after they have ended. */
#define ALONE ROLE(no_thread_safety_analysis)

enum thread_kind {
	THREAD_NONE, /* a library's thread, or a test that did not say */
	THREAD_MAIN,
	THREAD_ACCEPTOR,
	THREAD_WORKER,
	THREAD_NATS,
	THREAD_STORE
};

#define THREAD_NAME_SIZE 16u

/*
 * Say what the calling thread is, once, at its beginning; `name` (at most 15
 * characters) is what ps and the log show; for main only the log, because
 * its name in ps is that of the process.
 */
void thread_enter(enum thread_kind kind, const char *name);

/* The calling thread's name; where it never entered, what ps shows. */
void thread_name(char out[THREAD_NAME_SIZE]);

/* Abort unless the calling thread entered as what the function is called. */
void thread_assert_main(void) ROLE(assert_capability(main_role));
void thread_assert_acceptor(void) ROLE(assert_capability(acceptor_role));
void thread_assert_worker(void) ROLE(assert_capability(worker_role));
void thread_assert_nats(void) ROLE(assert_capability(nats_role));
void thread_assert_store(void) ROLE(assert_capability(store_role));

/*
 * Start a thread with all signals blocked (signals belong to main). Returns
 * 0 or -errno.
 */
int thread_start(pthread_t *out, void *(*run)(void *), void *arg);
