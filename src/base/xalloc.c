/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xalloc - memory, or a log line and abort.
 */
#include "base/xalloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static NORETURN void
out_of_memory(size_t size)
{
	log_error("out of memory: %zu bytes wanted", size);
	abort();
}

/* malloc(0) may return NULL, which must not look like a failure. */
static size_t
at_least_one(size_t size)
{
	return size != 0 ? size : 1;
}

void *
xmalloc(size_t size)
{
	void *p = malloc(at_least_one(size));

	if (p == NULL)
		out_of_memory(size);
	return p;
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(at_least_one(n), at_least_one(size));

	if (p == NULL)
		out_of_memory(
		    size != 0 && n > SIZE_MAX / size ? SIZE_MAX : n * size);
	return p;
}

void *
xrealloc(void *p, size_t size)
{
	void *q = realloc(p, at_least_one(size));

	if (q == NULL)
		out_of_memory(size);
	return q;
}

char *
xstrdup(const char *s)
{
	return xmemdup0(s, strlen(s));
}

char *
xmemdup0(const void *p, size_t len)
{
	char *s;

	if (len == SIZE_MAX)
		out_of_memory(len);
	s = xmalloc(len + 1);
	if (len > 0)
		memcpy(s, p, len);
	s[len] = '\0';
	return s;
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		out_of_memory(SIZE_MAX);
	s = xmalloc((size_t)len + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return s;
}
