/* SPDX-License-Identifier: Apache-2.0 */
/* rig - a bus with its options, whose workers are played by the test. */
#include "nats/rig.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/xalloc.h"

#define WAIT_MS 20000

static void
on_message(void *arg, uint32_t link, struct message *m)
{
	struct rig *r = arg;

	(void)link;
	bus_deliver(r->bus, 0, message_ref(m));
}

static void
on_retained(void *arg, struct message *m)
{
	struct rig *r = arg;

	bus_deliver(r->bus, 1, message_ref(m));
}

static void
drop_delivery(void *arg, void *delivery)
{
	struct message *m = delivery;
	struct rig *r = arg;

	message_unref(&m);
	atomic_fetch_add(&r->dropped, 1);
}

static const struct bus_ops OPS = {
	.on_message = on_message,
	.on_retained_request = on_retained,
	.on_retained_set = on_retained,
	.drop_delivery = drop_delivery,
};

void
rig_init(struct rig *r, int port)
{
	memset(r, 0, sizeof(*r));
	thread_enter(THREAD_WORKER, "worker");
	if (getenv("RIG_DEBUG") != NULL)
		log_set_level(LOG_DEBUG);
	snprintf(r->url, sizeof(r->url), "nats://127.0.0.1:%d", port);
	for (unsigned w = 0; w < RIG_WORKERS; w++) {
		cr_assert(waker_init(&r->wakers[w]) == 0);
		waker_disarm(&r->wakers[w]);
		r->waker_ptrs[w] = &r->wakers[w];
	}
	r->options = (struct bus_options){
		.url = r->url,
		.node_name = "node-1",
		.ack_timeout_ms = 5000,
		.ack_attempts = 3,
		.liveness_s = 20,
		.link_linger_s = 30,
		.pending_bytes = 1 << 20,
		.max_control_line = 4000,
		.ring_size = 1024,
		.retained_request_subject = "mqtt.retained.request",
		.retained_set_subject = "mqtt.retained.set",
		.n_workers = RIG_WORKERS,
		.worker_wakers = r->waker_ptrs,
	};
}

void
rig_start(struct rig *r)
{
	r->bus = bus_new(&r->options, &OPS, r);
	cr_assert(bus_start(r->bus) == 0);
}

void
rig_start_up(struct rig *r)
{
	rig_start(r);
	rig_await_up(r, true);
}

void
rig_stop(struct rig *r)
{
	bus_stop(r->bus, 2000);
	bus_free(&r->bus);
	for (unsigned w = 0; w < RIG_WORKERS; w++)
		waker_fini(&r->wakers[w]);
}

static void
wait_a_little(struct rig *r, unsigned worker, int timeout_ms)
{
	struct pollfd pfd = { .fd = r->wakers[worker].fd, .events = POLLIN };

	poll(&pfd, 1, timeout_ms);
	waker_clear(&r->wakers[worker]);
}

static bool
next_event(struct rig *r, unsigned worker, struct bus_event *out,
    int timeout_ms)
{
	uint64_t end = clock_mono_ms() + (uint64_t)timeout_ms;

	for (;;) {
		uint64_t now;

		if (bus_next_event(r->bus, worker, out))
			return true;
		waker_arm(&r->wakers[worker]);
		if (bus_next_event(r->bus, worker, out)) {
			waker_disarm(&r->wakers[worker]);
			return true;
		}
		now = clock_mono_ms();
		if (now >= end) {
			waker_disarm(&r->wakers[worker]);
			return false;
		}
		wait_a_little(r, worker, (int)(end - now));
	}
}

void
rig_put(struct rig *r, unsigned worker, const struct bus_request *q)
{
	uint64_t end = clock_mono_ms() + WAIT_MS;

	while (!bus_put(r->bus, worker, q)) {
		cr_assert(clock_mono_ms() < end, "the ring stays full");
		bus_flush(r->bus, worker);
		waker_arm(&r->wakers[worker]);
		if (bus_room(r->bus, worker) == 0)
			wait_a_little(r, worker, 100);
		waker_disarm(&r->wakers[worker]);
	}
	bus_flush(r->bus, worker);
}

