/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xalloc - memory, or a log line and abort.
 *
 * For sizes that were bounded before: a small allocation either succeeds or
 * ends the process, so that no caller has an untested branch.
 */
#pragma once

#include <stddef.h>

#include "base/attr.h"

/* Like malloc, calloc, realloc, strdup; never NULL. Any thread. */
void *xmalloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2)));
void *xrealloc(void *p, size_t size) __attribute__((alloc_size(2)));
char *xstrdup(const char *s) __attribute__((malloc));
/* A zero-terminated copy of `len` bytes. */
char *xmemdup0(const void *p, size_t len) __attribute__((malloc));
/* A string made like printf's; the caller frees it. */
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
