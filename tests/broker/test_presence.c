/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/presence.h"

#include <criterion/criterion.h>

Test(presence, counts_the_clients_of_each_user)
{
	struct presence *p = presence_new();

	cr_expect(presence_enter(p, "al", 2));
	cr_expect(presence_enter(p, "al", 2));
	cr_expect_not(presence_enter(p, "al", 2));
	cr_expect(presence_enter(p, "bo", 2));
	presence_leave(p, "al");
	cr_expect(presence_enter(p, "al", 2));
	cr_expect_not(presence_enter(p, "al", 2));
	presence_leave(p, "bo");
	presence_free(&p);
}
