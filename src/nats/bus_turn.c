/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_turn - the turns of the NATS thread's loop.
 */
#include "config.h"

#include "nats/bus_turn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

#include "base/clock.h"
#include "nats/bus_thread.h"
#include "nats/device.h"
#include "nats/link_fence.h"
#include "nats/link_subscription.h"
#include "nats/publish.h"
#include "nats/side.h"

/* Requests from one worker before it is the next one's turn. */
#define LANE_BATCH  256
/* Rounds over all workers before the sockets are looked at again. */
#define LANE_ROUNDS 4

/* --- events -------------------------------------------------------------- */

void
bus_gather(struct bus *b, struct link *l, unsigned us)
{
	const struct timeval wait = {
		.tv_sec = us / 1000000,
		.tv_usec = us % 1000000,
	};

	if (l->is_gathering)
		return;
	l->is_gathering = true;
	TAILQ_INSERT_TAIL(&b->gathering, l, by_gathering);
	if (!evtimer_pending(b->on_gather, NULL))
		evtimer_add(b->on_gather, &wait);
}

static void
on_gathered(evutil_socket_t fd, short what, void *arg)
{
	struct bus *b = arg;
	struct link *l;

	(void)fd;
	(void)what;
	while ((l = TAILQ_FIRST(&b->gathering)) != NULL) {
		TAILQ_REMOVE(&b->gathering, l, by_gathering);
		l->is_gathering = false;
		link_touch(l);
	}
}

