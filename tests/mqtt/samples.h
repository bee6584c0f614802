/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples - a legal packet of every type, version and shape, by hand. Unit
 * tests go through all of them and the fuzzers start from them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sample {
	const char *name;
	unsigned version;
	const char *wire;  /* in the notation of wire.h */
	const char *print; /* what packet_print says, NULL: not tested */
};

/* In the one form in which we encode them. */
extern const struct sample samples[];
extern const size_t n_samples;

/* Legal, but we would write them in another form. */
extern const struct sample odd_samples[];
extern const size_t n_odd_samples;
