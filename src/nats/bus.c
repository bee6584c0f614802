/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus - the NATS thread: its rings, its turns and its end.
 */
#include "config.h"

#include "nats/bus.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <nats/nats.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/credential.h"
#include "nats/device.h"
#include "nats/publish.h"
#include "nats/receive.h"

/* Requests from one worker before it is the next one's turn. */
#define LANE_BATCH     256
/* Rounds over all workers before the sockets are looked at again. */
#define LANE_ROUNDS    4
/* What cnats' own threads may take to end. */
#define LIBRARY_END_MS 1000

void
bus_login_free(struct bus_login **login)
{
	if (*login == NULL)
		return;
	credential_wipe(&(*login)->user);
	credential_wipe(&(*login)->password);
	free(*login);
	*login = NULL;
}

/* --- the workers' side -------------------------------------------------- */

bool
bus_put(struct bus *b, unsigned worker, const struct bus_request *r)
{
	return lane_put(&b->lanes[worker], r);
}

void
bus_flush(struct bus *b, unsigned worker)
{
	lane_flush(&b->lanes[worker]);
}

size_t
bus_room(struct bus *b, unsigned worker)
{
	return lane_room(&b->lanes[worker]);
}

bool
bus_next_event(struct bus *b, unsigned worker, struct bus_event *out)
{
	return lane_next_event(&b->lanes[worker], out);
}

bool
bus_has_event(struct bus *b, unsigned worker)
{
	return lane_has_event(&b->lanes[worker]);
}

const struct bus_stats *
bus_stats(const struct bus *b)
{
	return &b->stats;
}

void
bus_server_name(struct bus *b, char *out, size_t size)
{
	pthread_mutex_lock(&b->name_lock);
	snprintf(out, size, "%s", b->server_name);
	pthread_mutex_unlock(&b->name_lock);
}

/* --- the NATS thread's side --------------------------------------------- */

void
bus_post(struct bus *b, unsigned worker, const struct bus_event *e)
{
	lane_event(&b->lanes[worker], e);
}

void
bus_deliver(struct bus *b, unsigned worker, void *delivery)
{
	struct bus_event e = { .type = BUS_DELIVERY, .delivery = delivery };

	thread_assert_nats();
	lane_event(&b->lanes[worker], &e);
}

static bool
has_id(const struct hash_node *node, struct slice key)
{
	const struct link *l = container_of(node, const struct link, by_id);

	return slice_eq(slice_of(&l->id, sizeof(l->id)), key);
}

struct link *
bus_find_link(struct bus *b, uint32_t id)
{
	struct slice key = slice_of(&id, sizeof(id));
	struct hash_node *node;

	if (id == 0)
		return b->own;
	node = hash_find(&b->links, key, hash_key(key));
	return node != NULL ? container_of(node, struct link, by_id) : NULL;
}

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
	if (TAILQ_EMPTY(&b->dirty) && mailbox_len(&b->mailbox) == 0 &&
	    (b->n_congested > 0 || !has_requests(b)) && !has_room_again(b)) {
		set_alarm(b);
		return true;
	}
	waker_disarm(&b->waker);
	return false;
}

static void NATS_THREAD
spin(struct bus *b)
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

/* Carry out what is there, then wait for the fences behind it. */
static void NATS_THREAD
drain(struct bus *b, uint64_t stop_at_ms)
{
	/* The loop has to wake for the deadline, too. */
	struct timer deadline = { .fn = on_deadline };

	timer_arm(b->wheel, &deadline, stop_at_ms);
	b->ending = true;
	hash_each(&b->links, stop_receiving, NULL);
	while (has_requests(b) && clock_mono_ms() < stop_at_ms)
		spin(b);
	hash_each(&b->links, drain_link, NULL);
	while (!is_drained(b) && clock_mono_ms() < stop_at_ms)
		spin(b);
	timer_cancel(b->wheel, &deadline);
}

static void NATS_THREAD
end(struct bus *b, uint64_t stop_at_ms)
{
	bool all_ended;

	drain(b, stop_at_ms);
	device_free_all(b);
	link_free(&b->own);
	atomic_store(&b->stats.up, false);
	all_ended = helper_stop(&b->connector, stop_at_ms);
	all_ended &= helper_stop(&b->flusher, stop_at_ms);
	mailbox_drain(&b->mailbox, b);
	/* With cnats' threads gone nothing can come any more. */
	if (all_ended)
		nats_CloseAndWait(LIBRARY_END_MS);
	mailbox_drain(&b->mailbox, b);
}

static void *
run(void *arg)
{
	struct bus *b = arg;
	uint64_t stop_at_ms;

	thread_enter(THREAD_NATS, "nats");
	thread_assert_nats();
	b->now_ms = clock_mono_ms();
	link_connect(b->own);
	while ((stop_at_ms = atomic_load(&b->stop_at_ms)) == 0)
		spin(b);
	end(b, stop_at_ms);
	return NULL;
}

/* --- life --------------------------------------------------------------- */

