/* SPDX-License-Identifier: Apache-2.0 */
/* filter - Topic Filters: validity, `$share`, one-to-one match. */
#include "topic/filter.h"

#include "topic/split.h"
#include "topic/topic.h"

#define SHARE SLICE("$share/")

static bool
has_any(struct slice s, const char *chars, size_t n)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (memchr(chars, s.ptr[i], n) != NULL)
			return true;
	return false;
}

static bool
has_wildcard(struct slice s)
{
	return has_any(s, "+#", 2);
}

static bool
level_valid(struct slice level, bool is_last)
{
	if (split_is(level, '#')) /* v5 [MQTT-4.7.1-1] */
		return is_last;
	if (split_is(level, '+'))
		return true;
	/* v5 [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-2] */
	return !has_any(level, "+#\0", 3);
}

static bool
levels_valid(struct slice filter)
{
	struct slice level;
	bool more = true;

	if (filter.len == 0) /* v5 [MQTT-4.7.3-1] */
		return false;
	while (topic_next_level(&filter, &more, &level))
		if (!level_valid(level, !more))
			return false;
	return true;
}

/* Take "$share/GROUP/" off the front of out->match. */
static bool
parse_share(struct filter *out)
{
	struct slice rest = slice_skip(out->match, SHARE.len);
	bool more = true;

	topic_next_level(&rest, &more, &out->share);
	out->match = rest;
	out->is_shared = true;
	/* v5 [MQTT-4.8.2-1] [MQTT-4.8.2-2]; no filter is an empty one */
	return out->share.len > 0 && !has_any(out->share, "+#\0", 3);
}

/* v5 [MQTT-4.7.0-1], v3.1.1 [MQTT-4.7.1-2] [MQTT-4.7.1-3] */
bool
filter_parse(struct slice full, struct filter *out)
{
	struct filter f = { .full = full, .match = full };

	if (full.len > TOPIC_MAX) /* v5 [MQTT-4.7.3-3] */
		return false;
	if (slice_starts(full, SHARE) && !parse_share(&f))
		return false;
	if (!levels_valid(f.match))
		return false;
	f.has_wildcard = has_wildcard(f.match);
	*out = f;
	return true;
}

static bool
begins_with_wildcard(struct slice filter)
{
	return filter.len > 0 && (filter.ptr[0] == '+' || filter.ptr[0] == '#');
}

/* v5 [MQTT-4.7.3-4], v3.1.1 [MQTT-4.7.3-4]: byte by byte */
bool
filter_match(struct slice filter, struct slice topic)
{
	bool more_filter = true, more_topic = true;
	struct slice want, level;

	/* v5 [MQTT-4.7.2-1] */
	if (topic_is_dollar(topic) && begins_with_wildcard(filter))
		return false;
	while (topic_next_level(&filter, &more_filter, &want)) {
		if (split_is(want, '#')) /* the parent, too: "x/#" and "x" */
			return true;
		if (!topic_next_level(&topic, &more_topic, &level))
			return false;
		if (!split_is(want, '+') && !slice_eq(want, level))
			return false;
	}
	return !more_topic;
}
