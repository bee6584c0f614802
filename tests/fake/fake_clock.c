/* SPDX-License-Identifier: Apache-2.0 */
/* fake_clock - base/clock.h for tests: time stands still until it is told. */
#include "fake/fake_clock.h"

#include <stdatomic.h>

#include "base/clock.h"

static atomic_uint_fast64_t mono_ms = FAKE_CLOCK_MONO_MS;
static atomic_uint_fast64_t wall_ms = FAKE_CLOCK_WALL_MS;

void
fake_clock_advance(uint64_t ms)
{
	atomic_fetch_add(&mono_ms, ms);
	atomic_fetch_add(&wall_ms, ms);
}

void
fake_clock_set_wall(uint64_t ms)
{
	atomic_store(&wall_ms, ms);
}

uint64_t
clock_mono_ms(void)
{
	return atomic_load(&mono_ms);
}

uint64_t
clock_mono_us(void)
{
	return atomic_load(&mono_ms) * 1000;
}

uint64_t
clock_wall_ms(void)
{
	return atomic_load(&wall_ms);
}
