/* SPDX-License-Identifier: Apache-2.0 */
/* spread - a message to all subscribers of this node, on all workers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"

struct home;
struct message;
struct pending;

/*
 * Give it to everybody here who wants it; `p` (may be NULL) hears of what
 * others do: publish_taken, publish_stored. Returns DELIVER_ bits.
 *
 * With `lasts`, QoS 2 is exact: what is stored for subscribers, here and
 * elsewhere, comes into force together with the word that the publisher's
 * message was delivered, or not at all. If others are to store it, all of it
 * is held until publish_stored closes it.
 */
unsigned spread_message(struct home *h, struct message *m, struct pending *p,
    bool lasts) WORKER_THREAD;
/*
 * Word to the home of the pending publish with this token: a session has
 * taken it; (`is_last`) this home has posted to the store what it had to.
 */
void spread_tell(struct home *h, uint64_t token, bool is_taken,
    bool is_last) WORKER_THREAD;
