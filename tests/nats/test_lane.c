/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/lane.h"

#include <poll.h>

#include <criterion/criterion.h>

#include "base/thread.h"

#define SIZE 8

static struct lane lane;
static struct waker worker, bus;

static void
open_lane(void)
{
	cr_assert(waker_init(&worker) == 0);
	cr_assert(waker_init(&bus) == 0);
	lane_init(&lane, SIZE, &worker, &bus);
}

static void
close_lane(void)
{
	struct bus_request r;
	struct bus_event e;

	while (lane_take_request(&lane, &r))
		;
	while (lane_take_event(&lane, &e))
		;
	lane_fini(&lane);
	waker_fini(&worker);
	waker_fini(&bus);
}

TestSuite(lane, .init = open_lane, .fini = close_lane, .timeout = 60);

static bool
was_kicked(struct waker *w)
{
	struct pollfd pfd = { .fd = w->fd, .events = POLLIN };
	bool kicked = poll(&pfd, 1, 0) == 1;

	waker_clear(w);
	waker_arm(w);
	return kicked;
}

static void
put_event(uint64_t token)
{
	struct bus_event e = { .type = BUS_SETTLED, .token = token };

	lane_event(&lane, &e);
}

Test(lane, wakes_the_nats_thread_when_requests_are_shown)
{
	struct bus_request r = { .type = BUS_FORGET, .token = 1 };

	cr_expect(lane_put(&lane, &r));
	cr_expect(!was_kicked(&bus));
	lane_flush(&lane);
	cr_expect(was_kicked(&bus));
	lane_flush(&lane);
	cr_expect(!was_kicked(&bus));
}

Test(lane, wakes_a_worker_that_found_no_room)
{
	struct bus_request r = { .type = BUS_FORGET, .token = 1 };

	while (lane_put(&lane, &r))
		r.token++;
	cr_expect(r.token == SIZE + 1);
	lane_flush(&lane);
	was_kicked(&worker);
	cr_expect(lane_next_request(&lane, &r) && r.token == 1);
	lane_made_room(&lane);
	cr_expect(was_kicked(&worker));
	lane_made_room(&lane);
	cr_expect(!was_kicked(&worker));
}

Test(lane, bounds_the_bytes_of_its_messages)
{
	static uint8_t payload[1 << 20];
	const struct message_parts parts = { .payload = { payload,
						 sizeof(payload) } };
	struct bus_request r = { .type = BUS_PUBLISH };
	struct message *m = message_new(&parts);
	unsigned n = 0;

	lane_fini(&lane);
	lane_init(&lane, 1024, &worker, &bus);
	r.message = m;
	while (lane_put(&lane, &r))
		n++;
	cr_expect(n == LANE_BYTES_MAX / sizeof(payload) + 1 ||
	    n == LANE_BYTES_MAX / sizeof(payload));
	cr_expect(lane_room(&lane) == 0);
	lane_flush(&lane);
	was_kicked(&worker);
	cr_expect(lane_next_request(&lane, &r));
	cr_expect(lane_next_request(&lane, &r));
	lane_made_room(&lane);
	cr_expect(was_kicked(&worker));
	cr_expect(lane_room(&lane) > 0);
	message_unref(&m);
}

Test(lane, takes_more_events_than_the_ring_holds)
{
	struct bus_event e;

	for (uint64_t i = 1; i <= 5 * SIZE; i++)
		put_event(i);
	cr_expect(!lane_show_events(&lane));
	for (uint64_t i = 1; i <= 5 * SIZE; i++) {
		if (!lane_next_event(&lane, &e)) {
			/* The ring is empty, so the other side is told. */
			cr_expect(was_kicked(&bus));
			lane_show_events(&lane);
			cr_assert(lane_next_event(&lane, &e));
		}
		cr_assert(e.token == i);
	}
	cr_expect(!lane_next_event(&lane, &e));
	cr_expect(lane_show_events(&lane));
}

Test(lane, wakes_the_worker_once_for_all_events_of_a_turn)
{
	was_kicked(&worker);
	put_event(1);
	put_event(2);
	cr_expect(!was_kicked(&worker));
	lane_show_events(&lane);
	cr_expect(was_kicked(&worker));
	lane_show_events(&lane);
	cr_expect(!was_kicked(&worker));
}

/* --- both ends at once -------------------------------------------------- */

#define N_ITEMS 200000u

static void
sleep_until(struct waker *w, bool (*work)(void))
{
	struct pollfd pfd = { .fd = w->fd, .events = POLLIN };

	waker_arm(w);
	if (!work())
		cr_assert(poll(&pfd, 1, 20000) == 1, "nobody woke us");
	waker_clear(w);
}

static bool
bus_has_work(void)
{
	return lane_has_requests(&lane) || lane_show_events(&lane);
}

/* Sends every request back as an event. */
static void *
play_bus(void *arg)
{
	uint64_t n = 0;

	(void)arg;
	thread_enter(THREAD_NATS, "nats");
	while (n < N_ITEMS) {
		struct bus_request r;
		bool any = false;

		while (lane_next_request(&lane, &r)) {
			put_event(r.token);
			n++;
			any = true;
		}
		if (any)
			lane_made_room(&lane);
		lane_show_events(&lane);
		if (!any)
			sleep_until(&bus, bus_has_work);
	}
	while (!lane_show_events(&lane))
		sleep_until(&bus, bus_has_work);
	return NULL;
}

static uint64_t expected = 1;

static bool
worker_takes(void)
{
	struct bus_event e;
	bool any = false;

	while (lane_next_event(&lane, &e)) {
		cr_assert(e.token == expected);
		expected++;
		any = true;
	}
	return any;
}

static bool
worker_has_work(void)
{
	return worker_takes() || lane_room(&lane) > 0 || expected > N_ITEMS;
}

Test(lane, loses_nothing_and_sleeps_through_nothing)
{
	pthread_t thread;
	uint64_t next = 1;

	thread_enter(THREAD_WORKER, "worker");
	cr_assert(thread_start(&thread, play_bus, NULL) == 0);
	while (expected <= N_ITEMS) {
		struct bus_request r = { .type = BUS_FORGET, .token = next };

		while (next <= N_ITEMS && lane_put(&lane, &r))
			r.token = ++next;
		lane_flush(&lane);
		if (!worker_takes() && next <= N_ITEMS)
			sleep_until(&worker, worker_has_work);
		else if (next > N_ITEMS && expected <= N_ITEMS)
			sleep_until(&worker, worker_takes);
	}
	pthread_join(thread, NULL);
}

/* A ring of few items can hold many bytes. */
Test(lane, is_full_by_bytes_too)
{
	static const uint8_t much[4 << 20];
	struct message_parts parts = { .subject = SLICE("a"),
		.payload = slice_of(much, sizeof(much)) };
	struct bus_request out,
	    r = { .type = BUS_PUBLISH, .message = message_new(&parts) };
	unsigned n = 0;

	while (lane_put(&lane, &r))
		n++;
	/* The one that goes beyond is taken whole. */
	cr_expect(n >= LANE_BYTES_MAX / sizeof(much) && n < SIZE);
	lane_flush(&lane);
	while (lane_next_request(&lane, &out))
		;
	lane_made_room(&lane);
	cr_expect(was_kicked(&worker));
	cr_expect(lane_put(&lane, &r));
	message_unref(&r.message);
}
