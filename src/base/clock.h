/* SPDX-License-Identifier: Apache-2.0 */
/* clock - what time it is. Any thread. */
#pragma once

#include <stdint.h>

/* Milliseconds that never go back; the start is arbitrary. */
uint64_t clock_mono_ms(void);
/* Microseconds of the same clock. */
uint64_t clock_mono_us(void);
/* Milliseconds since 1970, which the operator may set. */
uint64_t clock_wall_ms(void);
