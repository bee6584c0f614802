/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/ack.h"

#include <criterion/criterion.h>

static struct ack_table table;

static void
open_table(void)
{
	ack_table_init(&table, 1000, 3);
}

static void
close_table(void)
{
	struct ack *a;

	while ((a = TAILQ_FIRST(&table.all)) != NULL)
		ack_end(&table, &a);
	ack_table_fini(&table);
}

TestSuite(ack, .init = open_table, .fini = close_table);

static struct ack *
begin(uint64_t token, uint8_t flags)
{
	const struct message_parts parts = { .subject = SLICE("a.b"),
		.qos = 1 };
	struct message *m = message_new(&parts);
	struct bus_request r = {
		.type = BUS_PUBLISH,
		.flags = flags,
		.token = token,
		.message = m,
	};
	struct ack *a = ack_begin(&table, 1, &r);

	message_unref(&m);
	return a;
}

Test(ack, is_found_by_its_number_until_it_ends)
{
	struct ack *a = begin(7, 0), *b = begin(8, 0);
	uint64_t seq = a->seq;

	cr_expect(a->seq != b->seq);
	cr_expect(ack_find(&table, a->seq) == a);
	cr_expect(ack_find(&table, b->seq) == b);
	cr_expect(a->token == 7 && a->worker == 1);
	ack_end(&table, &a);
	cr_expect(a == NULL);
	cr_expect(ack_find(&table, seq) == NULL);
	cr_expect(table.n == 1);
}

Test(ack, keeps_the_message_while_it_lives)
{
	struct ack *a = begin(1, 0);

	cr_expect(slice_eq(message_subject(a->message), SLICE("a.b")));
}

Test(ack, expires_in_the_order_of_sending)
{
	struct ack *a = begin(1, 0), *b = begin(2, 0);

	ack_sent(&table, b, 100);
	ack_sent(&table, a, 150);
	cr_expect(ack_deadline(&table) == 1100);
	cr_expect(ack_overdue(&table, 1099) == NULL);
	cr_expect(ack_overdue(&table, 1200) == b);
	cr_expect(ack_overdue(&table, 1200) == a);
	cr_expect(ack_overdue(&table, 1200) == NULL);
	cr_expect(ack_deadline(&table) == ACK_NEVER);
}

Test(ack, is_exhausted_after_as_many_deadlines_as_attempts)
{
	struct ack *a = begin(1, 0);

	for (unsigned i = 1; i <= 3; i++) {
		ack_sent(&table, a, 0);
		cr_assert(ack_overdue(&table, 1000) == a);
		cr_expect(ack_is_exhausted(&table, a) == (i == 3), "%u", i);
	}
}

Test(ack, is_never_exhausted_when_it_must_be_settled)
{
	struct ack *a = begin(1, BUS_UNTIL_SETTLED);

	for (unsigned i = 0; i < 10; i++) {
		ack_sent(&table, a, 0);
		cr_assert(ack_overdue(&table, 1000) == a);
		cr_expect(!ack_is_exhausted(&table, a));
	}
}

Test(ack, is_exhausted_after_one_deadline_when_somebody_has_it)
{
	struct ack *a = begin(1, BUS_ONCE);

	ack_sent(&table, a, 0);
	cr_assert(ack_overdue(&table, 1000) == a);
	cr_expect(ack_is_exhausted(&table, a));
}

Test(ack, does_not_count_an_outage_as_an_attempt)
{
	struct ack *a = begin(1, 0);

	for (unsigned i = 0; i < 10; i++) {
		ack_sent(&table, a, 0);
		ack_wait_all(&table);
		cr_expect(ack_overdue(&table, 5000) == NULL);
		cr_expect(!ack_is_exhausted(&table, a));
	}
	cr_expect(a->n_sent == 10);
}

Test(ack, is_tried_again_soon_when_nobody_was_there)
{
	struct ack *a = begin(1, 0), *b = begin(2, 0);

	ack_sent(&table, b, 0);
	ack_sent(&table, a, 10);
	for (unsigned i = 0; i < ACK_SOON_TIMES; i++) {
		cr_assert(ack_again_soon(&table, a, 20));
		cr_expect(ack_deadline(&table) == 20 + ACK_SOON_MS);
		cr_expect(ack_overdue(&table, 20 + ACK_SOON_MS) == a);
		cr_expect(ack_overdue(&table, 20 + ACK_SOON_MS) == NULL);
		ack_sent(&table, a, 10);
	}
	cr_expect(!ack_again_soon(&table, a, 20));
	cr_expect(a->n_expired == 0);
	cr_expect(ack_overdue(&table, 1000) == b && b->n_expired == 1);
}

Test(ack, is_settled_by_the_fence_behind_it)
{
	struct ack *a = begin(1, 0), *b = begin(2, 0), *c = begin(3, 0);

	ack_fenced(&table, a, 4);
	ack_fenced(&table, b, 4);
	ack_fenced(&table, c, 5);
	cr_expect(ack_behind(&table, 3) == NULL);
	cr_expect(ack_behind(&table, 4) == a);
	ack_end(&table, &a);
	cr_expect(ack_behind(&table, 4) == b);
	ack_end(&table, &b);
	cr_expect(ack_behind(&table, 4) == NULL);
	cr_expect(ack_deadline(&table) == ACK_NEVER);
}

Test(ack, keeps_the_order_of_numbers_whatever_is_sent_again)
{
	struct ack *a = begin(1, 0), *b = begin(2, 0), *c = begin(3, 0);
	struct ack *at;

	ack_sent(&table, a, 0);
	ack_sent(&table, b, 0);
	ack_sent(&table, c, 0);
	ack_sent(&table, a, 500);
	ack_wait_all(&table);
	at = TAILQ_FIRST(&table.all);
	cr_expect(at == a);
	at = TAILQ_NEXT(at, by_seq);
	cr_expect(at == b);
	cr_expect(TAILQ_NEXT(at, by_seq) == c);
}
