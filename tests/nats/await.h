/* SPDX-License-Identifier: Apache-2.0 */
/* await - wait for a condition that nothing tells us of, for a bounded time. */
#pragma once

#include <poll.h>

#include <criterion/criterion.h>

#include "base/clock.h"

#define AWAIT_MS 20000u

#define AWAIT(condition)                                                       \
	do {                                                                   \
		uint64_t await_end_ = clock_mono_ms() + AWAIT_MS;              \
		while (!(condition)) {                                         \
			cr_assert(clock_mono_ms() < await_end_,                \
			    "still not: " #condition);                         \
			(void)poll(NULL, 0, 5);                                \
		}                                                              \
	} while (0)
