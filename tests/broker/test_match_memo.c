/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/match_memo.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct index *idx;
static struct match_memos *memos;
static struct matches scratch;

static void
set_up(void)
{
	idx = index_new();
	thread_enter(THREAD_WORKER, "test");
}

static void
tear_down(void)
{
	match_memo_free(&memos);
	matches_fini(&scratch);
	index_free(&idx);
}

TestSuite(match_memo, .init = set_up, .fini = tear_down);

static void
add(const char *filter, uint64_t session)
{
	struct subscriber s = { .session = session };

	index_add(idx, slice_str(filter), &s);
}

static const struct matches *
find(const char *topic)
{
	return match_memo_find(&memos, idx, slice_str(topic), &scratch);
}

Test(match_memo, remembers_who_and_nobody)
{
	add("a/b", 1);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(find("a/b")->n, 1);
		cr_expect_eq(find("a/b")->items[0].session, 1);
		cr_expect_eq(find("a/c")->n, 0);
	}
	/* The second time it was not looked up. */
	cr_expect_neq(find("a/b"), &scratch);
	cr_expect_neq(find("a/c"), &scratch);
	index_drop(idx, SLICE("a/b"), 1);
}

Test(match_memo, forgets_when_a_subscription_comes_changes_or_goes)
{
	struct subscriber s = { .session = 1, .qos = 2 };

	cr_expect_eq(find("a/b")->n, 0);
	add("a/b", 1);
	cr_expect_eq(find("a/b")->n, 1);
	add("a/+", 2);
	cr_expect_eq(find("a/b")->n, 2);
	cr_expect_eq(find("a/b")->n_filters, 2);
	index_add(idx, SLICE("a/b"), &s);
	cr_expect_eq(find("a/b")->items[0].qos, 2);
	index_drop(idx, SLICE("a/b"), 1);
	cr_expect_eq(find("a/b")->n, 1);
	cr_expect_eq(find("a/b")->items[0].session, 2);
	index_drop(idx, SLICE("a/+"), 2);
	cr_expect_eq(find("a/b")->n, 0);
	cr_expect_eq(find("a/b")->n, 0);
}

/* More than there are places, so that many share one. */
Test(match_memo, keeps_topics_apart)
{
	char topic[32];

	for (unsigned i = 0; i < 2000; i++) {
		snprintf(topic, sizeof(topic), "%u/x", i);
		add(topic, i + 1);
	}
	for (unsigned k = 0; k < 4000; k++) {
		unsigned i = k * 7 % 2000;

		snprintf(topic, sizeof(topic), "%u/x", i);
		cr_assert_eq(find(topic)->n, 1);
		cr_assert_eq(find(topic)->items[0].session, i + 1);
		cr_assert_eq(find(topic)->items[0].session, i + 1);
	}
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(topic, sizeof(topic), "%u/x", i);
		index_drop(idx, slice_str(topic), i + 1);
	}
}

Test(match_memo, does_not_keep_what_is_large)
{
	char topic[200];

	memset(topic, 'x', sizeof(topic) - 1);
	topic[sizeof(topic) - 1] = '\0';
	add(topic, 1);
	for (unsigned i = 1; i <= 20; i++)
		add("many", i);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(find(topic), &scratch);
		cr_expect_eq(scratch.n, 1);
		cr_expect_eq(find("many"), &scratch);
		cr_expect_eq(scratch.n, 20);
	}
	/* And it does again when there is less of it. */
	for (unsigned i = 3; i <= 20; i++)
		index_drop(idx, SLICE("many"), i);
	cr_expect_eq(find("many")->n, 2);
	cr_expect_eq(find("many")->n, 2);
	cr_expect_neq(find("many"), &scratch);
	index_drop(idx, slice_str(topic), 1);
	index_drop(idx, SLICE("many"), 1);
	index_drop(idx, SLICE("many"), 2);
}
