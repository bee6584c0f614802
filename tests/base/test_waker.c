/* SPDX-License-Identifier: Apache-2.0 */
#include "base/waker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/thread.h"

static struct waker w;

static void
open_waker(void)
{
	cr_assert(eq(int, waker_init(&w), 0));
}

static void
close_waker(void)
{
	waker_fini(&w);
}

TestSuite(waker, .init = open_waker, .fini = close_waker);

static bool
is_readable(void)
{
	struct pollfd p = { .fd = w.fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* How many writes have come in since the last look; none: 0. */
static uint64_t
read_writes(void)
{
	uint64_t n = 0;

	if (read(w.fd, &n, sizeof(n)) < 0)
		return 0;
	return n;
}

Test(waker, is_born_asleep_and_quiet)
{
	cr_expect(not(is_readable()));
	waker_kick(&w);
	cr_expect(is_readable());
}

Test(waker, many_kicks_write_once)
{
	int i;

	for (i = 0; i < 10; i++)
		waker_kick(&w);
	cr_expect(eq(u64, read_writes(), 1));
}

Test(waker, kick_of_one_who_is_awake_does_nothing)
{
	waker_kick(&w);
	waker_clear(&w);
	cr_expect(not(is_readable()));
	waker_kick(&w);
	waker_kick(&w);
	cr_expect(not(is_readable()));
}

Test(waker, every_arm_allows_one_write)
{
	int i;

	waker_clear(&w);
	for (i = 0; i < 5; i++) {
		waker_arm(&w);
		waker_kick(&w);
		waker_kick(&w);
	}
	cr_expect(eq(u64, read_writes(), 5));
}

Test(waker, disarmed_is_awake)
{
	waker_clear(&w);
	waker_arm(&w);
	waker_disarm(&w);
	waker_kick(&w);
	cr_expect(not(is_readable()));
}

Test(waker, clear_of_a_quiet_one_counts_as_awake)
{
	waker_clear(&w);
	waker_kick(&w);
	cr_expect(not(is_readable()));
}

Test(waker, never_blocks_and_is_not_inherited)
{
	cr_expect(eq(int, fcntl(w.fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK));
	cr_expect(eq(int, fcntl(w.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
}

Test(waker, init_tells_when_descriptors_are_out)
{
	struct rlimit limit, none;
	struct waker other;
	int rc;

	cr_assert(eq(int, getrlimit(RLIMIT_NOFILE, &limit), 0));
	none = (struct rlimit){ .rlim_max = limit.rlim_max };
	cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &none), 0));
	rc = waker_init(&other);
	/* Criterion needs descriptors to hear of the result. */
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_expect(eq(int, rc, -EMFILE));
}

/*
 * Several producers count up and kick; the owner sleeps whenever it has seen
 * all there was. A lost kick is a test that hangs.
 */
#define N_KICKERS 3u
#define N_KICKS   20000u

static atomic_uint work;

static void *
kick_often(void *arg)
{
	unsigned i;

	for (i = 0; i < N_KICKS; i++) {
		atomic_fetch_add_explicit(&work, 1, memory_order_relaxed);
		waker_kick(&w);
	}
	return arg;
}

static unsigned
seen_work(void)
{
	return atomic_load_explicit(&work, memory_order_relaxed);
}

Test(waker, many_threads_never_leave_the_owner_asleep, .timeout = 120)
{
	struct pollfd p = { .fd = w.fd, .events = POLLIN };
	pthread_t kickers[N_KICKERS];
	unsigned done = 0, i;

	for (i = 0; i < N_KICKERS; i++)
		cr_assert(
		    eq(int, thread_start(&kickers[i], kick_often, NULL), 0));
	while (done < N_KICKERS * N_KICKS) {
		done = seen_work();
		waker_arm(&w);
		if (seen_work() == done && done < N_KICKERS * N_KICKS) {
			poll(&p, 1, -1);
			waker_clear(&w);
		} else
			waker_disarm(&w);
	}
	for (i = 0; i < N_KICKERS; i++)
		pthread_join(kickers[i], NULL);
	cr_expect(eq(u32, done, N_KICKERS * N_KICKS));
}
