/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subject - the one place where Topic Name <-> NATS subject is decided.
 *
 *   topic    plant / line.1 / / temp        prefix "plant" stays here
 *                    |      |     |         token.c translates each level
 *   subject  edge . line//1 . / . temp      prefix "edge" is put in front
 */
#include "topic/subject.h"

#include "base/utf8.h"
#include "topic/split.h"
#include "topic/token.h"
#include "topic/topic.h"

/* How the parts of a name are separated, and its wildcards. */
struct syntax {
	char separator;
	char one;
	char rest;
};

static const struct syntax topic_syntax = { '/', '+', '#' };
static const struct syntax subject_syntax = { '.', '*', '>' };

static uint8_t *
put_prefix(uint8_t *at, struct slice prefix, const struct syntax *s)
{
	if (prefix.len == 0)
		return at;
	memcpy(at, prefix.ptr, prefix.len);
	at[prefix.len] = (uint8_t)s->separator;
	return at + prefix.len + 1;
}

/* What of a literal name lies below the prefix; false when nothing does. */
static bool
below_prefix(struct slice name, struct slice prefix, const struct syntax *s,
    struct slice *below)
{
	if (prefix.len == 0) {
		*below = name;
		return true;
	}
	if (!slice_starts(name, prefix) || name.len == prefix.len ||
	    name.ptr[prefix.len] != (uint8_t)s->separator)
		return false;
	*below = slice_skip(name, prefix.len + 1);
	return true;
}

/*
 * The same for a pattern, whose wildcards may stand for parts of the prefix:
 * what it can match below.
 */
static bool
pattern_below_prefix(struct slice pattern, struct slice prefix,
    const struct syntax *s, struct slice *below)
{
	bool more = true, more_prefix = prefix.len > 0;
	struct slice before, part, want;

	*below = pattern;
	while (split_next(&prefix, &more_prefix, s->separator, &want)) {
		before = *below;
		if (!split_next(below, &more, s->separator, &part))
			return false;
		if (split_is(part, s->rest)) {
			*below = before;
			return true;
		}
		if (!split_is(part, s->one) && !slice_eq(part, want))
			return false;
	}
	return more;
}

/*
 * The subject of what lies below the topic prefix. A topic is a filter that
 * happens to have no wildcard.
 */
static void
put_subject(const struct mapping *m, struct slice below, struct buf *out,
    size_t *parent_len)
{
	bool is_first = true, more = true;
	uint8_t *start, *at;
	struct slice level;

	*parent_len = 0;
	start =
	    buf_reserve(out, m->subject_prefix.len + 1 + TOKEN_ROOM(below.len));
	at = put_prefix(start, m->subject_prefix, &subject_syntax);
	while (topic_next_level(&below, &more, &level)) {
		if (split_is(level, topic_syntax.one)) {
			*at++ = (uint8_t)subject_syntax.one;
		} else if (split_is(level, topic_syntax.rest)) {
			if (!is_first)
				*parent_len = (size_t)(at - start) - 1;
			*at++ = (uint8_t)subject_syntax.rest;
		} else {
			at = token_encode(m->mode, level, at);
		}
		if (more)
			*at++ = (uint8_t)subject_syntax.separator;
		is_first = false;
	}
	buf_commit(out, (size_t)(at - start));
}

enum subject_result
subject_from_topic(const struct mapping *m, struct slice topic, struct buf *out)
{
	struct slice below;
	size_t parent_len;

	if (!below_prefix(topic, m->topic_prefix, &topic_syntax, &below))
		return SUBJECT_OUTSIDE;
	put_subject(m, below, out, &parent_len);
	return SUBJECT_OK;
}

enum subject_result
subject_from_filter(const struct mapping *m, struct slice filter,
    struct buf *out, size_t *parent_len)
{
	struct slice below;

	if (!pattern_below_prefix(filter, m->topic_prefix, &topic_syntax,
		&below))
		return SUBJECT_OUTSIDE;
	put_subject(m, below, out, parent_len);
	/* "/#" alone: its parent is the empty topic, which is none. */
	if (m->topic_prefix.len == 0 && slice_eq(below, SLICE("/#")))
		*parent_len = 0;
	return SUBJECT_OK;
}

