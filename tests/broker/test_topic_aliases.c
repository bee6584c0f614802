/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/topic_aliases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static uint16_t
give(struct topic_aliases *t, const char *topic)
{
	uint16_t alias = topic_aliases_find(t, slice_str(topic));

	return alias != 0 ? alias : topic_aliases_add(t, slice_str(topic));
}

Test(topic_aliases, are_given_in_order_and_found_again)
{
	struct topic_aliases *t = topic_aliases_new(3);

	cr_expect_eq(topic_aliases_find(t, SLICE("topic/a")), 0);
	cr_expect_eq(topic_aliases_add(t, SLICE("topic/a")), 1);
	cr_expect_eq(give(t, "topic/b"), 2);
	cr_expect_eq(give(t, "topic/a"), 1);
	cr_expect_eq(give(t, "topic/c"), 3);
	cr_expect_eq(give(t, "topic/b"), 2);
	topic_aliases_free(&t);
	cr_expect_null(t);
	topic_aliases_free(&t);
}

Test(topic_aliases, are_for_topics_that_are_worth_it)
{
	struct topic_aliases *t = topic_aliases_new(9);
	char topic[TOPIC_ALIASES_LONGEST + 2];

	cr_expect_eq(give(t, "1234"), 0);
	cr_expect_eq(give(t, "12345"), 1);
	memset(topic, 'a', sizeof(topic));
	topic[TOPIC_ALIASES_LONGEST + 1] = '\0';
	cr_expect_eq(give(t, topic), 0);
	topic[TOPIC_ALIASES_LONGEST] = '\0';
	cr_expect_eq(give(t, topic), 2);
	topic_aliases_free(&t);
}

Test(topic_aliases, stay_while_they_are_used)
{
	struct topic_aliases *t = topic_aliases_new(2);
	char topic[24];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(topic, sizeof(topic), "other/%d", i);
		cr_expect_eq(give(t, "topic/a"), 1);
		cr_expect_eq(give(t, "topic/b"), 2);
		cr_expect_eq(give(t, topic), 0);
	}
	topic_aliases_free(&t);
}

/* Each in turn: nobody loses its own. */
Test(topic_aliases, do_not_go_round_with_more_topics_than_there_are_numbers)
{
	struct topic_aliases *t = topic_aliases_new(4);
	unsigned given = 0;
	char topic[16];

	for (unsigned i = 0; i < 400; i++) {
		(void)snprintf(topic, sizeof(topic), "topic/%u", i % 5);
		given += give(t, topic) != 0;
	}
	cr_expect_eq(given, 400 / 5 * 4);
	topic_aliases_free(&t);
}

Test(topic_aliases, go_to_others_when_they_are_out_of_use)
{
	struct topic_aliases *t = topic_aliases_new(2);
	unsigned tries = 0;

	cr_expect_eq(give(t, "topic/a"), 1);
	cr_expect_eq(give(t, "topic/b"), 2);
	while (give(t, "topic/c") == 0)
		cr_assert_lt(++tries, 100);
	cr_expect_gt(tries, 1);
	cr_expect_eq(give(t, "topic/b"), 2);
	cr_expect_eq(give(t, "topic/c"), 1);
	topic_aliases_free(&t);
}

/* What a client makes of it is what was meant. */
Test(topic_aliases, are_never_mistaken)
{
	struct topic_aliases *t = topic_aliases_new(5);
	char known[5][16] = { "" };
	unsigned replaced = 0;

	srand(1);
	for (int i = 0; i < 20000; i++) {
		unsigned from = (unsigned)i / 1000;
		char topic[16];
		uint16_t alias;

		(void)snprintf(topic, sizeof(topic), "topic/%u",
		    from + (unsigned)rand() % 8);
		alias = topic_aliases_find(t, slice_str(topic));
		if (alias != 0) {
			cr_assert_str_eq(known[alias - 1], topic);
			continue;
		}
		alias = topic_aliases_add(t, slice_str(topic));
		cr_assert_leq(alias, 5);
		if (alias == 0)
			continue;
		replaced += known[alias - 1][0] != '\0';
		memcpy(known[alias - 1], topic, sizeof(topic));
	}
	cr_expect_gt(replaced, 5);
	topic_aliases_free(&t);
}
