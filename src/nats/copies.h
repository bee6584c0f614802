/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copies - which of several copies of a message is the first.
 *
 * While subscriptions overlap, a message comes once by each of them, and not
 * by all: the server may have matched it before it knew one, or after it has
 * forgotten another. Copies carry no number, so they are counted by what they
 * say: of what says the same, as many were sent as the busiest subscription
 * has brought.
 *
 *   by a.b   1   1   2        by a.>     1       2
 *            ^ first copy                        ^ third, if a.b has
 *                    ^ second message              brought two
 *
 * Never drops a message for good: when the busiest one ends, the others count
 * from where they are. Pure; one owner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/queue.h"

struct copy;

struct copies {
	struct hash by_content;
	TAILQ_HEAD(, copy) by_age; /* the least recently seen first */
};

void copies_init(struct copies *c);
void copies_fini(struct copies *c);

/*
 * One has come by the subscription of this number; `content` is a hash of all
 * that it says. Returns whether it is the first copy of its message.
 */
bool copies_is_first(struct copies *c, uint64_t content, int64_t subscription,
    uint64_t now_ms);
/* These subscriptions, by rising numbers, bring nothing more. */
void copies_forget(struct copies *c, const int64_t *subscriptions, size_t n);
