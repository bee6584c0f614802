/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sanitizer - makes Criterion and the sanitizers of the compiler get along.
 *
 * Listed in the sources of every test program; empty in ordinary builds.
 *
 * - Criterion maps memory that it shares with its children at a random place
 *   between 2^45 and 0x600000000000, most of which ThreadSanitizer keeps for
 *   itself, so that no program even starts (Criterion issue 274). It asks
 *   rand_r for the place; ours answers with one that both agree on.
 * - A race is reported and the test goes on, and passes: stop instead.
 * - A leak is found when a test's process ends, when Criterion has already
 *   counted the test as passed: look for it at the end of the test.
 * - Where memory is out, malloc shall say so, for the tests of xalloc.
 */
#include "config.h"

#include <stddef.h>

typedef int not_an_empty_file;

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)

#include <stdint.h>

/* Criterion maps at FIRST_PLACE + rand_r() * PLACE_SIZE. */
#define FIRST_PLACE UINT64_C(0x200000000000)
#define PLACE_SIZE  (UINT64_C(1) << 24)
/* Behind the last address where Linux loads a program. */
#define GOOD_PLACE  UINT64_C(0x566000000000)

int rand_r(unsigned *seed);
const char *__tsan_default_options(void);

int
rand_r(unsigned *seed)
{
	*seed = (*seed + 1) % 4096;
	return (int)((GOOD_PLACE - FIRST_PLACE) / PLACE_SIZE + *seed);
}

const char *
__tsan_default_options(void)
{
	return "halt_on_error=1:allocator_may_return_null=1";
}

#endif

#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)

#include <dlfcn.h>
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

typedef void test_fn(void *param);
typedef void run_fn(void (*test)(void));

const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);

static test_fn *wanted;

/* On a busy machine Criterion's own runner loses 48 bytes now and then. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libcriterion.so\n";
}

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* Only tests with parameters are called with one; the others ignore it. */
static void
run_and_check(void *param)
{
	wanted(param);
	if (__lsan_do_recoverable_leak_check() != 0)
		cr_assert_fail("the test leaks memory");
}

/* Every Test() calls this one to have itself run. */
void
criterion_internal_test_main(void (*test)(void))
{
	void *real = dlsym(RTLD_NEXT, "criterion_internal_test_main");
	run_fn *run;

	if (real == NULL)
		abort();
	memcpy(&run, &real, sizeof(run));
	wanted = (test_fn *)test;
	run((void (*)(void))run_and_check);
}

#endif
