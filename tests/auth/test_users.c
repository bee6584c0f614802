/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/users.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "auth/samples.h"

static struct users *
parse(const char *text)
{
	struct buf why = { 0 };
	unsigned line = 0;
	struct users *u = users_parse(slice_str(text), &line, &why);

	cr_assert_not_null(u, "%u: %.*s", line, SLICE_ARG(buf_slice(&why)));
	buf_fini(&why);
	return u;
}

Test(users, are_found_by_name)
{
	struct users *u = parse("# who may come\n"
				"\n"
				"al:" HASH_SECRET "\r\n"
				"b o:" HASH_GEHEIM "\n"
				"m\xc3\xbcller:" HASH_PENCIL);
	const struct user *user = users_find(u, SLICE("b o"));

	cr_expect_eq(users_count(u), 3);
	cr_assert_not_null(user);
	cr_expect_str_eq(user->name, "b o");
	cr_expect(password_check(&user->password, SLICE("geheim")));
	cr_expect_not_null(users_find(u, SLICE("al")));
	cr_expect_not_null(users_find(u, SLICE("m\xc3\xbcller")));
	cr_expect_null(users_find(u, SLICE("a")));
	cr_expect_null(users_find(u, SLICE("al:")));
	cr_expect_null(users_find(u, SLICE("al\0")));
	cr_expect_null(users_find(u, slice_of(NULL, 0)));
	cr_expect_null(users_find(u, SLICE("# who may come")));
	users_unref(&u);
	cr_expect_null(u);
}

Test(users, are_refused_with_the_line_of_the_first_mistake)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *why;
	} cases[] = {
		{ "al", 1, "no colon behind the name" },
		{ "\n:" HASH_SECRET, 2, "the name is not a User Name" },
		{ "a\xff:" HASH_SECRET, 1, "the name is not a User Name" },
		{ "al:" HASH_SECRET "\nal:" HASH_GEHEIM, 2,
		    "the name stands here twice" },
		{ "al:" HASH_SECRET "\nbo:geheim\n", 2,
		    "begins with none of $6$, $7$ and $scram-sha-256$" },
		{ "al:$7$0$AAAA$AAAA\n", 1,
		    "iterations must be from 1 to 10000000" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct buf why = { 0 };
		unsigned line = 0;

		cr_expect_null(
		    users_parse(slice_str(cases[i].text), &line, &why));
		cr_expect_eq(line, cases[i].line);
		cr_expect(slice_eq(buf_slice(&why), slice_str(cases[i].why)),
		    "%.*s", SLICE_ARG(buf_slice(&why)));
		buf_fini(&why);
	}
}

Test(users, who_are_not_there_cost_as_much_as_the_dearest)
{
	struct users *u =
	    parse("al:" HASH_SECRET "\nbo:" HASH_PENCIL "\ncy:" HASH_GEHEIM);

	cr_expect_eq(users_decoy(u)->kind, PASSWORD_SCRAM_SHA_256);
	cr_expect_eq(users_decoy(u)->iterations, 4096);
	users_unref(&u);
	u = parse("");
	cr_expect_eq(users_count(u), 0);
	cr_expect_not(password_check(users_decoy(u), SLICE("")));
	users_unref(&u);
}

Test(users, who_are_not_there_have_a_salt_that_stays)
{
	struct users *u = parse("bo:" HASH_PENCIL);
	struct users *again = parse("al:" HASH_SECRET "\nbo:" HASH_PENCIL);
	struct password a, b, c;

	users_fake_scram(u, SLICE("nobody"), &a);
	users_fake_scram(again, SLICE("nobody"), &b);
	users_fake_scram(u, SLICE("no one"), &c);
	cr_expect_eq(a.salt_len, users_find(u, SLICE("bo"))->password.salt_len);
	cr_expect_eq(a.iterations, 4096);
	cr_expect_arr_eq(a.salt, b.salt, a.salt_len);
	cr_expect_arr_neq(a.salt, c.salt, a.salt_len);
	cr_expect_arr_neq(a.key, b.key, 64);
	users_unref(&again);
	users_unref(&u);
}

Test(users, serve_scram_when_one_of_them_can)
{
	struct users *u = parse("al:" HASH_SECRET);

	cr_expect_not(users_serve_scram(u));
	users_unref(&u);
	u = parse("al:" HASH_SECRET "\nbo:" HASH_PENCIL);
	cr_expect(users_serve_scram(u));
	users_unref(&u);
}

Test(users, stay_as_long_as_somebody_needs_them)
{
	struct users *u = parse("al:" HASH_SECRET);
	struct users *mine = users_ref(u);

	users_unref(&u);
	cr_expect_not_null(users_find(mine, SLICE("al")));
	users_unref(&mine);
}

Test(users, are_read_from_a_file)
{
	char path[] = "/tmp/users.XXXXXX";
	int fd = mkstemp(path);
	struct buf why = { 0 };
	unsigned line = 7;
	struct users *u;

	cr_assert_geq(fd, 0);
	cr_assert_gt(dprintf(fd, "al:%s\n", HASH_SECRET), 0);
	close(fd);
	u = users_load(path, &line, &why);
	cr_assert_not_null(u);
	cr_expect_not_null(users_find(u, SLICE("al")));
	users_unref(&u);
	cr_assert_eq(unlink(path), 0);
	cr_expect_null(users_load(path, &line, &why));
	cr_expect_eq(line, 0);
	cr_expect(
	    slice_eq(buf_slice(&why), SLICE("No such file or directory")));
	buf_reset(&why);
	cr_expect_null(users_load("/", &line, &why));
	cr_expect_gt(buf_len(&why), 0);
	buf_fini(&why);
}
