/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xalloc.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* Volatile, so that the compiler does not warn of what we do on purpose. */
static volatile size_t too_much = SIZE_MAX / 4;

Test(xalloc, nothing_is_a_pointer_too)
{
	void *m = xmalloc(0), *c = xcalloc(0, 8), *r = xrealloc(NULL, 0);

	cr_expect(ne(ptr, m, NULL));
	cr_expect(ne(ptr, c, NULL));
	cr_expect(ne(ptr, r, NULL));
	free(m);
	free(c);
	free(r);
}

Test(xalloc, calloc_clears)
{
	static const char zeros[240];
	char *p = xcalloc(24, 10);

	cr_expect(memcmp(p, zeros, sizeof(zeros)) == 0);
	free(p);
}

Test(xalloc, realloc_keeps_the_content)
{
	char *p = xstrdup("sensors/1");

	p = xrealloc(p, 100000);
	cr_expect_str_eq(p, "sensors/1");
	free(p);
}

Test(xalloc, strdup_copies)
{
	const char *s = "a/b";
	char *p = xstrdup(s);

	cr_expect_str_eq(p, s);
	cr_expect(ne(ptr, p, (void *)s));
	free(p);
}

Test(xalloc, memdup0_ends_with_a_zero)
{
	char *p = xmemdup0("abcdef", 3), *empty = xmemdup0(NULL, 0);

	cr_expect_str_eq(p, "abc");
	cr_expect_str_eq(empty, "");
	free(p);
	free(empty);
}

Test(xalloc, asprintf_formats_short_and_long_text)
{
	char *p = xasprintf("%s-%d", "worker", 12);
	char *q = xasprintf("%5000s", "x");

	cr_expect_str_eq(p, "worker-12");
	cr_expect(eq(sz, strlen(q), 5000));
	free(p);
	free(q);
}

Test(xalloc, malloc_aborts_when_memory_is_out, .signal = SIGABRT)
{
	free(xmalloc(too_much));
}

Test(xalloc, calloc_aborts_when_the_product_overflows, .signal = SIGABRT)
{
	free(xcalloc(too_much, 8));
}

Test(xalloc, realloc_aborts_when_memory_is_out, .signal = SIGABRT)
{
	free(xrealloc(NULL, too_much));
}

Test(xalloc, memdup0_aborts_when_the_zero_overflows, .signal = SIGABRT)
{
	free(xmemdup0("x", too_much * 4 + 3));
}
