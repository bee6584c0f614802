/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic/filter. */
#include "topic/filter.h"

#include <criterion/criterion.h>

#include "topic/samples.h"
#include "topic/topic.h"

Test(filter, is_taken_apart)
{
	static const struct {
		const char *full;
		const char *share;
		const char *match;
		bool is_shared;
		bool has_wildcard;
	} cases[] = {
		{ "a", "", "a", false, false },
		{ "/", "", "/", false, false },
		{ "a//b", "", "a//b", false, false },
		{ "+", "", "+", false, true },
		{ "#", "", "#", false, true },
		{ "/#", "", "/#", false, true },
		{ "a/+/b", "", "a/+/b", false, true },
		{ "+/+/#", "", "+/+/#", false, true },
		{ "$SYS/#", "", "$SYS/#", false, true },
		{ "*/>", "", "*/>", false, false },
		{ "$share/g/a", "g", "a", true, false },
		{ "$share/g/#", "g", "#", true, true },
		{ "$share/g//", "g", "/", true, false },
		{ "$share/g/$share/h/a", "g", "$share/h/a", true, false },
		{ "$share", "", "$share", false, false },
		{ "$shared/g/a", "", "$shared/g/a", false, false },
		{ "$Share/g/a", "", "$Share/g/a", false, false },
		{ "/$share/g/a", "", "/$share/g/a", false, false },
	};
	struct filter f;
	size_t i;

	for (i = 0; i < countof(cases); i++) {
		cr_assert(filter_parse(slice_str(cases[i].full), &f), "%s",
		    cases[i].full);
		cr_expect(slice_eq(f.full, slice_str(cases[i].full)));
		cr_expect(slice_eq(f.share, slice_str(cases[i].share)), "%s",
		    cases[i].full);
		cr_expect(slice_eq(f.match, slice_str(cases[i].match)), "%s",
		    cases[i].full);
		cr_expect_eq(f.is_shared, cases[i].is_shared, "%s",
		    cases[i].full);
		cr_expect_eq(f.has_wildcard, cases[i].has_wildcard, "%s",
		    cases[i].full);
	}
}

/* v5 [MQTT-4.7.1-1] [MQTT-4.7.1-2] */
Test(filter, is_refused_when_malformed)
{
	static const char *const cases[] = { "", "a+", "+a", "a/b+", "++", "a#",
		"#a", "##", "#/", "#/a", "a/#/b", "a/b#", "+#", "#+", "a/+b/c",
		"$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a",
		"$share/#/a", "$share/g+/a", "$share/#g/a", "$share/g/a#",
		"$share/g/#/a" };
	struct filter f = { .has_wildcard = true };
	size_t i;

	for (i = 0; i < countof(cases); i++)
		cr_expect_not(filter_parse(slice_str(cases[i]), &f), "%s",
		    cases[i]);
	cr_expect(f.has_wildcard, "the result stays untouched");
	cr_expect_not(filter_parse(SLICE("a\0b"), &f));
	cr_expect_not(filter_parse(SLICE("$share/g\0/b"), &f));
}

Test(filter, is_at_most_65535_bytes_long)
{
	static uint8_t text[TOPIC_MAX + 1];
	struct filter f;

	memset(text, '/', sizeof(text));
	cr_expect(filter_parse(slice_of(text, TOPIC_MAX), &f));
	cr_expect_not(filter_parse(slice_of(text, TOPIC_MAX + 1), &f));
}

struct match_case {
	const char *filter;
	const char *topic;
	bool matches;
};

static void
expect_matches(const struct match_case *cases, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		cr_expect_eq(filter_match(slice_str(cases[i].filter),
				 slice_str(cases[i].topic)),
		    cases[i].matches, "%s and %s", cases[i].filter,
		    cases[i].topic);
}

