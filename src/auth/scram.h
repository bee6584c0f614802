/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scram - the server's side of one SCRAM-SHA-256 exchange, RFC 7677, without
 * channel binding.
 *
 *   client-first --> server-first --> client-final --> server-final, or not
 *
 * GNU SASL reads and writes the messages; who the user is comes from the
 * password file. One that does not exist goes through the same motions and
 * fails at the end. Used by one thread at a time.
 */
#pragma once

#include "auth/users.h"

#define SCRAM_METHOD "SCRAM-SHA-256"

enum scram_result {
	SCRAM_MORE, /* answer with `out` and wait for the next message */
	SCRAM_DONE, /* the client has proven itself; `out` proves us */
	SCRAM_FAILED
};

struct scram;

/* Holds a reference to the users. NULL: out of memory. */
struct scram *scram_new(struct users *u) MUST_CHECK;
void scram_free(struct scram **s);

/* What the client says; the answer is appended to `out`. */
enum scram_result scram_step(struct scram *s, struct slice in,
    struct buf *out) MUST_CHECK;

/* After DONE: who it is. */
const char *scram_user(const struct scram *s);
/* Does that hold as well by what the file says now (NULL: there is none)? */
bool scram_holds(const struct scram *s, const struct users *now);
