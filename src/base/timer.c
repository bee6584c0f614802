/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer - deadlines by the hundred thousand: a hierarchical timer wheel.
 *
 * Time is counted in ticks, and a tick is read as ten digits of six bits:
 *
 *   now        .. 0  3 17 40
 *   expires    .. 0  3 21  5
 *                       ^ the highest digit that differs: level 1, slot 21
 *
 * A timer lies on the level of the highest digit in which it differs from
 * now, in the slot of its own digit there. When now arrives at a slot of an
 * upper level, the timers in it are laid out again, further down. All slots
 * that are in use lie ahead of now's digit, so nothing wraps around: the
 * first slot of the lowest level in use is what happens next, and a bitmap
 * per level finds it without a search. Ten levels hold every deadline there
 * is.
 */
#include "base/timer.h"

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/attr.h"
#include "base/xalloc.h"

#define DIGIT_BITS 6u
#define N_SLOTS    (1u << DIGIT_BITS)
#define N_LEVELS   10u
#define LAST_TICK  ((UINT64_C(1) << (DIGIT_BITS * N_LEVELS)) - 1)

struct timer_wheel {
	uint64_t now;              /* the last tick that was dealt with */
	struct timer *due;         /* armed when it was too late */
	uint64_t in_use[N_LEVELS]; /* a bit per slot */
	struct timer *slots[N_LEVELS][N_SLOTS];
};

struct timer_wheel *
timer_wheel_new(uint64_t now_ms)
{
	struct timer_wheel *w = xcalloc(1, sizeof(*w));

	w->now = now_ms / TIMER_TICK_MS;
	return w;
}

static void
link_timer(struct timer **head, struct timer *t)
{
	t->next = *head;
	if (t->next != NULL)
		t->next->prev = &t->next;
	t->prev = head;
	*head = t;
}

static void
unlink_timer(struct timer *t)
{
	*t->prev = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	t->next = NULL;
	t->prev = NULL;
}

/* Move a whole list to `to`, which is empty. */
static void
take_list(struct timer **from, struct timer **to)
{
	*to = *from;
	*from = NULL;
	if (*to != NULL)
		(*to)->prev = to;
}

static void
drop_list(struct timer **head)
{
	while (*head != NULL)
		unlink_timer(*head);
}

void
timer_wheel_free(struct timer_wheel **w)
{
	size_t level, slot;

	if (*w == NULL)
		return;
	drop_list(&(*w)->due);
	for (level = 0; level < N_LEVELS; level++)
		for (slot = 0; slot < N_SLOTS; slot++)
			drop_list(&(*w)->slots[level][slot]);
	free(*w);
	*w = NULL;
}

void
timer_init(struct timer *t, timer_fn *fn)
{
	*t = (struct timer){ .fn = fn };
}

/* The first tick at which the deadline has passed. */
static uint64_t
expiry_tick(uint64_t deadline)
{
	uint64_t tick = deadline / TIMER_TICK_MS;

	if (deadline % TIMER_TICK_MS != 0)
		tick++;
	return tick < LAST_TICK ? tick : LAST_TICK;
}

/* Put a timer where it belongs; `late` takes those that are due now. */
static void
lay_out(struct timer_wheel *w, struct timer *t, struct timer **late)
{
	uint64_t tick = expiry_tick(t->deadline);
	unsigned level, slot;

	if (tick <= w->now) {
		link_timer(late, t);
		return;
	}
	level = (63 - (unsigned)__builtin_clzll(tick ^ w->now)) / DIGIT_BITS;
	slot = tick >> (level * DIGIT_BITS) & (N_SLOTS - 1);
	link_timer(&w->slots[level][slot], t);
	w->in_use[level] |= UINT64_C(1) << slot;
}

void
timer_arm(struct timer_wheel *w, struct timer *t, uint64_t deadline)
{
	timer_cancel(w, t);
	t->deadline = deadline;
	lay_out(w, t, &w->due);
}

/* If `head` is a slot of the wheel that has become empty, note that. */
static void
note_empty(struct timer_wheel *w, struct timer **head)
{
	uintptr_t at = (uintptr_t)head, first = (uintptr_t)w->slots;
	size_t i;

	if (*head != NULL || at < first || at >= first + sizeof(w->slots))
		return;
	i = (at - first) / sizeof(*head);
	w->in_use[i / N_SLOTS] &= ~(UINT64_C(1) << i % N_SLOTS);
}

void
timer_cancel(struct timer_wheel *w, struct timer *t)
{
	struct timer **prev = t->prev;

	if (prev == NULL)
		return;
	unlink_timer(t);
	/* `prev` may be a slot, or the `next` of the timer before. */
	note_empty(w, prev);
}

/*
 * The lowest level in use, its first slot and the tick at which that slot is
 * reached; false when the wheel is empty.
 */
static bool
next_slot(const struct timer_wheel *w, unsigned *level, unsigned *slot,
    uint64_t *tick)
{
	uint64_t digits_above;
	unsigned l;

	for (l = 0; l < N_LEVELS && w->in_use[l] == 0; l++)
		;
	if (l == N_LEVELS)
		return false;
	*level = l;
	*slot = (unsigned)__builtin_ctzll(w->in_use[l]);
	digits_above = w->now >> (l + 1) * DIGIT_BITS;
	*tick = (digits_above << DIGIT_BITS | *slot) << l * DIGIT_BITS;
	return true;
}

/* Run and disarm all in the list, whatever the functions do to the rest. */
static void
fire_all(struct timer **head, void *arg)
{
	struct timer *t;

	while ((t = *head) != NULL) {
		unlink_timer(t);
		t->fn(t, arg);
	}
}

static void
turn_to_slot(struct timer_wheel *w, unsigned level, unsigned slot, void *arg)
{
	struct timer *arrived, *expired = NULL, *t;

	take_list(&w->slots[level][slot], &arrived);
	w->in_use[level] &= ~(UINT64_C(1) << slot);
	while ((t = arrived) != NULL) {
		unlink_timer(t);
		lay_out(w, t, &expired);
	}
	fire_all(&expired, arg);
}

void
timer_advance(struct timer_wheel *w, uint64_t now_ms, void *arg)
{
	uint64_t now = now_ms / TIMER_TICK_MS, tick;
	unsigned level, slot;
	struct timer *due;

	/*
	 * A function that arms its timer for a time that has passed gets it
	 * back in the next call, not in this one, which would never end.
	 */
	take_list(&w->due, &due);
	fire_all(&due, arg);
	while (next_slot(w, &level, &slot, &tick) && tick <= now) {
		w->now = tick;
		turn_to_slot(w, level, slot, arg);
	}
	if (w->now < now)
		w->now = now;
}

int
timer_next_ms(const struct timer_wheel *w, uint64_t now_ms)
{
	unsigned level, slot;
	uint64_t tick, ms;

	if (w->due != NULL)
		return 0;
	if (!next_slot(w, &level, &slot, &tick))
		return -1;
	ms = tick * TIMER_TICK_MS;
	if (ms <= now_ms)
		return 0;
	return ms - now_ms < INT_MAX ? (int)(ms - now_ms) : INT_MAX;
}
