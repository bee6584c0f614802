/* SPDX-License-Identifier: Apache-2.0 */
#include "store/batch.h"

#include <criterion/criterion.h>

static struct message *
message(void)
{
	struct message_parts parts = { .topic = SLICE("t"),
		.payload = SLICE("payload") };

	return message_new(&parts);
}

Test(batch, gives_each_change_its_own_value)
{
	struct batch *b = batch_new();

	buf_append_str(&b->values, "one");
	batch_add(b, BATCH_PUT, RECORD_SESSION, record_key(1), NULL);
	batch_add(b, BATCH_DELETE, RECORD_SESSION, record_key(2), NULL);
	buf_append_str(&b->values, "three");
	batch_add(b, BATCH_SET, RECORD_SESSION, record_key(3), NULL);
	cr_assert_eq(b->n, 3);
	cr_expect(slice_eq(batch_value(b, &b->ops[0]), SLICE("one")));
	cr_expect(slice_eq(batch_value(b, &b->ops[1]), SLICE("")));
	cr_expect(slice_eq(batch_value(b, &b->ops[2]), SLICE("three")));
	cr_expect_not(b->closes);
	batch_free(&b);
}

Test(batch, holds_a_reference_of_its_message)
{
	struct batch *b = batch_new();
	struct message *m = message();

	batch_add(b, BATCH_PUT, RECORD_QUEUED, record_key_pair(1, 2), m);
	cr_expect_eq(atomic_load(&m->refs), 2);
	cr_expect_gt(b->cost, message_size(m));
	batch_free(&b);
	cr_expect_eq(atomic_load(&m->refs), 1);
	message_unref(&m);
}

Test(batch, hands_changes_over)
{
	struct batch *a = batch_new(), *b = batch_new();
	struct message *m = message();

	buf_append_str(&a->values, "one");
	batch_add(a, BATCH_PUT, RECORD_QUEUED, record_key_pair(1, 1), NULL);
	buf_append_str(&a->values, "two");
	batch_add(a, BATCH_SET, RECORD_QUEUED, record_key_pair(1, 2), m);
	buf_append_str(&a->values, "three");
	batch_add(a, BATCH_PUT, RECORD_QUEUED, record_key_pair(1, 3), NULL);
	buf_append_str(&b->values, "zero");
	batch_add(b, BATCH_PUT, RECORD_QUEUED, record_key_pair(1, 0), NULL);
	batch_move(a, 1, b);
	cr_assert_eq(a->n, 2);
	cr_assert_eq(b->n, 2);
	cr_expect(slice_eq(batch_value(a, &a->ops[0]), SLICE("one")));
	cr_expect(slice_eq(batch_value(a, &a->ops[1]), SLICE("three")));
	cr_expect(slice_eq(batch_value(b, &b->ops[1]), SLICE("two")));
	cr_expect_eq(b->ops[1].verb, BATCH_SET);
	cr_expect_eq(b->ops[1].message, m);
	cr_expect_eq(atomic_load(&m->refs), 2);
	batch_free(&a);
	batch_free(&b);
	cr_expect_eq(atomic_load(&m->refs), 1);
	message_unref(&m);
}

Test(batch, knows_that_it_closes)
{
	struct batch *b = batch_new();

	batch_add(b, BATCH_CLOSE, RECORD_META, record_key(9), NULL);
	cr_expect(b->closes);
	batch_free(&b);
}
