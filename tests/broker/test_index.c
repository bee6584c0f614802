/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/index.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "topic/filter.h"

/* Session handles are made as slots makes them: a tag and an index. */
static uint64_t
handle(unsigned worker, unsigned i)
{
	return 1ull << 32 | (uint64_t)worker << 24 | i;
}

static void
add(struct index *idx, const char *filter, uint64_t session, uint8_t qos)
{
	struct subscriber s = { .session = session, .qos = qos };

	index_add(idx, slice_str(filter), &s);
}

static size_t
match(struct index *idx, const char *topic)
{
	struct matches m = { 0 };
	size_t n;

	index_match(idx, slice_str(topic), &m);
	n = m.n;
	matches_fini(&m);
	return n;
}

Test(index, finds_exact_and_wildcard_filters)
{
	struct index *idx = index_new();

	add(idx, "a/b", handle(0, 1), 0);
	add(idx, "a/+", handle(0, 2), 0);
	add(idx, "#", handle(1, 1), 0);
	cr_assert_eq(match(idx, "a/b"), 3);
	cr_assert_eq(match(idx, "a/c"), 2);
	cr_assert_eq(match(idx, "b"), 1);
	cr_assert_eq(match(idx, "$SYS/x"), 0);
	index_drop(idx, SLICE("a/+"), handle(0, 2));
	index_drop(idx, SLICE("a/+"), handle(0, 2)); /* harmless */
	cr_assert_eq(match(idx, "a/c"), 1);
	index_drop(idx, SLICE("a/b"), handle(0, 1));
	index_drop(idx, SLICE("#"), handle(1, 1));
	cr_assert_eq(index_filters(idx), 0);
	index_free(&idx);
}

Test(index, replaces_the_options_of_a_subscription)
{
	struct index *idx = index_new();
	struct matches m = { 0 };

	add(idx, "a", handle(0, 1), 0);
	add(idx, "a", handle(0, 1), 2);
	index_match(idx, SLICE("a"), &m);
	cr_assert_eq(m.n, 1);
	cr_assert_eq(m.items[0].qos, 2);
	cr_assert_eq(index_subscriptions(idx), 1);
	matches_fini(&m);
	index_drop(idx, SLICE("a"), handle(0, 1));
	index_free(&idx);
}

/* A match falls into one piece per worker, and in it one per session. */
Test(index, sorts_by_worker_and_session)
{
	struct index *idx = index_new();
	struct matches m = { 0 };

	for (unsigned i = 0; i < 50; i++) {
		add(idx, "a/b", handle(i % 3, 50 - i), 0);
		add(idx, "a/+", handle(i % 3, 50 - i), 1);
	}
	index_match(idx, SLICE("a/b"), &m);
	cr_assert_eq(m.n, 100);
	for (size_t i = 2; i < m.n; i++)
		cr_assert_leq(slots_tag(m.items[i - 1].session),
		    slots_tag(m.items[i].session));
	for (size_t i = 0; i < m.n; i += 2)
		cr_assert_eq(m.items[i].session, m.items[i + 1].session);
	matches_fini(&m);
	for (unsigned i = 0; i < 50; i++) {
		index_drop(idx, SLICE("a/b"), handle(i % 3, 50 - i));
		index_drop(idx, SLICE("a/+"), handle(i % 3, 50 - i));
	}
	index_free(&idx);
}

/* A naive model: every subscription, matched one by one. */
struct model {
	char filters[200][16];
	uint64_t sessions[200];
	size_t n;
};

static void
random_filter(char out[16])
{
	static const char levels[] = { 'a', 'b', 'c', '+' };
	size_t n = 1 + (size_t)rand() % 3;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			out[len++] = '/';
		out[len++] = levels[rand() % 4];
	}
	if (rand() % 4 == 0) {
		out[len++] = '/';
		out[len++] = '#';
	}
	out[len] = '\0';
}

static size_t
model_match(const struct model *m, const char *topic)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += filter_match(slice_str(m->filters[i]), slice_str(topic));
	return n;
}

Test(index, agrees_with_a_naive_model)
{
	static const char *const topics[] = { "a", "b", "a/b", "a/c", "b/b",
		"a/b/c", "c/c/c", "c/a/b", "b/c/a/b" };
	struct index *idx = index_new();
	struct model m = { .n = 0 };

	srand(7);
	for (int step = 0; step < 4000; step++) {
		size_t i = m.n > 0 ? (size_t)rand() % m.n : 0;

		if (m.n < 200 && (m.n == 0 || rand() % 2 == 0)) {
			random_filter(m.filters[m.n]);
			m.sessions[m.n] = handle(0, (unsigned)step);
			add(idx, m.filters[m.n], m.sessions[m.n], 0);
			m.n++;
		} else {
			index_drop(idx, slice_str(m.filters[i]), m.sessions[i]);
			m.n--;
			memmove(m.filters[i], m.filters[m.n], 16);
			m.sessions[i] = m.sessions[m.n];
		}
		for (size_t t = 0; t < 9; t++)
			cr_assert_eq(match(idx, topics[t]),
			    model_match(&m, topics[t]), "step %d %s", step,
			    topics[t]);
	}
	while (m.n-- > 0)
		index_drop(idx, slice_str(m.filters[m.n]), m.sessions[m.n]);
	cr_assert_eq(index_subscriptions(idx), 0);
	index_free(&idx);
}
