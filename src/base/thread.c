/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread - which thread may call what.
 */
#include "base/thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/attr.h"
#include "base/log.h"

struct role main_role, acceptor_role, worker_role, nats_role, store_role;

static _Thread_local enum thread_kind kind;
static _Thread_local char name[THREAD_NAME_SIZE];

static const char *const kind_names[] = {
	[THREAD_NONE] = "none",
	[THREAD_MAIN] = "main",
	[THREAD_ACCEPTOR] = "acceptor",
	[THREAD_WORKER] = "worker",
	[THREAD_NATS] = "nats",
	[THREAD_STORE] = "store",
};

void
thread_enter(enum thread_kind new_kind, const char *new_name)
{
	kind = new_kind;
	snprintf(name, sizeof(name), "%s", new_name);
	/* To ps, the name of the main thread is the name of the process. */
	if (new_kind != THREAD_MAIN)
		prctl(PR_SET_NAME, name, 0, 0, 0);
}

void
thread_name(char out[THREAD_NAME_SIZE])
{
	if (name[0] != '\0')
		snprintf(out, THREAD_NAME_SIZE, "%s", name);
	else if (prctl(PR_GET_NAME, out, 0, 0, 0) != 0)
		out[0] = '\0';
}

static void
assert_kind(enum thread_kind want)
{
	if (kind == want)
		return;
	log_error("a function of the %s thread was called in a thread of "
		  "kind %s",
	    kind_names[want], kind_names[kind]);
	abort();
}

void
thread_assert_main(void)
{
	assert_kind(THREAD_MAIN);
}

void
thread_assert_acceptor(void)
{
	assert_kind(THREAD_ACCEPTOR);
}

void
thread_assert_worker(void)
{
	assert_kind(THREAD_WORKER);
}

void
thread_assert_nats(void)
{
	assert_kind(THREAD_NATS);
}

void
thread_assert_store(void)
{
	assert_kind(THREAD_STORE);
}

int
thread_start(pthread_t *out, void *(*run)(void *), void *arg)
{
	sigset_t all, old;
	pthread_t thread;
	int rc;

	/* The new thread inherits the mask, so no signal can slip in. */
	sigfillset(&all);
	rc = pthread_sigmask(SIG_SETMASK, &all, &old);
	if (rc != 0)
		return -rc;
	rc = pthread_create(&thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		*out = thread;
	return -rc;
}
