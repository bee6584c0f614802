/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic/topic_trie. */
#include "topic/topic_trie.h"

#include <malloc.h>
#include <stdio.h>

#include <criterion/criterion.h>

#include "base/attr.h"
#include "topic/filter.h"
#include "topic/samples.h"
#include "topic/topic.h"

/* A topic of the model; its trie value is the entry itself. */
struct entry {
	char topic[64];
	bool is_in;
	unsigned hits;
};

/* Counts down to the end of the match. */
static bool
hit(void *value, void *arg)
{
	struct entry *e = value;
	size_t *left = arg;

	e->hits++;
	return --*left > 0;
}

static void
put(struct topic_trie *t, struct entry *e)
{
	*topic_trie_slot(t, slice_str(e->topic)) = e;
	e->is_in = true;
}

/* How many topics the match tells of, at most `limit`. */
static size_t
match(const struct topic_trie *t, const char *filter, size_t limit)
{
	size_t left = limit;

	topic_trie_match(t, slice_str(filter), hit, &left);
	return limit - left;
}

Test(topic_trie, keeps_one_value_per_topic)
{
	struct topic_trie *t = topic_trie_new();
	struct entry a = { .topic = "a/b" }, b = { .topic = "a/" };

	cr_assert_eq(topic_trie_len(t), 0);
	put(t, &a);
	put(t, &b);
	cr_assert_eq(topic_trie_len(t), 2);
	cr_assert_eq(*topic_trie_slot(t, SLICE("a/b")), &a);
	cr_assert_eq(topic_trie_len(t), 2);
	cr_assert_eq(topic_trie_find(t, SLICE("a/")), &b);
	cr_assert_null(topic_trie_find(t, SLICE("a")));
	cr_assert_eq(topic_trie_remove(t, SLICE("a/b")), &a);
	cr_assert_null(topic_trie_remove(t, SLICE("a/b")));
	cr_assert_eq(topic_trie_len(t), 1);
	topic_trie_free(&t);
	cr_assert_null(t);
	topic_trie_free(&t);
}

Test(topic_trie, matches_each_topic_once)
{
	static const char *const filters[] = { "a", "a/b", "a/+", "a/#", "#",
		"+", "+/+", "+/#", "+/b/#", "a/+/c", "$a/+", "$a/#", "/", "/#",
		"z/#", "a/b/c/d", "+/+/+/+/#" };
	static struct entry entries[] = { { .topic = "a" }, { .topic = "a/b" },
		{ .topic = "a/b/c" }, { .topic = "a//c" }, { .topic = "/" },
		{ .topic = "b" }, { .topic = "$a" }, { .topic = "$a/b" },
		{ .topic = "a/$b" } };
	struct topic_trie *t = topic_trie_new();
	size_t i, k;

	for (i = 0; i < countof(entries); i++)
		put(t, &entries[i]);
	for (i = 0; i < countof(filters); i++) {
		match(t, filters[i], SIZE_MAX);
		for (k = 0; k < countof(entries); k++) {
			cr_expect_eq(entries[k].hits,
			    filter_match(slice_str(filters[i]),
				slice_str(entries[k].topic)),
			    "%s and %s", filters[i], entries[k].topic);
			entries[k].hits = 0;
		}
	}
	topic_trie_free(&t);
}

Test(topic_trie, match_ends_when_it_is_told_to)
{
	static struct entry entries[100];
	struct topic_trie *t = topic_trie_new();
	size_t i;

	for (i = 0; i < countof(entries); i++) {
		snprintf(entries[i].topic, sizeof(entries[i].topic), "a/%zu/b",
		    i);
		put(t, &entries[i]);
	}
	cr_expect_eq(match(t, "a/+/b", 7), 7);
	cr_expect_eq(match(t, "#", 1), 1);
	cr_expect_eq(match(t, "#", 1000), 100);
	topic_trie_free(&t);
}

Test(topic_trie, does_not_tell_of_a_topic_without_value)
{
	struct topic_trie *t = topic_trie_new();

	cr_assert_null(*topic_trie_slot(t, SLICE("a/b")));
	cr_assert_eq(match(t, "#", SIZE_MAX), 0);
	topic_trie_free(&t);
}

Test(topic_trie, each_is_every_topic)
{
	static struct entry entries[] = { { .topic = "a" }, { .topic = "a/b" },
		{ .topic = "/" }, { .topic = "$a" }, { .topic = "$a/b" },
		{ .topic = "a/$b/c" } };
	struct topic_trie *t = topic_trie_new();
	size_t i, left = 4;

	for (i = 0; i < countof(entries); i++)
		put(t, &entries[i]);
	topic_trie_each(t, hit, &left);
	cr_expect_eq(left, 0, "stops when it is told to");
	for (i = 0; i < countof(entries); i++)
		entries[i].hits = 0;
	left = SIZE_MAX;
	topic_trie_each(t, hit, &left);
	for (i = 0; i < countof(entries); i++)
		cr_expect_eq(entries[i].hits, 1, "%s", entries[i].topic);
	topic_trie_free(&t);
}

