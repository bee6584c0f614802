/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_filter - every line is a Topic Filter, and a Topic Name where it can
 * be one.
 *
 * The laws: filter_match agrees with the naive matcher, and each trie tells
 * of exactly what filter_match says, before and after half of it is removed.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/xalloc.h"
#include "fuzz/fuzz.h"
#include "topic/filter.h"
#include "topic/filter_trie.h"
#include "topic/samples.h"
#include "topic/topic.h"
#include "topic/topic_trie.h"

#define MAX_LINES 32

struct line {
	const char *text;
	struct slice match; /* of the filter */
	bool is_filter;     /* in the trie; of equal ones the first */
	bool is_topic;
	unsigned hits;
};

struct lines {
	struct line at[MAX_LINES];
	size_t n;
};

static void
hit(void *value, void *arg)
{
	struct line *l = value;

	(void)arg;
	l->hits++;
}

static bool
hit_and_go_on(void *value, void *arg)
{
	hit(value, arg);
	return true;
}

/* A filter is taken apart into pieces of itself. */
static void
check_parse(struct slice full)
{
	struct filter f;

	if (!filter_parse(full, &f))
		return;
	assert(f.full.ptr == full.ptr && f.full.len == full.len);
	assert(f.match.len > 0);
	assert(f.match.ptr + f.match.len == full.ptr + full.len);
	assert(f.has_wildcard != topic_valid(f.match));
	if (!f.is_shared)
		assert(f.match.len == full.len);
	else
		assert(f.share.len > 0 && f.share.ptr == full.ptr + 7 &&
		    f.share.ptr + f.share.len + 1 == f.match.ptr);
}

static void
take_line(struct lines *lines, const char *text)
{
	struct line *l = &lines->at[lines->n];
	struct filter f;
	size_t i;

	*l = (struct line){ .text = text };
	l->is_topic = topic_valid(slice_str(text));
	l->is_filter = filter_parse(slice_str(text), &f);
	if (!l->is_filter)
		return;
	l->match = f.match;
	for (i = 0; i < lines->n; i++)
		if (slice_eq(lines->at[i].match, f.match))
			return;
	lines->n++;
}

static void
check_filter_trie(const struct filter_trie *t, struct lines *lines,
    const struct line *topic, size_t removed)
{
	struct line *l;

	filter_trie_match(t, slice_str(topic->text), hit, NULL);
	for (l = lines->at; l < lines->at + lines->n; l++) {
		assert(l->hits ==
		    (l >= lines->at + removed &&
			filter_match(l->match, slice_str(topic->text))));
		l->hits = 0;
	}
}

static void
check_topic_trie(const struct topic_trie *t, struct lines *lines,
    const struct line *filter, size_t removed)
{
	struct line *l;

	topic_trie_match(t, filter->match, hit_and_go_on, NULL);
	for (l = lines->at; l < lines->at + lines->n; l++) {
		assert(l->hits ==
		    (l->is_topic && l >= lines->at + removed &&
			filter_match(filter->match, slice_str(l->text))));
		l->hits = 0;
	}
}

static void
check_tries(const struct filter_trie *filters, const struct topic_trie *topics,
    struct lines *lines, size_t removed)
{
	const struct line *l;

	for (l = lines->at; l < lines->at + lines->n; l++) {
		if (l->is_topic)
			check_filter_trie(filters, lines, l, removed);
		check_topic_trie(topics, lines, l, removed);
	}
}

static void
try_lines(struct lines *lines)
{
	struct filter_trie *filters = filter_trie_new();
	struct topic_trie *topics = topic_trie_new();
	struct line *l;
	size_t i;

	for (l = lines->at; l < lines->at + lines->n; l++) {
		*filter_trie_slot(filters, l->match) = l;
		if (l->is_topic)
			*topic_trie_slot(topics, slice_str(l->text)) = l;
	}
	check_tries(filters, topics, lines, 0);
	for (i = 0; i < lines->n / 2; i++) {
		l = &lines->at[i];
		assert(filter_trie_remove(filters, l->match) == l);
		assert(topic_trie_remove(topics, slice_str(l->text)) ==
		    (l->is_topic ? l : NULL));
	}
	assert(filter_trie_len(filters) == lines->n - lines->n / 2);
	check_tries(filters, topics, lines, lines->n / 2);
	filter_trie_free(&filters);
	topic_trie_free(&topics);
}

static void
check_match(const struct lines *lines)
{
	const struct line *f, *t;

	for (f = lines->at; f < lines->at + lines->n; f++)
		for (t = lines->at; t < lines->at + lines->n; t++)
			if (t->is_topic)
				assert(filter_match(f->match,
					   slice_str(t->text)) ==
				    naive_match((const char *)f->match.ptr,
					t->text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = xmemdup0(data, size), *text, *end;
	struct lines lines = { .n = 0 };

	check_parse(slice_of(data, size));
	for (text = copy; text != NULL && lines.n < MAX_LINES; text = end) {
		end = strchr(text, '\n');
		if (end != NULL)
			*end++ = '\0';
		take_line(&lines, text);
	}
	check_match(&lines);
	try_lines(&lines);
	free(copy);
	return 0;
}
