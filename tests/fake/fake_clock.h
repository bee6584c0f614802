/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_clock - base/clock.h for tests: time stands still until it is told.
 *
 * A test program that lists fake_clock.c in its sources gets it instead of
 * base/clock, because the linker looks into libraries last. Any thread.
 */
#pragma once

#include <stdint.h>

/* Where both clocks stand at first. */
#define FAKE_CLOCK_MONO_MS 1000000u
#define FAKE_CLOCK_WALL_MS UINT64_C(1700000000000)

/* Both clocks go on. */
void fake_clock_advance(uint64_t ms);
/* The operator sets the wall clock; the other one goes on as it was. */
void fake_clock_set_wall(uint64_t ms);
