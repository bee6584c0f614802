/* SPDX-License-Identifier: Apache-2.0 */
#include "store/retained.h"

#include <criterion/criterion.h>
#include <stdio.h>

static bool
set(struct retained *r, const char *topic, const char *payload, size_t max)
{
	struct message_parts parts = { .topic = slice_str(topic),
		.payload = slice_str(payload),
		.retain = true };
	struct message *m = message_new(&parts);
	bool taken = retained_set(r, m, max);

	message_unref(&m);
	return taken;
}

struct seen {
	char text[1024];
	uint64_t orders[16];
	size_t n;
};

static bool
see(struct message *m, uint64_t order, void *arg)
{
	struct seen *s = arg;
	size_t len = strlen(s->text);

	(void)snprintf(s->text + len, sizeof(s->text) - len, "%.*s=%.*s ",
	    SLICE_ARG(message_topic(m)), SLICE_ARG(message_payload(m)));
	s->orders[s->n++] = order;
	return true;
}

static struct seen
match(struct retained *r, const char *filter)
{
	struct seen s = { 0 };

	retained_match(r, slice_str(filter), 1000, see, &s);
	return s;
}

/* v5 [MQTT-3.3.1-5], v3.1.1 [MQTT-3.3.1-7] */
Test(retained, keeps_the_newest_of_each_topic)
{
	struct retained *r = retained_new();

	cr_assert(set(r, "a/b", "1", 0));
	cr_assert(set(r, "a/b", "2", 0));
	cr_assert(set(r, "a/c", "3", 0));
	cr_assert_eq(retained_count(r), 2);
	cr_assert_str_eq(match(r, "a/b").text, "a/b=2 ");
	cr_assert_eq(match(r, "a/+").n, 2);
	cr_assert_eq(match(r, "b/+").n, 0);
	retained_free(&r);
}

/* v3.1.1 [MQTT-3.3.1-10], v5 [MQTT-3.3.1-6] [MQTT-3.3.1-7] */
Test(retained, is_cleared_by_an_empty_payload)
{
	struct retained *r = retained_new();

	cr_assert(set(r, "a/b", "1", 0));
	cr_assert(set(r, "a/b", "", 0));
	cr_assert(set(r, "never/there", "", 0));
	cr_assert_eq(retained_count(r), 0);
	cr_assert_eq(retained_bytes(r), 0);
	cr_assert_eq(match(r, "#").n, 0);
	retained_free(&r);
}

Test(retained, visits_every_shard_for_a_leading_wildcard)
{
	struct retained *r = retained_new();
	char topic[32];
	size_t n = 0;

	for (int i = 0; i < 12; i++) {
		(void)snprintf(topic, sizeof(topic), "first%d/x", i);
		cr_assert(set(r, topic, "1", 0));
	}
	cr_assert(set(r, "$dollar/x", "1", 0));
	n = match(r, "+/x").n;
	cr_assert_eq(n, 12, "%zu", n);
	n = match(r, "#").n;
	cr_assert_eq(n, 12, "a leading wildcard leaves $ topics out");
	cr_assert_eq(match(r, "$dollar/#").n, 1);
	retained_free(&r);
}

Test(retained, counts_the_order_of_first_retention)
{
	struct retained *r = retained_new();
	struct seen a, b;

	cr_assert(set(r, "a", "1", 0));
	cr_assert(set(r, "b", "1", 0));
	cr_assert(set(r, "a", "2", 0));
	a = match(r, "a");
	b = match(r, "b");
	cr_assert_lt(a.orders[0], b.orders[0]);
	cr_assert(set(r, "a", "", 0));
	cr_assert(set(r, "a", "3", 0));
	a = match(r, "a");
	cr_assert_gt(a.orders[0], b.orders[0]);
	retained_free(&r);
}

Test(retained, refuses_a_new_topic_beyond_its_limit)
{
	struct retained *r = retained_new();

	cr_assert(set(r, "a", "1", 1));
	cr_assert_not(set(r, "b", "1", 1));
	cr_assert(set(r, "a", "2", 1));
	cr_assert_str_eq(match(r, "#").text, "a=2 ");
	retained_free(&r);
}

Test(retained, leaves_out_what_has_expired)
{
	struct retained *r = retained_new();
	struct message_parts parts = { .topic = SLICE("a"),
		.payload = SLICE("1"),
		.expires_ms = 1000 };
	struct message *m = message_new(&parts);

	cr_assert(retained_set(r, m, 0));
	message_unref(&m);
	cr_assert_eq(match(r, "a").n, 0);
	retained_free(&r);
}

static void
set_expiring(struct retained *r, const char *topic, uint64_t expires_ms)
{
	struct message_parts parts = { .topic = slice_str(topic),
		.payload = SLICE("x"),
		.expires_ms = expires_ms };
	struct message *m = message_new(&parts);

	cr_assert(retained_set(r, m, 1000));
	message_unref(&m);
}

/* v5 3.3.2.3.3 */
Test(retained, forgets_what_has_expired)
{
	struct retained *r = retained_new();
	char topic[16];
	size_t n = 0, gone;

	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(topic, sizeof(topic), "a/%u", i);
		set_expiring(r, topic, i < 600 ? 100 + i : 0);
	}
	cr_assert_eq(retained_expire(r, 99), 0);
	/* Changed meanwhile: later, never, at once. */
	set_expiring(r, "a/0", 5000);
	set_expiring(r, "a/1", 0);
	set_expiring(r, "a/599", 100);
	while ((gone = retained_expire(r, 699)) > 0) {
		cr_assert_lt(gone, 200, "not all under one lock");
		n += gone;
	}
	cr_assert_eq(n, 598);
	cr_assert_eq(retained_count(r), 402);
	cr_assert_eq(retained_expire(r, 5000), 1);
	cr_assert_eq(retained_expire(r, UINT64_MAX), 0);
	/* A limit counts what is left. */
	set_expiring(r, "new", 6000);
	cr_assert_eq(retained_count(r), 402);
	retained_free(&r);
}
