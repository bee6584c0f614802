/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nearest - edit distance, with one row for each character of `a`.
 *
 * The row of the character before last is kept too: a swap of neighbours
 * looks back by two in both directions.
 */
#include "daemon/nearest.h"

#include <ctype.h>
#include <string.h>

#define NEAREST_MAX 63

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static int
at(const char *s, size_t i)
{
	return tolower((unsigned char)s[i]);
}

unsigned
nearest_distance(const char *a, const char *b)
{
	unsigned rows[3][NEAREST_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];
	size_t na = strnlen(a, NEAREST_MAX), nb = strnlen(b, NEAREST_MAX);

	for (size_t j = 0; j <= nb; j++)
		now[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *spare = before;

		before = last;
		last = now;
		now = spare;
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned differs = at(a, i - 1) != at(b, j - 1);

			now[j] = min3(last[j] + 1, now[j - 1] + 1,
			    last[j - 1] + differs);
			if (i > 1 && j > 1 && at(a, i - 1) == at(b, j - 2) &&
			    at(a, i - 2) == at(b, j - 1) &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
	}
	return now[nb];
}
