/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timer - deadlines by the hundred thousand: a hierarchical timer wheel.
 *
 * Arming and cancelling cost a list operation; advancing costs what expires.
 * Deadlines are milliseconds of clock_mono_ms; a timer never fires early and
 * at most one TIMER_TICK_MS late (plus the loop's own delay). Owned by one
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TIMER_TICK_MS 16u

struct timer;
/* The timer is disarmed when this runs; it may be armed again or freed. */
typedef void timer_fn(struct timer *t, void *arg);

struct timer {
	struct timer *next;
	struct timer **prev; /* NULL: not armed */
	uint64_t deadline;   /* ms */
	timer_fn *fn;
};

struct timer_wheel;

struct timer_wheel *timer_wheel_new(uint64_t now_ms);
/* What is still armed is disarmed. */
void timer_wheel_free(struct timer_wheel **w);

/* Prepare a timer; all zero with fn set is the same. */
void timer_init(struct timer *t, timer_fn *fn);
/* Arm, or move to another deadline (ms). */
void timer_arm(struct timer_wheel *w, struct timer *t, uint64_t deadline);
/* Disarm; harmless on a timer that is not armed. */
void timer_cancel(struct timer_wheel *w, struct timer *t);
static inline bool
timer_is_armed(const struct timer *t)
{
	return t->prev != 0;
}
/*
 * Fire all that is due; `arg` goes to every function. What a function arms
 * for a time that has passed fires in the next call.
 */
void timer_advance(struct timer_wheel *w, uint64_t now_ms, void *arg);
/*
 * Milliseconds until timer_advance should be called again, at least 0; -1
 * when nothing is armed. May be early (an upper wheel turns), never late.
 */
int timer_next_ms(const struct timer_wheel *w, uint64_t now_ms);
