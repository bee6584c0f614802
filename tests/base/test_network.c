/* SPDX-License-Identifier: Apache-2.0 */
#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <criterion/criterion.h>

static struct sockaddr_storage
address(const char *text)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&ss;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		ss.ss_family = AF_INET;
		return ss;
	}
	cr_assert_eq(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	ss.ss_family = AF_INET6;
	return ss;
}

Test(network, parses_blocks_and_nothing_else)
{
	static const struct {
		const char *text;
		bool is_good;
		unsigned bits;
	} cases[] = {
		{ "10.0.0.0/8", true, 104 },
		{ "10.1.2.3", true, 128 },
		{ "0.0.0.0/0", true, 96 },
		{ "255.255.255.255/32", true, 128 },
		{ "::/0", true, 0 },
		{ "fd00::/8", true, 8 },
		{ "2001:db8::1", true, 128 },
		{ "10.0.0.1/8", false, 0 }, /* did they mean 10.0.0.1? */
		{ "fd00::1/64", false, 0 },
		{ "10.0.0.0/33", false, 0 },
		{ "::/129", false, 0 },
		{ "10.0.0.0/", false, 0 },
		{ "10.0.0.0/8x", false, 0 },
		{ "10.0.0.0/-1", false, 0 },
		{ "10.0.0.0/00000000000008", false, 0 },
		{ "10.0.0/8", false, 0 },
		{ "localhost", false, 0 },
		{ "", false, 0 },
		{ "/8", false, 0 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct network n;

		cr_expect_eq(network_parse(cases[i].text, &n), cases[i].is_good,
		    "%s", cases[i].text);
		if (cases[i].is_good)
			cr_expect_eq(n.bits, cases[i].bits, "%s",
			    cases[i].text);
	}
}

Test(network, contains_what_has_its_bits)
{
	static const struct {
		const char *network;
		const char *in, *out;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", "11.0.0.0" },
		{ "192.0.2.128/25", "192.0.2.128", "192.0.2.127" },
		{ "192.0.2.4/30", "192.0.2.7", "192.0.2.8" },
		{ "192.0.2.7", "192.0.2.7", "192.0.2.6" },
		{ "0.0.0.0/0", "203.0.113.9", "2001:db8::1" },
		{ "::ffff:10.0.0.0/104", "10.0.0.1", "11.0.0.1" },
		{ "10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1" },
		{ "fd00::/8", "fdff::1", "fe00::1" },
		{ "2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		char *list[] = { (char *)(uintptr_t)cases[i].network, NULL };
		struct sockaddr_storage in = address(cases[i].in);
		struct sockaddr_storage out = address(cases[i].out);
		struct networks n;

		networks_init(&n, list);
		cr_expect(networks_contain(&n, (struct sockaddr *)&in), "%zu",
		    i);
		cr_expect_not(networks_contain(&n, (struct sockaddr *)&out),
		    "%zu", i);
		networks_fini(&n);
	}
}

Test(network, contains_nothing_where_there_is_none_and_no_path)
{
	char every[] = "::/0", *none[] = { NULL }, *all[] = { every, NULL };
	struct sockaddr_storage ss = address("10.0.0.1");
	struct sockaddr unix_ = { .sa_family = AF_UNIX };
	struct networks n;

	networks_init(&n, none);
	cr_expect_not(networks_contain(&n, (struct sockaddr *)&ss));
	networks_fini(&n);
	networks_init(&n, all);
	cr_expect(networks_contain(&n, (struct sockaddr *)&ss));
	cr_expect_not(networks_contain(&n, &unix_));
	networks_fini(&n);
}
