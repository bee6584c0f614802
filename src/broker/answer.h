/* SPDX-License-Identifier: Apache-2.0 */
/* answer - the one answer to a NATS message that has a reply subject. */
#pragma once

#include <stdint.h>

#include "base/thread.h"

struct home;
struct message;
struct session;

/* The client has finished with a message that came from NATS: answer. */
void answer_acknowledged(struct home *h, struct session *s,
    struct message *m) WORKER_THREAD;

/*
 * A message from NATS that wants an answer, for sessions that last: `n`
 * workers are to store it for theirs before anybody answers.
 */
void answer_owe(struct message *m, unsigned n) ANY_THREAD;
/* This worker has done its part; `result` are its DELIVER_ bits. */
void answer_stored(struct home *h, struct message *m, uint32_t link,
    unsigned result) WORKER_THREAD;
