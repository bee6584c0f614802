/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_subject - the first byte chooses mode and prefixes; the rest is a
 * name: a topic, a filter and a subject where it can be one.
 *
 * The laws: what is translated comes back as it was, and NATS and MQTT each
 * get only what is legal there.
 */
#include <assert.h>

#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "topic/filter.h"
#include "topic/subject.h"
#include "topic/topic.h"

/* As subject_valid, which also refuses characters that NATS would carry. */
static bool
has_control(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (s.ptr[i] < ' ')
			return true;
	return false;
}

static void
check_topic(const struct mapping *m, struct slice topic, struct buf *subject,
    struct buf *back)
{
	enum subject_result result = subject_from_topic(m, topic, subject);

	assert(result != SUBJECT_BAD);
	if (result == SUBJECT_OUTSIDE)
		return;
	assert(subject_valid(buf_slice(subject), false) ||
	    has_control(buf_slice(subject)));
	assert(subject_match(buf_slice(subject), buf_slice(subject)));
	result = subject_to_topic(m, buf_slice(subject), back);
	assert(result == SUBJECT_OK && slice_eq(buf_slice(back), topic));
}

static void
check_subject(const struct mapping *m, struct slice subject, struct buf *topic,
    struct buf *back)
{
	enum subject_result result = subject_to_topic(m, subject, topic);

	if (result != SUBJECT_OK) {
		assert(buf_len(topic) == 0);
		return;
	}
	assert(topic_valid(buf_slice(topic)) && utf8_valid(buf_slice(topic)));
	result = subject_from_topic(m, buf_slice(topic), back);
	assert(result == SUBJECT_OK && slice_eq(buf_slice(back), subject));
	assert(subject_is_reserved(subject) ==
	    subject_is_reserved(buf_slice(back)));
}

static void
check_filter(const struct mapping *m, struct slice filter, struct buf *subject,
    struct buf *back)
{
	size_t parent_len = 0;
	enum subject_result result =
	    subject_from_filter(m, filter, subject, &parent_len);
	struct slice s = buf_slice(subject);

	assert(result != SUBJECT_BAD);
	if (result == SUBJECT_OUTSIDE)
		return;
	assert(subject_valid(s, true) || has_control(s));
	assert(parent_len == 0 || parent_len + 2 == s.len);
	result = subject_to_filter(m, s, back);
	assert(result == SUBJECT_OK);
	/* Wildcards in place of the prefix come back as the prefix. */
	if (m->topic_prefix.len == 0)
		assert(slice_eq(buf_slice(back), filter));
}

static void
check_subscription(const struct mapping *m, struct slice subscription,
    struct buf *filter)
{
	struct filter f;

	if (subject_to_filter(m, subscription, filter) != SUBJECT_OK)
		assert(buf_len(filter) == 0);
	else if (!slice_starts(buf_slice(filter), SLICE("$share/")))
		assert(filter_parse(buf_slice(filter), &f));
}

static void
try_name(const struct mapping *m, struct slice name)
{
	struct buf a = { 0 }, b = { 0 };
	struct filter f;

	check_subject(m, name, &a, &b);
	buf_reset(&a);
	check_subscription(m, name, &a);
	if (utf8_valid(name)) {
		buf_reset(&a);
		buf_reset(&b);
		if (topic_valid(name))
			check_topic(m, name, &a, &b);
		buf_reset(&a);
		buf_reset(&b);
		if (filter_parse(name, &f) && !f.is_shared)
			check_filter(m, name, &a, &b);
	}
	buf_fini(&a);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mapping m = { .mode = MAPPING_NATS };

	if (size == 0)
		return 0;
	if (data[0] & 1)
		m.mode = MAPPING_SWAP;
	if (data[0] & 2)
		m.topic_prefix = SLICE("p");
	if (data[0] & 4)
		m.subject_prefix = SLICE("e.1");
	try_name(&m, slice_of(data + 1, size - 1));
	return 0;
}
