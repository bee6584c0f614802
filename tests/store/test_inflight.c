/* SPDX-License-Identifier: Apache-2.0 */
#include "store/inflight.h"

#include <criterion/criterion.h>

static struct message *
any_message(void)
{
	struct message_parts parts = { .topic = SLICE("a/b"),
		.payload = SLICE("x"),
		.qos = 1 };

	return message_new(&parts);
}

static uint16_t
add(struct inflight *f)
{
	struct outgoing o = { .message = any_message(), .qos = 1 };

	return inflight_add(f, &o)->packet_id;
}

static void
finish(struct inflight *f, uint16_t id)
{
	struct outgoing *o = inflight_find(f, id);

	cr_assert_not_null(o, "%u", id);
	inflight_done(f, o);
}

/* v5 [MQTT-4.3.2-1] [MQTT-4.3.3-1], v3.1.1 [MQTT-4.3.2-1] */
Test(inflight, hands_out_ascending_identifiers)
{
	struct inflight f = { 0 };

	for (uint16_t i = 1; i <= 100; i++)
		cr_assert_eq(add(&f), i);
	cr_assert_eq(f.n, 100);
	inflight_fini(&f);
}

/* v3.1.1 [MQTT-2.3.1-4]: and a late answer never meets a new message. */
Test(inflight, does_not_begin_again_when_idle)
{
	struct inflight f = { 0 };

	for (uint16_t i = 1; i <= 10; i++) {
		cr_assert_eq(add(&f), i);
		finish(&f, i);
		cr_assert_eq(f.n, 0);
	}
	inflight_fini(&f);
}

/* v5 [MQTT-2.2.1-4] */
Test(inflight, wraps_to_one_and_skips_what_is_in_use)
{
	struct inflight f = { .last_id = 65533 };
	uint16_t held = add(&f);

	cr_assert_eq(held, 65534);
	cr_assert_eq(add(&f), 65535);
	cr_assert_eq(add(&f), 1);
	finish(&f, 65535);
	finish(&f, 1);
	f.last_id = 65533; /* as if it had gone round */
	cr_assert_eq(add(&f), 65535);
	cr_assert_not_null(inflight_find(&f, held));
	inflight_fini(&f);
}

Test(inflight, finds_in_any_order_of_answers)
{
	struct inflight f = { .last_id = 65500 };
	uint16_t ids[100];

	for (size_t i = 0; i < 100; i++)
		ids[i] = add(&f);
	for (size_t i = 0; i < 100; i++) {
		uint16_t id = ids[i * 37 % 100];

		finish(&f, id);
		cr_assert_null(inflight_find(&f, id));
	}
	cr_assert_eq(f.n, 0);
	cr_assert_eq(f.box.n, 0);
	inflight_fini(&f);
}

Test(inflight, knows_no_identifier_zero)
{
	struct inflight f = { 0 };

	(void)add(&f);
	cr_assert_null(inflight_find(&f, 0));
	cr_assert_null(inflight_find(&f, 2));
	inflight_fini(&f);
}

static void
count(struct outgoing *o, void *arg)
{
	uint16_t **next = arg;

	*(*next)++ = o->packet_id;
}

Test(inflight, walks_oldest_first_without_holes)
{
	struct inflight f = { 0 };
	uint16_t seen[8] = { 0 }, *next = seen;

	for (int i = 0; i < 5; i++)
		(void)add(&f);
	finish(&f, 2);
	finish(&f, 4);
	inflight_each(&f, count, &next);
	cr_assert_eq(next - seen, 3);
	cr_assert_eq(seen[0], 1);
	cr_assert_eq(seen[1], 3);
	cr_assert_eq(seen[2], 5);
	inflight_fini(&f);
}

/*
 * One message that is never answered holds no memory for all the others. v5
 * [MQTT-4.3.2-3] [MQTT-4.3.3-3]
 */
Test(inflight, closes_the_holes_behind_one_that_stays)
{
	struct inflight f = { 0 };
	uint16_t held = add(&f), id;

	for (uint32_t i = 0; i < 200000; i++) {
		id = add(&f);
		cr_assert_neq(id, held);
		finish(&f, id);
		cr_assert_null(inflight_find(&f, id), "%u", id);
		cr_assert_leq(f.box.cap, 256);
	}
	finish(&f, held);
	cr_assert_eq(f.box.n, 0);
	inflight_fini(&f);
}

