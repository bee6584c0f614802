/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timer.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/attr.h"
#include "base/fixed_random.h"
#include "base/xalloc.h"

#define TICK TIMER_TICK_MS

static void
count(struct timer *t UNUSED, void *arg)
{
	++*(int *)arg;
}

Test(timer, fires_between_its_deadline_and_a_tick_later)
{
	static const uint64_t starts[] = { 0, 1, 15, 16, 1000000007 };
	struct timer_wheel *w;
	struct timer t;
	uint64_t i, after, now;
	int n;

	for (i = 0; i < countof(starts); i++) {
		for (after = 0; after < 3000; after++) {
			w = timer_wheel_new(starts[i]);
			timer_init(&t, count);
			timer_arm(w, &t, starts[i] + after);
			n = 0;
			now = starts[i];
			while (n == 0) {
				timer_advance(w, now, &n);
				now++;
			}
			now--;
			cr_assert(ge(u64, now, starts[i] + after));
			cr_assert(lt(u64, now, starts[i] + after + TICK));
			cr_assert(eq(int, n, 1));
			cr_assert(not(timer_is_armed(&t)));
			timer_wheel_free(&w);
			after += after / 16;
		}
	}
}

Test(timer, empty_wheel_wants_no_call)
{
	struct timer_wheel *w = timer_wheel_new(5000);
	struct timer t = { .fn = count };
	int n = 0;

	cr_expect(eq(int, timer_next_ms(w, 5000), -1));
	timer_arm(w, &t, 9000);
	cr_expect(ne(int, timer_next_ms(w, 5000), -1));
	timer_cancel(w, &t);
	cr_expect(eq(int, timer_next_ms(w, 5000), -1));
	timer_arm(w, &t, 9000);
	timer_advance(w, 9000 + TICK, &n);
	cr_expect(eq(int, n, 1));
	cr_expect(eq(int, timer_next_ms(w, 9100), -1));
	timer_wheel_free(&w);
	cr_expect(eq(ptr, w, NULL));
	timer_wheel_free(&w);
}

Test(timer, cancelled_one_does_not_fire)
{
	struct timer_wheel *w = timer_wheel_new(0);
	struct timer t = { .fn = count };
	int n = 0;

	timer_cancel(w, &t);
	timer_arm(w, &t, 100);
	cr_expect(timer_is_armed(&t));
	timer_cancel(w, &t);
	cr_expect(not(timer_is_armed(&t)));
	timer_cancel(w, &t);
	timer_advance(w, 1000, &n);
	cr_expect(eq(int, n, 0));
	timer_wheel_free(&w);
}

Test(timer, arming_again_moves_the_deadline)
{
	struct timer_wheel *w = timer_wheel_new(0);
	struct timer t = { .fn = count };
	int n = 0;

	timer_arm(w, &t, 100);
	timer_arm(w, &t, 10000);
	timer_advance(w, 5000, &n);
	cr_expect(eq(int, n, 0));
	timer_arm(w, &t, 6000);
	timer_advance(w, 7000, &n);
	cr_expect(eq(int, n, 1));
	timer_wheel_free(&w);
}

Test(timer, deadline_in_the_past_fires_at_the_next_call)
{
	struct timer_wheel *w = timer_wheel_new(10000);
	struct timer t = { .fn = count };
	int n = 0;

	timer_arm(w, &t, 3);
	cr_expect(eq(int, timer_next_ms(w, 10000), 0));
	timer_advance(w, 10000, &n);
	cr_expect(eq(int, n, 1));
	timer_wheel_free(&w);
}

Test(timer, free_disarms_what_is_left)
{
	static const uint64_t deadlines[] = { 0, 100, 100, 1000, 60000,
		UINT64_MAX };
	struct timer t[countof(deadlines)] = { 0 };
	struct timer_wheel *w = timer_wheel_new(50);
	size_t i;

	for (i = 0; i < countof(deadlines); i++)
		timer_arm(w, &t[i], deadlines[i]);
	timer_wheel_free(&w);
	for (i = 0; i < countof(deadlines); i++)
		cr_expect(not(timer_is_armed(&t[i])), "timer %zu", i);
}

