/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ack - messages that were published to NATS and wait for somebody to take
 * responsibility.
 */
#include "nats/ack.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"

static bool
has_seq(const struct hash_node *node, struct slice key)
{
	const struct ack *a = container_of(node, const struct ack, node);

	return slice_eq(slice_of(&a->seq, sizeof(a->seq)), key);
}

void
ack_table_init(struct ack_table *t, uint64_t timeout_ms, unsigned attempts)
{
	*t = (struct ack_table){ 0 };
	hash_init(&t->by_number, has_seq);
	TAILQ_INIT(&t->all);
	TAILQ_INIT(&t->due);
	TAILQ_INIT(&t->soon);
	TAILQ_INIT(&t->fenced);
	t->timeout_ms = timeout_ms;
	t->attempts = attempts;
}

void
ack_table_fini(struct ack_table *t)
{
	assert(t->n == 0);
	hash_fini(&t->by_number);
}

struct ack *
ack_begin(struct ack_table *t, unsigned worker, const struct bus_request *r)
{
	struct ack *a = xcalloc(1, sizeof(*a));

	a->seq = ++t->next_seq;
	a->token = r->token;
	a->worker = worker;
	a->policy = r->policy;
	a->flags = r->flags;
	a->message = message_ref(r->message);
	/*
	 * The number is its own hash: nobody else chooses it, and those that
	 * are outstanding lie side by side.
	 */
	hash_insert(&t->by_number, &a->node, a->seq);
	TAILQ_INSERT_TAIL(&t->all, a, by_seq);
	t->n++;
	t->bytes += message_size(a->message);
	return a;
}

static struct ack_list *
list_of(struct ack_table *t, const struct ack *a)
{
	switch (a->state) {
	case ACK_SENT:
		return &t->due;
	case ACK_SOON:
		return &t->soon;
	case ACK_FENCED:
		return &t->fenced;
	default:
		return NULL;
	}
}

void
ack_wait(struct ack_table *t, struct ack *a)
{
	struct ack_list *list = list_of(t, a);

	if (list != NULL)
		TAILQ_REMOVE(list, a, by_due);
	a->state = ACK_WAITING;
}

void
ack_sent(struct ack_table *t, struct ack *a, uint64_t now_ms)
{
	ack_wait(t, a);
	a->n_sent++;
	a->doubted = false;
	a->deadline = now_ms + t->timeout_ms;
	a->state = ACK_SENT;
	TAILQ_INSERT_TAIL(&t->due, a, by_due);
}

bool
ack_again_soon(struct ack_table *t, struct ack *a, uint64_t now_ms)
{
	if (a->n_soon == ACK_SOON_TIMES)
		return false;
	ack_wait(t, a);
	a->n_soon++;
	a->deadline = now_ms + ACK_SOON_MS;
	a->state = ACK_SOON;
	TAILQ_INSERT_TAIL(&t->soon, a, by_due);
	return true;
}

void
ack_fenced(struct ack_table *t, struct ack *a, uint64_t fence)
{
	ack_wait(t, a);
	a->n_sent++;
	a->fence = fence;
	a->state = ACK_FENCED;
	TAILQ_INSERT_TAIL(&t->fenced, a, by_due);
}

void
ack_end(struct ack_table *t, struct ack **a)
{
	struct ack *dead = *a;

	assert(dead->queued == NULL);
	ack_wait(t, dead);
	hash_remove(&t->by_number, &dead->node);
	TAILQ_REMOVE(&t->all, dead, by_seq);
	t->n--;
	t->bytes -= message_size(dead->message);
	message_unref(&dead->message);
	free(dead);
	*a = NULL;
}

struct ack *
ack_find(const struct ack_table *t, uint64_t seq)
{
	struct slice key = slice_of(&seq, sizeof(seq));
	struct hash_node *node = hash_find(&t->by_number, key, seq);

	return node != NULL ? container_of(node, struct ack, node) : NULL;
}

/* The one with the earliest deadline, or NULL. */
static struct ack *
earliest(const struct ack_table *t)
{
	struct ack *due = TAILQ_FIRST(&t->due);
	struct ack *soon = TAILQ_FIRST(&t->soon);

	if (due == NULL || soon == NULL)
		return due != NULL ? due : soon;
	return soon->deadline < due->deadline ? soon : due;
}

struct ack *
ack_overdue(struct ack_table *t, uint64_t now_ms)
{
	struct ack *a = earliest(t);

	if (a == NULL || a->deadline > now_ms)
		return NULL;
	a->n_expired += a->state == ACK_SENT;
	ack_wait(t, a);
	return a;
}

struct ack *
ack_behind(const struct ack_table *t, uint64_t fence)
{
	struct ack *a = TAILQ_FIRST(&t->fenced);

	return a != NULL && a->fence <= fence ? a : NULL;
}

bool
ack_is_exhausted(const struct ack_table *t, const struct ack *a)
{
	if ((a->flags & (BUS_ONCE | BUS_ASK)) != 0)
		return a->n_expired > 0;
	return (a->flags & BUS_UNTIL_SETTLED) == 0 &&
	    a->n_expired >= t->attempts;
}

uint64_t
ack_deadline(const struct ack_table *t)
{
	const struct ack *a = earliest(t);

	return a != NULL ? a->deadline : ACK_NEVER;
}

void
ack_wait_all(struct ack_table *t)
{
	struct ack *a;

	TAILQ_FOREACH(a, &t->all, by_seq)
		ack_wait(t, a);
}
