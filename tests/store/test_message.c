/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of store/message. */
#include "store/message.h"

#include <pthread.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

static struct message *
new_pump(void)
{
	return message_new(&(struct message_parts){ .topic = SLICE("site/pump"),
	    .subject = SLICE("site.pump"),
	    .reply = SLICE("_INBOX.1"),
	    .client_id = SLICE("abc"),
	    .properties = SLICE("\x01\x01"),
	    .payload = SLICE("on\0off"),
	    .qos = 2,
	    .retain = true,
	    .from_nats = true,
	    .is_request = true,
	    .publisher = 41,
	    .expires_ms = 99 });
}

Test(message, keeps_a_copy_of_every_part)
{
	struct message *m = new_pump();

	cr_assert(slice_eq(message_topic(m), SLICE("site/pump")));
	cr_assert(slice_eq(message_subject(m), SLICE("site.pump")));
	cr_assert(slice_eq(message_reply(m), SLICE("_INBOX.1")));
	cr_assert(slice_eq(message_client_id(m), SLICE("abc")));
	cr_assert(slice_eq(message_properties(m), SLICE("\x01\x01")));
	cr_assert(slice_eq(message_payload(m), SLICE("on\0off")));
	cr_assert_eq(m->qos, 2);
	cr_assert(m->retain);
	cr_assert(m->from_nats);
	cr_assert(m->is_request);
	cr_assert_not(m->answered);
	cr_assert_eq(m->publisher, 41);
	cr_assert_eq(m->expires_ms, 99);
	message_unref(&m);
}

Test(message, strings_end_with_a_zero)
{
	struct message *m = new_pump();

	cr_assert_str_eq((const char *)message_topic(m).ptr, "site/pump");
	cr_assert_str_eq((const char *)message_subject(m).ptr, "site.pump");
	cr_assert_str_eq((const char *)message_reply(m).ptr, "_INBOX.1");
	message_unref(&m);
}

Test(message, of_no_parts_is_empty)
{
	struct message *m = message_new(&(struct message_parts){ .qos = 0 });

	cr_assert_eq(message_topic(m).len, 0);
	cr_assert_eq(message_subject(m).len, 0);
	cr_assert_eq(message_reply(m).len, 0);
	cr_assert_eq(message_properties(m).len, 0);
	cr_assert_eq(message_payload(m).len, 0);
	cr_assert_str_eq((const char *)message_reply(m).ptr, "");
	cr_assert_eq(message_size(m), sizeof(*m) + 4);
	message_unref(&m);
}

Test(message, holds_the_longest_strings)
{
	static uint8_t text[UINT16_MAX];
	struct slice longest = slice_of(text, sizeof(text));
	struct message *m =
	    message_new(&(struct message_parts){ .topic = longest,
		.subject = longest,
		.reply = longest });

	cr_assert(slice_eq(message_topic(m), longest));
	cr_assert(slice_eq(message_subject(m), longest));
	cr_assert(slice_eq(message_reply(m), longest));
	message_unref(&m);
}

Test(message, size_counts_everything)
{
	struct message *m = new_pump();

	cr_assert_eq(message_size(m),
	    sizeof(*m) + 9 + 1 + 9 + 1 + 8 + 1 + 3 + 1 + 2 + 6);
	message_unref(&m);
}

Test(message, lives_until_the_last_reference_is_given_back)
{
	struct message *first = new_pump();
	struct message *second = message_ref(first);

	cr_assert_eq(first, second);
	cr_assert_eq(first->refs, 2);
	message_unref(&first);
	cr_assert_null(first);
	cr_assert_eq(second->refs, 1);
	cr_assert(slice_eq(message_topic(second), SLICE("site/pump")));
	message_unref(&second);
	message_unref(&second); /* nothing there: nothing happens */
}

static void *
use_it(void *arg)
{
	struct message *given = arg, *m;
	int i;

	for (i = 0; i < 10000; i++) {
		m = message_ref(given);
		message_unref(&m);
	}
	message_unref(&given);
	return NULL;
}

Test(message, is_shared_between_threads)
{
	struct message *m = new_pump();
	pthread_t threads[4];
	size_t i;

	for (i = 0; i < countof(threads); i++)
		pthread_create(&threads[i], NULL, use_it, message_ref(m));
	for (i = 0; i < countof(threads); i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(m->refs, 1);
	cr_assert(slice_eq(message_topic(m), SLICE("site/pump")));
	message_unref(&m);
}

struct expiry {
	uint64_t expires_ms;
	uint64_t wall_ms;
	bool is_expired;
	uint32_t left; /* seconds */
};

ParameterizedTestParameters(message, expires_at_its_time)
{
	static struct expiry cases[] = {
		{ 0, 0, false, 0 },
		{ 0, UINT64_MAX, false, 0 },
		{ 5000, 0, false, 5 },
		{ 5000, 1, false, 5 },
		{ 5000, 999, false, 5 },
		{ 5000, 1000, false, 4 },
		{ 5000, 4999, false, 1 },
		{ 5000, 5000, true, 0 },
		{ 5000, 9000, true, 0 },
		{ UINT64_MAX, 0, false, UINT32_MAX },
		{ UINT32_MAX * UINT64_C(1000), 0, false, UINT32_MAX },
		{ UINT32_MAX * UINT64_C(1000), 1000, false, UINT32_MAX - 1 },
	};

	return cr_make_param_array(struct expiry, cases, countof(cases));
}

ParameterizedTest(struct expiry *c, message, expires_at_its_time)
{
	struct message *m =
	    message_new(&(struct message_parts){ .expires_ms = c->expires_ms });

	cr_assert_eq(message_is_expired(m, c->wall_ms), c->is_expired);
	cr_assert_eq(message_expiry_left(m, c->wall_ms), c->left);
	message_unref(&m);
}
