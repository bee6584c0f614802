/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic/subject: tables, then the laws over all short names. */
#include "topic/subject.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "base/utf8.h"
#include "topic/filter.h"
#include "topic/samples.h"
#include "topic/topic.h"

static const struct mapping nats_mode = { .mode = MAPPING_NATS };
static const struct mapping swap_mode = { .mode = MAPPING_SWAP };
static const struct mapping *const modes[] = { &nats_mode, &swap_mode };

/* Results as text: the name, or "OUTSIDE", or "BAD". */
static const char *
result_text(enum subject_result result, struct buf *b)
{
	static const char *const
	    names[] = { [SUBJECT_OUTSIDE] = "OUTSIDE", [SUBJECT_BAD] = "BAD" };

	if (result != SUBJECT_OK) {
		cr_assert_eq(buf_len(b), 0, "nothing was appended");
		return names[result];
	}
	buf_append_byte(b, '\0');
	return (const char *)buf_ptr(b);
}

static const char *
from_topic(const struct mapping *m, const char *topic, struct buf *b)
{
	buf_reset(b);
	return result_text(subject_from_topic(m, slice_str(topic), b), b);
}

static const char *
to_topic(const struct mapping *m, const char *subject, struct buf *b)
{
	buf_reset(b);
	return result_text(subject_to_topic(m, slice_str(subject), b), b);
}

static const char *
from_filter(const struct mapping *m, const char *filter, size_t *parent_len,
    struct buf *b)
{
	buf_reset(b);
	*parent_len = 0;
	return result_text(subject_from_filter(m, slice_str(filter), b,
			       parent_len),
	    b);
}

static const char *
to_filter(const struct mapping *m, const char *subject, struct buf *b)
{
	buf_reset(b);
	return result_text(subject_to_filter(m, slice_str(subject), b), b);
}

struct pair {
	const char *topic;
	const char *subject;
};

static void
expect_pairs(const struct mapping *m, const struct pair *pairs, size_t n)
{
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < n; i++) {
		cr_expect_str_eq(from_topic(m, pairs[i].topic, &b),
		    pairs[i].subject, "topic %s", pairs[i].topic);
		cr_expect_str_eq(to_topic(m, pairs[i].subject, &b),
		    pairs[i].topic, "subject %s", pairs[i].subject);
	}
	buf_fini(&b);
}

Test(subject, is_what_nats_server_makes_of_the_topic)
{
	static const struct pair pairs[] = {
		{ "foo/bar", "foo.bar" },
		{ "/foo", "/.foo" },
		{ "foo/", "foo./" },
		{ "foo//bar", "foo./.bar" },
		{ "/", "/./" },
		{ "//", "/././" },
		{ "///foo//", "/././.foo././" },
		{ "a.b", "a//b" },
		{ ".a", "//a" },
		{ "a.", "a//" },
		{ "..", "////" },
		{ "a/.b", "a.//b" },
		{ "a./b", "a//.b" },
		{ "a/./b", "a.//.b" },
		{ "a*b/c>", "a*b.c>" },
		{ "$SYS/x", "$SYS.x" },
		{ "$JS/API/INFO", "$JS.API.INFO" },
		{ "caf\xc3\xa9/\xe2\x82\xac", "caf\xc3\xa9.\xe2\x82\xac" },
		{ "a/\x01", "a.\x01" },
	};

	expect_pairs(&nats_mode, pairs, countof(pairs));
}

Test(subject, escapes_what_nats_server_refuses_or_mangles)
{
	static const struct pair pairs[] = {
		{ "a b/c", "a/sb.c" },
		{ "a\tb/\n\r", "a/tb./n/r" },
		{ "\f/\x7f", "/f./d" },
		{ "foo/*", "foo./a" },
		{ "foo/>", "foo./g" },
		{ "*", "/a" },
		{ ">/x", "/g.x" },
		{ ". x", "///sx" },
	};

	expect_pairs(&nats_mode, pairs, countof(pairs));
}

Test(subject, swaps_dots_and_slashes_in_mode_swap)
{
	static const struct pair pairs[] = {
		{ "foo/bar", "foo.bar" },
		{ "a.b/c", "a/b.c" },
		{ "v1.2/x.y.z", "v1/2.x/y/z" },
		{ "/foo", "/.foo" },
		{ "foo/", "foo./" },
		{ "foo//bar", "foo./.bar" },
		{ "/", "/./" },
		{ "a b/*/>", "a/sb./a./g" },
		{ "./x", "//.x" },
		{ "./", "//./" },
		{ "/.", "/.//" },
		{ "example.net", "example//net" },
		{ "$SYS/x", "$SYS.x" },
	};

	expect_pairs(&swap_mode, pairs, countof(pairs));
}

