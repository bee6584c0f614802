/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls - requests from NATS that devices are to answer themselves.
 */
#include "broker/calls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/queue.h"
#include "base/xalloc.h"

struct call {
	struct hash_node node;
	TAILQ_ENTRY(call)
	by_age;
	uint64_t until_ms;
	size_t len;
	char reply[];
};

struct calls {
	pthread_mutex_t lock;
	struct hash by_reply;      /* [l] */
	TAILQ_HEAD(, call) by_age; /* [l] the oldest first */
};

static bool
is_to(const struct hash_node *node, struct slice key)
{
	const struct call *c = container_of(node, const struct call, node);

	return slice_eq(slice_of(c->reply, c->len), key);
}

struct calls *
calls_new(void)
{
	struct calls *c = xcalloc(1, sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	hash_init(&c->by_reply, is_to);
	TAILQ_INIT(&c->by_age);
	return c;
}

static void
forget(struct calls *c, struct call *one)
{
	hash_remove(&c->by_reply, &one->node);
	TAILQ_REMOVE(&c->by_age, one, by_age);
	free(one);
}

void
calls_free(struct calls **cp)
{
	struct calls *c = *cp;

	if (c == NULL)
		return;
	while (!TAILQ_EMPTY(&c->by_age))
		forget(c, TAILQ_FIRST(&c->by_age));
	hash_fini(&c->by_reply);
	pthread_mutex_destroy(&c->lock);
	free(c);
	*cp = NULL;
}

static void
forget_old(struct calls *c, uint64_t now_ms)
{
	struct call *oldest;

	while ((oldest = TAILQ_FIRST(&c->by_age)) != NULL &&
	    (oldest->until_ms <= now_ms || c->by_reply.n >= CALLS_MAX))
		forget(c, oldest);
}

static struct call *
find(const struct calls *c, struct slice reply)
{
	struct hash_node *node =
	    hash_find(&c->by_reply, reply, hash_key(reply));

	return node != NULL ? container_of(node, struct call, node) : NULL;
}

static void
enter(struct calls *c, struct slice reply, uint64_t until_ms)
{
	struct call *one = find(c, reply);

	if (one != NULL) {
		TAILQ_REMOVE(&c->by_age, one, by_age);
	} else {
		one = xcalloc(1, sizeof(*one) + reply.len);
		one->len = reply.len;
		memcpy(one->reply, reply.ptr, reply.len);
		hash_insert(&c->by_reply, &one->node, hash_key(reply));
	}
	one->until_ms = until_ms;
	TAILQ_INSERT_TAIL(&c->by_age, one, by_age);
}

void
calls_add(struct calls *c, struct slice reply, uint64_t now_ms)
{
	if (reply.len == 0 || reply.len > CALLS_SUBJECT_MAX)
		return;
	pthread_mutex_lock(&c->lock);
	forget_old(c, now_ms);
	enter(c, reply, now_ms + CALLS_LIFETIME_MS);
	pthread_mutex_unlock(&c->lock);
}

bool
calls_has(struct calls *c, struct slice subject, uint64_t now_ms)
{
	const struct call *one;
	bool has;

	pthread_mutex_lock(&c->lock);
	one = find(c, subject);
	has = one != NULL && one->until_ms > now_ms;
	pthread_mutex_unlock(&c->lock);
	return has;
}