static const char *const levels[] = { "", "a", "b", "ab", "$a", "c.d" };
static const char *const marks[] = { "", "a", "b", "ab", "$a", "c.d", "+", "+",
	"+" };
static struct entry model[600];

/* Entries with different topics. */
static void
make_model(uint64_t *seed)
{
	size_t i, k;

	for (i = 0; i < countof(model); i++) {
		model[i] = (struct entry){ .hits = 0 };
		sample_name(seed, levels, countof(levels), 6, false,
		    model[i].topic, sizeof(model[i].topic));
		for (k = 0; k < i; k++)
			if (strcmp(model[i].topic, model[k].topic) == 0)
				break;
		if (k < i)
			i--;
	}
}

static void
toggle(struct topic_trie *t, struct entry *e)
{
	if (!e->is_in) {
		put(t, e);
		return;
	}
	if (topic_trie_remove(t, slice_str(e->topic)) != e)
		cr_assert_fail("%s", e->topic);
	e->is_in = false;
}

static void
compare_with_model(const struct topic_trie *t, const char *filter)
{
	size_t i, n_in = 0;
	bool want;

	match(t, filter, SIZE_MAX);
	for (i = 0; i < countof(model); i++) {
		n_in += model[i].is_in;
		want = model[i].is_in &&
		    filter_match(slice_str(filter), slice_str(model[i].topic));
		if (model[i].hits != want)
			cr_assert_fail("%s and %s: %u hits", filter,
			    model[i].topic, model[i].hits);
		model[i].hits = 0;
	}
	if (topic_trie_len(t) != n_in)
		cr_assert_fail("%zu of %zu", topic_trie_len(t), n_in);
}

Test(topic_trie, does_as_the_model_does)
{
	struct topic_trie *t;
	uint64_t seed = 815;
	char filter[64];
	int round, i;

	for (round = 0; round < 5; round++) {
		t = topic_trie_new();
		make_model(&seed);
		for (i = 0; i < 3000; i++) {
			toggle(t, &model[sample_random(&seed, countof(model))]);
			sample_name(&seed, marks, countof(marks), 6, true,
			    filter, sizeof(filter));
			compare_with_model(t, filter);
		}
		for (i = 0; i < (int)countof(model); i++)
			if (model[i].is_in)
				toggle(t, &model[i]);
		compare_with_model(t, "#");
		topic_trie_free(&t);
	}
}

Test(topic_trie, takes_the_deepest_topics_and_filters)
{
	static uint8_t slashes[TOPIC_MAX], pluses[TOPIC_MAX];
	struct topic_trie *t = topic_trie_new();
	struct entry e[3] = { { .hits = 0 } };
	size_t i, left = SIZE_MAX;

	memset(slashes, '/', sizeof(slashes));
	for (i = 0; i < sizeof(pluses); i++)
		pluses[i] = i % 2 == 0 ? '+' : '/';
	*topic_trie_slot(t, slice_of(slashes, TOPIC_MAX)) = &e[0];
	*topic_trie_slot(t, slice_of(slashes, TOPIC_MAX / 2)) = &e[1];
	*topic_trie_slot(t, SLICE("a/a/a")) = &e[2];
	topic_trie_match(t, slice_of(pluses, TOPIC_MAX), hit, &left);
	cr_expect_eq(e[0].hits, 0);
	cr_expect_eq(e[1].hits, 1);
	topic_trie_match(t, SLICE("#"), hit, &left);
	cr_expect_eq(e[0].hits, 1);
	cr_expect_eq(e[1].hits, 2);
	cr_expect_eq(e[2].hits, 1);
	topic_trie_free(&t);
}

Test(topic_trie, gives_its_memory_back)
{
	struct topic_trie *t = topic_trie_new();
	size_t before = mallinfo2().uordblks, used;
	const size_t n = 20000;
	struct entry e;
	char topic[32];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(topic, sizeof(topic), "site/%zu/%zu", i / 100, i);
		*topic_trie_slot(t, slice_str(topic)) = &e;
	}
	used = mallinfo2().uordblks - before;
	cr_log_info("site/N/ID: %zu bytes per topic", used / n);
	for (i = 0; i < n; i++) {
		snprintf(topic, sizeof(topic), "site/%zu/%zu", i / 100, i);
		topic_trie_remove(t, slice_str(topic));
	}
	cr_expect_eq(topic_trie_len(t), 0);
	/* The allocator's caches count as used; sanitizers count nothing. */
	cr_expect_leq(mallinfo2().uordblks, before + used / 10);
	topic_trie_free(&t);
}
