/* SPDX-License-Identifier: Apache-2.0 */
/* split - the levels of a topic, the tokens of a subject. Pure. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/*
 * Take the next part off the front of `*rest` into `*part`; false when there
 * is none. Start with `*rest` = the name and `*more` = true; `*more` then
 * says whether another part follows. Between two separators is an empty part.
 */
static inline bool
split_next(struct slice *rest, bool *more, char separator, struct slice *part)
{
	const uint8_t *end;

	if (!*more)
		return false;
	end = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
	*more = end != NULL;
	*part = slice_of(rest->ptr,
	    end != NULL ? (size_t)(end - rest->ptr) : rest->len);
	*rest = slice_skip(*rest, part->len + *more);
	return true;
}

/* Is the part this one character? */
static inline bool
split_is(struct slice part, char c)
{
	return part.len == 1 && part.ptr[0] == (uint8_t)c;
}