Test(subject, without_legal_topic_is_bad)
{
	static const char *const both[] = { "", ".", "a.", ".a", "a..b", "/",
		"*", ">", "a.*", "a.>", "+", "#", "foo.+", "a.#", "a+b.c",
		"a b", "a\tb", "a\x7f", "\xff", "a.\xc3", "\xed\xa0\x80" };
	static const char *const nats[] = { "foo/bar", "a/b.c", "foo.b/",
		"a._/.b", "a///b", "foo/x" };
	static const char *const swap[] = { "a//b", "x.////" };
	struct buf b = { 0 };
	size_t i, mode;

	for (mode = 0; mode < countof(modes); mode++)
		for (i = 0; i < countof(both); i++)
			cr_expect_str_eq(to_topic(modes[mode], both[i], &b),
			    "BAD", "mode %zu: %s", mode, both[i]);
	for (i = 0; i < countof(nats); i++)
		cr_expect_str_eq(to_topic(&nats_mode, nats[i], &b), "BAD", "%s",
		    nats[i]);
	for (i = 0; i < countof(swap); i++)
		cr_expect_str_eq(to_topic(&swap_mode, swap[i], &b), "BAD", "%s",
		    swap[i]);
	buf_fini(&b);
}

Test(subject, is_appended_to_what_is_there)
{
	struct buf b = { 0 };
	size_t parent_len;

	buf_append_str(&b, "PUB ");
	cr_assert_eq(subject_from_topic(&nats_mode, SLICE("a/b"), &b),
	    SUBJECT_OK);
	cr_assert_eq(subject_to_topic(&nats_mode, SLICE("a.+"), &b),
	    SUBJECT_BAD);
	cr_assert_eq(subject_from_filter(&nats_mode, SLICE("x/#"), &b,
			 &parent_len),
	    SUBJECT_OK);
	cr_assert_eq(parent_len, 1);
	cr_assert(slice_eq(buf_slice(&b), SLICE("PUB a.bx.>")));
	buf_fini(&b);
}

Test(subject, of_the_longest_topic_is_made_and_undone)
{
	static uint8_t text[TOPIC_MAX];
	struct buf subject = { 0 }, topic = { 0 };
	size_t mode, i;

	for (i = 0; i < sizeof(text); i++)
		text[i] = "/ .*"[i * 7 % 4];
	for (mode = 0; mode < countof(modes); mode++) {
		buf_reset(&subject);
		buf_reset(&topic);
		cr_assert_eq(subject_from_topic(modes[mode],
				 slice_of(text, sizeof(text)), &subject),
		    SUBJECT_OK);
		cr_assert_eq(subject_to_topic(modes[mode], buf_slice(&subject),
				 &topic),
		    SUBJECT_OK);
		cr_assert(
		    slice_eq(buf_slice(&topic), slice_of(text, sizeof(text))));
	}
	buf_append_str(&subject, "..");
	buf_fini(&subject);
	buf_fini(&topic);
}

Test(subject, of_a_topic_that_is_too_long_is_bad)
{
	static uint8_t text[TOPIC_MAX + 1];
	struct mapping m = { .topic_prefix = SLICE("plant") };
	struct buf b = { 0 };

	memset(text, 'x', sizeof(text));
	cr_expect_eq(subject_to_topic(&nats_mode, slice_of(text, TOPIC_MAX),
			 &b),
	    SUBJECT_OK);
	buf_reset(&b);
	cr_expect_eq(subject_to_topic(&nats_mode, slice_of(text, sizeof(text)),
			 &b),
	    SUBJECT_BAD);
	cr_expect_eq(subject_to_topic(&m, slice_of(text, TOPIC_MAX - 5), &b),
	    SUBJECT_BAD);
	cr_expect_eq(buf_len(&b), 0);
	cr_expect_eq(subject_to_topic(&m, slice_of(text, TOPIC_MAX - 6), &b),
	    SUBJECT_OK);
	buf_fini(&b);
}

struct filter_case {
	const char *filter;
	const char *subject;
	size_t parent_len;
};

