/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer - where a JetStream push consumer delivers to.
 *
 * A message that a push consumer delivers carries the subject that it was
 * stored under, not the one that it was delivered on and that a device has
 * subscribed to; only its reply subject, $JS.ACK.STREAM.CONSUMER..., says
 * where it comes from. So the first message of each consumer waits until
 * JetStream has told us the consumer's deliver subject, which is remembered
 * for as long as the consumer's own sequence goes on.
 *
 * NATS thread only.
 */
#pragma once

#include <nats/nats.h>
#include <stdbool.h>

#include "base/slice.h"
#include "nats/link.h"

enum consumer_verdict {
	CONSUMER_NONE,  /* not from one: its subject is where it came on */
	CONSUMER_KNOWN, /* *subject is where it came on */
	CONSUMER_HELD   /* taken; it comes back through receive_held */
};

/* What an acknowledgement subject says; slices borrow from it. */
struct consumer_ack {
	struct slice domain; /* empty: none */
	struct slice stream;
	struct slice consumer;
	uint64_t sequence; /* of this consumer */
};

/*
 * Take apart "$JS.ACK.STREAM.CONSUMER.N.SSEQ.CSEQ.TS.PENDING" or the longer
 * form with domain and account. False when it is neither. Pure.
 */
bool consumer_parse(struct slice reply, struct consumer_ack *out) MUST_CHECK;

/*
 * Whose message is this? When it is HELD, `msg` belongs to us.
 */
enum consumer_verdict consumer_look_up(struct link *l, struct slice reply,
    natsMsg *msg, struct slice *subject) MUST_CHECK;

/* JetStream's answer to question number `n`; `none`: there is nobody. */
void consumer_on_answer(struct bus *b, uint64_t n, struct slice body,
    bool none);

/* The link has lost its connection, or ends: forget what came by it. */
void consumer_forget_link(struct link *l);
