/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic/topic. */
#include "topic/topic.h"

#include <criterion/criterion.h>

#include "base/attr.h"

/*
 * v5 [MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3], v3.1.1
 * [MQTT-4.7.1-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3]
 */
Test(topic, is_valid_unless_the_specification_says_no)
{
	static uint8_t text[TOPIC_MAX + 1];
	static const struct {
		struct slice topic;
		bool valid;
	} cases[] = {
		{ { (const uint8_t *)"", 0 }, false },
		{ { (const uint8_t *)"a", 1 }, true },
		{ { (const uint8_t *)"/", 1 }, true },
		{ { (const uint8_t *)"a//b", 4 }, true },
		{ { (const uint8_t *)"$SYS/x", 6 }, true },
		{ { (const uint8_t *)"a b", 3 }, true },
		{ { (const uint8_t *)"*/>", 3 }, true },
		{ { (const uint8_t *)"+", 1 }, false },
		{ { (const uint8_t *)"a/#", 3 }, false },
		{ { (const uint8_t *)"a+", 2 }, false },
		{ { (const uint8_t *)"a#b", 3 }, false },
		{ { (const uint8_t *)"a\0b", 3 }, false },
		{ { text, TOPIC_MAX }, true },
		{ { text, TOPIC_MAX + 1 }, false },
	};
	size_t i;

	memset(text, 'x', sizeof(text));
	for (i = 0; i < countof(cases); i++)
		cr_expect_eq(topic_valid(cases[i].topic), cases[i].valid,
		    "case %zu", i);
}

/* It is looked at in words: each place of each length, and its neighbours. */
Test(topic, is_looked_at_from_end_to_end)
{
	static const uint8_t bad[] = { '+', '#', '\0' };
	static const uint8_t good[] = { '*', ',', '"', '$', 1, 0x7f, 0x80, 0x81,
		0xa3, 0xab, 0xff };
	uint8_t text[40];

	memset(text, 'x', sizeof(text));
	for (size_t len = 1; len <= sizeof(text); len++)
		for (size_t at = 0; at < len; at++) {
			struct slice topic = slice_of(text, len);

			for (size_t i = 0; i < countof(bad); i++) {
				text[at] = bad[i];
				cr_assert_not(topic_valid(topic), "%zu %zu",
				    len, at);
			}
			for (size_t i = 0; i < countof(good); i++) {
				text[at] = good[i];
				cr_assert(topic_valid(topic), "%zu %zu", len,
				    at);
			}
			text[at] = 'x';
		}
}

Test(topic, is_cut_into_levels)
{
	static const struct {
		const char *topic;
		const char *levels[5];
	} cases[] = {
		{ "", { "" } },
		{ "a", { "a" } },
		{ "a/bc", { "a", "bc" } },
		{ "/", { "", "" } },
		{ "/a", { "", "a" } },
		{ "a/", { "a", "" } },
		{ "a//b", { "a", "", "b" } },
		{ "//a/", { "", "", "a", "" } },
	};
	struct slice rest, level;
	size_t i, n;
	bool more;

	for (i = 0; i < countof(cases); i++) {
		rest = slice_str(cases[i].topic);
		more = true;
		for (n = 0; topic_next_level(&rest, &more, &level); n++) {
			cr_assert_not_null(cases[i].levels[n], "case %zu", i);
			cr_expect(slice_eq(level,
				      slice_str(cases[i].levels[n])),
			    "case %zu, level %zu", i, n);
		}
		cr_expect_null(cases[i].levels[n], "case %zu", i);
		cr_expect_eq(topic_levels(slice_str(cases[i].topic)), n);
	}
}

Test(topic, of_no_memory_is_one_empty_level)
{
	struct slice rest = slice_of(NULL, 0), level;
	bool more = true;

	cr_assert(topic_next_level(&rest, &more, &level));
	cr_assert_eq(level.len, 0);
	cr_assert_not(topic_next_level(&rest, &more, &level));
}

Test(topic, is_dollar_when_it_begins_with_one)
{
	cr_expect(topic_is_dollar(SLICE("$")));
	cr_expect(topic_is_dollar(SLICE("$SYS/a")));
	cr_expect_not(topic_is_dollar(SLICE("")));
	cr_expect_not(topic_is_dollar(SLICE("a/$SYS")));
	cr_expect_not(topic_is_dollar(SLICE("/$SYS")));
}