static void
expect_filters(const struct mapping *m, const struct filter_case *cases,
    size_t n)
{
	struct buf b = { 0 };
	size_t i, parent_len;

	for (i = 0; i < n; i++) {
		cr_expect_str_eq(from_filter(m, cases[i].filter, &parent_len,
				     &b),
		    cases[i].subject, "filter %s", cases[i].filter);
		cr_expect_eq(parent_len, cases[i].parent_len, "filter %s: %zu",
		    cases[i].filter, parent_len);
	}
	buf_fini(&b);
}

Test(subject, of_a_filter_has_the_wildcards_of_nats)
{
	static const struct filter_case cases[] = {
		{ "a/b", "a.b", 0 },
		{ "+", "*", 0 },
		{ "#", ">", 0 },
		{ "foo/#", "foo.>", 3 },
		{ "a/+/b", "a.*.b", 0 },
		{ "+/#", "*.>", 1 },
		{ "/#", "/.>", 0 },
		{ "//#", "/./.>", 3 },
		{ "/+", "/.*", 0 },
		{ "a b/#", "a/sb.>", 4 },
		{ "*/>/#", "/a./g.>", 5 },
		{ "$SYS/#", "$SYS.>", 4 },
	};

	expect_filters(&nats_mode, cases, countof(cases));
	expect_filters(&swap_mode, cases, countof(cases));
}

Test(subject, wildcards_become_those_of_mqtt)
{
	static const struct pair cases[] = {
		/* filter, subject */
		{ "a/b", "a.b" },
		{ "+", "*" },
		{ "#", ">" },
		{ "a/+/b", "a.*.b" },
		{ "a/#", "a.>" },
		{ "*/>", "/a./g" },
		{ "/+", "/.*" },
		{ "a*/b>", "a*.b>" },
		{ "BAD", ">.a" },
		{ "BAD", "a.>.b" },
		{ "BAD", "a..b" },
		{ "BAD", "" },
		{ "BAD", "/" },
		{ "BAD", "a.+" },
		{ "BAD", "a.#" },
		{ "BAD", "a b" },
		{ "BAD", "\xff" },
	};
	struct buf b = { 0 };
	size_t i, mode;

	for (mode = 0; mode < countof(modes); mode++)
		for (i = 0; i < countof(cases); i++)
			cr_expect_str_eq(to_filter(modes[mode],
					     cases[i].subject, &b),
			    cases[i].topic, "%s", cases[i].subject);
	buf_fini(&b);
}

static const struct mapping plant = { .topic_prefix = SLICE("plant") };
static const struct mapping deep = { .topic_prefix = SLICE("plant/hall") };
static const struct mapping edge = { .subject_prefix = SLICE("edge.1") };
static const struct mapping both_prefixes = { .topic_prefix = SLICE("plant"),
	.subject_prefix = SLICE("edge") };

Test(subject, has_no_topic_prefix)
{
	static const struct pair pairs[] = {
		{ "plant/a", "a" },
		{ "plant/a/b", "a.b" },
		{ "plant/", "/" },
		{ "plant//", "/./" },
		{ "plant/plant", "plant" },
	};
	static const char *const outside[] = { "plant", "plan", "plants/a", "a",
		"/plant/a", "a/plant/b" };
	struct buf b = { 0 };
	size_t i;

	expect_pairs(&plant, pairs, countof(pairs));
	for (i = 0; i < countof(outside); i++)
		cr_expect_str_eq(from_topic(&plant, outside[i], &b), "OUTSIDE",
		    "%s", outside[i]);
	buf_reset(&b);
	cr_expect_eq(subject_from_topic(&plant, slice_of("plant/a", 5), &b),
	    SUBJECT_OUTSIDE, "looks at its own bytes only");
	cr_expect_str_eq(from_topic(&deep, "plant/hall/a", &b), "a");
	cr_expect_str_eq(from_topic(&deep, "plant/a", &b), "OUTSIDE");
	buf_fini(&b);
}

