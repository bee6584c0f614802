/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/copies.h"

#include <criterion/criterion.h>

static struct copies copies;

static void
setup(void)
{
	copies_init(&copies);
}

static void
teardown(void)
{
	copies_fini(&copies);
}

TestSuite(copies, .init = setup, .fini = teardown);

static bool
first(uint64_t content, int64_t subscription)
{
	return copies_is_first(&copies, content, subscription, 0);
}

static void
forget(int64_t subscription)
{
	copies_forget(&copies, &subscription, 1);
}

Test(copies, tells_contents_apart)
{
	cr_expect(first(10, 1));
	cr_expect(first(11, 1));
	cr_expect_not(first(10, 2));
	cr_expect_not(first(11, 2));
	cr_expect(first(10, 2));
}

Test(copies, counts_what_says_the_same_in_any_order)
{
	cr_expect(first(10, 1));
	cr_expect(first(10, 1));
	cr_expect_not(first(10, 2));
	cr_expect_not(first(10, 2));
	cr_expect(first(10, 2));
	cr_expect_not(first(10, 1));
	cr_expect_not(first(10, 3));
}

Test(copies, follows_those_that_are_left)
{
	for (int i = 0; i < 5; i++)
		cr_expect(first(10, 1));
	cr_expect_not(first(10, 2));
	forget(1);
	cr_expect(first(10, 2), "it never brought those five");
}

Test(copies, waits_for_the_copy_of_a_single_message)
{
	cr_expect(first(10, 1));
	forget(1);
	cr_expect_not(first(10, 2));
	cr_expect(first(10, 2));
}

Test(copies, forgets_many_at_once)
{
	int64_t gone[] = { 1, 3, 5, 7, 9 };

	for (int i = 1; i <= 4; i++)
		for (int k = 0; k < i; k++)
			(void)first(10, i);
	copies_forget(&copies, gone, 5);
	cr_expect(first(10, 4), "4 has brought the most");
	copies_forget(&copies, (int64_t[]){ 2, 4, 8 }, 3);
	cr_expect(first(10, 6));
}

Test(copies, takes_the_place_of_the_one_that_is_behind)
{
	for (int i = 1; i <= 4; i++)
		for (int k = 0; k < i; k++)
			(void)first(10, i);
	cr_expect_not(first(10, 5));
	cr_expect(first(10, 4));
}

/* The widest came first, and its counter had to go. */
Test(copies, loses_nothing_when_many_overlap)
{
	for (int i = 5; i >= 1; i--)
		(void)first(10, i);
	copies_forget(&copies, (int64_t[]){ 1, 2, 3, 4 }, 4);
	cr_expect(first(10, 5), "the second message of this content");
}

Test(copies, is_bounded_in_time)
{
	cr_expect(copies_is_first(&copies, 10, 1, 0));
	cr_expect_not(copies_is_first(&copies, 10, 2, 400));
	cr_expect_not(copies_is_first(&copies, 10, 3, 900), "seen since");
	cr_expect(copies_is_first(&copies, 10, 4, 1500));
}

Test(copies, is_bounded_in_number)
{
	for (uint64_t i = 0; i < 100000; i++)
		cr_assert(first(i, 1));
	cr_expect(copies.by_content.n <= 65536);
	cr_expect(first(0, 2), "forgotten");
	cr_expect_not(first(99999, 2));
}
