/* SPDX-License-Identifier: Apache-2.0 */
/* tally, histogram - the figures of the load generator are right. */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>

#include "histogram.h"
#include "tally.h"

#define NUMBERS 200

/* What was lost, as a report has it. */
static uint64_t
lost(const struct tally_counts *c, uint64_t sent)
{
	return sent - c->unique;
}

Test(tally, messages_in_order_leave_no_hole)
{
	struct tally t = { 0 };
	struct tally_counts c = { 0 };

	for (uint32_t i = 0; i < NUMBERS; i++)
		cr_assert_eq(tally_note(&t, i, &c), 1);
	cr_assert_eq(t.n_holes, 0);
	cr_assert_eq(c.unique, NUMBERS);
	cr_assert_eq(c.late + c.duplicate, 0);
}

Test(tally, a_gap_is_passed_over_and_counted_as_lost)
{
	struct tally t = { 0 };
	struct tally_counts c = { 0 };

	tally_note(&t, 0, &c);
	cr_assert_eq(tally_note(&t, 5, &c), 5);
	cr_assert_eq(lost(&c, 6), 4);
	cr_assert_eq(t.n_holes, 1);
	free(t.holes);
}

Test(tally, a_late_message_is_late_once_and_then_a_duplicate)
{
	struct tally t = { 0 };
	struct tally_counts c = { 0 };

	tally_note(&t, 0, &c);
	tally_note(&t, 3, &c);
	cr_assert_eq(tally_note(&t, 1, &c), 0);
	cr_assert_eq(tally_note(&t, 1, &c), 0);
	tally_note(&t, 3, &c);
	cr_assert_eq(c.late, 1);
	cr_assert_eq(c.duplicate, 2);
	cr_assert_eq(lost(&c, 4), 1);
	free(t.holes);
}

/* A set of flags says the same as the holes, whatever the order. */
Test(tally, agrees_with_a_model_on_random_orders)
{
	srand(7);
	for (int round = 0; round < 300; round++) {
		struct tally t = { 0 };
		struct tally_counts c = { 0 };
		bool seen[NUMBERS] = { false };
		uint64_t unique = 0, duplicate = 0;

		for (int i = 0; i < 2 * NUMBERS; i++) {
			uint32_t seq = (uint32_t)rand() % NUMBERS;
			tally_note(&t, seq, &c);
			unique += !seen[seq];
			duplicate += seen[seq];
			seen[seq] = true;
			cr_assert_eq(c.unique, unique);
			cr_assert_eq(c.duplicate, duplicate);
		}
		for (uint32_t i = 0; i + 1 < t.n_holes; i++)
			cr_assert_lt(t.holes[i].to, t.holes[i + 1].from);
		free(t.holes);
	}
}

Test(histogram, percentiles_are_exact_to_two_percent)
{
	static struct histogram h;

	for (uint64_t us = 1; us <= 10000; us++)
		histogram_add(&h, us * 1000);
	cr_assert_float_eq(histogram_percentile(&h, 0.5), 5000e3, 100e3);
	cr_assert_float_eq(histogram_percentile(&h, 0.99), 9900e3, 198e3);
	cr_assert_eq(h.max, 10000000);
}

Test(histogram, small_and_huge_values_have_a_place)
{
	static struct histogram h;

	histogram_add(&h, 0);
	cr_assert_eq(histogram_percentile(&h, 0.5), 0);
	for (int i = 0; i < 3; i++)
		histogram_add(&h, UINT64_MAX);
	cr_assert_gt(histogram_percentile(&h, 0.9), 1000000000u);
}
