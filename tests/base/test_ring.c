/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include <poll.h>
#include <sched.h>
#include <stdint.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/fixed_random.h"
#include "base/thread.h"
#include "base/waker.h"

/* Longer than a word, so that half an item would be seen. */
struct item {
	uint64_t number;
	uint64_t check;
	uint32_t tail;
};

static struct item
make_item(uint64_t number)
{
	return (struct item){ number, ~number, (uint32_t)number * 3 };
}

static bool
is_item(const struct item *it, uint64_t number)
{
	return it->number == number && it->check == ~number &&
	    it->tail == (uint32_t)number * 3;
}

Test(ring, capacity_is_the_next_power_of_two)
{
	static const size_t cases[][2] = { { 1, 1 }, { 2, 2 }, { 3, 4 },
		{ 4, 4 }, { 5, 8 }, { 1000, 1024 }, { 1024, 1024 } };
	struct ring *r;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r = ring_new(cases[i][0], 3);
		cr_expect(eq(sz, ring_capacity(r), cases[i][1]));
		cr_expect(eq(sz, ring_room(r), cases[i][1]));
		ring_free(&r);
		cr_expect(eq(ptr, r, NULL));
	}
	ring_free(&r);
}

Test(ring, shows_nothing_before_it_is_published)
{
	struct ring *r = ring_new(4, sizeof(int));
	int in = 7, out = 0;

	cr_expect(not(ring_publish(r)));
	cr_expect(ring_put(r, &in));
	cr_expect(ring_is_empty(r));
	cr_expect(not(ring_get(r, &out)));
	cr_expect(ring_publish(r));
	cr_expect(not(ring_publish(r)), "nothing new to show");
	cr_expect(not(ring_is_empty(r)));
	cr_expect(ring_get(r, &out));
	cr_expect(eq(int, out, 7));
	cr_expect(ring_is_empty(r));
	ring_free(&r);
}

Test(ring, is_full_at_its_capacity_published_or_not)
{
	struct ring *r = ring_new(4, sizeof(int));
	int i, out;

	for (i = 0; i < 4; i++) {
		cr_expect(eq(sz, ring_room(r), (size_t)(4 - i)));
		cr_expect(ring_put(r, &i), "item %d", i);
	}
	cr_expect(not(ring_put(r, &i)));
	ring_publish(r);
	cr_expect(not(ring_put(r, &i)));
	cr_expect(eq(sz, ring_room(r), 0));
	cr_expect(ring_get(r, &out));
	cr_expect(eq(sz, ring_room(r), 1));
	cr_expect(ring_put(r, &i));
	cr_expect(not(ring_put(r, &i)));
	ring_free(&r);
}

Test(ring, refused_item_leaves_no_trace)
{
	struct ring *r = ring_new(2, sizeof(int));
	int values[] = { 1, 2, 3 }, out;

	cr_expect(ring_put(r, &values[0]));
	cr_expect(ring_put(r, &values[1]));
	cr_expect(not(ring_put(r, &values[2])));
	ring_publish(r);
	cr_expect(ring_get(r, &out) && out == 1);
	cr_expect(ring_get(r, &out) && out == 2);
	cr_expect(not(ring_get(r, &out)));
	ring_free(&r);
}

/* All sizes of batches around a small ring, many times around. */
Test(ring, keeps_order_and_content_over_many_rounds)
{
	struct ring *r = ring_new(8, sizeof(struct item));
	struct fixed_random random;
	uint64_t put = 0, shown = 0, got = 0, n;
	struct item it;

	fixed_random_init(&random, 1);
	while (got < 20000) {
		for (n = fixed_random_below(&random, 10); n > 0; n--) {
			it = make_item(put);
			if (put - got < 8) {
				cr_assert(ring_put(r, &it));
				put++;
			} else
				cr_assert(not(ring_put(r, &it)));
		}
		cr_assert(ring_publish(r) == (put > shown));
		shown = put;
		for (n = fixed_random_below(&random, 10); n > 0; n--) {
			cr_assert(ring_is_empty(r) == (got == shown));
			if (ring_get(r, &it))
				cr_assert(is_item(&it, got++));
			else
				cr_assert(eq(u64, got, shown));
		}
	}
	ring_free(&r);
}

/* One producer and a consumer that sleeps whenever it can. */
struct line {
	struct ring *ring;
	struct waker waker;
	uint64_t n_items;
	uint64_t seed;
};