/* The level of a token at `at`; NULL when it has none. */
static uint8_t *
put_level(const struct mapping *m, struct slice token, bool is_last,
    uint8_t *at)
{
	if (split_is(token, subject_syntax.one)) {
		*at++ = (uint8_t)topic_syntax.one;
		return at;
	}
	if (split_is(token, subject_syntax.rest) && is_last) {
		*at++ = (uint8_t)topic_syntax.rest;
		return at;
	}
	return token_decode(m->mode, token, at);
}

/* The topic or filter of what lies below the subject prefix. */
static enum subject_result
put_topic(const struct mapping *m, struct slice below, bool wildcards,
    struct buf *out)
{
	struct slice token, topic;
	uint8_t *start, *at;
	bool more = true;

	start = buf_reserve(out, m->topic_prefix.len + 1 + below.len);
	at = put_prefix(start, m->topic_prefix, &topic_syntax);
	while (split_next(&below, &more, subject_syntax.separator, &token)) {
		at = wildcards ? put_level(m, token, !more, at)
			       : token_decode(m->mode, token, at);
		if (at == NULL)
			return SUBJECT_BAD;
		if (more)
			*at++ = (uint8_t)topic_syntax.separator;
	}
	topic = slice_of(start, (size_t)(at - start));
	/* v3.1.1 [MQTT-4.7.3-1] [MQTT-4.7.3-3] [MQTT-1.5.3-1] */
	if (topic.len == 0 || topic.len > TOPIC_MAX || !utf8_valid(topic))
		return SUBJECT_BAD;
	buf_commit(out, topic.len);
	return SUBJECT_OK;
}

enum subject_result
subject_to_topic(const struct mapping *m, struct slice subject, struct buf *out)
{
	struct slice below;

	if (!below_prefix(subject, m->subject_prefix, &subject_syntax, &below))
		return SUBJECT_OUTSIDE;
	return put_topic(m, below, false, out);
}

enum subject_result
subject_to_filter(const struct mapping *m, struct slice subject,
    struct buf *out)
{
	struct slice below;

	if (!pattern_below_prefix(subject, m->subject_prefix, &subject_syntax,
		&below))
		return SUBJECT_OUTSIDE;
	return put_topic(m, below, true, out);
}

static bool
token_valid(struct slice token, bool wildcards, bool is_last)
{
	size_t i;

	if (split_is(token, subject_syntax.one))
		return wildcards;
	if (split_is(token, subject_syntax.rest))
		return wildcards && is_last;
	for (i = 0; i < token.len; i++)
		if (token.ptr[i] <= ' ' || token.ptr[i] == 0x7f)
			return false;
	return token.len > 0;
}

bool
subject_valid(struct slice subject, bool wildcards)
{
	struct slice token;
	bool more = true;

	while (split_next(&subject, &more, subject_syntax.separator, &token))
		if (!token_valid(token, wildcards, !more))
			return false;
	return true;
}

bool
subject_match(struct slice filter, struct slice subject)
{
	bool more_filter = true, more_subject = true;
	struct slice want, token;

	while (split_next(&filter, &more_filter, '.', &want)) {
		if (!split_next(&subject, &more_subject, '.', &token))
			return false;
		if (split_is(want, subject_syntax.rest))
			return true;
		if (!split_is(want, subject_syntax.one) &&
		    !slice_eq(want, token))
			return false;
	}
	return !more_subject;
}

bool
subject_is_reserved(struct slice subject)
{
	static const char *const names[] = { "$JS", "$KV", "$O", "$SRV",
		"$MQTT", "$NRG", "$SYS", "_INBOX" };
	struct slice token;
	bool more = true;
	size_t i;

	/* They all begin with one of these; most subjects do not. */
	if (subject.len == 0 ||
	    (subject.ptr[0] != '$' && subject.ptr[0] != '_'))
		return false;
	split_next(&subject, &more, subject_syntax.separator, &token);
	for (i = 0; i < countof(names); i++)
		if (slice_eq(token, slice_str(names[i])))
			return true;
	return false;
}
