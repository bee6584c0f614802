/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nkey - the public key that belongs to a NATS user's seed.
 *
 * A seed is base32 of prefix (2 bytes), Ed25519 seed (32), CRC-16 (2); a
 * public key is base32 of prefix (1), key (32), CRC-16 (2). Pure, but for
 * nkey_public_of_file.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

/* Characters of an encoded public key, without the terminating zero. */
#define NKEY_PUBLIC_LEN 56

/* The key of the user's seed "SU..."; false when that is none. */
bool nkey_public_of_seed(struct slice seed,
    char out[NKEY_PUBLIC_LEN + 1]) MUST_CHECK;
/*
 * The key of the first seed that stands in a line of its own in the file.
 * Returns 0 or -errno; -EINVAL: there is no good seed in it.
 */
int nkey_public_of_file(const char *path,
    char out[NKEY_PUBLIC_LEN + 1]) MUST_CHECK;