/* A wheel that went tick by tick, or slot by slot, would not come back. */
Test(timer, the_longest_time_passes_in_no_time)
{
	struct timer_wheel *w = timer_wheel_new(0);
	struct timer t = { .fn = count };
	uint64_t now = 0;
	int n = 0;

	timer_advance(w, UINT64_C(1) << 62, &n);
	timer_arm(w, &t, UINT64_MAX);
	timer_advance(w, UINT64_C(1) << 63, &n);
	cr_expect(eq(int, n, 0));
	cr_expect(eq(int, timer_next_ms(w, UINT64_C(1) << 63), INT_MAX));
	timer_advance(w, UINT64_MAX, &n);
	cr_expect(eq(int, n, 1));
	timer_wheel_free(&w);

	w = timer_wheel_new(now);
	timer_arm(w, &t, UINT64_C(1) << 50);
	timer_advance(w, (UINT64_C(1) << 50) - 1, &n);
	cr_expect(eq(int, n, 1));
	timer_advance(w, UINT64_C(1) << 50, &n);
	cr_expect(eq(int, n, 2));
	timer_wheel_free(&w);
}

struct loop {
	struct timer_wheel *wheel;
	uint64_t now;
	unsigned n_fired;
	uint64_t worst_late;
};

static void
note_lateness(struct timer *t, void *arg)
{
	struct loop *l = arg;

	cr_assert(ge(u64, l->now, t->deadline));
	if (l->now - t->deadline > l->worst_late)
		l->worst_late = l->now - t->deadline;
	l->n_fired++;
}

/*
 * A loop that sleeps exactly as long as it is told misses nothing, and is
 * not told to turn for nothing more than once per level of the wheel.
 */
Test(timer, loop_that_sleeps_as_told_is_in_time)
{
	struct timer *timers = xcalloc(1000, sizeof(*timers));
	struct loop l = { .now = 12345 };
	struct fixed_random r;
	unsigned turns = 0, i;
	int ms;

	fixed_random_init(&r, 1);
	l.wheel = timer_wheel_new(l.now);
	for (i = 0; i < 1000; i++) {
		timer_init(&timers[i], note_lateness);
		timer_arm(l.wheel, &timers[i],
		    l.now + fixed_random_below(&r, UINT64_C(40000000)));
	}
	while ((ms = timer_next_ms(l.wheel, l.now)) >= 0) {
		l.now += (unsigned)ms;
		timer_advance(l.wheel, l.now, &l);
		turns++;
	}
	cr_expect(eq(u32, l.n_fired, 1000));
	cr_expect(lt(u64, l.worst_late, TICK));
	cr_expect(le(u32, turns, 10 * 1000));
	timer_wheel_free(&l.wheel);
	free(timers);
}

static void
arm_again_in_the_past(struct timer *t, void *arg)
{
	struct loop *l = arg;

	l->n_fired++;
	timer_arm(l->wheel, t, l->now);
}

/* Or a function could keep timer_advance from ever returning. */
Test(timer, armed_for_now_by_its_function_fires_in_the_next_call)
{
	struct loop l = { .now = 1024 };
	struct timer t = { .fn = arm_again_in_the_past };
	unsigned i;

	l.wheel = timer_wheel_new(l.now);
	timer_arm(l.wheel, &t, l.now);
	for (i = 1; i < 10; i++) {
		timer_advance(l.wheel, l.now, &l);
		cr_assert(eq(u32, l.n_fired, i));
		cr_assert(eq(int, timer_next_ms(l.wheel, l.now), 0));
	}
	timer_wheel_free(&l.wheel);
}

/*
 * The model: what is armed and for when, in a plain array. Functions arm,
 * cancel and free timers, their own and others, while the wheel turns.
 */
#define N_ITEMS 48u

struct model;

struct item {
	struct timer timer;
	struct model *model;
	size_t place;
	bool armed;
	unsigned armed_in; /* which call of timer_advance, 0: between */
	uint64_t deadline;
};

struct model {
	struct timer_wheel *wheel;
	struct item *items[N_ITEMS];
	struct fixed_random random;
	uint64_t seed;
	uint64_t now;
	unsigned n_advances;
	bool advancing;
	unsigned n_fired;
};

static void act(struct model *m, size_t place);

