/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_trie - many Topic Filters: which of them match this Topic Name?
 *
 * One value per filter, not NULL. The cost of a match depends on the topic's
 * levels and on what matches, not on how many filters there are. Wildcard
 * rules as in filter_match. Not thread-safe; `owner` serialises.
 */
#pragma once

#include "base/slice.h"

struct filter_trie;

struct filter_trie *filter_trie_new(void);
/* The values are not touched. */
void filter_trie_free(struct filter_trie **t);
size_t filter_trie_len(const struct filter_trie *t);

/* Where the filter's value is kept; inserted with NULL if it is new. */
void **filter_trie_slot(struct filter_trie *t, struct slice filter);
/* The value, or NULL. */
void *filter_trie_find(const struct filter_trie *t, struct slice filter);
/* Take the filter out; returns its value, NULL when there was none. */
void *filter_trie_remove(struct filter_trie *t, struct slice filter);

/* Call `fn` with the value of every filter that matches. */
void filter_trie_match(const struct filter_trie *t, struct slice topic,
    void (*fn)(void *value, void *arg), void *arg);