Test(subject, has_its_own_prefix)
{
	static const struct pair pairs[] = {
		{ "a", "edge.1.a" },
		{ "a/b", "edge.1.a.b" },
		{ "/", "edge.1././" },
	};
	static const char *const outside[] = { "edge.1", "edge", "edge.11.a",
		"a", "", "*.1.a", ">" };
	struct buf b = { 0 };
	size_t i;

	expect_pairs(&edge, pairs, countof(pairs));
	for (i = 0; i < countof(outside); i++)
		cr_expect_str_eq(to_topic(&edge, outside[i], &b), "OUTSIDE",
		    "%s", outside[i]);
	cr_expect_str_eq(to_topic(&edge, "edge.1.", &b), "BAD");
	cr_expect_str_eq(to_topic(&edge, "edge.1./", &b), "BAD");
	cr_expect_str_eq(from_topic(&both_prefixes, "plant/a", &b), "edge.a");
	cr_expect_str_eq(to_topic(&both_prefixes, "edge.a", &b), "plant/a");
	buf_fini(&b);
}

Test(subject, of_a_filter_is_what_it_can_match_below_the_prefix)
{
	static const struct filter_case below_plant[] = {
		{ "#", ">", 0 },
		{ "+/#", ">", 0 },
		{ "plant/#", ">", 0 },
		{ "plant/+", "*", 0 },
		{ "plant/+/#", "*.>", 1 },
		{ "+/x", "x", 0 },
		{ "+/x/#", "x.>", 1 },
		{ "plant/x", "x", 0 },
		{ "plant/", "/", 0 },
		{ "plant//#", "/.>", 1 },
		{ "+/+", "*", 0 },
		{ "plant", "OUTSIDE", 0 },
		{ "+", "OUTSIDE", 0 },
		{ "a/#", "OUTSIDE", 0 },
		{ "plants/#", "OUTSIDE", 0 },
	};
	static const struct filter_case below_deep[] = {
		{ "#", ">", 0 },
		{ "plant/#", ">", 0 },
		{ "plant/hall/#", ">", 0 },
		{ "+/+/#", ">", 0 },
		{ "plant/+", "OUTSIDE", 0 },
		{ "plant/+/a", "a", 0 },
		{ "+/hall/+/#", "*.>", 1 },
		{ "plant/a/#", "OUTSIDE", 0 },
	};
	static const struct filter_case below_edge[] = {
		{ "#", "edge.1.>", 0 },
		{ "a", "edge.1.a", 0 },
		{ "a/#", "edge.1.a.>", 8 },
		{ "+/#", "edge.1.*.>", 8 },
	};

	expect_filters(&plant, below_plant, countof(below_plant));
	expect_filters(&deep, below_deep, countof(below_deep));
	expect_filters(&edge, below_edge, countof(below_edge));
}

Test(subject, wildcards_may_stand_for_its_prefix)
{
	static const struct pair cases[] = {
		/* filter, subject */
		{ "#", ">" },
		{ "#", "edge.>" },
		{ "#", "edge.1.>" },
		{ "#", "*.*.>" },
		{ "+", "edge.1.*" },
		{ "a/#", "*.1.a.>" },
		{ "OUTSIDE", "edge.1" },
		{ "OUTSIDE", "*.*" },
		{ "OUTSIDE", "a.>" },
		{ "BAD", ">.a" },
	};
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < countof(cases); i++)
		cr_expect_str_eq(to_filter(&edge, cases[i].subject, &b),
		    cases[i].topic, "%s", cases[i].subject);
	cr_expect_str_eq(to_filter(&plant, ">", &b), "plant/#");
	cr_expect_str_eq(to_filter(&plant, "a", &b), "plant/a");
	cr_expect_str_eq(to_filter(&plant, "/", &b), "plant/");
	buf_fini(&b);
}

Test(subject, is_valid_when_nats_can_carry_it)
{
	static const struct {
		const char *subject;
		bool publish;
		bool subscribe;
	} cases[] = {
		{ "a", true, true },
		{ "a.b.c", true, true },
		{ "$JS.API", true, true },
		{ "caf\xc3\xa9", true, true },
		{ "a*.b>", true, true },
		{ "/.//", true, true },
		{ "*", false, true },
		{ "a.*.b", false, true },
		{ ">", false, true },
		{ "a.>", false, true },
		{ "a.>.b", false, false },
		{ ">.a", false, false },
		{ "", false, false },
		{ ".", false, false },
		{ "a.", false, false },
		{ ".a", false, false },
		{ "a..b", false, false },
		{ "a b", false, false },
		{ "a\tb", false, false },
		{ "a\r\n", false, false },
		{ "a\x01", false, false },
		{ "a\x7f", false, false },
	};
	size_t i;

	for (i = 0; i < countof(cases); i++) {
		cr_expect_eq(subject_valid(slice_str(cases[i].subject), false),
		    cases[i].publish, "%s", cases[i].subject);
		cr_expect_eq(subject_valid(slice_str(cases[i].subject), true),
		    cases[i].subscribe, "%s", cases[i].subject);
	}
	cr_expect_not(subject_valid(SLICE("a\0b"), false));
}

