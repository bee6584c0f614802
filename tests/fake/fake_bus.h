/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_bus - nats/bus.h in memory: keeps what the workers ask for, and gives
 * them the events that a test thinks of. No thread, no socket, no NATS.
 *
 *   worker --bus_put, bus_flush--> fake_bus_take  --> the test
 *          <--bus_next_event------ fake_bus_event <--
 *
 * What was put and not flushed is not seen, as with the real one.
 */
#pragma once

#include "nats/bus.h"

struct bus *fake_bus_new(unsigned n_workers, const struct bus_ops *ops,
    void *arg);
/* Drops requests and events that nobody has taken. */
void fake_bus_free(struct bus **b);

/*
 * The oldest request of a worker that was flushed, or NULL. It belongs to the
 * fake and is valid until the next call.
 */
const struct bus_request *fake_bus_take(struct bus *b, unsigned worker);
/*
 * The same in words, "" when there is none:
 *
 *   PUBLISH a.b qos=1 ack=reply payload=x      further: link=7 until_settled
 *   ANSWER _INBOX.1                                     retain dup from=nats
 *   SEND _INBOX.1 payload=[]
 *   SUBSCRIBE a.*                              UNSUBSCRIBE a.*
 *   IDENTIFY anna secret                       FORGET link=7
 *
 * Tokens are not shown: fake_bus_token has that of the last request taken.
 */
const char *fake_bus_read(struct bus *b, unsigned worker);
uint64_t fake_bus_token(const struct bus *b);
/* Requests of this worker that were flushed and not taken. */
size_t fake_bus_n_requests(const struct bus *b, unsigned worker);
/* Drop them. */
void fake_bus_skip(struct bus *b, unsigned worker);

/* bus_put takes `n` more of this worker and is full then. */
void fake_bus_set_room(struct bus *b, unsigned worker, size_t n);
/* Answer each SUBSCRIBE by itself when it is flushed; so it is at first. */
void fake_bus_set_subscribes(struct bus *b, bool answers);
/* Is link 0 up? So it is at first. */
void fake_bus_set_up(struct bus *b, bool up);
void fake_bus_set_max_payload(struct bus *b, size_t n);

/* An event for this worker; what it refers to is given away. */
void fake_bus_event(struct bus *b, unsigned worker, const struct bus_event *e);
/* BUS_SETTLED; `text` (may be NULL) is copied. */
void fake_bus_settle(struct bus *b, unsigned worker, uint64_t token,
    enum bus_result result, const char *text);
/* BUS_IDENTIFIED. */
void fake_bus_identify(struct bus *b, unsigned worker, uint64_t token,
    enum bus_result result, uint32_t link);

/*
 * What NATS sends: on_message, on_retained_request, on_retained_set of the
 * ops. The message is given away. These run on the caller's thread.
 */
void fake_bus_message(struct bus *b, uint32_t link, struct message *m);
void fake_bus_retained_request(struct bus *b, struct message *m);
void fake_bus_retained_set(struct bus *b, struct message *m);
