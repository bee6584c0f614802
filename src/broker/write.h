/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write - PUBLISH packets into the output of a client.
 *
 * A message that many get at the same time is encoded once per protocol
 * version and QoS: each client gets a copy of that head with its own Packet
 * Identifier and flags. What is a client's own, Subscription Identifiers and
 * Topic Aliases, has it encoded for this client alone.
 */
#pragma once

#include <stdbool.h>

#include "base/thread.h"

struct client;
struct home;
struct message;
struct outgoing;

/*
 * Does the client take a packet as large as this? v5 [MQTT-3.1.2-24]: more is
 * not sent; nor what is no packet any more with what we add to it.
 */
bool write_fits(struct client *c, const struct message *m,
    const struct outgoing *o) WORKER_THREAD;

/* Encode for this receiver; `dup` as in its flags. */
void write_publish(struct client *c, const struct message *m,
    const struct outgoing *o, bool dup) WORKER_THREAD;
/*
 * The same for the message that the home is encoding for all since
 * write_begin.
 */
void write_publish_shared(struct client *c, const struct message *m,
    const struct outgoing *o) WORKER_THREAD;
/* Another message is at hand now. */
void write_begin(struct home *h) WORKER_THREAD;
