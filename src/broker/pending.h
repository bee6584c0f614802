/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending - what a worker waits for: an answer of the bus, or of the worker
 * that has the subscribers.
 *
 * A token travels with the question and comes back with the answer; by then
 * the client may be gone, so a pending names its session by handle.
 */
#pragma once

#include "base/thread.h"
#include "broker/home.h"

enum pending_kind {
	PENDING_PUBLISH,
	PENDING_WILL,
	PENDING_SUBSCRIBE,
	PENDING_LOGIN,
	PENDING_ASK,
	PENDING_RESTORE /* subscriptions of sessions from the store */
};

/* The head of each kind's own struct; PENDING_PUBLISH needs no more. */
struct pending {
	uint64_t token;
	uint64_t session; /* handle; 0: none */
	uint16_t packet_id;
	uint8_t kind;
	uint8_t policy;  /* enum ack_policy, of a publish */
	uint32_t n_owed; /* others that are to store it for their sessions */
	uint8_t outcome; /* enum mqtt_reason, when `decided` */
	bool asked;      /* the bus's answer is yet to come */
	bool reached;    /* a subscriber of this node got the message */
	bool taken;      /* one of another worker has taken it at QoS > 0 */
	bool holds;      /* what is stored waits for us to close it */
	bool decided;    /* the outcome is known, but something is owed */
	bool settled;    /* the client knows */
};

/* Enter `p`, whose kind is set, and set its token. */
void pending_add(struct home *h, struct pending *p) WORKER_THREAD;
/* What the token stands for, or NULL. */
struct pending *pending_find(struct home *h, uint64_t token) WORKER_THREAD;
/* Take out; the memory is the caller's to free. */
void pending_remove(struct home *h, struct pending *p) WORKER_THREAD;
