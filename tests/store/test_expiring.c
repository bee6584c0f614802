/* SPDX-License-Identifier: Apache-2.0 */
#include "store/expiring.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(expiring, is_empty_at_first_and_last)
{
	struct expiring e = { 0 };
	struct expiring_item a = { 0 };

	cr_assert_null(expiring_first(&e));
	expiring_set(&e, &a, 0); /* harmless */
	expiring_set(&e, &a, 5);
	cr_assert_eq(expiring_first(&e), &a);
	expiring_set(&e, &a, 0);
	cr_assert_null(expiring_first(&e));
	cr_assert_null(e.items, "an empty one holds no memory");
}

/* Random changes against a search through all of them. */
Test(expiring, agrees_with_a_naive_model)
{
	static struct expiring_item items[300];
	struct expiring e = { 0 };
	uint64_t first, times[300] = { 0 };

	srand(5);
	for (unsigned step = 0; step < 30000; step++) {
		size_t i = (size_t)rand() % 300;

		times[i] = rand() % 3 == 0 ? 0 : 1 + (uint64_t)rand() % 500;
		expiring_set(&e, &items[i], times[i]);
		first = UINT64_MAX;
		for (size_t j = 0; j < 300; j++) {
			cr_assert_eq(items[j].place != 0, times[j] != 0);
			if (times[j] != 0 && times[j] < first)
				first = times[j];
		}
		if (first == UINT64_MAX)
			cr_assert_null(expiring_first(&e));
		else
			cr_assert_eq(expiring_first(&e)->at_ms, first);
	}
	expiring_fini(&e);
}
