/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig - a bus with its options, whose workers are played by the test.
 *
 * Deliveries are the messages themselves, each for worker 0.
 */
#pragma once

#include "base/waker.h"
#include "nats/bus.h"

#define RIG_WORKERS 2

struct rig {
	struct bus *bus;
	struct bus_options options;
	struct waker wakers[RIG_WORKERS];
	struct waker *waker_ptrs[RIG_WORKERS];
	char url[128];
	atomic_ulong dropped; /* deliveries given back */
};

/* Options that fit the tests; change them before rig_start. */
void rig_init(struct rig *r, int port);
void rig_start(struct rig *r);
/* Start, and wait until link 0 is up. */
void rig_start_up(struct rig *r);
void rig_stop(struct rig *r);

void rig_put(struct rig *r, unsigned worker, const struct bus_request *q);
void rig_publish(struct rig *r, uint64_t token, uint8_t qos, uint8_t policy,
    const char *subject, const char *payload);
void rig_publish_message(struct rig *r, uint64_t token, uint8_t policy,
    uint32_t link, struct message *m);
/* Subscribe and wait until the server has it. */
void rig_subscribe(struct rig *r, uint32_t link, const char *subject);
void rig_unsubscribe(struct rig *r, uint32_t link, const char *subject);
/* The link of this user, once NATS has accepted it. */
uint32_t rig_identify(struct rig *r, const char *user, const char *password,
    enum bus_result want);
void rig_forget(struct rig *r, uint32_t link);

/* The next event of worker 0; fails the test when none comes. */
struct bus_event rig_event(struct rig *r);
/* False when none comes for so long. */
bool rig_try_event(struct rig *r, struct bus_event *out, int timeout_ms);
/* The next event of this type; others are dropped. */
struct bus_event rig_await(struct rig *r, enum bus_event_type type);
/* The result for this token, skipping what is not a BUS_SETTLED. */
enum bus_result rig_settled(struct rig *r, uint64_t token);
/* The next message that is delivered; unref it. */
struct message *rig_delivered(struct rig *r);
/* Wait until link 0 is up (down). */
void rig_await_up(struct rig *r, bool up);
