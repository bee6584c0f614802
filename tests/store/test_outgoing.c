/* SPDX-License-Identifier: Apache-2.0 */
#include "store/outgoing.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct message *
any_message(void)
{
	struct message_parts parts = { .topic = SLICE("a") };

	return message_new(&parts);
}

static void
push(struct outbox *box, uint32_t id)
{
	struct outgoing o = { .message = any_message(), .subscription_id = id };

	outbox_push(box, &o);
}

Test(outgoing, is_first_in_first_out_over_many_sizes)
{
	struct outbox box = { 0 };
	struct outgoing o;
	uint32_t in = 0, out = 0;

	/* More goes in than out, so that the ring wraps while it grows. */
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 3; i++)
			push(&box, ++in);
		for (int i = 0; i < 2; i++) {
			cr_assert(outbox_pop(&box, &o));
			cr_assert_eq(o.subscription_id, ++out);
			outgoing_fini(&o);
		}
		cr_assert_eq(box.n, in - out);
		cr_assert_eq(outbox_at(&box, 0)->subscription_id, out + 1);
	}
	while (outbox_pop(&box, &o)) {
		cr_assert_eq(o.subscription_id, ++out);
		outgoing_fini(&o);
	}
	cr_assert_eq(in, out);
	cr_assert_eq(box.cap, 0, "an empty box holds no large ring");
	outbox_fini(&box);
}

Test(outgoing, gives_back_what_it_refers_to)
{
	struct outbox box = { 0 };
	struct message *m = any_message();
	struct outgoing o = { .message = message_ref(m),
		.more_ids = calloc(2, sizeof(uint32_t)) };

	outbox_push(&box, &o);
	cr_assert_eq(atomic_load(&m->refs), 2);
	outbox_fini(&box);
	cr_assert_eq(atomic_load(&m->refs), 1);
	message_unref(&m);
}
