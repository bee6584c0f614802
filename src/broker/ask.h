/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask - a service on NATS says who may connect ([auth] request_subject).
 *
 *   CONNECT --ask_start--> cache ----------------------> client_on_grant
 *                            `--> bus --reply or no one--^
 *
 * The question and the reply are JSON, explained in mqtt-nats.ini(5). Whatever
 * goes wrong, nobody comes in by it. The client hears nothing and is not read
 * from meanwhile.
 */
#pragma once

#include "auth/grant.h"
#include "broker/login.h"
#include "mqtt/packet.h"

struct client;

/* Is there a service, that has a say about this client? */
bool ask_is_due(const struct client *c,
    const struct packet_connect *p) WORKER_THREAD;
/* Ask about it. False: too many questions are open already. */
bool
ask_start(struct client *c, const struct packet_connect *p) WORKER_THREAD
MUST_CHECK;
/* PENDING_ASK was answered; the text is given away. */
void ask_settled(struct home *h, struct pending *p, enum bus_result result,
    char *text) WORKER_THREAD;
/* Its client is gone. */
void ask_forget(struct home *h, struct pending *p) WORKER_THREAD;
void ask_free_pending(struct pending *p);
