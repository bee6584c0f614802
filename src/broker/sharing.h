/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sharing - messages for Shared Subscriptions: which member gets it, and who
 * gets it instead when that one has gone.
 *
 * A member whose client takes messages now comes first, in turn; then one
 * whose client is connected but busy; then a session that waits for its
 * client. What a member has not acknowledged at QoS 1, and what waited for
 * it, goes to another one who is connected; at QoS 2 what was sent is
 * completed with it alone: v5 [MQTT-4.8.2-4] [MQTT-4.8.2-5].
 */
#pragma once

#include "base/thread.h"
#include "broker/deliver.h"
#include "broker/home.h"

struct broker;
struct pending;
struct session;
struct subscription;

/* The same filter in another group, or as it is, is another subscription. */
bool sharing_is_shared(const struct subscription *sub);
/* The session is in the group from now on; its number. */
uint64_t sharing_join(struct home *h, const struct session *s,
    const struct subscription *sub) WORKER_THREAD;
uint64_t sharing_leave(struct home *h, const struct session *s,
    const struct subscription *sub) WORKER_THREAD;
/* The session's client has come or gone. */
void sharing_set_online(struct home *h, const struct session *s,
    bool online) WORKER_THREAD;

/* A message that came for this share from NATS. */
void sharing_on_message(struct broker *b, uint32_t link, uint64_t share,
    struct message *m) NATS_THREAD;
/*
 * From a client, on a topic that NATS has no subject for: who is to get it?
 * `p` (may be NULL) hears of each of them: publish_stored. Nothing is on its
 * way before sharing_publish, which takes what was chosen.
 */
STAILQ_HEAD(chosen, delivery);
void sharing_choose(struct home *h, struct message *m, struct pending *p,
    struct chosen *out) WORKER_THREAD;
void sharing_publish(struct home *h, struct chosen *chosen,
    const struct pending *p) WORKER_THREAD;
/* It has come to the home of the member that was chosen. */
void sharing_deliver(struct home *h, const struct delivery *d) WORKER_THREAD;

/*
 * The session's client has gone, or (`ends`) the session is about to end:
 * what others can have goes to them.
 */
void sharing_give_back(struct home *h, struct session *s,
    bool ends) WORKER_THREAD;
/*
 * At start: somebody else gets what the session of this record would have
 * had, which ended while it was passed on. False when nobody is there.
 */
bool sharing_adopt(struct broker *b, struct slice full, struct message *m,
    uint64_t from_session, uint64_t from_place) ALONE;
