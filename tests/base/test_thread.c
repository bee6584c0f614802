/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include "base/attr.h"

static void (*const asserts[])(void) = {
	[THREAD_MAIN] = thread_assert_main,
	[THREAD_ACCEPTOR] = thread_assert_acceptor,
	[THREAD_WORKER] = thread_assert_worker,
	[THREAD_NATS] = thread_assert_nats,
};

/*
 * A parameter reaches its test in another process, so it holds numbers only:
 * pointers, to strings for example, would point nowhere.
 */
struct wrong_role {
	enum thread_kind is;
	enum thread_kind wanted;
};

ParameterizedTestParameters(thread, aborts_in_a_thread_of_another_role)
{
	static struct wrong_role cases[16];
	size_t is, wanted, n = 0;

	for (is = THREAD_NONE; is <= THREAD_NATS; is++)
		for (wanted = THREAD_MAIN; wanted <= THREAD_NATS; wanted++)
			if (is != wanted)
				cases[n++] =
				    (struct wrong_role){ (enum thread_kind)is,
					    (enum thread_kind)wanted };
	return cr_make_param_array(struct wrong_role, cases, n);
}

ParameterizedTest(struct wrong_role *c, thread,
    aborts_in_a_thread_of_another_role, .signal = SIGABRT)
{
	if (c->is != THREAD_NONE)
		thread_enter(c->is, "test");
	asserts[c->wanted]();
}

Test(thread, accepts_its_own_role)
{
	size_t kind;

	for (kind = THREAD_MAIN; kind <= THREAD_NATS; kind++) {
		thread_enter((enum thread_kind)kind, "test");
		asserts[kind]();
	}
}

Test(thread, name_is_shown_by_ps_and_by_us)
{
	char shown[16], name[THREAD_NAME_SIZE];

	thread_enter(THREAD_WORKER, "worker-1");
	cr_assert(eq(int, prctl(PR_GET_NAME, shown, 0, 0, 0), 0));
	thread_name(name);
	cr_expect_str_eq(shown, "worker-1");
	cr_expect_str_eq(name, "worker-1");
}

Test(thread, main_keeps_the_name_of_the_process)
{
	char before[16], after[16], name[THREAD_NAME_SIZE];

	cr_assert(eq(int, prctl(PR_GET_NAME, before, 0, 0, 0), 0));
	thread_enter(THREAD_MAIN, "main");
	cr_assert(eq(int, prctl(PR_GET_NAME, after, 0, 0, 0), 0));
	thread_name(name);
	cr_expect_str_eq(after, before);
	cr_expect_str_eq(name, "main");
}

Test(thread, name_of_a_foreign_thread_is_what_ps_shows)
{
	char name[THREAD_NAME_SIZE];

	cr_assert(eq(int, prctl(PR_SET_NAME, "library", 0, 0, 0), 0));
	thread_name(name);
	cr_expect_str_eq(name, "library");
}

Test(thread, long_name_is_cut)
{
	char name[THREAD_NAME_SIZE];

	thread_enter(THREAD_NATS, "0123456789abcdefgh");
	thread_name(name);
	cr_expect_str_eq(name, "0123456789abcde");
}

/*
 * Threads other than the test's own only take notes: an assertion that fails
 * there would jump out of another thread's stack.
 */
struct note {
	sigset_t mask;
	char name[THREAD_NAME_SIZE];
};

static void *
take_notes(void *arg)
{
	struct note *note = arg;

	pthread_sigmask(SIG_SETMASK, NULL, &note->mask);
	thread_enter(THREAD_WORKER, "worker-2");
	thread_assert_worker();
	thread_name(note->name);
	return note;
}

Test(thread, starts_with_all_signals_blocked)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1,
		SIGUSR2, SIGPIPE, SIGCHLD };
	struct note note;
	sigset_t before, after;
	pthread_t thread;
	void *result;
	size_t i;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	cr_assert(eq(int, thread_start(&thread, take_notes, &note), 0));
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	cr_assert(eq(int, pthread_join(thread, &result), 0));
	cr_expect(eq(ptr, result, &note));
	for (i = 0; i < countof(signals); i++) {
		cr_expect(sigismember(&note.mask, signals[i]) == 1,
		    "signal %d in the thread", signals[i]);
		cr_expect(sigismember(&after, signals[i]) ==
			sigismember(&before, signals[i]),
		    "signal %d in the starter", signals[i]);
	}
}

Test(thread, role_and_name_belong_to_one_thread)
{
	struct note note;
	char name[THREAD_NAME_SIZE];
	pthread_t thread;

	thread_enter(THREAD_MAIN, "main");
	cr_assert(eq(int, thread_start(&thread, take_notes, &note), 0));
	cr_assert(eq(int, pthread_join(thread, NULL), 0));
	thread_assert_main();
	thread_name(name);
	cr_expect_str_eq(name, "main");
	cr_expect_str_eq(note.name, "worker-2");
}
