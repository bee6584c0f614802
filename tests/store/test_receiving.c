/* SPDX-License-Identifier: Apache-2.0 */
#include "store/receiving.h"

#include <criterion/criterion.h>

Test(receiving, counts_what_waits)
{
	struct receiving r = { 0 };

	receiving_add(&r, 1, 1, 11);
	receiving_add(&r, 2, 2, 12);
	cr_assert_eq(r.n_waiting, 2);
	receiving_hold(&r, receiving_find(&r, 2));
	cr_assert_eq(r.n_waiting, 1);
	cr_assert_eq(receiving_find(&r, 2)->state, RECEIVING_HELD);
	receiving_remove(&r, receiving_find(&r, 1));
	cr_assert_eq(r.n_waiting, 0);
	receiving_remove(&r, receiving_find(&r, 2));
	cr_assert_eq(r.n, 0);
	receiving_fini(&r);
}

Test(receiving, forgets_qos_1_with_the_connection)
{
	struct receiving r = { 0 };

	for (uint16_t i = 1; i <= 20; i++)
		receiving_add(&r, i, i % 2 == 0 ? 2 : 1, i);
	receiving_hold(&r, receiving_find(&r, 4));
	receiving_disconnect(&r);
	cr_assert_eq(r.n, 10);
	cr_assert_eq(r.n_waiting, 9);
	cr_assert_null(receiving_find(&r, 1));
	cr_assert_eq(receiving_find(&r, 20)->token, 20);
	receiving_fini(&r);
}

Test(receiving, keeps_the_order_of_the_others)
{
	struct receiving r = { 0 };

	for (uint16_t i = 1; i <= 5; i++)
		receiving_add(&r, i, 1, i);
	receiving_remove(&r, receiving_find(&r, 3));
	cr_assert_eq(r.items[2].packet_id, 4);
	cr_assert_eq(r.items[3].packet_id, 5);
	receiving_fini(&r);
}

/* v5 4.9 */
Test(receiving, counts_what_came_on_this_connection)
{
	struct receiving r = { 0 };

	for (uint16_t i = 1; i <= 4; i++)
		receiving_add(&r, i, 2, i);
	cr_assert_eq(receiving_n_counted(&r), 4);
	receiving_disconnect(&r);
	cr_assert_eq(receiving_n_counted(&r), 0);
	receiving_add(&r, 5, 1, 5);
	cr_assert_eq(receiving_n_counted(&r), 1);
	receiving_remove(&r, receiving_find(&r, 2));
	cr_assert_eq(receiving_n_counted(&r), 1);
	receiving_remove(&r, receiving_find(&r, 5));
	cr_assert_eq(receiving_n_counted(&r), 0);
	receiving_disconnect(&r);
	cr_assert_eq(r.n, 3);
	cr_assert_eq(receiving_n_counted(&r), 0);
	receiving_fini(&r);
}
