/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/grant.h"

#include <criterion/criterion.h>

static const struct mapping mapping = { .mode = MAPPING_NATS };

static struct grant *
parse(const char *reply, struct slice user, struct buf *why)
{
	return grant_parse(reply, user, &mapping, why);
}

static bool
allows(const struct grant *g, struct slice user, struct slice topic,
    enum acl_access access)
{
	const struct acl_client c = { .user = user, .client_id = SLICE("c") };

	return acl_allows(g->acl, &c, topic, access);
}

Test(grant, is_what_was_said)
{
	struct buf why = { 0 };
	struct grant *g = parse("{\"allow\":true,\"username\":\"anna\","
				"\"client_id\":\"pump\",\"expires\":7,"
				"\"cache\":0,\"reason\":\"why not\","
				"\"limits\":{\"message_rate\":5,"
				"\"max_inflight\":100000}}",
	    SLICE("bo"), &why);

	cr_assert_not_null(g);
	cr_expect(g->allows);
	cr_expect_str_eq(g->user, "anna");
	cr_expect_str_eq(g->client_id, "pump");
	cr_expect_str_eq(g->reason, "why not");
	cr_expect_eq(g->expires_s, 7);
	cr_expect(g->has_cache && g->cache_s == 0);
	cr_expect_eq(g->limits.message_rate, 5);
	cr_expect_eq(g->limits.byte_rate, 0);
	cr_expect_eq(g->limits.max_inflight, 65535, "MQTT has no more");
	cr_expect_null(g->acl);
	grant_unref(&g);
	g = parse("{\"allow\": false}", SLICE("bo"), &why);
	cr_assert_not_null(g);
	cr_expect_not(g->allows);
	cr_expect_not(g->has_cache);
	cr_expect_null(g->reason);
	grant_unref(&g);
	cr_expect_eq(buf_len(&why), 0);
}

/* They are for whom they are about, whatever it is called. */
Test(grant, has_rules_of_its_own)
{
	static const char reply[] =
	    "{\"allow\":true,\"acl\":[\"topic read a/#\",\"topic deny a/x\","
	    "\"pattern write %c/%u\",\"subject write b.*\"]}";
	struct slice users[] = { SLICE("bo"), SLICE("b o: x"),
		{ .ptr = NULL } };
	struct buf why = { 0 };

	for (size_t i = 0; i < countof(users); i++) {
		struct grant *g = parse(reply, users[i], &why);

		cr_assert_not_null(g, "%zu: %.*s", i,
		    SLICE_ARG(buf_slice(&why)));
		cr_expect(allows(g, users[i], SLICE("a/b"), ACL_READ), "%zu",
		    i);
		cr_expect_not(allows(g, users[i], SLICE("a/x"), ACL_READ));
		cr_expect_not(allows(g, users[i], SLICE("a/b"), ACL_WRITE));
		cr_expect(allows(g, users[i], SLICE("b/1"), ACL_WRITE));
		cr_expect_eq(allows(g, users[i], SLICE("c/bo"), ACL_WRITE),
		    i == 0);
		grant_unref(&g);
	}
	buf_fini(&why);
}

Test(grant, without_rules_allows_nothing)
{
	struct buf why = { 0 };
	struct grant *g =
	    parse("{\"allow\":true,\"acl\":[]}", SLICE("bo"), &why);

	cr_assert_not_null(g);
	cr_expect_not(allows(g, SLICE("bo"), SLICE("a"), ACL_READ));
	grant_unref(&g);
}

Test(grant, rules_are_for_the_name_that_it_gives)
{
	struct buf why = { 0 };
	struct grant *g = parse("{\"acl\":[\"topic read a\"],\"allow\":true,"
				"\"username\":\"anna\"}",
	    SLICE("bo"), &why);

	cr_assert_not_null(g);
	cr_expect(allows(g, SLICE("anna"), SLICE("a"), ACL_READ));
	cr_expect_not(allows(g, SLICE("bo"), SLICE("a"), ACL_READ));
	grant_unref(&g);
}

Test(grant, is_nothing_with_a_mistake)
{
	static const struct {
		const char *reply;
		const char *why;
	} cases[] = {
		{ "", "is not a JSON object" },
		{ "[]", "is not a JSON object" },
		{ "{\"allow\":true", "is not a JSON object" },
		{ "{\"allow\":true,\"allow\":true}", "is not a JSON object" },
		{ "{\"allowed\":true}", "\"allow\" is missing" },
		{ "{\"allow\":\"true\"}", "\"allow\" is missing" },
		{ "{\"allow\":true,\"acls\":[]}", "\"acls\" means nothing" },
		{ "{\"allow\":true,\"acl\":{}}", "\"acl\" is not an array" },
		{ "{\"allow\":true,\"acl\":[\"user x\"]}",
		    "\"acl\" has a rule that is not topic, subject or "
		    "pattern" },
		{ "{\"allow\":true,\"acl\":[\"topic read a\\nuser x\"]}",
		    "\"acl\" has a rule that is not topic, subject or "
		    "pattern" },
		{ "{\"allow\":true,\"limits\":{\"x\":1}}",
		    "\"x\" is no limit" },
		{ "{\"allow\":true,\"expires\":0}",
		    "\"expires\" is not a number that can be there" },
		{ "{\"allow\":true,\"cache\":4294967296}",
		    "\"cache\" is not a number that can be there" },
		{ "{\"allow\":true,\"username\":\"\\ud800\"}",
		    "is not a JSON object" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct buf why = { 0 };
		struct grant *g = parse(cases[i].reply, SLICE("bo"), &why);

		cr_expect_null(g, "%s", cases[i].reply);
		buf_append_byte(&why, '\0');
		cr_expect_str_eq((const char *)buf_ptr(&why), cases[i].why,
		    "%s", cases[i].reply);
		buf_fini(&why);
	}
}

/* A line of the rules would be another one's. */
Test(grant, has_no_rules_for_a_name_that_no_line_can_have)
{
	struct slice names[] = { SLICE(""), SLICE(" a"), SLICE("a "),
		SLICE("a\nuser b"), SLICE("a\tb") };

	for (size_t i = 0; i < countof(names); i++) {
		struct buf why = { 0 };
		struct grant *g =
		    parse("{\"allow\":true,\"acl\":[]}", names[i], &why);

		cr_expect_null(g, "%zu", i);
		buf_fini(&why);
	}
}
