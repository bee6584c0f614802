/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic/filter_trie. */
#include "topic/filter_trie.h"

#include <malloc.h>
#include <stdio.h>

#include <criterion/criterion.h>

#include "base/attr.h"
#include "topic/filter.h"
#include "topic/samples.h"
#include "topic/topic.h"

/* A filter of the model; its trie value is the entry itself. */
struct entry {
	char filter[64];
	bool is_in;
	unsigned hits;
};

static void
hit(void *value, void *arg)
{
	struct entry *e = value;

	e->hits++;
	++*(size_t *)arg;
}

static void
put(struct filter_trie *t, struct entry *e)
{
	*filter_trie_slot(t, slice_str(e->filter)) = e;
	e->is_in = true;
}

static size_t
match(const struct filter_trie *t, const char *topic)
{
	size_t n = 0;

	filter_trie_match(t, slice_str(topic), hit, &n);
	return n;
}

Test(filter_trie, keeps_one_value_per_filter)
{
	struct filter_trie *t = filter_trie_new();
	struct entry a = { .filter = "a/+" }, b = { .filter = "a/#" };

	cr_assert_eq(filter_trie_len(t), 0);
	put(t, &a);
	put(t, &b);
	cr_assert_eq(filter_trie_len(t), 2);
	cr_assert_eq(*filter_trie_slot(t, SLICE("a/+")), &a);
	cr_assert_eq(filter_trie_len(t), 2);
	cr_assert_eq(filter_trie_find(t, SLICE("a/#")), &b);
	cr_assert_null(filter_trie_find(t, SLICE("a/b")));
	cr_assert_null(filter_trie_find(t, SLICE("a")));
	cr_assert_eq(filter_trie_remove(t, SLICE("a/+")), &a);
	cr_assert_null(filter_trie_remove(t, SLICE("a/+")));
	cr_assert_eq(filter_trie_len(t), 1);
	filter_trie_free(&t);
	cr_assert_null(t);
	filter_trie_free(&t);
}

Test(filter_trie, matches_each_filter_once)
{
	static const char *const topics[] = { "a", "a/b", "a/b/c", "a//c", "/",
		"b", "$a", "$a/b" };
	static struct entry entries[] = { { .filter = "a" },
		{ .filter = "a/b" }, { .filter = "a/+" }, { .filter = "a/#" },
		{ .filter = "#" }, { .filter = "+" }, { .filter = "+/+" },
		{ .filter = "+/#" }, { .filter = "+/b/#" },
		{ .filter = "a/+/c" }, { .filter = "$a/+" },
		{ .filter = "$a/#" }, { .filter = "/" } };
	struct filter_trie *t = filter_trie_new();
	size_t i, k;

	for (i = 0; i < countof(entries); i++)
		put(t, &entries[i]);
	for (i = 0; i < countof(topics); i++) {
		match(t, topics[i]);
		for (k = 0; k < countof(entries); k++) {
			cr_expect_eq(entries[k].hits,
			    filter_match(slice_str(entries[k].filter),
				slice_str(topics[i])),
			    "%s and %s", entries[k].filter, topics[i]);
			entries[k].hits = 0;
		}
	}
	filter_trie_free(&t);
}

Test(filter_trie, does_not_tell_of_a_filter_without_value)
{
	struct filter_trie *t = filter_trie_new();

	cr_assert_null(*filter_trie_slot(t, SLICE("a/#")));
	cr_assert_null(*filter_trie_slot(t, SLICE("a")));
	cr_assert_eq(match(t, "a"), 0);
	filter_trie_free(&t);
}

static const char *const levels[] = { "", "a", "b", "ab", "$a", "c.d" };
static const char *const marks[] = { "", "a", "b", "ab", "$a", "c.d", "+", "+",
	"+" };
static struct entry model[600];

/* Entries with different filters. */
static void
make_model(uint64_t *seed)
{
	struct filter f;
	size_t i, k;

	for (i = 0; i < countof(model); i++) {
		model[i] = (struct entry){ .hits = 0 };
		sample_name(seed, marks, countof(marks), 6, true,
		    model[i].filter, sizeof(model[i].filter));
		cr_assert(filter_parse(slice_str(model[i].filter), &f));
		for (k = 0; k < i; k++)
			if (strcmp(model[i].filter, model[k].filter) == 0)
				break;
		if (k < i)
			i--;
	}
}

static void
toggle(struct filter_trie *t, struct entry *e)
{
	if (!e->is_in) {
		put(t, e);
		return;
	}
	if (filter_trie_remove(t, slice_str(e->filter)) != e)
		cr_assert_fail("%s", e->filter);
	e->is_in = false;
}

