/* SPDX-License-Identifier: Apache-2.0 */
/* filter - Topic Filters: validity, `$share`, one-to-one match. Pure. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

struct filter {
	struct slice full;  /* as the client sent it */
	struct slice share; /* group of $share/GROUP/FILTER, else empty */
	struct slice match; /* what topics are matched against */
	bool is_shared;
	bool has_wildcard; /* in `match` */
};

/*
 * Take apart and check: at least one character, no U+0000, `#` only as the
 * last whole level, `+` only as a whole level, a ShareName of at least one
 * character without wildcard before a filter. v5 [MQTT-4.7.1-1]
 * [MQTT-4.7.1-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2]. Slices borrow from `full`.
 */
bool filter_parse(struct slice full, struct filter *out) MUST_CHECK;

/*
 * Does the filter (a `match`, not a whole $share filter) match the topic?
 * Leading wildcards do not match `$` topics: v5 [MQTT-4.7.2-1].
 */
bool filter_match(struct slice filter, struct slice topic);
