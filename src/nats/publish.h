/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish - requests of the workers -> PUB and HPUB, and their settlement.
 *
 *   request --link up--> NATS             --QoS > 0--> ack table
 *           --else-----> link's `waiting` --link up--> NATS, in order
 *
 * While a link is down messages that nobody waits for are kept up to
 * `pending_bytes`, then the oldest of them are dropped; those with an ack
 * stay. NATS thread only.
 */
#pragma once

#include "nats/link.h"

/* BUS_PUBLISH, BUS_ANSWER or BUS_SEND; takes the reference to the message. */
void publish_request(struct link *l, unsigned worker,
    const struct bus_request *r) NATS_THREAD;
/* Publish what waits, as far as the link takes it. */
void publish_waiting(struct link *l) NATS_THREAD;
/* The link is lost: what was sent and not settled waits again, first. */
void publish_rewind(struct link *l) NATS_THREAD;
/* Deadlines: publish again, or give up. */
void publish_expire(struct link *l) NATS_THREAD;
/* End an ack; `text` is given away. */
void publish_settle(struct link *l, struct ack *a, enum bus_result result,
    char *text) NATS_THREAD;
/* The groups of the link's side are there: who was not may be now. */
void publish_doubted(struct link *l);
/* A reply to message `seq` has come. */
void publish_on_reply(struct link *l, uint64_t seq, struct slice body,
    bool no_responders) NATS_THREAD;
/* Something was written: has the link room again? */
void publish_check_output(struct link *l);
/* Settle all with this result and drop the rest. */
/*
 * NATS does not let this link's user publish to `subject`: what was published
 * to it and not answered yet is settled, BUS_DENIED.
 */
void publish_on_denied(struct link *l, struct slice subject,
    const char *text) NATS_THREAD;
void publish_give_up(struct link *l, enum bus_result result) NATS_THREAD;
/* Drop everything; nobody is told. */
void publish_drop(struct link *l);