static void
compare_with_model(const struct filter_trie *t, const char *topic)
{
	size_t i, n_in = 0;
	bool want;

	match(t, topic);
	for (i = 0; i < countof(model); i++) {
		n_in += model[i].is_in;
		want = model[i].is_in &&
		    filter_match(slice_str(model[i].filter), slice_str(topic));
		if (model[i].hits != want)
			cr_assert_fail("%s and %s: %u hits", model[i].filter,
			    topic, model[i].hits);
		model[i].hits = 0;
	}
	if (filter_trie_len(t) != n_in)
		cr_assert_fail("%zu of %zu", filter_trie_len(t), n_in);
}

Test(filter_trie, does_as_the_model_does)
{
	struct filter_trie *t;
	uint64_t seed = 4711;
	char topic[64];
	int round, i;

	for (round = 0; round < 5; round++) {
		t = filter_trie_new();
		make_model(&seed);
		for (i = 0; i < 3000; i++) {
			toggle(t, &model[sample_random(&seed, countof(model))]);
			sample_name(&seed, levels, countof(levels), 6, false,
			    topic, sizeof(topic));
			compare_with_model(t, topic);
		}
		for (i = 0; i < (int)countof(model); i++)
			if (model[i].is_in)
				toggle(t, &model[i]);
		compare_with_model(t, topic);
		filter_trie_free(&t);
	}
}

Test(filter_trie, branches_only_where_filters_are)
{
	/* every filter of 12 levels, each of them `a` or `+` */
	struct filter_trie *t = filter_trie_new();
	struct entry e = { .hits = 0 };
	char filter[32], topic[32];
	unsigned bits, i;

	for (bits = 0; bits < 1u << 12; bits++) {
		for (i = 0; i < 12; i++) {
			filter[2 * i] = bits >> i & 1 ? '+' : 'a';
			filter[2 * i + 1] = i < 11 ? '/' : '\0';
			topic[2 * i] = 'a';
			topic[2 * i + 1] = filter[2 * i + 1];
		}
		*filter_trie_slot(t, slice_str(filter)) = &e;
	}
	cr_assert_eq(match(t, topic), 1u << 12);
	topic[22] = 'b'; /* the last level: half of them end with `+` */
	cr_assert_eq(match(t, topic), 1u << 11);
	filter_trie_free(&t);
}

Test(filter_trie, takes_the_deepest_filters_and_topics)
{
	static uint8_t slashes[TOPIC_MAX], pluses[TOPIC_MAX];
	struct filter_trie *t = filter_trie_new();
	struct entry e[4] = { { .hits = 0 } };
	size_t i, n = 0;

	memset(slashes, '/', sizeof(slashes));
	for (i = 0; i < sizeof(pluses); i++)
		pluses[i] = i % 2 == 0 ? '+' : '/';
	*filter_trie_slot(t, slice_of(pluses, sizeof(pluses))) = &e[0];
	*filter_trie_slot(t, slice_of(slashes, sizeof(slashes))) = &e[1];
	*filter_trie_slot(t, SLICE("+/+/#")) = &e[2];
	*filter_trie_slot(t, SLICE("#")) = &e[3];
	filter_trie_match(t, slice_of(slashes, TOPIC_MAX), hit, &n);
	cr_expect_eq(n, 3);
	cr_expect_eq(e[0].hits, 0);
	filter_trie_match(t, slice_of(slashes, TOPIC_MAX / 2), hit, &n);
	cr_expect_eq(n, 6);
	cr_expect_eq(e[0].hits, 1);
	cr_expect_eq(filter_trie_remove(t, slice_of(pluses, TOPIC_MAX)), &e[0]);
	cr_expect_eq(filter_trie_len(t), 3);
	filter_trie_free(&t);
}

Test(filter_trie, gives_its_memory_back)
{
	struct filter_trie *t = filter_trie_new();
	size_t before = mallinfo2().uordblks, used;
	const size_t n = 20000;
	struct entry e;
	char filter[32];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(filter, sizeof(filter), "devices/%zu/+", i);
		*filter_trie_slot(t, slice_str(filter)) = &e;
	}
	used = mallinfo2().uordblks - before;
	cr_log_info("devices/ID/+: %zu bytes per filter", used / n);
	for (i = 0; i < n; i++) {
		snprintf(filter, sizeof(filter), "devices/%zu/+", i);
		filter_trie_remove(t, slice_str(filter));
	}
	cr_expect_eq(filter_trie_len(t), 0);
	/* The allocator's caches count as used; sanitizers count nothing. */
	cr_expect_leq(mallinfo2().uordblks, before + used / 10);
	filter_trie_free(&t);
}
