/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

Test(clock, mono_never_goes_back)
{
	uint64_t last = clock_mono_us(), now;
	int i;

	for (i = 0; i < 10000; i++) {
		now = clock_mono_us();
		cr_assert(ge(u64, now, last));
		last = now;
	}
}

Test(clock, both_units_show_the_same_time)
{
	uint64_t before = clock_mono_ms();
	uint64_t between = clock_mono_us() / 1000;
	uint64_t after = clock_mono_ms();

	cr_expect(ge(u64, between, before));
	cr_expect(le(u64, between, after));
}

Test(clock, wall_is_the_time_of_day)
{
	/* time() may lag behind by a tick, never by a second. */
	uint64_t before = (uint64_t)time(NULL);
	uint64_t between = clock_wall_ms() / 1000;
	uint64_t after = (uint64_t)time(NULL);

	cr_expect(ge(u64, between, before));
	cr_expect(le(u64, between, after + 1));
}