static void *
produce(void *arg)
{
	struct line *l = arg;
	struct fixed_random random;
	uint64_t number = 0, batch;
	struct item it;

	fixed_random_init(&random, l->seed);
	while (number < l->n_items) {
		batch = 1 + fixed_random_below(&random, 30);
		for (; batch > 0 && number < l->n_items; batch--) {
			it = make_item(number);
			if (!ring_put(l->ring, &it))
				break;
			number++;
		}
		if (ring_publish(l->ring))
			waker_kick(&l->waker);
		else
			sched_yield();
	}
	return NULL;
}

static void
sleep_until_kicked(struct waker *w)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };

	/* A kick that got lost hangs here, and the test times out. */
	poll(&p, 1, -1);
	waker_clear(w);
}

static uint64_t
consume_all(struct line *l)
{
	uint64_t n = 0, wrong = 0;
	struct item it;

	while (n < l->n_items) {
		while (ring_get(l->ring, &it))
			wrong += !is_item(&it, n++);
		if (n == l->n_items)
			break;
		waker_arm(&l->waker);
		if (ring_is_empty(l->ring))
			sleep_until_kicked(&l->waker);
		else
			waker_disarm(&l->waker);
	}
	return wrong;
}

Test(ring, two_threads_lose_and_invent_nothing, .timeout = 120)
{
	static const size_t capacities[] = { 1, 2, 64 };
	struct line l;
	pthread_t producer;
	struct item it;
	size_t i;

	for (i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
		l = (struct line){ .n_items = 30000, .seed = i };
		l.ring = ring_new(capacities[i], sizeof(struct item));
		cr_assert(eq(int, waker_init(&l.waker), 0));
		cr_assert(eq(int, thread_start(&producer, produce, &l), 0));
		cr_expect(eq(u64, consume_all(&l), 0), "capacity %zu",
		    capacities[i]);
		pthread_join(producer, NULL);
		cr_expect(not(ring_get(l.ring, &it)));
		waker_fini(&l.waker);
		ring_free(&l.ring);
	}
}

/*
 * There and back: each side sleeps until the other has answered, so that
 * every single item is a transition from idle to busy.
 */
struct pair {
	struct line there, back;
};

static void *
echo(void *arg)
{
	struct pair *p = arg;
	struct item it;
	uint64_t n;

	for (n = 0; n < p->there.n_items; n++) {
		while (!ring_get(p->there.ring, &it)) {
			waker_arm(&p->there.waker);
			if (ring_is_empty(p->there.ring))
				sleep_until_kicked(&p->there.waker);
			else
				waker_disarm(&p->there.waker);
		}
		if (ring_put(p->back.ring, &it) && ring_publish(p->back.ring))
			waker_kick(&p->back.waker);
	}
	return NULL;
}

static void
pair_init(struct pair *p, uint64_t n_items)
{
	*p = (struct pair){ .there = { .n_items = n_items },
		.back = { .n_items = 1 } };
	p->there.ring = ring_new(4, sizeof(struct item));
	p->back.ring = ring_new(4, sizeof(struct item));
	cr_assert(eq(int, waker_init(&p->there.waker), 0));
	cr_assert(eq(int, waker_init(&p->back.waker), 0));
}

static void
pair_fini(struct pair *p)
{
	waker_fini(&p->there.waker);
	waker_fini(&p->back.waker);
	ring_free(&p->there.ring);
	ring_free(&p->back.ring);
}

Test(ring, a_kick_is_never_lost, .timeout = 120)
{
	struct pair p;
	pthread_t other;
	struct item it;
	uint64_t n;

	pair_init(&p, 5000);
	cr_assert(eq(int, thread_start(&other, echo, &p), 0));
	for (n = 0; n < p.there.n_items; n++) {
		it = make_item(n);
		cr_assert(ring_put(p.there.ring, &it));
		cr_assert(ring_publish(p.there.ring));
		waker_kick(&p.there.waker);
		while (!ring_get(p.back.ring, &it)) {
			waker_arm(&p.back.waker);
			if (ring_is_empty(p.back.ring))
				sleep_until_kicked(&p.back.waker);
			else
				waker_disarm(&p.back.waker);
		}
		cr_assert(is_item(&it, n));
	}
	pthread_join(other, NULL);
	pair_fini(&p);
}
