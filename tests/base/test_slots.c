/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slots.h"

#include <criterion/criterion.h>

Test(slots, never_give_another_thing_for_an_old_handle)
{
	struct slots s;
	int a, b;
	uint64_t old, new;

	slots_init(&s, 3);
	old = slots_add(&s, &a);
	slots_remove(&s, old);
	new = slots_add(&s, &b);
	cr_assert_neq(old, new);
	cr_assert_null(slots_get(&s, old));
	cr_assert_eq(slots_get(&s, new), &b);
	cr_assert_null(slots_get(&s, 0));
	slots_fini(&s);
}

Test(slots, know_whose_they_are)
{
	struct slots mine, theirs;
	int a;
	uint64_t handle;

	slots_init(&mine, 0);
	slots_init(&theirs, 200);
	handle = slots_add(&theirs, &a);
	cr_assert_eq(slots_tag(handle), 200);
	cr_assert_null(slots_get(&mine, handle));
	slots_fini(&mine);
	slots_fini(&theirs);
}

static void
count(void *thing, void *arg)
{
	(void)thing;
	++*(int *)arg;
}

Test(slots, grow_and_are_used_again)
{
	struct slots s;
	int things[1000], n = 0;
	uint64_t handles[1000];

	slots_init(&s, 1);
	for (int i = 0; i < 1000; i++)
		handles[i] = slots_add(&s, &things[i]);
	for (int i = 0; i < 1000; i += 2)
		slots_remove(&s, handles[i]);
	slots_each(&s, count, &n);
	cr_assert_eq(n, 500);
	for (int i = 0; i < 1000; i += 2)
		handles[i] = slots_add(&s, &things[i]);
	cr_assert_eq(s.n_slots, 1024);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(slots_get(&s, handles[i]), &things[i]);
	slots_fini(&s);
}
