/* SPDX-License-Identifier: Apache-2.0 */
/* nearest - which known word was meant? Pure. */
#pragma once

#include <stddef.h>

/*
 * How many characters must be inserted, dropped, replaced or swapped with
 * their neighbour to turn `a` into `b`, upper and lower case being the same.
 * Only the first 63 characters count.
 */
unsigned nearest_distance(const char *a, const char *b);