static void
new_lanes(struct bus *b)
{
	const struct bus_options *o = b->options;

	b->lanes = xcalloc(o->n_workers, sizeof(*b->lanes));
	for (unsigned w = 0; w < o->n_workers; w++)
		lane_init(&b->lanes[w], o->ring_size, o->worker_wakers[w],
		    &b->waker);
}

struct bus *
bus_new(const struct bus_options *options, const struct bus_ops *ops, void *arg)
{
	struct bus *b = xcalloc(1, sizeof(*b));
	int r;

	assert(options->n_workers > 0);
	b->options = options;
	b->ops = ops;
	b->arg = arg;
	r = waker_init(&b->waker);
	assert(r == 0);
	mailbox_init(&b->mailbox, &b->waker);
	pthread_mutex_init(&b->name_lock, NULL);
	new_lanes(b);
	b->wheel = timer_wheel_new(clock_mono_ms());
	hash_init(&b->links, has_id);
	device_init(b);
	TAILQ_INIT(&b->dirty);
	TAILQ_INIT(&b->gathering);
	b->reading = true;
	return b;
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

static int
new_events(struct bus *b)
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

static void
want(struct link *l, const char *subject)
{
	if (subject != NULL && *subject != '\0')
		cover_add(l->cover, slice_str(subject));
}

/* What the node itself listens to. */
static void
subscribe_own(struct bus *b)
{
	const struct bus_options *o = b->options;
	char *below;

	want(b->own, o->retained_request_subject);
	if (o->retained_set_subject == NULL || *o->retained_set_subject == '\0')
		return;
	below = xasprintf("%s.>", o->retained_set_subject);
	want(b->own, below);
	free(below);
}

/*
 * If cnats has used TLS, it frees OpenSSL's list of compression methods when
 * the process exits, and then OpenSSL does (nats.c issue 904). Nobody uses
 * that list, so it is hidden from both.
 */
static void
hide_compression(void)
{
	/* Stored for real, so that it stays reachable and is no leak. */
	static _Atomic(STACK_OF(SSL_COMP) *) hidden;
	STACK_OF(SSL_COMP) * methods;

	OPENSSL_init_ssl(0, NULL);
	methods = SSL_COMP_set0_compression_methods(NULL);
	if (methods != NULL)
		atomic_store(&hidden, methods);
}

/* Two inits of cnats at the same time are not safe; main makes one. */
static int
open_library(void)
{
	/* 0: do not spin for its locks. */
	natsStatus s = nats_Open(0);

	hide_compression();
	if (s == NATS_OK)
		return 0;
	log_error("cannot start the NATS library: %s", natsStatus_GetText(s));
	return -EIO;
}

int
bus_start(struct bus *b)
{
	int r = new_events(b);

	if (r == 0)
		r = open_library();
	if (r == 0)
		r = helper_start(&b->connector, "nats-connect", &b->mailbox);
	if (r == 0) {
		b->own = link_new(b, 0, NULL);
		subscribe_own(b);
		r = thread_start(&b->thread, run, b);
	}
	b->started = r == 0;
	if (r < 0) {
		helper_stop(&b->connector, clock_mono_ms() + LIBRARY_END_MS);
		link_free(&b->own);
	}
	return r;
}

void
bus_stop(struct bus *b, unsigned timeout_ms)
{
	if (!b->started)
		return;
	atomic_store(&b->stop_at_ms, clock_mono_ms() + timeout_ms);
	waker_kick(&b->waker);
	pthread_join(b->thread, NULL);
	b->started = false;
}

static void
drop_request(struct bus_request *r)
{
	switch (r->type) {
	case BUS_PUBLISH:
	case BUS_ANSWER:
	case BUS_SEND:
		message_unref(&r->message);
		break;
	case BUS_SUBSCRIBE:
	case BUS_UNSUBSCRIBE:
		free(r->subject);
		break;
	case BUS_IDENTIFY:
		bus_login_free(&r->login);
		break;
	default:
		break;
	}
}

static void
drop_lane(struct bus *b, struct lane *lane)
{
	struct bus_request r;
	struct bus_event e;

	while (lane_take_request(lane, &r))
		drop_request(&r);
	while (lane_take_event(lane, &e)) {
		if (e.type == BUS_DELIVERY)
			b->ops->drop_delivery(b->arg, e.delivery);
		else if (e.type == BUS_SETTLED)
			free(e.text);
	}
	lane_fini(lane);
}

static void
free_events(struct bus *b)
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

void
bus_free(struct bus **b)
{
	struct bus *dead = *b;

	if (dead == NULL)
		return;
	assert(!dead->started);
	for (unsigned w = 0; w < dead->options->n_workers; w++)
		drop_lane(dead, &dead->lanes[w]);
	free(dead->lanes);
	free_events(dead);
	receive_free_gates(dead);
	timer_wheel_free(&dead->wheel);
	hash_fini(&dead->links);
	hash_fini(&dead->devices);
	pthread_mutex_destroy(&dead->name_lock);
	waker_fini(&dead->waker);
	buf_fini(&dead->topic);
	buf_fini(&dead->subject);
	buf_fini(&dead->header.properties);
	free(dead->more_urls);
	free(dead);
	*b = NULL;
}
