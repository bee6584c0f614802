/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users - the password file: who may log in, and with what.
 *
 *   # a comment
 *   NAME:PASSWORD         as password.h has it
 *
 * Immutable once it is loaded, counted, shared by all threads.
 */
#pragma once

#include "auth/password.h"
#include "base/thread.h"

struct users;

struct user {
	struct password password;
	size_t name_len;
	char name[]; /* and a zero */
};

/*
 * Read the text of a file. NULL when there is a mistake, of which the first
 * is appended to `why` and its line stored.
 */
struct users *users_parse(struct slice text, unsigned *line,
    struct buf *why) MUST_CHECK;
/* The same for a file; line 0: it cannot be read. */
struct users *users_load(const char *path, unsigned *line,
    struct buf *why) MUST_CHECK;

struct users *users_ref(struct users *u) ANY_THREAD;
/* Wipes what it frees. */
void users_unref(struct users **u) ANY_THREAD;

size_t users_count(const struct users *u) ANY_THREAD;
/* NULL: nobody has this name. */
const struct user *users_find(const struct users *u,
    struct slice name) ANY_THREAD;
/* Has this user the same password in both? No when one does not have it. */
bool users_agree(const struct users *a, const struct users *b,
    struct slice name) ANY_THREAD;
/*
 * For a name that nobody has: an entry that takes as long to check as others
 * do, so that time does not tell who exists.
 */
const struct password *users_decoy(const struct users *u) ANY_THREAD;

/* Does anybody have what SCRAM-SHA-256 needs? */
bool users_serve_scram(const struct users *u) ANY_THREAD;
/*
 * For a name that nobody has, or not for SCRAM: made of the name, so that
 * who asks twice is told the same salt twice. Nothing proves to be it.
 */
void users_fake_scram(const struct users *u, struct slice name,
    struct password *out) ANY_THREAD;
