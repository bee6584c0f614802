/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option - the table of all keys, and values as text.
 *
 * Everything here follows from option.tbl: which keys there are, what their
 * values may be, where they are stored. A value is stored in a struct config,
 * or in a struct config_listener for the section "listener"; `base` is that
 * struct. Pure but for the memory of what is stored.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

enum option_applied {
	OPTION_RELOAD, /* a change can be applied to a running daemon */
	OPTION_REOPEN, /* the same, by another listener in its place */
	OPTION_RESTART
};

struct option_row {
	const char *section;
	const char *key;
	const char *def;
	enum option_applied applied;
	const char *help;
	const struct option_kind *kind;
	size_t offset; /* in the struct that `base` points to */
	size_t size;   /* of the member there */
	const char *min, *max;
	unsigned long long unit; /* of a time as stored, in microseconds */
	unsigned long long bare; /* of a time without unit, in microseconds */
	const struct option_word *words;        /* ended by one without name */
	const char *(*check)(const char *text); /* what it must be, or NULL */
};

/* In the order of the table, sections together. */
extern const struct option_row option_table[];
extern const size_t option_count;

/* NULL when there is none. */
const struct option_row *option_find(const char *section, const char *key);
/* Does the table have this section? */
bool option_is_section(const char *section);

/*
 * The known key (or section) that is most like the unknown one, never NULL:
 * if the very key exists elsewhere, that one.
 */
const struct option_row *option_nearest(const char *section, const char *key);
const char *option_nearest_section(const char *section);

/*
 * Store the value that `text` stands for. A list grows, everything else is
 * replaced. False: the text has no meaning for this key, and why was appended
 * to `why`, as in "must be yes or no".
 */
bool option_set(const struct option_row *o, void *base, const char *text,
    struct buf *why) MUST_CHECK;
/* Append the value as text that option_set would understand; "***" for what
 * is secret. */
void option_print(const struct option_row *o, const void *base,
    struct buf *out);
/* Do both have the same value, secrets too? */
bool option_same(const struct option_row *o, const void *a, const void *b);
/* Free and wipe the value. */
void option_fini(const struct option_row *o, void *base);

/* May the key be repeated? */
bool option_is_list(const struct option_row *o);
/* Must this text not be shown, because it holds a secret? */
bool option_hides(const struct option_row *o, const char *text);

/* The word of ack_policy for `policy`, and back; for `[ack]` rows. */
const char *option_ack_name(unsigned policy);
bool option_ack_parse(const char *text, unsigned *out, struct buf *why);

/* Wipe and free a string; *s is NULL then. */
void option_wipe(char **s);
