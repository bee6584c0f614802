/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random - bytes that nobody can guess, from the kernel.
 */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

void
random_bytes(void *out, size_t len)
{
	char *p = out;
	ssize_t n;

	while (len > 0) {
		n = getrandom(p, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_error("no random numbers: %s", strerror(errno));
			abort();
		}
		p += n;
		len -= (size_t)n;
	}
}

uint64_t
random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

void
random_name(char *out, size_t len)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";
	uint8_t pool[32];
	size_t done = 0, i;

	while (done < len) {
		random_bytes(pool, sizeof(pool));
		for (i = 0; i < sizeof(pool) && done < len; i++) {
			/* Six bits, two values of 64 thrown away: no bias. */
			uint8_t v = pool[i] & 63;

			if (v < sizeof(digits) - 1)
				out[done++] = digits[v];
		}
	}
	out[len] = '\0';
}
