/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish - the life of a message that starts on this node: retained store,
 * local subscribers, NATS, and who has taken responsibility for it.
 */
#pragma once

#include "base/thread.h"
#include "broker/home.h"
#include "broker/pending.h"
#include "mqtt/reason.h"
#include "nats/bus.h"

/* Who asks, and is told by client_answer_publish when it takes time. */
struct publisher {
	uint64_t session; /* handle */
	uint16_t packet_id;
	uint32_t link;     /* NATS identity */
	const char *owner; /* User Name of that; NULL: the daemon's */
	bool lasts;        /* its session does: QoS 2 must be exact */
	bool is_delivered; /* to this node, before the process was started */
};

/*
 * Publish. Returns 0 when the answer is known, with it in *reason; otherwise
 * the token of a PENDING_PUBLISH. At QoS 0 always 0.
 */
uint64_t publish_message(struct home *h, struct message *m,
    enum ack_policy policy, const struct publisher *from,
    enum mqtt_reason *reason) WORKER_THREAD;

/*
 * The same for a Will, whose publisher is gone: repeated until it is
 * acknowledged. The reference is given away. `stored_id`: it is in the store
 * already; 0: it is not.
 */
void publish_will(struct home *h, struct message **m, uint32_t link,
    const char *owner, uint64_t stored_id) WORKER_THREAD;

/*
 * The state of a message of this session has changed that it must know again
 * after a crash; its answer waits for that.
 */
void publish_received(struct home *h, struct session *s,
    const struct received *e) WORKER_THREAD;

/* The bus has answered PENDING_PUBLISH or PENDING_WILL; `text` is freed. */
void publish_settled(struct home *h, struct pending *p, enum bus_result result,
    char *text) WORKER_THREAD;

/*
 * From spread: a session of another worker has taken the message. For a Will
 * that counts with the bus's answer, which ends it.
 */
void publish_taken(struct home *h, struct pending *p) WORKER_THREAD;
/* From spread: one worker less is to store it. */
void publish_stored(struct home *h, struct pending *p) WORKER_THREAD;

/* Is what this PENDING_PUBLISH has stored held until it is closed? */
bool publish_is_held(struct home *h, uint64_t token) WORKER_THREAD;

/* Free a PENDING_WILL. */
void publish_free_will(struct pending *p);
