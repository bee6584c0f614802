/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus - the NATS thread's start and end, and the workers' side of its rings.
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
#include "nats/bus_turn.h"
#include "nats/credential.h"
#include "nats/device.h"
#include "nats/intake.h"
#include "nats/publish.h"

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

static void NATS_THREAD
end(struct bus *b, uint64_t stop_at_ms)
{
	bool all_ended;

	bus_drain(b, stop_at_ms);
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
		bus_spin(b);
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
	int r = bus_new_events(b);

	if (r == 0)
		r = open_library();
	if (r == 0)
		r = helper_start(&b->connector, "nats-connect");
	if (r == 0) {
		b->own = link_new(b, 0, NULL, NULL);
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
drop_lane(struct bus *b, struct lane *lane)
{
	struct bus_request r;
	struct bus_event e;

	while (lane_take_request(lane, &r))
		bus_request_fini(&r);
	while (lane_take_event(lane, &e)) {
		if (e.type == BUS_DELIVERY)
			b->ops->drop_delivery(b->arg, e.delivery);
		else if (e.type == BUS_SETTLED)
			free(e.text);
	}
	lane_fini(lane);
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
	bus_free_events(dead);
	intake_free_gates(dead);
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
