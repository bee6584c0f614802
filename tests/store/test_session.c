/* SPDX-License-Identifier: Apache-2.0 */
#include "store/session.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct slice
number(char *text, size_t size, int i)
{
	(void)snprintf(text, size, "a/%d/b", i);
	return slice_str(text);
}

Test(session, finds_one_subscription_or_thousands)
{
	struct session *s = session_new(SLICE("pump"));
	struct subscription *sub;
	char text[32];

	for (int i = 0; i < 3000; i++) {
		cr_assert_null(session_find_subscription(s,
		    number(text, sizeof(text), i)));
		sub =
		    session_add_subscription(s, number(text, sizeof(text), i));
		sub->id = (uint32_t)i;
	}
	cr_assert_eq(s->n_subscriptions, 3000);
	for (int i = 0; i < 3000; i += 2) {
		sub =
		    session_find_subscription(s, number(text, sizeof(text), i));
		cr_assert_eq(sub->id, (uint32_t)i);
		session_drop_subscription(s, &sub);
		cr_assert_null(sub);
	}
	cr_assert_eq(s->n_subscriptions, 1500);
	cr_assert_null(session_find_subscription(s, SLICE("a/0/b")));
	cr_assert_not_null(session_find_subscription(s, SLICE("a/1/b")));
	session_free(&s);
	cr_assert_null(s);
}

static struct outgoing
one(size_t payload_len)
{
	static const uint8_t zeros[1000];
	struct message_parts parts = { .topic = SLICE("a"),
		.payload = slice_of(zeros, payload_len),
		.qos = 1 };

	return (struct outgoing){ .message = message_new(&parts), .qos = 1 };
}

Test(session, refuses_the_newest_beyond_its_number)
{
	struct session *s = session_new(SLICE("pump"));
	struct session_limits limits = { .max_queued_messages = 2,
		.max_queued_bytes = UINT32_MAX };
	struct outgoing o = one(1), out;

	cr_assert(session_queue(s, &o, &limits));
	o = one(2);
	cr_assert(session_queue(s, &o, &limits));
	o = one(3);
	cr_assert_not(session_queue(s, &o, &limits));
	outgoing_fini(&o);
	cr_assert(session_dequeue(s, &out));
	cr_assert_eq(out.message->payload_len, 1);
	outgoing_fini(&out);
	session_free(&s);
}

Test(session, refuses_the_newest_beyond_its_bytes)
{
	struct session *s = session_new(SLICE("pump"));
	struct session_limits limits = { .max_queued_messages = 100,
		.max_queued_bytes = 2500 };
	struct outgoing o, out;
	unsigned n = 0;

	for (;;) {
		o = one(1000);
		if (!session_queue(s, &o, &limits))
			break;
		n++;
	}
	outgoing_fini(&o);
	cr_assert_eq(n, 2);
	while (session_dequeue(s, &out))
		outgoing_fini(&out);
	cr_assert_eq(s->backlog_bytes, 0);
	session_free(&s);
}

Test(session, queues_before_what_waits_within_the_same_bounds)
{
	struct session *s = session_new(SLICE("pump"));
	struct session_limits limits = { .max_queued_messages = 5,
		.max_queued_bytes = UINT32_MAX };
	struct outgoing o;

	for (uint32_t i = 0; i < 5; i++) {
		o = one(i);
		cr_assert(i < 2 ? session_queue(s, &o, &limits)
				: session_queue_first(s, &o, &limits));
	}
	o = one(9);
	cr_assert_not(session_queue_first(s, &o, &limits));
	outgoing_fini(&o);
	for (size_t i = 0; i < 5; i++) {
		static const uint32_t order[] = { 4, 3, 2, 0, 1 };

		cr_assert(session_dequeue(s, &o));
		cr_assert_eq(o.message->payload_len, order[i]);
		outgoing_fini(&o);
	}
	cr_assert_eq(s->backlog_bytes, 0);
	session_free(&s);
}
