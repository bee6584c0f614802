/* SPDX-License-Identifier: Apache-2.0 */
#include "net/admission.h"

#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "net/listener.h"

union address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static union address
from(const char *host)
{
	union address a;

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, host, &a.v4.sin_addr) == 1)
		a.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &a.v6.sin6_addr) == 1)
		a.sa.sa_family = AF_INET6;
	cr_assert_neq(a.sa.sa_family, 0);
	return a;
}

static enum admission_result
enter(struct admission *a, const char *host, unsigned max, unsigned rate,
    uint64_t now_ms)
{
	union address in = from(host);
	const struct admission_limits limits = { max, rate };

	return admission_enter(a, &in.sa, &limits, now_ms);
}

static void
leave(struct admission *a, const char *host)
{
	union address in = from(host);
	char text[ADDRESS_SIZE];

	address_print(&in.sa, sizeof(in), text);
	admission_leave(a, text);
}

Test(admission, counts_addresses_by_themselves)
{
	struct admission *a = admission_new();

	cr_expect_eq(enter(a, "10.0.0.1", 2, 0, 1000), ADMISSION_COUNTED);
	cr_expect_eq(enter(a, "10.0.0.1", 2, 0, 1000), ADMISSION_COUNTED);
	cr_expect_eq(enter(a, "10.0.0.1", 2, 0, 1000), ADMISSION_TOO_MANY);
	cr_expect_eq(enter(a, "10.0.0.2", 2, 0, 1000), ADMISSION_COUNTED);
	/* The same in another family's clothes. */
	cr_expect_eq(enter(a, "::ffff:10.0.0.1", 2, 0, 1000),
	    ADMISSION_TOO_MANY);
	leave(a, "10.0.0.1");
	cr_expect_eq(enter(a, "10.0.0.1", 2, 0, 1000), ADMISSION_COUNTED);
	cr_expect_eq(admission_len(a), 2);
	admission_free(&a);
}

Test(admission, takes_a_network_of_ipv6_for_one)
{
	struct admission *a = admission_new();

	cr_expect_eq(enter(a, "2001:db8:0:1::1", 2, 0, 1000),
	    ADMISSION_COUNTED);
	cr_expect_eq(enter(a, "2001:db8:0:1:ffff::2", 2, 0, 1000),
	    ADMISSION_COUNTED);
	cr_expect_eq(enter(a, "2001:db8:0:1::3", 2, 0, 1000),
	    ADMISSION_TOO_MANY);
	cr_expect_eq(enter(a, "2001:db8:0:2::1", 2, 0, 1000),
	    ADMISSION_COUNTED);
	leave(a, "2001:db8:0:1::1");
	leave(a, "2001:db8:0:1:ffff::2");
	leave(a, "2001:db8:0:2::1");
	admission_free(&a);
}

Test(admission, lets_so_many_a_second_in_and_twice_that_at_first)
{
	struct admission *a = admission_new();
	unsigned n = 0;

	while (enter(a, "10.0.0.1", 0, 10, 5000) == ADMISSION_COUNTED)
		n++;
	cr_expect_eq(n, 20);
	cr_expect_eq(enter(a, "10.0.0.1", 0, 10, 5099), ADMISSION_TOO_FAST);
	cr_expect_eq(enter(a, "10.0.0.1", 0, 10, 5101), ADMISSION_COUNTED);
	cr_expect_eq(enter(a, "10.0.0.1", 0, 10, 5101), ADMISSION_TOO_FAST);
	cr_expect_eq(enter(a, "10.0.0.2", 0, 10, 5101), ADMISSION_COUNTED);
	/* Never more than that, however quiet it was. */
	for (n = 0; enter(a, "10.0.0.1", 0, 10, 900000) == ADMISSION_COUNTED;)
		n++;
	cr_expect_eq(n, 20);
	admission_free(&a);
}

Test(admission, leaves_this_machine_alone_unless_it_is_meant)
{
	struct admission *a = admission_new();

	cr_expect_eq(enter(a, "127.0.0.1", ADMISSION_AUTO, ADMISSION_AUTO, 1),
	    ADMISSION_UNCOUNTED);
	cr_expect_eq(enter(a, "::1", ADMISSION_AUTO, ADMISSION_AUTO, 1),
	    ADMISSION_UNCOUNTED);
	cr_expect_eq(enter(a, "10.0.0.1", 0, 0, 1), ADMISSION_UNCOUNTED);
	cr_expect_eq(admission_len(a), 0);
	cr_expect_eq(enter(a, "::1", 1, ADMISSION_AUTO, 1), ADMISSION_COUNTED);
	cr_expect_eq(enter(a, "::1", 1, ADMISSION_AUTO, 1), ADMISSION_TOO_MANY);
	for (unsigned i = 0; i < ADMISSION_AUTO_RATE * 2; i++)
		cr_assert_eq(enter(a, "10.0.0.1", ADMISSION_AUTO,
				 ADMISSION_AUTO, 1),
		    ADMISSION_COUNTED);
	cr_expect_eq(enter(a, "10.0.0.1", ADMISSION_AUTO, ADMISSION_AUTO, 1),
	    ADMISSION_TOO_FAST);
	admission_free(&a);
}

Test(admission, forgets_those_who_are_quiet)
{
	struct admission *a = admission_new();
	char host[32];

	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(host, sizeof(host), "10.0.%u.%u", i / 250,
		    i % 250);
		cr_assert_eq(enter(a, host, 5, 5, 1000 + i), ADMISSION_COUNTED);
		leave(a, host);
	}
	cr_expect_eq(enter(a, "10.1.0.0", 5, 5, 1000), ADMISSION_COUNTED);
	cr_expect_eq(admission_len(a), 1001);
	for (unsigned i = 0; i < 300; i++) {
		cr_assert_eq(enter(a, "10.2.0.0", 5, 0, 90000),
		    ADMISSION_COUNTED);
		leave(a, "10.2.0.0");
	}
	/* Who is here is remembered. */
	cr_expect_eq(admission_len(a), 2);
	leave(a, "10.1.0.0");
	admission_free(&a);
}

Test(admission, counts_nobody_who_has_no_address)
{
	struct admission *a = admission_new();
	const struct sockaddr local = { .sa_family = AF_UNIX };
	const struct admission_limits limits = { 1, 1 };

	for (int i = 0; i < 3; i++)
		cr_expect_eq(admission_enter(a, &local, &limits, 1),
		    ADMISSION_UNCOUNTED);
	admission_leave(a, "unix");
	admission_free(&a);
}
