/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/shares.h"

#include <criterion/criterion.h>

static struct shares *shares;

static void
open_shares(void)
{
	shares = shares_new();
}

static void
close_shares(void)
{
	shares_free(&shares);
}

TestSuite(shares, .init = open_shares, .fini = close_shares);

#define FULL  SLICE("$share/g/a/+")
#define MATCH SLICE("a/+")

static uint64_t
join(uint64_t session, bool online)
{
	const struct subscriber s = { .session = session, .qos = 1 };

	return shares_join(shares, 0, FULL, MATCH, &s, online);
}

static void
leave(uint64_t session)
{
	(void)shares_leave(shares, 0, FULL, session);
}

/* Whose turn it is, 0: nobody's. */
static uint64_t
pick(uint64_t share, uint64_t avoid, enum shares_found want)
{
	struct subscriber s = { 0 };

	cr_expect_eq(shares_pick(shares, share, avoid, avoid == 0, &s), want);
	return s.session;
}

Test(shares, give_each_member_a_turn)
{
	uint64_t share = join(1, true);
	unsigned turns[4] = { 0 };

	cr_expect(share != 0);
	cr_expect(join(2, true) == share);
	cr_expect(join(3, true) == share);
	for (unsigned i = 0; i < 30; i++)
		turns[pick(share, 0, SHARES_ONLINE)]++;
	for (unsigned i = 1; i <= 3; i++) {
		cr_expect_eq(turns[i], 10);
		leave(i);
	}
	pick(share, 0, SHARES_NONE);
}

Test(shares, prefer_who_is_there)
{
	uint64_t share = join(1, false);

	cr_expect_eq(pick(share, 0, SHARES_AWAY), 1);
	(void)join(2, true);
	for (unsigned i = 0; i < 5; i++)
		cr_expect_eq(pick(share, 0, SHARES_ONLINE), 2);
	/* Somebody else who is there: nobody. */
	(void)pick(share, 2, SHARES_NONE);
	shares_set_online(shares, 0, FULL, 1, true);
	cr_expect_eq(pick(share, 2, SHARES_ONLINE), 1);
	shares_set_online(shares, 0, FULL, 1, false);
	shares_set_online(shares, 0, FULL, 2, false);
	cr_expect(pick(share, 0, SHARES_AWAY) != 0);
	leave(1);
	leave(2);
}

Test(shares, are_told_apart_by_group_filter_and_identity)
{
	const struct subscriber s = { .session = 1 };
	uint64_t number[4];

	number[0] = join(1, true);
	number[1] =
	    shares_join(shares, 0, SLICE("$share/h/a/+"), MATCH, &s, true);
	number[2] =
	    shares_join(shares, 0, SLICE("$share/g/a"), SLICE("a"), &s, true);
	number[3] = shares_join(shares, 7, FULL, MATCH, &s, true);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < i; j++)
			cr_expect(number[i] != number[j]);
	cr_expect_eq(shares_count(shares), 4);
	cr_expect_eq(shares_members(shares), 4);
	leave(1);
	cr_expect(
	    shares_leave(shares, 0, SLICE("$share/h/a/+"), 1) == number[1]);
	cr_expect(shares_leave(shares, 0, SLICE("$share/g/a"), 1) == number[2]);
	cr_expect(shares_leave(shares, 7, FULL, 1) == number[3]);
	cr_expect_eq(shares_leave(shares, 7, FULL, 1), 0);
	cr_expect_eq(shares_count(shares), 0);
	cr_expect_eq(shares_members(shares), 0);
}

Test(shares, are_found_by_topic)
{
	struct matches found = { 0 };
	uint64_t share = join(1, true);

	shares_match(shares, SLICE("a/b"), &found);
	cr_assert_eq(found.n, 1);
	cr_expect(found.items[0].session == share);
	shares_match(shares, SLICE("b"), &found);
	cr_expect_eq(found.n, 0);
	/* Its options change, it is still one member. */
	(void)join(1, true);
	leave(1);
	shares_match(shares, SLICE("a/b"), &found);
	cr_expect_eq(found.n, 0);
	/* The next one has another number. */
	cr_expect(join(1, true) != share);
	leave(1);
	matches_fini(&found);
}
