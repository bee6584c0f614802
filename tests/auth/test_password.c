/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/password.h"

#include <criterion/criterion.h>

#include "auth/samples.h"

static struct password
parsed(const char *text)
{
	struct password p;

	cr_assert_null(password_parse(slice_str(text), &p), "%s", text);
	return p;
}

static const struct {
	const char *kept;
	const char *clear;
} right[] = {
	{ HASH_SECRET, "secret" },
	{ HASH_GEHEIM, "geheim" },
	{ HASH_PENCIL, "pencil" },
	/* SASLprep, RFC 4013 3: a soft hyphen is nothing. */
	{ HASH_PENCIL,
	    "pen\xc2\xad"
	    "cil" },
};

Test(password, is_known_by_its_hash)
{
	for (size_t i = 0; i < countof(right); i++) {
		struct password p = parsed(right[i].kept);

		cr_expect(password_check(&p, slice_str(right[i].clear)), "%s",
		    right[i].clear);
	}
}

Test(password, is_no_other)
{
	static const char *const wrong[] = { "", "Secret", "secret ", "secre",
		"pencils", "geheim\n", "\xff\xfe" };

	for (size_t i = 0; i < countof(right); i++) {
		struct password p = parsed(right[i].kept);

		for (size_t j = 0; j < countof(wrong); j++)
			cr_expect_not(password_check(&p, slice_str(wrong[j])),
			    "%s", wrong[j]);
		cr_expect_not(password_check(&p, slice_of("secret", 7)));
		cr_expect_not(password_check(&p, slice_of("pencil", 7)));
		cr_expect_not(password_check(&p, slice_of(NULL, 0)));
	}
}

Test(password, is_refused_when_its_hash_is_damaged)
{
	static const char scram_without_a_key[] =
	    "$scram-sha-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkd"
	    "i4Uo7BkeZkBFzpcXkuLmtbsT4qY=";
	static const char *const bad[] = {
		"",
		"secret",
		"$1$abc",
		"$7$",
		"$7$101",
		"$7$0$Rbe5WboXImN9Or+c$AAAA",
		"$7$10000001$Rbe5WboXImN9Or+c$AAAA",
		"$7$99999999999999999999$Rbe5WboXImN9Or+c$AAAA",
		"$7$x$Rbe5WboXImN9Or+c$AAAA",
		"$6$$AAAA",
		"$6$Rbe5WboXImN9Or+c$AAAA",
		"$6$Rbe5WboXIm!9Or+c$AAAA",
		"$6$====$AAAA",
		HASH_SECRET "$AAAA",
		HASH_SECRET "AAAA",
		HASH_GEHEIM " ",
		HASH_PENCIL "=",
		scram_without_a_key,
	};
	struct password p;

	for (size_t i = 0; i < countof(bad); i++)
		cr_expect_not_null(password_parse(slice_str(bad[i]), &p), "%s",
		    bad[i]);
}

Test(password, is_refused_when_its_salt_is_too_long)
{
	struct password p;
	struct buf b = { 0 };

	buf_append_str(&b, "$6$");
	for (int i = 0; i < 30; i++)
		buf_append_str(&b, "AAAA");
	buf_append_str(&b, "$AAAA");
	cr_expect_str_eq(password_parse(buf_slice(&b), &p),
	    "the salt must be base64 of 1 to 64 bytes");
	buf_fini(&b);
}

Test(password, is_made_to_be_known_again)
{
	struct buf one = { 0 }, other = { 0 };
	struct password p;

	cr_assert(password_make_scram("pen\xc2\xad"
				      "cil",
	    4096, &one));
	cr_assert(password_make_scram("pencil", 4096, &other));
	cr_expect_not(slice_eq(buf_slice(&one), buf_slice(&other)),
	    "each has a salt of its own");
	cr_assert_null(password_parse(buf_slice(&one), &p));
	cr_expect(password_check(&p, SLICE("pencil")));
	cr_expect_not(password_check(&p, SLICE("pencils")));
	/* RFC 4013 2.3: a control character */
	cr_expect_not(password_make_scram("a\x07", 4096, &one));
	buf_fini(&one);
	buf_fini(&other);
}
