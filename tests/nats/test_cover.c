/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/cover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "topic/subject.h"

/* What join and leave have made of it. */
#define MAX_LIVE 4096

static char *live[MAX_LIVE];
static size_t n_live;
static size_t n_joins, n_leaves;
/* So that a gap between old and new subscriptions is seen. */
static const char *watched;
static bool watch_was_lost;

static bool
is_live(const char *subject)
{
	for (size_t i = 0; i < n_live; i++)
		if (strcmp(live[i], subject) == 0)
			return true;
	return false;
}

static size_t
count_matches(const char *subject)
{
	size_t n = 0;

	for (size_t i = 0; i < n_live; i++)
		n += subject_match(slice_str(live[i]), slice_str(subject));
	return n;
}

static void *
join(void *arg, const char *subject)
{
	(void)arg;
	cr_assert(n_live < MAX_LIVE);
	cr_assert(!is_live(subject), "%s twice", subject);
	live[n_live] = strdup(subject);
	n_joins++;
	return live[n_live++];
}

static void
leave(void *arg, const char *subject, void *handle, bool replaced)
{
	(void)replaced;
	(void)arg;
	n_leaves++;
	cr_assert_str_eq(handle, subject);
	for (size_t i = 0; i < n_live; i++) {
		if (live[i] != handle)
			continue;
		free(live[i]);
		live[i] = live[--n_live];
		if (watched != NULL && count_matches(watched) == 0)
			watch_was_lost = true;
		return;
	}
	cr_assert_fail("%s was not there", subject);
}

static const struct cover_ops OPS = { .join = join, .leave = leave };

static struct cover *cover;

static void
open_cover(void)
{
	cover = cover_new(&OPS, NULL);
}

static void
close_cover(void)
{
	cover_free(&cover);
	while (n_live > 0)
		free(live[--n_live]);
}

TestSuite(cover, .init = open_cover, .fini = close_cover, .timeout = 120);

static bool
add(const char *filter)
{
	return cover_add(cover, slice_str(filter));
}

static void
drop(const char *filter)
{
	cover_drop(cover, slice_str(filter));
}

/* Are exactly these live? */
static void
expect_live(const char *const *want)
{
	size_t n = 0;

	for (; want[n] != NULL; n++)
		cr_expect(is_live(want[n]), "%s is missing", want[n]);
	cr_expect(n_live == n, "%zu instead of %zu", n_live, n);
	cr_expect(cover_count(cover) == n);
}

#define EXPECT_LIVE(...) expect_live((const char *const[]){ __VA_ARGS__, NULL })

Test(cover, keeps_what_does_not_overlap_exact)
{
	add("a.b");
	add("a.c");
	add("a.*.c");
	add("a");
	add("b.>");
	EXPECT_LIVE("a.b", "a.c", "a.*.c", "a", "b.>");
}

static const struct {
	const char *filters[4];
	const char *want;
} JOINED[] = {
	{ { "a.b", "a.*" }, "a.*" },
	{ { "a.*", "a.b" }, "a.*" },
	{ { "a.*.c", "a.b.*" }, "a.*.*" },
	{ { "a.b.c", "a.>" }, "a.>" },
	{ { "a.>", "a.b.c.d" }, "a.>" },
	{ { "*.b", "a.>" }, "*.>" },
	{ { "a.b", "x.y", ">" }, ">" },
	{ { "*.*", "a.*", "*.b" }, "*.*" },
	/* The join overlaps a third one that neither of the two does. */
	{ { "a.*.c", "x.y.c", "*.b.c" }, "*.*.c" },
	{ { "*.>", "*" }, NULL },
};

Test(cover, joins_what_overlaps)
{
	for (size_t i = 0; i < sizeof(JOINED) / sizeof(JOINED[0]); i++) {
		for (const char *const *f = JOINED[i].filters;
		     f - JOINED[i].filters < 4 && *f != NULL; f++)
			add(*f);
		if (JOINED[i].want != NULL)
			EXPECT_LIVE(JOINED[i].want);
		else
			EXPECT_LIVE(JOINED[i].filters[0], JOINED[i].filters[1]);
		close_cover();
		open_cover();
	}
}

Test(cover, joins_the_new_before_it_leaves_the_old)
{
	add("a.b");
	add("a.c");
	watched = "a.b";
	add("a.*");
	cr_expect(!watch_was_lost);
	drop("a.*");
	cover_narrow(cover);
	cr_expect(!watch_was_lost);
	EXPECT_LIVE("a.b", "a.c");
}

Test(cover, says_whether_subscriptions_have_changed)
{
	cr_expect(add("a.*"));
	cr_expect(!add("a.*"));
	cr_expect(!add("a.b"));
	cr_expect(add("a.>"));
}

