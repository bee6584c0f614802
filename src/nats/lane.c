/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane - the two rings between one worker and the NATS thread.
 *
 * "I wait for room" and "I made room" are exchanges on the same flag, so of
 * two that meet one sees the other: either the waiting side finds the room
 * when it looks again, or the other side finds the flag and wakes it.
 */
#include "nats/lane.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct overflow_event {
	STAILQ_ENTRY(overflow_event) entry;
	struct bus_event event;
};

void
lane_init(struct lane *l, size_t ring_size, struct waker *worker,
    struct waker *bus)
{
	l->requests = ring_new(ring_size, sizeof(struct bus_request));
	l->events = ring_new(ring_size, sizeof(struct bus_event));
	l->worker = worker;
	l->bus = bus;
	atomic_init(&l->worker_waits, false);
	atomic_init(&l->bus_waits, false);
	STAILQ_INIT(&l->overflow);
	l->staged = false;
}

void
lane_fini(struct lane *l)
{
	ring_free(&l->requests);
	ring_free(&l->events);
}

static bool
set_flag(atomic_bool *flag, bool value)
{
	return atomic_exchange_explicit(flag, value, memory_order_acq_rel);
}

static size_t
request_bytes(const struct bus_request *r)
{
	switch ((enum bus_request_type)r->type) {
	case BUS_PUBLISH:
	case BUS_SEND:
		return message_size(r->message);
	default:
		return 0;
	}
}

/* One message always fits, whatever its size. */
static bool
put(struct lane *l, const struct bus_request *r, size_t bytes)
{
	size_t ahead = l->put_bytes -
	    atomic_load_explicit(&l->taken_bytes, memory_order_acquire);

	if ((bytes > 0 && ahead > LANE_BYTES_MAX) || !ring_put(l->requests, r))
		return false;
	l->put_bytes += bytes;
	return true;
}

bool
lane_put(struct lane *l, const struct bus_request *r)
{
	size_t bytes = request_bytes(r);

	if (put(l, r, bytes))
		return true;
	set_flag(&l->worker_waits, true);
	return put(l, r, bytes);
}

void
lane_flush(struct lane *l)
{
	if (ring_publish(l->requests))
		waker_kick(l->bus);
}

static size_t
room(struct lane *l)
{
	size_t ahead = l->put_bytes -
	    atomic_load_explicit(&l->taken_bytes, memory_order_acquire);

	return ahead > LANE_BYTES_MAX ? 0 : ring_room(l->requests);
}

size_t
lane_room(struct lane *l)
{
	size_t n = room(l);

	if (n >= ring_capacity(l->requests) / 2)
		return n;
	/* The worker may stop here: it wants to know when there is more. */
	set_flag(&l->worker_waits, true);
	return room(l);
}

bool
lane_next_event(struct lane *l, struct bus_event *out)
{
	if (ring_get(l->events, out))
		return true;
	if (set_flag(&l->bus_waits, false))
		waker_kick(l->bus);
	return false;
}

bool
lane_has_event(struct lane *l)
{
	return !ring_is_empty(l->events);
}

bool
lane_next_request(struct lane *l, struct bus_request *out)
{
	if (!ring_get(l->requests, out))
		return false;
	l->taking_bytes += request_bytes(out);
	return true;
}

bool
lane_has_requests(struct lane *l)
{
	return !ring_is_empty(l->requests);
}

void
lane_made_room(struct lane *l)
{
	atomic_store_explicit(&l->taken_bytes,
	    atomic_load_explicit(&l->taken_bytes, memory_order_relaxed) +
		l->taking_bytes,
	    memory_order_release);
	l->taking_bytes = 0;
	if (set_flag(&l->worker_waits, false))
		waker_kick(l->worker);
}

void
lane_event(struct lane *l, const struct bus_event *e)
{
	struct overflow_event *o;

	l->staged = true;
	if (STAILQ_EMPTY(&l->overflow) && ring_put(l->events, e))
		return;
	o = xmalloc(sizeof(*o));
	o->event = *e;
	STAILQ_INSERT_TAIL(&l->overflow, o, entry);
}

/* Move what fits from the overflow into the ring. */
static void
refill(struct lane *l)
{
	struct overflow_event *o;

	while ((o = STAILQ_FIRST(&l->overflow)) != NULL &&
	    ring_put(l->events, &o->event)) {
		STAILQ_REMOVE_HEAD(&l->overflow, entry);
		free(o);
		l->staged = true;
	}
}

bool
lane_show_events(struct lane *l)
{
	refill(l);
	if (!STAILQ_EMPTY(&l->overflow)) {
		set_flag(&l->bus_waits, true);
		refill(l);
	}
	if (l->staged && ring_publish(l->events))
		waker_kick(l->worker);
	l->staged = false;
	return STAILQ_EMPTY(&l->overflow);
}

bool
lane_has_room_again(struct lane *l)
{
	return !STAILQ_EMPTY(&l->overflow) &&
	    !atomic_load_explicit(&l->bus_waits, memory_order_acquire);
}

bool
lane_take_request(struct lane *l, struct bus_request *out)
{
	return ring_get(l->requests, out);
}

bool
lane_take_event(struct lane *l, struct bus_event *out)
{
	struct overflow_event *o;

	ring_publish(l->events);
	if (ring_get(l->events, out))
		return true;
	o = STAILQ_FIRST(&l->overflow);
	if (o == NULL)
		return false;
	*out = o->event;
	STAILQ_REMOVE_HEAD(&l->overflow, entry);
	free(o);
	return true;
}