static void
on_fire(struct timer *t, void *arg)
{
	struct item *it = container_of(t, struct item, timer);
	struct model *m = arg;
	size_t place = it->place;

	cr_assert(eq(ptr, it->model, m));
	cr_assert(it->armed, "seed %lu: fires once", (unsigned long)m->seed);
	cr_assert(not(timer_is_armed(t)));
	cr_assert(le(u64, it->deadline, m->now), "seed %lu: never early",
	    (unsigned long)m->seed);
	it->armed = false;
	m->n_fired++;
	while (fixed_random_below(&m->random, 2) == 0) {
		act(m, place);
		place = fixed_random_below(&m->random, N_ITEMS);
	}
}

static struct item *
item_new(struct model *m, size_t place)
{
	struct item *it = xcalloc(1, sizeof(*it));

	timer_init(&it->timer, on_fire);
	it->model = m;
	it->place = place;
	return it;
}

static uint64_t
random_deadline(struct model *m)
{
	uint64_t away = fixed_random_magnitude(&m->random);

	if (fixed_random_below(&m->random, 8) == 0)
		return away < m->now ? m->now - away : 0;
	return away < UINT64_MAX - m->now ? m->now + away : UINT64_MAX;
}

static void
arm(struct model *m, struct item *it)
{
	it->deadline = random_deadline(m);
	it->armed = true;
	it->armed_in = m->advancing ? m->n_advances : 0;
	timer_arm(m->wheel, &it->timer, it->deadline);
}

/* One random thing with the item at `place`. */
static void
act(struct model *m, size_t place)
{
	struct item *it = m->items[place];

	switch (fixed_random_below(&m->random, 5)) {
	case 0:
		timer_cancel(m->wheel, &it->timer);
		it->armed = false;
		break;
	case 1:
		timer_cancel(m->wheel, &it->timer);
		/* The wheel may not keep a pointer to it anywhere. */
		free(it);
		m->items[place] = item_new(m, place);
		break;
	default:
		arm(m, it);
		break;
	}
}

static void
advance(struct model *m)
{
	int ms = timer_next_ms(m->wheel, m->now);

	if (ms >= 0 && fixed_random_below(&m->random, 2) == 0)
		m->now += (unsigned)ms;
	else
		m->now += fixed_random_magnitude(&m->random) >> 8;
	m->n_advances++;
	m->advancing = true;
	timer_advance(m->wheel, m->now, m);
	m->advancing = false;
}

static void
compare(struct model *m)
{
	int ms = timer_next_ms(m->wheel, m->now);
	unsigned long seed = (unsigned long)m->seed;
	bool any = false;
	struct item *it;
	size_t i;

	for (i = 0; i < N_ITEMS; i++) {
		it = m->items[i];
		cr_assert(timer_is_armed(&it->timer) == it->armed,
		    "seed %lu, call %u", seed, m->n_advances);
		if (!it->armed)
			continue;
		any = true;
		if (it->armed_in != m->n_advances)
			cr_assert(gt(u64, it->deadline, m->now - TICK),
			    "seed %lu, call %u: not late", seed, m->n_advances);
		cr_assert(ge(int, ms, 0), "seed %lu", seed);
		cr_assert(ms == 0 ||
			it->deadline > m->now + (unsigned)ms - TICK,
		    "seed %lu, call %u: told to come too late", seed,
		    m->n_advances);
	}
	if (!any)
		cr_assert(eq(int, ms, -1), "seed %lu", seed);
}

static void
run_model(uint64_t seed)
{
	struct model m = { .seed = seed };
	size_t i, n_steps;

	fixed_random_init(&m.random, seed);
	m.now = TICK + (fixed_random_magnitude(&m.random) >> 20);
	m.wheel = timer_wheel_new(m.now);
	for (i = 0; i < N_ITEMS; i++)
		m.items[i] = item_new(&m, i);
	for (n_steps = 0; n_steps < 200 && m.now < UINT64_MAX / 4; n_steps++) {
		for (i = fixed_random_below(&m.random, 8); i > 0; i--)
			act(&m, fixed_random_below(&m.random, N_ITEMS));
		advance(&m);
		compare(&m);
	}
	cr_assert(gt(u32, m.n_fired, 0), "seed %lu", (unsigned long)seed);
	timer_wheel_free(&m.wheel);
	for (i = 0; i < N_ITEMS; i++)
		free(m.items[i]);
}

Test(timer, agrees_with_a_naive_model, .timeout = 120)
{
	uint64_t seed;

	for (seed = 1; seed <= 300; seed++)
		run_model(seed);
}
