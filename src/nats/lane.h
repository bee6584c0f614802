/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lane - the two rings between one worker and the NATS thread.
 *
 *   worker --requests--> NATS thread
 *   worker <--events---- overflow <-- NATS thread
 *
 * Neither side waits for the other. A worker that finds the requests full is
 * woken when there is room again; events that the ring does not hold queue up
 * in the overflow, and the NATS thread is woken when the worker has emptied
 * the ring. Requests are bounded in number by the ring, and their messages in
 * bytes by LANE_BYTES_MAX.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/queue.h"
#include "base/ring.h"
#include "base/thread.h"
#include "nats/bus.h"

struct overflow_event;

/* Of messages on their way to the NATS thread; more is back-pressure. */
#define LANE_BYTES_MAX ((size_t)8 << 20)

struct lane {
	struct ring *requests;     /* worker -> NATS thread */
	struct ring *events;       /* NATS thread -> worker */
	struct waker *worker;      /* [I] wakes the worker */
	struct waker *bus;         /* [I] wakes the NATS thread */
	atomic_bool worker_waits;  /* [a] for room among the requests */
	atomic_bool bus_waits;     /* [a] for room among the events */
	size_t put_bytes;          /* [w] messages put, ever */
	atomic_size_t taken_bytes; /* [a] messages taken, ever */
	size_t taking_bytes;       /* the NATS thread's: not yet told */
	/* The NATS thread's. */
	STAILQ_HEAD(, overflow_event) overflow;
	bool staged; /* events were put and not shown yet */
};

void lane_init(struct lane *l, size_t ring_size, struct waker *worker,
    struct waker *bus);
/* The rings must have been drained. */
void lane_fini(struct lane *l);

bool lane_put(struct lane *l, const struct bus_request *r) WORKER_THREAD;
void lane_flush(struct lane *l) WORKER_THREAD;
size_t lane_room(struct lane *l) WORKER_THREAD;
bool lane_next_event(struct lane *l, struct bus_event *out) WORKER_THREAD;

bool lane_has_event(struct lane *l) WORKER_THREAD;

bool lane_next_request(struct lane *l, struct bus_request *out) NATS_THREAD;
bool lane_has_requests(struct lane *l) NATS_THREAD;
/* Requests were taken: a worker that waits for room may go on. */
void lane_made_room(struct lane *l) NATS_THREAD;
/* Always taken. */
void lane_event(struct lane *l, const struct bus_event *e) NATS_THREAD;
/*
 * Show what was put and wake the worker. False while the overflow is not
 * empty: read no more from NATS.
 */
bool lane_show_events(struct lane *l) NATS_THREAD;

/*
 * Has the worker emptied its ring since lane_show_events said no? To be asked
 * once more after the waker was armed.
 */
bool lane_has_room_again(struct lane *l) NATS_THREAD;

/* Both threads have ended: take what is left. */
bool lane_take_request(struct lane *l, struct bus_request *out);
bool lane_take_event(struct lane *l, struct bus_event *out);
