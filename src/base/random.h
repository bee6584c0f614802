/* SPDX-License-Identifier: Apache-2.0 */
/* random - bytes that nobody can guess, from the kernel. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fill `out`; aborts if the kernel has none, which it always has. */
void random_bytes(void *out, size_t len);
uint64_t random_u64(void);
/* `len` characters of 0-9A-Za-z and a terminating zero. */
void random_name(char *out, size_t len);