Test(filter, without_wildcard_matches_itself_only)
{
	static const struct match_case cases[] = {
		{ "a/b", "a/b", true },
		{ "a/b", "a/B", false },
		{ "a/b", "a/bc", false },
		{ "a/b", "a", false },
		{ "a/b", "a/b/", false },
		{ "a", "/a", false },
		{ "/", "/", true },
		{ "//", "/", false },
		{ "$SYS/a", "$SYS/a", true },
	};

	expect_matches(cases, countof(cases));
}

Test(filter, plus_matches_exactly_one_level)
{
	static const struct match_case cases[] = {
		{ "+", "a", true },
		{ "+", "a/b", false },
		{ "+", "/", false },
		{ "+/+", "/", true },
		{ "/+", "/a", true },
		{ "+", "/a", false },
		{ "a/+", "a/", true },
		{ "a/+", "a", false },
		{ "a/+/c", "a/b/c", true },
		{ "a/+/c", "a//c", true },
		{ "a/+/c", "a/b/b/c", false },
	};

	expect_matches(cases, countof(cases));
}

Test(filter, hash_matches_the_parent_and_all_below)
{
	static const struct match_case cases[] = {
		{ "#", "a", true },
		{ "#", "/", true },
		{ "#", "a/b/c", true },
		{ "a/#", "a", true },
		{ "a/#", "a/", true },
		{ "a/#", "a/b/c", true },
		{ "a/#", "ab", false },
		{ "a/+/#", "a", false },
		{ "a/+/#", "a/b", true },
		{ "+/#", "a", true },
		{ "/#", "/a", true },
		{ "/#", "a", false },
	};

	expect_matches(cases, countof(cases));
}

Test(filter, leading_wildcard_does_not_match_a_dollar_topic)
{
	static const struct match_case cases[] = {
		{ "#", "$SYS", false },
		{ "#", "$SYS/a", false },
		{ "+", "$SYS", false },
		{ "+/a", "$SYS/a", false },
		{ "+/#", "$SYS/a", false },
		{ "$SYS/#", "$SYS/a", true },
		{ "$SYS/+", "$SYS/$a", true },
		{ "#", "a/$SYS", true },
		{ "a/+", "a/$SYS", true },
		{ "+/$SYS", "/$SYS", true },
	};

	expect_matches(cases, countof(cases));
}

/* v5 [MQTT-4.7.3-4], v3.1.1 [MQTT-4.7.3-4] */
Test(filter, matches_as_the_naive_matcher_does)
{
	static const char *const marks[] = { "a", "b", "/", "+", "#", "$" };
	static const char *const letters[] = { "a", "b", "/", "$" };
	struct samples filters = { .symbols = marks, .n = 6, .max = 5 };
	struct samples topics;
	size_t n = 0;
	struct filter f;
	bool want;

	while (samples_next(&filters)) {
		if (!filter_parse(slice_str(filters.text), &f))
			continue;
		topics =
		    (struct samples){ .symbols = letters, .n = 4, .max = 5 };
		while (samples_next(&topics)) {
			want = naive_match(filters.text, topics.text);
			n += want;
			if (filter_match(f.match, slice_str(topics.text)) !=
			    want)
				cr_assert_fail("%s and %s", filters.text,
				    topics.text);
		}
	}
	cr_assert_gt(n, 1000);
}

Test(filter, of_very_many_levels_is_matched)
{
	static uint8_t slashes[TOPIC_MAX], pluses[TOPIC_MAX];
	struct filter f;
	size_t i;

	memset(slashes, '/', sizeof(slashes));
	for (i = 0; i < sizeof(pluses); i++)
		pluses[i] = i % 2 == 0 ? '+' : '/';
	cr_assert(filter_parse(slice_of(pluses, sizeof(pluses)), &f));
	cr_expect(filter_match(f.match, slice_of(slashes, TOPIC_MAX / 2)));
	cr_expect_not(filter_match(f.match, slice_of(slashes, TOPIC_MAX)));
}
