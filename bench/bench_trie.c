/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_trie - what the topic layer costs: time and bytes per entry.
 *
 *   bench_trie [ENTRIES]...        (10000 100000 1000000)
 *
 * Times are CPU time. What is looked up was made before the clock starts and
 * lies in memory in the order of its use, as a name just received is in the
 * cache; where it leads is random, so that a big trie is not.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "topic/filter_trie.h"
#include "topic/subject.h"
#include "topic/topic_trie.h"

#define LOOKUPS 1000000u

/* Names of a kind, by number. */
typedef void name_fn(char *out, size_t size, uint32_t i);

struct names {
	struct slice *at;
	size_t n;
};

static uint64_t n_calls; /* so that no match is optimised away */

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t
memory_used(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* The same numbers in every run, in no order that a cache would like. */
static uint32_t
scatter(uint32_t i)
{
	return i * 2654435761u;
}

/* `n` names, the first `n` of their kind or a random choice among those. */
static struct names
names_make(name_fn *fn, size_t n, bool is_random)
{
	struct names names = { xcalloc(n, sizeof(struct slice)), n };
	uint32_t number;
	char text[128];

	for (size_t i = 0; i < n; i++) {
		number = (uint32_t)i;
		if (is_random)
			number = scatter(number) % (uint32_t)n;
		fn(text, sizeof(text), number);
		names.at[i] =
		    slice_of(xmemdup0(text, strlen(text)), strlen(text));
	}
	return names;
}

static void
names_free(struct names *names)
{
	while (names->n > 0)
		free((void *)names->at[--names->n].ptr);
	free(names->at);
}

static void
name_filter(char *out, size_t size, uint32_t i)
{
	snprintf(out, size, "devices/%08x/+", scatter(i));
}

static void
name_topic(char *out, size_t size, uint32_t i)
{
	snprintf(out, size, "devices/%08x/temperature", scatter(i));
}

/* 90 % exact, 9 % `+`, 1 % beginning with a wildcard. */
static void
name_mixed(char *out, size_t size, uint32_t i)
{
	if (i % 100 == 0)
		snprintf(out, size, "+/%08x/#", scatter(i));
	else if (i % 100 < 10)
		snprintf(out, size, "devices/%08x/+", scatter(i));
	else
		snprintf(out, size, "devices/%08x/temperature", scatter(i));
}

static void
name_site(char *out, size_t size, uint32_t i)
{
	snprintf(out, size, "site/%u/pump-%06u/temperature", i % 1000, i);
}

static void
count_one(void *value, void *arg)
{
	(void)value;
	++*(uint64_t *)arg;
}

static bool
count_and_go_on(void *value, void *arg)
{
	count_one(value, arg);
	return true;
}

static void
report(const char *what, size_t n, uint64_t ns, size_t count, const char *unit)
{
	printf("  %-34s %9.0f ns %s (%zu)\n", what, (double)ns / (double)count,
	    unit, n);
}

static struct filter_trie *
fill_filters(const struct names *names)
{
	struct filter_trie *trie = filter_trie_new();
	size_t before = memory_used(), i;
	uint64_t start = now_ns();

	for (i = 0; i < names->n; i++)
		*filter_trie_slot(trie, names->at[i]) = trie;
	report("insert", names->n, now_ns() - start, names->n, "each");
	printf("  %-34s %9.1f\n", "bytes per filter",
	    (double)(memory_used() - before) / (double)names->n);
	return trie;
}

/* The pause when a table of children grows. */
static void
bench_longest_insert(const struct names *names)
{
	struct filter_trie *trie = filter_trie_new();
	uint64_t longest = 0, start, ns;
	size_t i;

	for (i = 0; i < names->n; i++) {
		start = now_ns();
		*filter_trie_slot(trie, names->at[i]) = trie;
		ns = now_ns() - start;
		longest = ns > longest ? ns : longest;
	}
	report("longest insert", names->n, longest, 1, "once");
	filter_trie_free(&trie);
}

static void
bench_filters(const char *title, name_fn *filters, size_t n)
{
	struct names names = names_make(filters, n, false);
	struct names topics = names_make(name_topic, n, true);
	struct filter_trie *trie;
	uint64_t start;
	size_t i;

	printf("%s, %zu filters\n", title, n);
	trie = fill_filters(&names);
	start = now_ns();
	for (i = 0; i < LOOKUPS; i++)
		filter_trie_match(trie, topics.at[i % n], count_one, &n_calls);
	report("match", n, now_ns() - start, LOOKUPS, "each");
	start = now_ns();
	for (i = 0; i < n; i++)
		filter_trie_remove(trie, names.at[i]);
	report("remove", n, now_ns() - start, n, "each");
	filter_trie_free(&trie);
	bench_longest_insert(&names);
	names_free(&names);
	names_free(&topics);
}

static void
match_topics(const struct topic_trie *trie, const char *filter, size_t times)
{
	uint64_t before = n_calls, start = now_ns();
	size_t i;

	for (i = 0; i < times; i++)
		topic_trie_match(trie, slice_str(filter), count_and_go_on,
		    &n_calls);
	report(filter, (size_t)(n_calls - before) / times, now_ns() - start,
	    times, "per match of so many");
}

static void
bench_topics(size_t n)
{
	struct topic_trie *trie = topic_trie_new();
	struct names names = names_make(name_site, n, false);
	struct names wanted = names_make(name_site, n, true);
	size_t before = memory_used(), i;
	uint64_t start = now_ns();

	printf("site/N/pump-N/temperature, %zu topics\n", n);
	for (i = 0; i < n; i++)
		*topic_trie_slot(trie, names.at[i]) = trie;
	report("insert", n, now_ns() - start, n, "each");
	printf("  %-34s %9.1f\n", "bytes per topic",
	    (double)(memory_used() - before) / (double)n);
	start = now_ns();
	for (i = 0; i < LOOKUPS; i++)
		n_calls += topic_trie_find(trie, wanted.at[i % n]) != NULL;
	report("find", n, now_ns() - start, LOOKUPS, "each");
	match_topics(trie, "site/7/pump-000007/temperature", LOOKUPS);
	match_topics(trie, "site/7/+/temperature", 1000);
	match_topics(trie, "site/+/pump-000007/temperature", 1000);
	match_topics(trie, "+/7/pump-000007/#", LOOKUPS);
	match_topics(trie, "+/nowhere/#", LOOKUPS);
	match_topics(trie, "#", 3);
	start = now_ns();
	for (i = 0; i < n; i++)
		topic_trie_remove(trie, names.at[i]);
	report("remove", n, now_ns() - start, n, "each");
	topic_trie_free(&trie);
	names_free(&names);
	names_free(&wanted);
}

static void
bench_mapping(enum mapping_mode mode, const char *topic)
{
	struct mapping m = { .mode = mode };
	struct buf subject = { 0 }, back = { 0 };
	uint64_t start = now_ns();
	size_t i;

	for (i = 0; i < LOOKUPS; i++) {
		buf_reset(&subject);
		n_calls += subject_from_topic(&m, slice_str(topic), &subject);
	}
	report(topic, buf_len(&subject), now_ns() - start, LOOKUPS,
	    "to a subject of so many bytes");
	start = now_ns();
	for (i = 0; i < LOOKUPS; i++) {
		buf_reset(&back);
		n_calls += subject_to_topic(&m, buf_slice(&subject), &back);
	}
	report(topic, buf_len(&back), now_ns() - start, LOOKUPS,
	    "back to so many bytes");
	buf_fini(&subject);
	buf_fini(&back);
}

int
main(int argc, char **argv)
{
	static const char *const usual[] = { "10000", "100000", "1000000" };
	const char *const *sizes = argc > 1 ? (void *)(argv + 1) : usual;
	int i, n_sizes = argc > 1 ? argc - 1 : (int)countof(usual);
	size_t n;

	for (i = 0; i < n_sizes; i++) {
		n = (size_t)strtoul(sizes[i], NULL, 10);
		if (n == 0) {
			fprintf(stderr, "usage: bench_trie [ENTRIES]...\n");
			return 2;
		}
		bench_filters("devices/ID/+", name_filter, n);
		bench_filters("mixed", name_mixed, n);
		bench_topics(n);
	}
	printf("mapping, modes nats and swap\n");
	bench_mapping(MAPPING_NATS, "site/7/pump-000007/temperature");
	bench_mapping(MAPPING_SWAP, "site/7/pump-000007/temperature");
	bench_mapping(MAPPING_NATS, "v1.2/hall a//temp.mean");
	bench_mapping(MAPPING_SWAP, "v1.2/hall a//temp.mean");
	return n_calls > 0 ? 0 : 1;
}