void
rig_publish_message(struct rig *r, uint64_t token, uint8_t policy,
    uint32_t link, struct message *m)
{
	struct bus_request q = {
		.type = BUS_PUBLISH,
		.policy = policy,
		.link = link,
		.token = token,
		.message = m,
	};

	rig_put(r, 0, &q);
}

void
rig_publish(struct rig *r, uint64_t token, uint8_t qos, uint8_t policy,
    const char *subject, const char *payload)
{
	const struct message_parts parts = {
		.topic = slice_str(subject),
		.subject = slice_str(subject),
		.payload = slice_str(payload),
		.qos = qos,
	};

	rig_publish_message(r, token, policy, 0, message_new(&parts));
}

void
rig_subscribe(struct rig *r, uint32_t link, const char *subject)
{
	static uint64_t token = UINT64_C(1) << 60;
	struct bus_request q = {
		.type = BUS_SUBSCRIBE,
		.link = link,
		.token = ++token,
		.subject = xstrdup(subject),
	};
	struct bus_event e;

	rig_put(r, 0, &q);
	do
		e = rig_await(r, BUS_SUBSCRIBED);
	while (e.token != token);
}

void
rig_unsubscribe(struct rig *r, uint32_t link, const char *subject)
{
	struct bus_request q = {
		.type = BUS_UNSUBSCRIBE,
		.link = link,
		.subject = xstrdup(subject),
	};

	rig_put(r, 0, &q);
}

uint32_t
rig_identify(struct rig *r, const char *user, const char *password,
    enum bus_result want)
{
	struct bus_login *login = xcalloc(1, sizeof(*login));
	struct bus_request q = {
		.type = BUS_IDENTIFY,
		.token = 4711,
		.login = login,
	};
	struct bus_event e;

	login->user = xstrdup(user);
	login->password = xstrdup(password);
	rig_put(r, 0, &q);
	e = rig_await(r, BUS_IDENTIFIED);
	cr_assert(e.token == 4711);
	cr_assert(e.result == want, "%s: %d instead of %d", user, e.result,
	    want);
	return e.link;
}

void
rig_forget(struct rig *r, uint32_t link)
{
	struct bus_request q = { .type = BUS_FORGET, .link = link };

	rig_put(r, 0, &q);
}

bool
rig_try_event(struct rig *r, struct bus_event *out, int timeout_ms)
{
	return next_event(r, 0, out, timeout_ms);
}

struct bus_event
rig_event(struct rig *r)
{
	struct bus_event e;

	cr_assert(next_event(r, 0, &e, WAIT_MS), "no event came");
	return e;
}

static void
drop_event(struct bus_event *e)
{
	struct message *m;

	if (e->type == BUS_DELIVERY) {
		m = e->delivery;
		message_unref(&m);
	} else if (e->type == BUS_SETTLED) {
		free(e->text);
	}
}

struct bus_event
rig_await(struct rig *r, enum bus_event_type type)
{
	for (;;) {
		struct bus_event e = rig_event(r);

		if (e.type == type)
			return e;
		drop_event(&e);
	}
}

enum bus_result
rig_settled(struct rig *r, uint64_t token)
{
	struct bus_event e = rig_await(r, BUS_SETTLED);

	cr_assert(e.token == token, "%llu settled instead of %llu",
	    (unsigned long long)e.token, (unsigned long long)token);
	free(e.text);
	return e.result;
}

struct message *
rig_delivered(struct rig *r)
{
	return rig_await(r, BUS_DELIVERY).delivery;
}

void
rig_await_up(struct rig *r, bool up)
{
	struct bus_event e;

	do
		e = rig_await(r, BUS_LINK);
	while (e.link != 0 || e.result != (up ? BUS_OK : BUS_DOWN));
}
