/* SPDX-License-Identifier: Apache-2.0 */
/*
 * match_memo - who wanted the topics that devices of this home published to
 * lately.
 *
 * Looking a topic up in the index costs a keyed hash and two steps on a lock
 * that all threads share. Here it costs a look at the index's version: as
 * long as nobody has subscribed or unsubscribed since, the answer is the
 * same. Small, and one topic drives another out. The home's worker only.
 */
#pragma once

#include "base/thread.h"
#include "broker/index.h"

struct match_memos;

/*
 * index_match, remembered. `*memos` is made when it is first needed;
 * `scratch` takes what is too much to remember. Valid until the next call.
 */
const struct matches *match_memo_find(struct match_memos **memos,
    struct index *idx, struct slice topic,
    struct matches *scratch) WORKER_THREAD;
void match_memo_free(struct match_memos **memos);
