/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz - what every fuzz target offers.
 *
 * A target checks laws with assert(), which stays on. It is linked with
 * libFuzzer where configure was told --enable-fuzzing, and with replay.c,
 * which runs it over the files of its corpus, everywhere else.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Run the target over one input; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
