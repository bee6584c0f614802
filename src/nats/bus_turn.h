/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_turn - the turns of the NATS thread's loop; bus_thread.h tells what
 * one is. NATS thread only, but for the events.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/thread.h"

struct bus;

/*
 * The loop and its own events. Before the thread starts; 0 or -errno. What
 * was made is freed by bus_free_events, whatever the result.
 */
int bus_new_events(struct bus *b) MUST_CHECK;
void bus_free_events(struct bus *b);

/* Sleep until there is something to do, then do it. */
void bus_spin(struct bus *b) NATS_THREAD;
/*
 * Receive no more, carry out what is in the rings, and wait for the fences
 * behind it, at most until then.
 */
void bus_drain(struct bus *b, uint64_t stop_at_ms) NATS_THREAD;
