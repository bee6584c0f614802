/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/grant_cache.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct grant *
new_grant(bool allows)
{
	const struct mapping m = { .mode = MAPPING_NATS };
	struct buf why = { 0 };
	struct grant *g =
	    grant_parse(allows ? "{\"allow\":true}" : "{\"allow\":false}",
		SLICE("u"), &m, &why);

	cr_assert_not_null(g);
	return g;
}

static void
put(struct grant_cache *c, struct slice question, bool allows,
    uint64_t until_ms)
{
	struct grant_key key = grant_cache_key(c, question);
	struct grant *g = new_grant(allows);

	grant_cache_put(c, &key, g, until_ms);
	grant_unref(&g);
}

/* 1: allowed, 0: not allowed, -1: nobody knows. */
static int
look(struct grant_cache *c, struct slice question, uint64_t now_ms)
{
	struct grant_key key = grant_cache_key(c, question);
	struct grant *g = grant_cache_find(c, &key, now_ms);
	int result = g == NULL ? -1 : g->allows;

	grant_unref(&g);
	return result;
}

Test(grant_cache, has_the_last_answer_for_its_time)
{
	struct grant_cache *c = grant_cache_new();

	cr_expect_eq(look(c, SLICE("q"), 0), -1);
	put(c, SLICE("q"), true, 100);
	put(c, SLICE("r"), false, 200);
	cr_expect_eq(look(c, SLICE("q"), 99), 1);
	cr_expect_eq(look(c, SLICE("r"), 99), 0);
	cr_expect_eq(look(c, SLICE("q"), 100), -1);
	put(c, SLICE("r"), true, 300);
	cr_expect_eq(look(c, SLICE("r"), 250), 1);
	grant_cache_clear(c);
	cr_expect_eq(look(c, SLICE("r"), 250), -1);
	grant_cache_free(&c);
}

Test(grant_cache, lets_the_oldest_go)
{
	struct grant_cache *c = grant_cache_new();
	char name[16];

	for (unsigned i = 0; i < GRANT_CACHE_MAX + 2; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		put(c, slice_str(name), true, 100);
	}
	cr_expect_eq(look(c, SLICE("0"), 0), -1);
	cr_expect_eq(look(c, SLICE("1"), 0), -1);
	cr_expect_eq(look(c, SLICE("2"), 0), 1);
	cr_expect_eq(look(c, slice_str(name), 0), 1);
	grant_cache_free(&c);
}

/* Another process could not make use of it. */
Test(grant_cache, knows_questions_by_a_secret)
{
	struct grant_cache *a = grant_cache_new();
	struct grant_cache *b = grant_cache_new();
	struct grant_key one = grant_cache_key(a, SLICE("q"));
	struct grant_key other = grant_cache_key(b, SLICE("q"));

	cr_expect(memcmp(&one, &other, sizeof(one)) != 0);
	grant_cache_free(&a);
	grant_cache_free(&b);
}
