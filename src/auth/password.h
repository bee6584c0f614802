/* SPDX-License-Identifier: Apache-2.0 */
/*
 * password - what is kept instead of a password, as text and as a struct.
 *
 *   $6$SALT$HASH              SHA512 of password and salt
 *   $7$ITERATIONS$SALT$HASH   PBKDF2-SHA512
 *   $scram-sha-256$ITERATIONS$SALT$STOREDKEY$SERVERKEY
 *
 * The first two are what mosquitto_passwd writes. The last also serves SCRAM,
 * RFC 5802 and RFC 7677, for which the others do not suffice; its members are
 * those of RFC 5803. Binary is base64. Pure.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

#define PASSWORD_SALT_MAX       64
#define PASSWORD_KEY_MAX        64
#define PASSWORD_ITERATIONS_MAX 10000000
#define PASSWORD_SCRAM_KEY_LEN  32

enum password_kind {
	PASSWORD_SHA512,
	PASSWORD_PBKDF2_SHA512,
	PASSWORD_SCRAM_SHA_256
};

struct password {
	uint8_t kind;
	uint8_t salt_len;
	uint32_t iterations; /* 0: SHA512 has none */
	uint8_t salt[PASSWORD_SALT_MAX];
	uint8_t key[PASSWORD_KEY_MAX]; /* of SCRAM: StoredKey, ServerKey */
};

/* NULL, or what is wrong with the text. */
const char *password_parse(struct slice text, struct password *out) MUST_CHECK;

/*
 * Is it this one? Takes as long as the iterations do, milliseconds to
 * seconds, whatever the answer.
 */
bool password_check(const struct password *p, struct slice clear) MUST_CHECK;

/*
 * Make an entry that serves SCRAM-SHA-256, with a salt of its own, and append
 * its text. False: the password holds what SASLprep, RFC 4013, does not
 * allow.
 */
bool password_make_scram(const char *clear, unsigned iterations,
    struct buf *out) MUST_CHECK;
