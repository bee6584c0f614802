/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/client_prefix.h"

#include <criterion/criterion.h>

static const struct {
	const char *text;
	const char *user;
	const char *want; /* NULL: there is none */
} cases[] = {
	{ "", "al", "" },
	{ "", NULL, "" },
	{ "dev-", NULL, "dev-" },
	{ "%u", "al", "al" },
	{ "%u-", "al", "al-" },
	{ "x%uy%u", "al", "xalyal" },
	{ "%u-", NULL, NULL },
	{ "%u-", "", "-" },
	{ "%%u", "al", "%al" },
	{ "%", "al", "%" },
	{ "%c", "al", "%c" },
	{ "%u", "%u", "%u" },
};

Test(client_prefix, has_the_name_of_the_user)
{
	for (size_t i = 0; i < countof(cases); i++) {
		struct buf b = { 0 };
		bool is = client_prefix_expand(cases[i].text,
		    slice_str(cases[i].user), &b);

		cr_expect_eq(is, cases[i].want != NULL, "%s", cases[i].text);
		if (is)
			cr_expect(slice_eq(buf_slice(&b),
				      slice_str(cases[i].want)),
			    "%s: %.*s", cases[i].text,
			    SLICE_ARG(buf_slice(&b)));
		buf_fini(&b);
	}
}
