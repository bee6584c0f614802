/* SPDX-License-Identifier: Apache-2.0 */
/* match_memo - who wanted the topics that were published to lately. */
#include "broker/match_memo.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "broker/memo_hash.h"

/* Of a home; longer topics, and more subscribers, are looked up each time. */
#define N_MEMOS        512
#define TOPIC_LEN_MAX  128
#define SUBSCRIBER_MAX 16

struct match_memo {
	uint64_t version; /* of the index; 0: none, the index begins at 1 */
	char *topic;
	struct matches matches;
	uint16_t topic_len;
};

struct match_memos {
	struct match_memo memos[N_MEMOS];
};

static bool
is_of(const struct match_memo *memo, struct slice topic)
{
	return memo->topic_len == topic.len &&
	    memcmp(memo->topic, topic.ptr, topic.len) == 0;
}

static void
rename_memo(struct match_memo *memo, struct slice topic)
{
	if (memo->topic_len != topic.len)
		memo->topic = xrealloc(memo->topic, topic.len);
	memcpy(memo->topic, topic.ptr, topic.len);
	memo->topic_len = (uint16_t)topic.len;
}

/* Keep a copy that takes no more room than it needs. */
static void
memorise(struct match_memo *memo, struct slice topic,
    const struct matches *found)
{
	size_t size = found->n * sizeof(*found->items);

	memo->version = 0;
	if (found->n > SUBSCRIBER_MAX)
		return;
	if (!is_of(memo, topic))
		rename_memo(memo, topic);
	if (found->n > memo->matches.cap) {
		memo->matches.items = xrealloc(memo->matches.items, size);
		memo->matches.cap = found->n;
	}
	if (size > 0)
		memcpy(memo->matches.items, found->items, size);
	memo->matches.n = found->n;
	memo->matches.n_filters = found->n_filters;
	memo->version = found->version;
}

const struct matches *
match_memo_find(struct match_memos **memos, struct index *idx,
    struct slice topic, struct matches *scratch)
{
	struct match_memo *memo;

	if (topic.len == 0 || topic.len > TOPIC_LEN_MAX) {
		index_match(idx, topic, scratch);
		return scratch;
	}
	if (*memos == NULL)
		*memos = xcalloc(1, sizeof(**memos));
	memo = &(*memos)->memos[memo_hash(topic) % N_MEMOS];
	if (memo->version == index_version(idx) && is_of(memo, topic))
		return &memo->matches;
	index_match(idx, topic, scratch);
	memorise(memo, topic, scratch);
	return scratch;
}

void
match_memo_free(struct match_memos **memos)
{
	for (size_t i = 0; *memos != NULL && i < N_MEMOS; i++) {
		free((*memos)->memos[i].topic);
		matches_fini(&(*memos)->memos[i].matches);
	}
	free(*memos);
	*memos = NULL;
}