Test(subject, matches_as_nats_does)
{
	static const struct {
		const char *filter;
		const char *subject;
		bool matches;
	} cases[] = {
		{ "a.b", "a.b", true },
		{ "a.b", "a.c", false },
		{ "a", "a.b", false },
		{ "a.b", "a", false },
		{ "*", "a", true },
		{ "*", "a.b", false },
		{ "a.*.c", "a.b.c", true },
		{ "a.*", "a", false },
		{ ">", "a.b.c", true },
		{ "a.>", "a.b", true },
		{ "a.>", "a", false },
		{ "*.>", "a.b", true },
		{ "*.>", "a", false },
		{ "a*", "ab", false },
		{ "a*", "a*", true },
		{ ">", "$SYS.a", true },
	};
	size_t i;

	for (i = 0; i < countof(cases); i++)
		cr_expect_eq(subject_match(slice_str(cases[i].filter),
				 slice_str(cases[i].subject)),
		    cases[i].matches, "%s and %s", cases[i].filter,
		    cases[i].subject);
}

Test(subject, is_reserved_by_its_first_token)
{
	static const char *const reserved[] = { "$JS", "$JS.API.INFO",
		"$KV.bucket.key", "$O.x", "$SRV.PING", "$MQTT.sess.x", "$NRG.g",
		"$SYS.ACCOUNT", "_INBOX.abc", "_INBOX", "$JS.>", "_INBOX.*" };
	static const char *const open[] = { "a", "$J", "$JSON.a", "$js.a",
		"a.$JS", "_INBOXES.a", "_inbox.a", "$OTHER", "*.JS", ">", "*",
		"" };
	size_t i;

	for (i = 0; i < countof(reserved); i++)
		cr_expect(subject_is_reserved(slice_str(reserved[i])), "%s",
		    reserved[i]);
	for (i = 0; i < countof(open); i++)
		cr_expect_not(subject_is_reserved(slice_str(open[i])), "%s",
		    open[i]);
}

/* Everything that either side gives a meaning to. */
static const char *const nasty[] = { "/", ".", "*", ">", " ", "s", "t", "n",
	"r", "f", "d", "a", "g", "x", "\xc3\xa9", "+", "#" };
#define NASTY_MAX 5 /* symbols; 1.5 million names */

/*
 * decode(encode(t)) = t. It also says that no two topics share a subject, as
 * decoding is a function.
 */
static bool
topic_comes_back(const struct mapping *m, struct slice topic,
    struct buf *subject, struct buf *back)
{
	buf_reset(subject);
	buf_reset(back);
	return subject_from_topic(m, topic, subject) == SUBJECT_OK &&
	    subject_to_topic(m, buf_slice(subject), back) == SUBJECT_OK &&
	    slice_eq(buf_slice(back), topic);
}

/* encode(decode(s)) = s, and what is decoded is a legal topic. */
static bool
subject_comes_back(const struct mapping *m, struct slice subject,
    struct buf *topic, struct buf *back)
{
	buf_reset(topic);
	buf_reset(back);
	if (subject_to_topic(m, subject, topic) != SUBJECT_OK)
		return true;
	return topic_valid(buf_slice(topic)) && utf8_valid(buf_slice(topic)) &&
	    subject_from_topic(m, buf_slice(topic), back) == SUBJECT_OK &&
	    slice_eq(buf_slice(back), subject);
}

/* A filter becomes a subscription that NATS takes, and comes back. */
static bool
filter_comes_back(const struct mapping *m, struct slice filter,
    struct buf *subject, struct buf *back)
{
	size_t parent_len;

	buf_reset(subject);
	buf_reset(back);
	return subject_from_filter(m, filter, subject, &parent_len) ==
	    SUBJECT_OK &&
	    subject_valid(buf_slice(subject), true) &&
	    subject_to_filter(m, buf_slice(subject), back) == SUBJECT_OK &&
	    slice_eq(buf_slice(back), filter);
}

