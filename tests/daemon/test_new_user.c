/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/new_user.h"

#include <stdlib.h>

#include <criterion/criterion.h>

#include "auth/users.h"

/* What is printed for this name and input; NULL when there is nothing. */
static char *
printed(const char *name, const char *input)
{
	FILE *in = tmpfile(), *err = tmpfile();
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	bool ok;

	fputs(input, in);
	rewind(in);
	ok = new_user_print(name, in, out, err);
	fclose(out);
	cr_expect_eq(ok, len > 0);
	cr_expect_eq(ok, ftell(err) == 0, "said why: %s", name);
	fclose(in);
	fclose(err);
	if (!ok) {
		free(text);
		text = NULL;
	}
	return text;
}

Test(new_user, can_log_in)
{
	static const char *const inputs[] = { "pencil\n", "pencil",
		"pencil\nmore\n" };

	for (size_t i = 0; i < countof(inputs); i++) {
		char *text = printed("m\xc3\xbcller", inputs[i]);
		struct buf why = { 0 };
		const struct user *user;
		struct users *u;
		unsigned line;

		cr_assert_not_null(text);
		u = users_parse(slice_str(text), &line, &why);
		cr_assert_not_null(u, "%s", text);
		cr_expect(users_serve_scram(u));
		user = users_find(u, SLICE("m\xc3\xbcller"));
		cr_assert_not_null(user);
		cr_expect_geq(user->password.iterations, 4096);
		cr_expect(password_check(&user->password, SLICE("pencil")));
		users_unref(&u);
		free(text);
	}
}

Test(new_user, is_refused_when_the_file_could_not_hold_it)
{
	static const char *const names[] = { "", "a:b", "#a", "a\nb", "a\xff" };
	struct buf line = { 0 };

	for (size_t i = 0; i < countof(names); i++)
		cr_expect_null(printed(names[i], "pencil\n"));
	cr_expect_null(printed("al", ""));
	cr_expect_null(printed("al",
	    "pen\x07"
	    "cil\n"));
	cr_expect_null(printed("al",
	    "pen\xff"
	    "cil\n"));
	for (int i = 0; i < 1023; i++)
		buf_append_byte(&line, 'x');
	buf_append(&line, "\n", 2);
	cr_expect_null(printed("al", (const char *)buf_ptr(&line)));
	buf_fini(&line);
}
