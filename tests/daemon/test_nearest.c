/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/nearest.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/attr.h"

Test(nearest, counts_edits)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{ "", "", 0 },
		{ "port", "port", 0 },
		{ "PORT", "port", 0 },
		{ "", "url", 3 },
		{ "url", "", 3 },
		{ "prot", "port", 1 },
		{ "pot", "port", 1 },
		{ "porrt", "port", 1 },
		{ "pork", "port", 1 },
		{ "max_paket_size", "max_packet_size", 1 },
		{ "abcd", "badc", 2 },
		{ "ca", "abc", 3 },
		{ "kitten", "sitting", 3 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		cr_expect_eq(nearest_distance(cases[i].a, cases[i].b),
		    cases[i].distance, "%s %s", cases[i].a, cases[i].b);
		cr_expect_eq(nearest_distance(cases[i].b, cases[i].a),
		    cases[i].distance, "%s %s", cases[i].b, cases[i].a);
	}
}

Test(nearest, takes_words_of_any_length)
{
	char a[200], b[200];

	for (size_t i = 0; i < sizeof(a); i++) {
		a[i] = 'a';
		b[i] = 'b';
	}
	a[199] = b[199] = '\0';
	cr_expect_eq(nearest_distance(a, b), 63);
	cr_expect_eq(nearest_distance(a, a), 0);
}
