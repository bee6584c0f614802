/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch - changes to the store that one worker has gathered in a turn of its
 * loop. All of them come into force together.
 *
 * A batch may be held: then it comes into force together with the one that
 * closes it, usually another worker's (doc/store.md: QoS 2 across workers).
 */
#pragma once

#include "base/buf.h"
#include "base/mailbox.h"
#include "base/queue.h"
#include "store/message.h"
#include "store/record.h"

enum batch_verb {
	BATCH_PUT,    /* a record, one more that refers to its message */
	BATCH_SET,    /* the same again, changed */
	BATCH_DELETE, /* a record, one less */
	BATCH_CLOSE   /* what is held under the number that is the key */
};

struct batch_op {
	uint8_t verb;
	uint8_t table; /* enum record_table */
	struct record_key key;
	uint32_t at; /* the value, in the batch's bytes */
	uint32_t len;
	struct message *message; /* one reference, or NULL */
};

struct batch {
	struct mail mail; /* the store's */
	TAILQ_ENTRY(batch)
	entry; /* the store's */
	unsigned stream;
	uint64_t number; /* in its stream, from 1 */
	uint64_t held;   /* until this is closed; 0: not held */
	bool closes;     /* there is a BATCH_CLOSE in it */
	struct batch_op *ops;
	size_t n;
	size_t cap;
	size_t cost;       /* bytes, with its messages */
	struct buf values; /* append a value here, then batch_add */
};

struct batch *batch_new(void);
/* With the references that it holds. */
void batch_free(struct batch **b);

/*
 * One more change; its value is what was appended to `values` since the last
 * one. `m` may be NULL; a reference is taken. Queued records refer to their
 * message, retained messages and Wills contain it.
 */
void batch_add(struct batch *b, enum batch_verb verb, enum record_table table,
    struct record_key key, struct message *m);
/* Move the i-th change behind all of another batch. */
void batch_move(struct batch *from, size_t i, struct batch *to);
struct slice batch_value(const struct batch *b, const struct batch_op *op);
