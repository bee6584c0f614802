/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topic_trie - many Topic Names: which of them match this Topic Filter?
 *
 * One value per topic, not NULL. A match visits only branches that can match.
 * Built for a million names: keep nodes small. Wildcard rules as in
 * filter_match. Not thread-safe.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct topic_trie;

struct topic_trie *topic_trie_new(void);
/* The values are not touched. */
void topic_trie_free(struct topic_trie **t);
size_t topic_trie_len(const struct topic_trie *t);

/* Where the topic's value is kept; inserted with NULL if it is new. */
void **topic_trie_slot(struct topic_trie *t, struct slice topic);
void *topic_trie_find(const struct topic_trie *t, struct slice topic);
/* Take the topic out; returns its value, NULL when there was none. */
void *topic_trie_remove(struct topic_trie *t, struct slice topic);

/*
 * Call `fn` with the value of every topic that matches, until it returns
 * false; `fn` must not change the trie.
 */
void topic_trie_match(const struct topic_trie *t, struct slice filter,
    bool (*fn)(void *value, void *arg), void *arg);

/*
 * The same for every topic there is, `$` topics too; `fn` may free the value
 * if the trie is freed next.
 */
void topic_trie_each(const struct topic_trie *t,
    bool (*fn)(void *value, void *arg), void *arg);