static void
check_laws(const struct mapping *m)
{
	struct samples s = { .symbols = nasty,
		.n = countof(nasty),
		.max = NASTY_MAX };
	struct buf a = { 0 }, b = { 0 };
	struct slice name;
	struct filter f;

	while (samples_next(&s)) {
		name = slice_str(s.text);
		if (!subject_comes_back(m, name, &a, &b))
			cr_assert_fail("mode %d, subject %s", m->mode, s.text);
		if (topic_valid(name) &&
		    (!topic_comes_back(m, name, &a, &b) ||
			!subject_valid(buf_slice(&a), false)))
			cr_assert_fail("mode %d, topic %s", m->mode, s.text);
		if (filter_parse(name, &f) && f.has_wildcard &&
		    !filter_comes_back(m, name, &a, &b))
			cr_assert_fail("mode %d, filter %s", m->mode, s.text);
	}
	buf_fini(&a);
	buf_fini(&b);
}

Test(subject, laws_hold_for_all_short_names_in_mode_nats)
{
	check_laws(&nats_mode);
}

Test(subject, laws_hold_for_all_short_names_in_mode_swap)
{
	check_laws(&swap_mode);
}

/* A character of UTF-8 that a topic may have, now and then a special one. */
static size_t
random_character(uint64_t *seed, uint8_t *out)
{
	static const char special[] = "/./.*> \t\n\r\f\x7fstnrfdag";
	uint32_t c;

	switch (sample_random(seed, 4)) {
	case 0:
		out[0] = (uint8_t)(0xc3 + sample_random(seed, 20));
		out[1] = (uint8_t)(0x80 + sample_random(seed, 64));
		return 2;
	case 1:
		do
			c = 1 + sample_random(seed, 126);
		while (c == '+' || c == '#');
		out[0] = (uint8_t)c;
		return 1;
	default:
		out[0] =
		    (uint8_t)special[sample_random(seed, sizeof(special) - 1)];
		return 1;
	}
}

Test(subject, laws_hold_for_random_topics)
{
	struct buf a = { 0 }, b = { 0 };
	uint64_t seed = 20110923;
	size_t i, len, end, mode;
	uint8_t text[514];

	for (i = 0; i < 20000; i++) {
		end = 1 + sample_random(&seed, 512);
		for (len = 0; len < end;)
			len += random_character(&seed, text + len);
		for (mode = 0; mode < countof(modes); mode++)
			if (!topic_comes_back(modes[mode], slice_of(text, len),
				&a, &b))
				cr_assert_fail("mode %zu, topic number %zu",
				    mode, i);
	}
	buf_fini(&a);
	buf_fini(&b);
}