/* A hole that has the identifier of a later message does not hide it. */
Test(inflight, finds_what_took_the_identifier_of_a_hole)
{
	struct inflight f = { 0 };
	uint16_t held = add(&f), hole = add(&f), again;

	finish(&f, hole);
	f.last_id = held; /* as if it had gone round */
	again = add(&f);
	cr_assert_eq(again, hole);
	cr_assert_not_null(inflight_find(&f, again));
	finish(&f, again);
	finish(&f, held);
	cr_assert_eq(f.n, 0);
	inflight_fini(&f);
}

Test(inflight, is_repeated_in_its_order_after_a_reconnect)
{
	struct inflight f = { 0 };
	struct outgoing *o;

	for (int i = 0; i < 5; i++)
		(void)add(&f);
	finish(&f, 1);
	inflight_release(&f, inflight_find(&f, 3));
	cr_assert_null(inflight_next_again(&f));
	inflight_reconnect(&f);
	cr_assert_eq(f.n_again, 3);
	o = inflight_next_again(&f);
	cr_assert_eq(o->packet_id, 2);
	inflight_sent_again(&f, o);
	/* A late answer to what was sent before. */
	finish(&f, 4);
	cr_assert_eq(f.n_again, 1);
	/* And another reconnect in between. */
	inflight_reconnect(&f);
	cr_assert_eq(f.n_again, 2);
	for (uint16_t id = 2; id <= 5; id += 3) {
		o = inflight_next_again(&f);
		cr_assert_eq(o->packet_id, id);
		inflight_sent_again(&f, o);
	}
	cr_assert_null(inflight_next_again(&f));
	cr_assert_eq(inflight_find(&f, 3)->state, OUTGOING_RELEASED);
	inflight_fini(&f);
}

Test(inflight, may_be_released_before_it_is_repeated)
{
	struct inflight f = { 0 };

	(void)add(&f);
	inflight_reconnect(&f);
	inflight_release(&f, inflight_find(&f, 1));
	cr_assert_eq(f.n_again, 0);
	cr_assert_null(inflight_next_again(&f));
	finish(&f, 1);
	cr_assert_eq(f.n, 0);
	inflight_fini(&f);
}

/* Once round, the identifiers are no longer sorted by age: 100, 99, 102. */
Test(inflight, finds_what_was_handed_out_behind_one_that_stays)
{
	struct inflight f = { .last_id = 99 };
	uint16_t held = add(&f), behind;

	f.last_id = 98; /* as if it had gone round */
	behind = add(&f);
	cr_assert_eq(behind, 99);
	do
		finish(&f, add(&f));
	while (f.box.n > 2); /* until the holes are closed */
	f.last_id = 101;
	cr_assert_eq(add(&f), 102);
	cr_assert_not_null(inflight_find(&f, behind));
	f.last_id = 98;
	cr_assert_eq(add(&f), 101, "in use is 99, 100");
	finish(&f, behind);
	finish(&f, held);
	finish(&f, 101);
	finish(&f, 102);
	/* When all is done it is in order again. */
	cr_assert_eq(f.box.n, 0);
	cr_assert_eq(add(&f), 102);
	cr_assert_null(inflight_find(&f, 99));
	inflight_fini(&f);
}

/* A naive model: which identifiers are in use, and nothing else. */
struct model {
	bool in_use[65536];
	uint16_t ids[64]; /* in use */
	size_t n;
};

static void
model_add(struct model *m, struct inflight *f)
{
	uint16_t id = add(f);

	cr_assert_neq(id, 0);
	cr_assert_not(m->in_use[id], "%u is in use", id);
	m->in_use[id] = true;
	m->ids[m->n++] = id;
}

/* The first few stay long. */
static void
model_finish(struct model *m, struct inflight *f)
{
	size_t i = rand() % 3000 == 0
	    ? (size_t)rand() % m->n
	    : m->n - 1 - (size_t)rand() % (m->n / 2 + 1);

	finish(f, m->ids[i]);
	m->in_use[m->ids[i]] = false;
	m->ids[i] = m->ids[--m->n];
}

Test(inflight, agrees_with_a_naive_model)
{
	static struct model m;
	struct inflight f = { 0 };

	srand(3);
	for (unsigned step = 0; step < 400000; step++) {
		uint16_t id = (uint16_t)(f.last_id + rand() % 40 - 30);

		if (m.n == 0 || (m.n < 64 && rand() % 2 == 0))
			model_add(&m, &f);
		else
			model_finish(&m, &f);
		cr_assert_eq(f.n, m.n);
		cr_assert_eq(inflight_find(&f, id) != NULL, m.in_use[id],
		    "step %u: %u", step, id);
	}
	inflight_fini(&f);
}