static void
on_waker(evutil_socket_t fd, short what, void *arg)
{
	struct bus *b = arg;

	(void)fd;
	(void)what;
	waker_clear(&b->waker);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* All events are the NATS thread's, so the base needs no locks. */
static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

int
bus_new_events(struct bus *b)
{
	b->base = new_base();
	if (b->base == NULL)
		return -ENOMEM;
	b->on_waker =
	    event_new(b->base, b->waker.fd, EV_READ | EV_PERSIST, on_waker, b);
	b->on_time = evtimer_new(b->base, on_time, b);
	b->on_gather = evtimer_new(b->base, on_gathered, b);
	if (b->on_waker == NULL || b->on_time == NULL || b->on_gather == NULL)
		return -ENOMEM;
	return event_add(b->on_waker, NULL) == 0 ? 0 : -ENOMEM;
}

void
bus_free_events(struct bus *b)
{
	if (b->on_waker != NULL)
		event_free(b->on_waker);
	if (b->on_time != NULL)
		event_free(b->on_time);
	if (b->on_gather != NULL)
		event_free(b->on_gather);
	if (b->base != NULL)
		event_base_free(b->base);
}

/* --- requests ----------------------------------------------------------- */

/* The link is gone, which its worker will know soon. */
static void NATS_THREAD
answer_for_nobody(struct bus *b, unsigned worker, struct bus_request *r)
{
	struct bus_event e = {
		.type = BUS_SETTLED,
		.result = BUS_DOWN,
		.link = r->link,
		.token = r->token,
	};

	switch (r->type) {
	case BUS_PUBLISH:
		if (r->message->qos > 0 && r->policy != ACK_LOCAL)
			bus_post(b, worker, &e);
		message_unref(&r->message);
		break;
	case BUS_ANSWER:
	case BUS_SEND:
		message_unref(&r->message);
		break;
	case BUS_SUBSCRIBE:
		e.type = BUS_SUBSCRIBED;
		bus_post(b, worker, &e);
		free(r->subject);
		break;
	case BUS_JOIN_GROUP:
		e.type = BUS_SUBSCRIBED;
		bus_post(b, worker, &e);
		free(r->group);
		break;
	case BUS_LEAVE_GROUP:
		free(r->group);
		break;
	case BUS_UNSUBSCRIBE:
		free(r->subject);
		break;
	default:
		break;
	}
}

static void NATS_THREAD
carry_out(struct bus *b, unsigned worker, struct bus_request *r)
{
	struct link *l;

	if (r->type == BUS_IDENTIFY) {
		device_identify(b, worker, r->token, r->login);
		return;
	}
	if (r->type == BUS_FORGET) {
		device_forget(b, worker, r->link);
		return;
	}
	l = bus_find_link(b, r->link);
	if (l == NULL) {
		answer_for_nobody(b, worker, r);
	} else if (r->type == BUS_SUBSCRIBE) {
		link_subscribe(l, worker, r->token, slice_str(r->subject));
		free(r->subject);
	} else if (r->type == BUS_JOIN_GROUP) {
		side_join(l, worker, r->token, r->group);
		free(r->group);
	} else if (r->type == BUS_LEAVE_GROUP) {
		side_leave(l, r->group);
		free(r->group);
	} else if (r->type == BUS_UNSUBSCRIBE) {
		link_unsubscribe(l, slice_str(r->subject));
		free(r->subject);
	} else {
		publish_request(l, worker, r);
	}
}

static bool NATS_THREAD
drain_lane(struct bus *b, unsigned worker)
{
	struct lane *lane = &b->lanes[worker];
	struct bus_request r;
	unsigned n = 0;

	while (n < LANE_BATCH && b->n_congested == 0 &&
	    lane_next_request(lane, &r)) {
		carry_out(b, worker, &r);
		n++;
	}
	if (n > 0)
		lane_made_room(lane);
	return n > 0;
}

static void NATS_THREAD
drain_lanes(struct bus *b)
{
	unsigned n = b->options->n_workers;
	bool busy = true;

	for (unsigned round = 0; busy && round < LANE_ROUNDS; round++) {
		busy = false;
		for (unsigned i = 0; i < n; i++)
			busy |= drain_lane(b, (b->next_lane + i) % n);
		b->next_lane = (b->next_lane + 1) % n;
	}
}

static bool NATS_THREAD
has_requests(struct bus *b)
{
	for (unsigned w = 0; w < b->options->n_workers; w++)
		if (lane_has_requests(&b->lanes[w]))
			return true;
	return false;
}

static bool NATS_THREAD
has_room_again(struct bus *b)
{
	for (unsigned w = 0; w < b->options->n_workers; w++)
		if (lane_has_room_again(&b->lanes[w]))
			return true;
	return false;
}

/* --- a turn ------------------------------------------------------------- */

static bool NATS_THREAD
set_reading(struct hash_node *node, void *arg)
{
	struct link *l = container_of(node, struct link, by_id);
	struct bus *b = arg;

	if (l->adapter != NULL)
		link_adapter_read(l->adapter, b->reading);
	return true;
}

/*
 * Workers that do not take their events stop us from reading, so that NATS
 * has to keep what we have no room for.
 */
static void NATS_THREAD
show_events(struct bus *b)
{
	bool all_shown = true;

	for (unsigned w = 0; w < b->options->n_workers; w++)
		all_shown &= lane_show_events(&b->lanes[w]);
	/* The answers of the last fences must get through. */
	all_shown |= b->ending;
	if (all_shown == b->reading)
		return;
	b->reading = all_shown;
	hash_each(&b->links, set_reading, b);
}

static void NATS_THREAD
turn_links(struct bus *b)
{
	struct link *l;
	/* What a turn touches again is for the next one. */
	struct link *last = TAILQ_LAST(&b->dirty, dirty_links);

	while ((l = TAILQ_FIRST(&b->dirty)) != NULL) {
		TAILQ_REMOVE(&b->dirty, l, by_dirt);
		l->is_dirty = false;
		link_turn(l);
		if (l == last)
			break;
	}
}

static void
set_alarm(struct bus *b)
{
	int ms = timer_next_ms(b->wheel, clock_mono_ms());
	struct timeval wait;

	if (ms < 0) {
		evtimer_del(b->on_time);
		return;
	}
	wait.tv_sec = ms / 1000;
	wait.tv_usec = ms % 1000 * 1000;
	evtimer_add(b->on_time, &wait);
}

static void NATS_THREAD
turn(struct bus *b)
{
	b->now_ms = clock_mono_ms();
	mailbox_drain(&b->mailbox, b);
	drain_lanes(b);
	timer_advance(b->wheel, b->now_ms, b);
	link_touch_flushing(b);
	turn_links(b);
	show_events(b);
}

/* May the loop sleep? Then whoever has news from now on wakes it. */
static bool NATS_THREAD
fall_asleep(struct bus *b)
{
	waker_arm(&b->waker);
	/* Before that the flusher's writes woke nobody. */
	link_touch_flushing(b);
	if (TAILQ_EMPTY(&b->dirty) && mailbox_len(&b->mailbox) == 0 &&
	    (b->n_congested > 0 || !has_requests(b)) && !has_room_again(b)) {
		set_alarm(b);
		return true;
	}
	waker_disarm(&b->waker);
	return false;
}

void
bus_spin(struct bus *b)
{
	int r;

	r = event_base_loop(b->base,
	    fall_asleep(b) ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
	assert(r >= 0);
	waker_disarm(&b->waker);
	turn(b);
}

/* --- the end ------------------------------------------------------------ */

static void
on_deadline(struct timer *t, void *arg)
{
	(void)t;
	(void)arg;
}

static bool
stop_receiving(struct hash_node *node, void *arg)
{
	struct link *l = container_of(node, struct link, by_id);

	(void)arg;
	cover_leave_all(l->cover);
	if (l->main != NULL)
		side_on_close(l);
	link_touch(l);
	return true;
}

static bool
drain_link(struct hash_node *node, void *arg)
{
	(void)arg;
	link_drain(container_of(node, struct link, by_id));
	return true;
}

static bool
check_drained(struct hash_node *node, void *arg)
{
	bool *drained = arg;

	*drained = link_is_drained(container_of(node, struct link, by_id));
	return *drained;
}

static bool
is_drained(struct bus *b)
{
	bool drained = true;

	hash_each(&b->links, check_drained, &drained);
	return drained;
}

void
bus_drain(struct bus *b, uint64_t stop_at_ms)
{
	/* The loop has to wake for the deadline, too. */
	struct timer deadline = { .fn = on_deadline };

	timer_arm(b->wheel, &deadline, stop_at_ms);
	b->ending = true;
	hash_each(&b->links, stop_receiving, NULL);
	while (has_requests(b) && clock_mono_ms() < stop_at_ms)
		bus_spin(b);
	hash_each(&b->links, drain_link, NULL);
	while (!is_drained(b) && clock_mono_ms() < stop_at_ms)
		bus_spin(b);
	timer_cancel(b->wheel, &deadline);
}
