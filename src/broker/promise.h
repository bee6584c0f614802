/* SPDX-License-Identifier: Apache-2.0 */
/*
 * promise - what must be on disk before something is said.
 *
 * A home gathers the changes of a turn in one batch, numbers it and posts it
 * to the store. What a change promises waits for its number: bytes to a
 * client, answers to NATS. Nobody else waits: a home that changes nothing
 * that lasts has nothing to wait for.
 *
 *   out of a client  | may go | waits for 7 | waits for 8 ...
 *                             ^ gate        ^ gate
 *
 * Everything behind a gate waits with it, so that what a client gets stays in
 * its order. The home's worker only.
 */
#pragma once

#include "base/queue.h"
#include "base/thread.h"
#include "store/store.h"

struct client;
struct gates;
struct home;
struct promised_answer;

TAILQ_HEAD(gates_list, gates);
STAILQ_HEAD(promised_answers, promised_answer);

struct promises {
	struct batch *batch; /* of this turn, or NULL */
	uint64_t posted;     /* number of the newest batch given away */
	uint64_t committed;  /* all up to this one are on disk */
	uint64_t changes;    /* counts them */
	struct gates_list gates;
	struct promised_answers answers;
};

void promise_init(struct home *h);
/* No client is left. */
void promise_fini(struct home *h);

/* Is there a store? Without one nothing here does anything. */
bool promise_is_kept(const struct home *h);
/* There is no room on the disk: nothing new is to be taken on. */
bool promise_lacks_room(const struct home *h);

/* The batch that changes go into; there is a store. */
struct batch *promise_batch(struct home *h) WORKER_THREAD;
/* A change was added to it. */
void promise_changed(struct home *h) WORKER_THREAD;
/*
 * The number to wait for, so that all that this home has done is on disk, and
 * all that anybody had posted when it was asked: it adds a batch if need be.
 */
uint64_t promise_all(struct home *h) WORKER_THREAD;
/* The number of what was changed last. */
uint64_t promise_newest(const struct home *h) WORKER_THREAD;

/* What is appended to `out` from now on waits for this number. */
void promise_gate(struct client *c, uint64_t number) WORKER_THREAD;
/*
 * The last `n` bytes of `out`, at most PROMISE_SMALL and whole packets, go
 * before the first gate: what keeps the connection alive waits for no disk.
 */
#define PROMISE_SMALL 16u
void promise_overtake(struct client *c, size_t n) WORKER_THREAD;
/* Bytes of `out` that may be written. */
size_t promise_ready(const struct client *c) WORKER_THREAD;
/* So many were. */
void promise_written(struct client *c, size_t n) WORKER_THREAD;
/* The client goes. */
void promise_forget(struct client *c) WORKER_THREAD;

/* Answer the NATS message `m`, under `link`, when this number is on disk. */
void promise_answer(struct home *h, struct message *m, uint32_t link,
    uint64_t number) WORKER_THREAD;

/* Give the batch of this turn to the store. */
void promise_flush(struct home *h) WORKER_THREAD;
/* The same, held until `number` is closed. */
void promise_hold(struct home *h, uint64_t number) WORKER_THREAD;
void promise_close(struct home *h, uint64_t number) WORKER_THREAD;

/* Say what may be said by now. */
void promise_turn(struct home *h) WORKER_THREAD;
/* Would promise_turn find something? */
bool promise_has_news(const struct home *h) WORKER_THREAD;