Test(subject, laws_hold_for_random_bytes)
{
	struct buf a = { 0 }, b = { 0 };
	uint64_t seed = 19991231;
	size_t i, k, len, mode;
	uint8_t text[32];

	for (i = 0; i < 200000; i++) {
		len = sample_random(&seed, sizeof(text));
		for (k = 0; k < len; k++)
			text[k] = (uint8_t)sample_random(&seed, 256);
		for (mode = 0; mode < countof(modes); mode++)
			if (!subject_comes_back(modes[mode],
				slice_of(text, len), &a, &b))
				cr_assert_fail("mode %zu, number %zu", mode, i);
	}
	buf_fini(&a);
	buf_fini(&b);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The same as topic_comes_back says, without trusting the decoder. */
Test(subject, is_never_shared_by_two_topics)
{
	static char *subjects[60000];
	struct samples s;
	struct buf b = { 0 };
	size_t i, n, mode;

	for (mode = 0; mode < countof(modes); mode++) {
		s = (struct samples){ .symbols = nasty,
			.n = countof(nasty) - 2, /* no `+`, no `#` */
			.max = 4 };
		for (n = 0; samples_next(&s); n++) {
			cr_assert_lt(n, countof(subjects));
			subjects[n] =
			    strdup(from_topic(modes[mode], s.text, &b));
		}
		qsort(subjects, n, sizeof(subjects[0]), compare_names);
		for (i = 1; i < n; i++)
			if (strcmp(subjects[i - 1], subjects[i]) == 0)
				cr_assert_fail("mode %zu: %s", mode,
				    subjects[i]);
		while (n > 0)
			free(subjects[--n]);
	}
	buf_fini(&b);
}

/* Would the NATS subscriptions of the filter bring the subject? */
static bool
is_brought(struct slice filter, size_t parent_len, struct slice subject)
{
	return subject_match(filter, subject) ||
	    (parent_len > 0 &&
		subject_match(slice_of(filter.ptr, parent_len), subject));
}

static void
check_filter(const struct mapping *m, const char *filter, struct buf *pattern,
    struct buf *subject)
{
	static const char *const letters[] = { "a", "p", "/", "." };
	struct samples topics = { .symbols = letters, .n = 4, .max = 5 };
	enum subject_result result;
	size_t parent_len = 0;
	bool brought;

	buf_reset(pattern);
	result =
	    subject_from_filter(m, slice_str(filter), pattern, &parent_len);
	while (samples_next(&topics)) {
		buf_reset(subject);
		if (subject_from_topic(m, slice_str(topics.text), subject) !=
		    SUBJECT_OK)
			continue;
		brought = result == SUBJECT_OK &&
		    is_brought(buf_slice(pattern), parent_len,
			buf_slice(subject));
		if (brought != naive_match(filter, topics.text))
			cr_assert_fail("mode %d, prefix %.*s: %s and %s",
			    m->mode, SLICE_ARG(m->topic_prefix), filter,
			    topics.text);
	}
}

Test(subject, of_a_filter_brings_exactly_what_it_matches)
{
	static const struct mapping mappings[] = {
		{ .mode = MAPPING_NATS },
		{ .mode = MAPPING_SWAP },
		{ .mode = MAPPING_NATS, .topic_prefix = SLICE("p") },
		{ .mode = MAPPING_SWAP, .topic_prefix = SLICE("p/a") },
		{ .mode = MAPPING_NATS,
		    .topic_prefix = SLICE("p"),
		    .subject_prefix = SLICE("edge") },
	};
	static const char *const marks[] = { "a", "p", "/", ".", "+", "#" };
	struct samples filters = { .symbols = marks, .n = 6, .max = 4 };
	struct buf pattern = { 0 }, subject = { 0 };
	struct filter f;
	size_t i;

	while (samples_next(&filters)) {
		if (!filter_parse(slice_str(filters.text), &f))
			continue;
		for (i = 0; i < countof(mappings); i++)
			check_filter(&mappings[i], filters.text, &pattern,
			    &subject);
	}
	buf_fini(&pattern);
	buf_fini(&subject);
}

/*
 * The other way: what a subscription matches, its filter does; what the
 * filter matches beyond that is the parent of a last `#`.
 */
static void
check_subscription(const struct mapping *m, const char *subscription,
    struct buf *filter, struct buf *topic)
{
	static const char *const letters[] = { "a", "p", "/", "." };
	struct samples subjects = { .symbols = letters, .n = 4, .max = 4 };
	bool wanted, matched, is_rest;

	buf_reset(filter);
	if (subject_to_filter(m, slice_str(subscription), filter) != SUBJECT_OK)
		buf_append_str(filter, "none");
	is_rest = buf_ptr(filter)[buf_len(filter) - 1] == '#';
	while (samples_next(&subjects)) {
		buf_reset(topic);
		if (subject_to_topic(m, slice_str(subjects.text), topic) !=
		    SUBJECT_OK)
			continue;
		wanted = subject_match(slice_str(subscription),
		    slice_str(subjects.text));
		matched = filter_match(buf_slice(filter), buf_slice(topic));
		if (wanted ? !matched : matched && !is_rest)
			cr_assert_fail("mode %d, prefix %.*s: %s and %s",
			    m->mode, SLICE_ARG(m->subject_prefix), subscription,
			    subjects.text);
	}
}

Test(subject, subscription_becomes_a_filter_that_matches_it_all)
{
	static const struct mapping mappings[] = {
		{ .mode = MAPPING_NATS },
		{ .mode = MAPPING_SWAP },
		{ .mode = MAPPING_NATS, .subject_prefix = SLICE("p") },
		{ .mode = MAPPING_SWAP, .subject_prefix = SLICE("p.a") },
	};
	static const char *const marks[] = { "a", "p", "/", ".", "*", ">" };
	struct samples subscriptions = { .symbols = marks, .n = 6, .max = 5 };
	struct buf filter = { 0 }, topic = { 0 };
	size_t i;

	while (samples_next(&subscriptions)) {
		if (!subject_valid(slice_str(subscriptions.text), true))
			continue;
		for (i = 0; i < countof(mappings); i++)
			check_subscription(&mappings[i], subscriptions.text,
			    &filter, &topic);
	}
	buf_fini(&filter);
	buf_fini(&topic);
}
