/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option_kind - how values of each type are read, shown and freed.
 *
 * Behind option.h; nobody else needs it. `at` is where the value is stored.
 * What is stored: bool for a yes or no, an enum or an unsigned for a word,
 * unsigned or size_t for numbers, sizes and times, a heap string, never NULL,
 * for text, a heap array ended by NULL for a list.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct option_row;

/* A word and what it stands for. */
struct option_word {
	const char *name;
	unsigned value;
};

struct option_kind {
	/* Store; or append to `why` what it must be, and return false. */
	bool (*set)(const struct option_row *o, void *at, const char *text,
	    struct buf *why);
	void (*print)(const struct option_row *o, const void *at,
	    struct buf *out);
	void (*fini)(void *at); /* NULL: nothing to free */
	bool is_list;
	bool is_secret;
};

extern const struct option_kind option_kind_bool;
extern const struct option_kind option_kind_number;
extern const struct option_kind option_kind_size;
extern const struct option_kind option_kind_time;
extern const struct option_kind option_kind_string;
extern const struct option_kind option_kind_secret;
extern const struct option_kind option_kind_url;   /* may hold a password */
extern const struct option_kind option_kind_word;  /* one of o->words */
extern const struct option_kind option_kind_words; /* some, as bits */
extern const struct option_kind option_kind_list;
extern const struct option_kind option_kind_qos_rows; /* inbound_qos only */

/* One word of a table; the text of an error otherwise. */
bool option_word_parse(const struct option_word *words, const char *text,
    unsigned *out, struct buf *why);
const char *option_word_name(const struct option_word *words, unsigned value);
