/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/scram.h"

#include <stdlib.h>

#include <criterion/criterion.h>
#include <gsasl.h>

#include "auth/samples.h"

/* A client and a server that talk, and who says what next. */
struct exchange {
	Gsasl *library;
	Gsasl_session *client;
	struct users *users;
	struct scram *server;
	struct buf said; /* by the server */
};

static void
begin(struct exchange *e, const char *name, const char *password)
{
	struct buf why = { 0 };
	unsigned line;

	*e = (struct exchange){ 0 };
	e->users = users_parse(SLICE("al:" HASH_SECRET "\nbo:" HASH_PENCIL),
	    &line, &why);
	e->server = scram_new(e->users);
	cr_assert_not_null(e->server);
	cr_assert_eq(gsasl_init(&e->library), GSASL_OK);
	cr_assert_eq(gsasl_client_start(e->library, SCRAM_METHOD, &e->client),
	    GSASL_OK);
	gsasl_property_set(e->client, GSASL_AUTHID, name);
	gsasl_property_set(e->client, GSASL_PASSWORD, password);
}

static void
end(struct exchange *e)
{
	scram_free(&e->server);
	users_unref(&e->users);
	gsasl_finish(e->client);
	gsasl_done(e->library);
	buf_fini(&e->said);
}

/* The client answers what the server said, then the server that. */
static enum scram_result
turn(struct exchange *e)
{
	struct slice said = buf_slice(&e->said);
	enum scram_result result;
	char *text = NULL;
	size_t len = 0;
	int r = gsasl_step(e->client, (const char *)said.ptr, said.len, &text,
	    &len);

	cr_assert(r == GSASL_OK || r == GSASL_NEEDS_MORE, "%s",
	    gsasl_strerror(r));
	buf_reset(&e->said);
	result = scram_step(e->server, slice_of(text, len), &e->said);
	gsasl_free(text);
	return result;
}

Test(scram, proves_both_to_each_other)
{
	struct exchange e;
	struct slice said;
	char *text = NULL;
	size_t len = 0;

	begin(&e, "bo", "pencil");
	cr_expect_eq(turn(&e), SCRAM_MORE);
	cr_expect_eq(turn(&e), SCRAM_DONE);
	cr_expect_str_eq(scram_user(e.server), "bo");
	said = buf_slice(&e.said);
	cr_expect(slice_starts(said, SLICE("v=")));
	cr_expect_eq(gsasl_step(e.client, (const char *)said.ptr, said.len,
			 &text, &len),
	    GSASL_OK, "the server's proof is good");
	gsasl_free(text);
	end(&e);
}

static const char *const strangers[][2] = {
	{ "bo", "pencils" }, { "cy", "pencil" }, /* nobody */
	{ "al", "secret" },                      /* has no entry for it */
};

Test(scram, tells_strangers_nothing_before_the_end)
{
	for (size_t i = 0; i < countof(strangers); i++) {
		struct exchange e;

		begin(&e, strangers[i][0], strangers[i][1]);
		cr_expect_eq(turn(&e), SCRAM_MORE);
		cr_expect_not_null(
		    memmem(buf_ptr(&e.said), buf_len(&e.said), ",i=4096", 7));
		cr_expect_eq(turn(&e), SCRAM_FAILED, "%s", strangers[i][0]);
		cr_expect_eq(buf_len(&e.said), 0);
		end(&e);
	}
}

Test(scram, shows_a_stranger_the_same_salt_again)
{
	struct slice salts[2];
	struct exchange e[2];

	for (size_t i = 0; i < 2; i++) {
		begin(&e[i], "cy", "x");
		cr_expect_eq(turn(&e[i]), SCRAM_MORE);
		salts[i] = buf_slice(&e[i].said);
		salts[i].ptr = memmem(salts[i].ptr, salts[i].len, ",s=", 3);
		cr_assert_not_null(salts[i].ptr);
		salts[i].len = 3 + 24; /* 16 bytes, as bo's */
		cr_expect_eq(salts[i].ptr[salts[i].len], ',');
	}
	cr_expect(slice_eq(salts[0], salts[1]));
	end(&e[0]);
	end(&e[1]);
}

Test(scram, lets_nobody_act_for_somebody_else)
{
	struct exchange e;

	begin(&e, "bo", "pencil");
	gsasl_property_set(e.client, GSASL_AUTHZID, "al");
	cr_expect_eq(turn(&e), SCRAM_MORE);
	cr_expect_eq(turn(&e), SCRAM_FAILED);
	end(&e);
	begin(&e, "bo", "pencil");
	gsasl_property_set(e.client, GSASL_AUTHZID, "bo");
	cr_expect_eq(turn(&e), SCRAM_MORE);
	cr_expect_eq(turn(&e), SCRAM_DONE);
	end(&e);
}

Test(scram, fails_on_what_is_no_message)
{
	static const char *const bad[] = { "x", "n,,", "n,,n=bo", "n,,r=abc",
		"n,,n=,r=abc", "p=tls-unique,,n=bo,r=abc", "n,,m=x,n=bo,r=abc",
		"n,,n=b\x01,r=abc" };

	for (size_t i = 0; i < countof(bad); i++) {
		struct exchange e;

		begin(&e, "bo", "pencil");
		cr_expect_eq(scram_step(e.server, slice_str(bad[i]), &e.said),
		    SCRAM_FAILED, "%s", bad[i]);
		end(&e);
	}
}

Test(scram, waits_for_a_client_that_says_nothing_yet)
{
	struct exchange e;

	begin(&e, "bo", "pencil");
	cr_expect_eq(scram_step(e.server, slice_of(NULL, 0), &e.said),
	    SCRAM_MORE);
	cr_expect_eq(buf_len(&e.said), 0);
	cr_expect_eq(turn(&e), SCRAM_MORE);
	cr_expect_eq(turn(&e), SCRAM_DONE);
	end(&e);
}

Test(scram, does_not_look_at_what_is_too_long)
{
	struct exchange e;
	struct buf b = { 0 };

	begin(&e, "bo", "pencil");
	buf_append_str(&b, "n,,n=bo,r=");
	while (buf_len(&b) <= 4096)
		buf_append_str(&b, "nonce");
	cr_expect_eq(scram_step(e.server, buf_slice(&b), &e.said),
	    SCRAM_FAILED);
	buf_fini(&b);
	end(&e);
}
