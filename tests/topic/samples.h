/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples - names to try, and the answer of a matcher that is too simple to
 * be wrong.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Every text of up to `max` symbols, the empty one first:
 *
 *   struct samples s = { .symbols = symbols, .n = 3, .max = 5 };
 *   do try(s.text); while (samples_next(&s));
 */
struct samples {
	const char *const *symbols;
	size_t n;
	size_t max;
	size_t len;
	size_t at[16]; /* which symbol is at each place */
	char text[64];
};

static inline bool
samples_next(struct samples *s)
{
	size_t i;

	for (i = s->len; i > 0 && s->at[i - 1] == s->n - 1; i--)
		s->at[i - 1] = 0;
	if (i > 0)
		s->at[i - 1]++;
	else if (s->len < s->max)
		s->at[s->len++] = 0;
	else
		return false;
	s->text[0] = '\0';
	for (i = 0; i < s->len; i++)
		strncat(s->text, s->symbols[s->at[i]],
		    sizeof(s->text) - strlen(s->text) - 1);
	return true;
}

/* xorshift64*: the same numbers in every run. */
static inline uint32_t
sample_random(uint64_t *seed, uint32_t below)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (uint32_t)((*seed * UINT64_C(2685821657736338717)) >> 33) %
	    below;
}

/*
 * A name of 1 to `max_levels` levels, each of them one of `levels`; with
 * `rest`, now and then a last level `#`.
 */
static inline void
sample_name(uint64_t *seed, const char *const *levels, uint32_t n,
    uint32_t max_levels, bool rest, char *out, size_t size)
{
	uint32_t i, end = 1 + sample_random(seed, max_levels);

	do {
		out[0] = '\0';
		for (i = 0; i < end; i++) {
			if (i > 0)
				strncat(out, "/", size - strlen(out) - 1);
			strncat(out,
			    rest && i + 1 == end && sample_random(seed, 4) == 0
				? "#"
				: levels[sample_random(seed, n)],
			    size - strlen(out) - 1);
		}
	} while (out[0] == '\0');
}

static inline bool
naive_match_levels(const char *filter, const char *topic)
{
	size_t want = strcspn(filter, "/"), level = strcspn(topic, "/");

	if (strcmp(filter, "#") == 0)
		return true;
	if (!(want == 1 && filter[0] == '+') &&
	    !(want == level && memcmp(filter, topic, level) == 0))
		return false;
	filter += want;
	topic += level;
	if (*topic == '\0')
		return *filter == '\0' || strcmp(filter, "/#") == 0;
	return *filter != '\0' && naive_match_levels(filter + 1, topic + 1);
}

static inline bool
naive_match(const char *filter, const char *topic)
{
	if (topic[0] == '$' && (filter[0] == '+' || filter[0] == '#'))
		return false;
	return naive_match_levels(filter, topic);
}