Test(cover, leaves_at_once_when_nobody_wants_it)
{
	add("a.b");
	add("a.b");
	drop("a.b");
	EXPECT_LIVE("a.b");
	drop("a.b");
	cr_expect(n_live == 0);
}

Test(cover, narrows_only_when_told_to)
{
	add("a.b");
	add("a.*");
	drop("a.*");
	EXPECT_LIVE("a.*");
	cr_expect(cover_is_loose(cover));
	cover_narrow(cover);
	EXPECT_LIVE("a.b");
	cr_expect(!cover_is_loose(cover));
}

Test(cover, stays_when_narrowing_gives_the_same)
{
	size_t before;

	add("a.*");
	add("a.b");
	drop("a.b");
	cr_expect(cover_is_loose(cover));
	before = n_joins + n_leaves;
	cover_narrow(cover);
	cr_expect(n_joins + n_leaves == before);
	cr_expect(!cover_is_loose(cover));
	EXPECT_LIVE("a.*");
}

Test(cover, joins_everything_again_after_a_reconnect)
{
	add("a.b");
	add("c.*");
	add("c.d");
	drop("c.d");
	cover_leave_all(cover);
	cr_expect(n_live == 0);
	cover_join_all(cover);
	EXPECT_LIVE("a.b", "c.*");
}

Test(cover, knows_which_reserved_tokens_are_wanted)
{
	add("$KV.bucket.>");
	add("$KV.other.>");
	cr_expect(cover_wants_reserved(cover, SLICE("$KV")));
	cr_expect(!cover_wants_reserved(cover, SLICE("$JS")));
	drop("$KV.bucket.>");
	cr_expect(cover_wants_reserved(cover, SLICE("$KV")));
	drop("$KV.other.>");
	cr_expect(!cover_wants_reserved(cover, SLICE("$KV")));
}

/* --- the law, over random sets ------------------------------------------ */

#define N_SETS   4000
#define N_MAX    24
#define N_PROBES 40

static unsigned long long seed = 88172645463325252ull;

static unsigned
rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

/* As long as every filter and subject below is at most. */
#define FILTER_SIZE 64

static void
append_token(char *filter, const char *token)
{
	size_t len = strlen(filter);

	snprintf(filter + len, FILTER_SIZE - len, "%s%s", len > 0 ? "." : "",
	    token);
}

static const char *
random_token(bool is_last)
{
	static const char *const TOKENS[] = { "a", "b", "c", "dd" };
	unsigned what = rnd(10);

	if (what < 3)
		return "*";
	if (what == 3 && is_last)
		return ">";
	return TOKENS[rnd(4)];
}

static void
random_filter(char *out, bool literal)
{
	static const char *const TOKENS[] = { "a", "b", "c", "dd" };
	unsigned n = 1 + rnd(4);

	*out = '\0';
	for (unsigned i = 0; i < n; i++)
		append_token(out,
		    literal ? TOKENS[rnd(4)] : random_token(i + 1 == n));
}

/* Can one subject match both? By trying what could. */
static bool
overlap(const char *a, const char *b)
{
	static const char *const TOKENS[] = { "a", "b", "c", "dd", "q" };
	char subject[FILTER_SIZE];

	for (unsigned n = 1; n <= 5; n++) {
		unsigned total = 1;

		for (unsigned i = 0; i < n; i++)
			total *= 5;
		for (unsigned k = 0; k < total; k++) {
			unsigned rest = k;

			*subject = '\0';
			for (unsigned i = 0; i < n; i++) {
				append_token(subject, TOKENS[rest % 5]);
				rest /= 5;
			}
			if (subject_match(slice_str(a), slice_str(subject)) &&
			    subject_match(slice_str(b), slice_str(subject)))
				return true;
		}
	}
	return false;
}

static void
check_law(char filters[][FILTER_SIZE], const bool *in, unsigned n)
{
	char subject[FILTER_SIZE];

	for (unsigned p = 0; p < N_PROBES; p++) {
		bool wanted = false;
		size_t matches;

		random_filter(subject, true);
		for (unsigned i = 0; i < n && !wanted; i++)
			wanted = in[i] &&
			    subject_match(slice_str(filters[i]),
				slice_str(subject));
		matches = count_matches(subject);
		cr_assert(matches <= 1, "%s comes %zu times", subject, matches);
		cr_assert(matches == 1 || !wanted, "%s does not come", subject);
	}
}

Test(cover, delivers_each_wanted_subject_exactly_once)
{
	for (unsigned set = 0; set < N_SETS; set++) {
		char filters[N_MAX][FILTER_SIZE];
		bool in[N_MAX] = { false };
		unsigned n = 1 + rnd(N_MAX);

		for (unsigned i = 0; i < n; i++)
			random_filter(filters[i], false);
		for (unsigned step = 0; step < 2 * n; step++) {
			unsigned i = rnd(n);

			if (in[i])
				drop(filters[i]);
			else
				add(filters[i]);
			in[i] = !in[i];
			if (rnd(6) == 0)
				cover_narrow(cover);
			check_law(filters, in, n);
		}
		for (unsigned i = 0; i < n; i++)
			if (in[i])
				drop(filters[i]);
		cr_assert(n_live == 0, "%zu stay", n_live);
	}
}

