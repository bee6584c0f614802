/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens - JSON Web Tokens (RFC 7519) that clients give as their password:
 * which keys sign them, and what they must say.
 *
 * Which kind of signature counts is told by the key, never by the token: an
 * RSA key takes RS and PS, an EC key ES, a secret ("oct") HS, and nothing
 * takes "none". A token without an end (exp) is none.
 *
 * Immutable once loaded, counted. Only one thread at a time may check with
 * it: the helper's.
 */
#pragma once

#include <stdint.h>

#include "auth/grant.h"

struct tokens;

/* Longer ones are not looked at, bytes. */
#define TOKEN_MAX      16384u
/* Clocks may differ by so much, seconds. */
#define TOKEN_LEEWAY_S 30

/* What tokens must say; "" for what may be anything. */
struct tokens_options {
	const char *issuer;   /* iss */
	const char *audience; /* in aud */
	const char *claim;    /* that is the name of the user; not "" */
};

/*
 * Read keys: a JWK or a JWK Set (RFC 7517), or public keys in PEM. The options
 * are copied. NULL when there is a mistake, which is appended to `why`.
 */
struct tokens *tokens_parse(struct slice text, const struct tokens_options *o,
    struct buf *why) MUST_CHECK;
struct tokens *tokens_load(const char *path, const struct tokens_options *o,
    struct buf *why) MUST_CHECK;
struct tokens *tokens_ref(struct tokens *t) ANY_THREAD;
void tokens_unref(struct tokens **t) ANY_THREAD;

/* Does it look like one? */
bool tokens_is_one(struct slice password);
/*
 * Check it, at `now_s` of the clock (time_t): what it grants is a name of the
 * user and an end. NULL: it is not good; `why` (text) says why, for the log.
 */
struct grant *tokens_check(const struct tokens *t, struct slice token,
    int64_t now_s, const char **why) MUST_CHECK;
