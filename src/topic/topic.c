/* SPDX-License-Identifier: Apache-2.0 */
/* topic - Topic Names: validity, levels, the `$` rule. */
#include "topic/topic.h"

#include <string.h>

#include "topic/split.h"

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Bytes of `w` that are zero have their high bit set; others may when a zero
 * is below them. */
static uint64_t
zeroes(uint64_t w)
{
	return (w - ONES) & ~w & HIGHS;
}

/*
 * v3.1.1 [MQTT-4.7.1-1] [MQTT-3.3.2-2]: no + and no #; [MQTT-4.7.3-2]: no
 * zero. Eight bytes at a time.
 */
static bool
word_is_plain(uint64_t w)
{
	return (zeroes(w) | zeroes(w ^ ONES * '+') | zeroes(w ^ ONES * '#')) ==
	    0;
}

bool
topic_valid(struct slice topic)
{
	uint64_t word;
	size_t i;

	/* v3.1.1 [MQTT-4.7.3-1] [MQTT-4.7.3-3] */
	if (topic.len == 0 || topic.len > TOPIC_MAX)
		return false;
	for (i = 0; topic.len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, topic.ptr + i, sizeof(word));
		if (!word_is_plain(word))
			return false;
	}
	if (i == topic.len)
		return true;
	word = ONES; /* what is not there is plain */
	if (topic.len >= sizeof(word))
		memcpy(&word, topic.ptr + topic.len - sizeof(word),
		    sizeof(word));
	else
		memcpy(&word, topic.ptr, topic.len);
	return word_is_plain(word);
}

bool
topic_next_level(struct slice *rest, bool *more, struct slice *level)
{
	return split_next(rest, more, '/', level);
}

size_t
topic_levels(struct slice topic)
{
	size_t i, n = 1;

	for (i = 0; i < topic.len; i++)
		n += topic.ptr[i] == '/';
	return n;
}

bool
topic_is_dollar(struct slice topic)
{
	return topic.len > 0 && topic.ptr[0] == '$';
}