Test(cover, has_no_two_subscriptions_that_overlap)
{
	for (unsigned set = 0; set < 60; set++) {
		for (unsigned i = 0; i < 10; i++) {
			char filter[FILTER_SIZE];

			random_filter(filter, false);
			add(filter);
		}
		for (size_t i = 0; i < n_live; i++)
			for (size_t j = 0; j < i; j++)
				cr_assert(!overlap(live[i], live[j]),
				    "%s and %s", live[i], live[j]);
		close_cover();
		open_cover();
	}
}

Test(cover, is_after_narrowing_what_adding_afresh_gives)
{
	for (unsigned set = 0; set < 500; set++) {
		char filters[N_MAX][FILTER_SIZE];
		unsigned n = 2 + rnd(N_MAX - 2), half = n / 2;
		size_t narrowed;

		for (unsigned i = 0; i < n; i++) {
			random_filter(filters[i], false);
			add(filters[i]);
		}
		for (unsigned i = half; i < n; i++)
			drop(filters[i]);
		cover_narrow(cover);
		narrowed = cover_count(cover);
		close_cover();
		open_cover();
		for (unsigned i = 0; i < half; i++)
			add(filters[i]);
		/* Joins depend on the order, but not by much. */
		cr_expect(narrowed <= half && cover_count(cover) <= half);
		close_cover();
		open_cover();
	}
}

Test(cover, finds_its_way_among_many)
{
	char filter[FILTER_SIZE];

	for (unsigned i = 0; i < MAX_LIVE - 2; i++) {
		snprintf(filter, sizeof(filter), "devices.%u.command", i);
		add(filter);
	}
	add("devices.*.telemetry");
	cr_expect(cover_count(cover) == MAX_LIVE - 1);
	add("devices.*.*");
	EXPECT_LIVE("devices.*.*");
	drop("devices.*.*");
	cover_narrow(cover);
	cr_expect(cover_count(cover) == MAX_LIVE - 1);
}

Test(cover, takes_a_refused_join_apart)
{
	add("a.*");
	add("*.b");
	EXPECT_LIVE("*.*");
	cover_deny(cover, SLICE("*.*"));
	EXPECT_LIVE("a.*", "*.b");
	cover_deny(cover, SLICE("*.b"));
	EXPECT_LIVE("a.*");
	cr_expect(cover_is_denied(cover, SLICE("*.b")));
	cr_expect_not(cover_is_denied(cover, SLICE("a.*")));
	add("c.d");
	EXPECT_LIVE("a.*", "c.d");
	drop("a.*");
	drop("*.b");
	EXPECT_LIVE("c.d");
}

Test(cover, tries_the_join_again_after_a_reconnect)
{
	add("a.*");
	add("*.b");
	cover_deny(cover, SLICE("*.*"));
	cover_leave_all(cover);
	cr_expect_eq(n_live, 0);
	cover_join_all(cover);
	EXPECT_LIVE("*.*");
	/* And once more. */
	cover_deny(cover, SLICE("*.*"));
	EXPECT_LIVE("a.*", "*.b");
}

Test(cover, takes_apart_what_would_be_joined_again)
{
	add("*.*");
	add("a.*");
	add("*.b");
	EXPECT_LIVE("*.*");
	/* Somebody wants just this; the others are joined to the same. */
	cover_deny(cover, SLICE("*.*"));
	cr_expect(cover_is_denied(cover, SLICE("*.*")));
	EXPECT_LIVE("*.*");
	cover_deny(cover, SLICE("*.*"));
	EXPECT_LIVE("a.*", "*.b");
}

Test(cover, leaves_out_what_was_refused_and_tries_it_again)
{
	struct cover *c = cover_new(&OPS, NULL);

	cover_add(c, SLICE("u.>"));
	cover_add(c, SLICE(">"));
	cr_assert_eq(cover_count(c), 1);
	cover_deny(c, SLICE("nobody.wants.it"));
	cover_deny(c, SLICE(">"));
	cover_deny(c, SLICE(">"));
	cr_assert_eq(cover_count(c), 1);
	cr_assert(is_live("u.>"));
	cr_assert_not(is_live(">"));
	/* A new connection. */
	cover_leave_all(c);
	cover_join_all(c);
	cr_assert(is_live(">"));
	cover_deny(c, SLICE(">"));
	cover_drop(c, SLICE(">"));
	cr_assert(is_live("u.>"));
	cover_drop(c, SLICE("u.>"));
	cr_assert_eq(cover_count(c), 0);
	cover_free(&c);
}
