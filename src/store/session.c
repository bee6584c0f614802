/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - the Session State of one Client Identifier.
 *
 * Subscriptions are a list; beyond MANY of them a hash by filter stands
 * beside it, since most devices have one or two and some have thousands.
 */
#include "store/session.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define MANY 16

static struct slice
subscription_filter(const struct subscription *sub)
{
	return slice_of(sub->filter, sub->filter_len);
}

static bool
matches(const struct hash_node *node, struct slice key)
{
	const struct subscription *sub =
	    container_of(node, const struct subscription, node);

	return slice_eq(subscription_filter(sub), key);
}

struct session *
session_new(struct slice client_id)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->client_id = xmemdup0(client_id.ptr, client_id.len);
	s->client_id_len = (uint16_t)client_id.len;
	LIST_INIT(&s->subscriptions);
	return s;
}

void
session_free(struct session **sp)
{
	struct session *s = *sp;
	struct subscription *sub, *next;

	*sp = NULL;
	assert(!timer_is_armed(&s->expiry));
	LIST_FOREACH_SAFE(sub, &s->subscriptions, entry, next)
		free(sub);
	if (s->by_filter != NULL) {
		hash_fini(s->by_filter);
		free(s->by_filter);
	}
	inflight_fini(&s->inflight);
	receiving_fini(&s->receiving);
	outbox_fini(&s->backlog);
	free(s->client_id);
	free(s->owner);
	free(s);
}

struct slice
session_client_id(const struct session *s)
{
	return slice_of(s->client_id, s->client_id_len);
}

struct subscription *
session_find_subscription(const struct session *s, struct slice filter)
{
	struct subscription *sub;
	struct hash_node *node;

	if (s->by_filter != NULL) {
		node = hash_find(s->by_filter, filter, hash_key(filter));
		if (node == NULL)
			return NULL;
		return container_of(node, struct subscription, node);
	}
	LIST_FOREACH(sub, &s->subscriptions, entry)
		if (slice_eq(subscription_filter(sub), filter))
			return sub;
	return NULL;
}

static void
hash_all(struct session *s)
{
	struct subscription *sub;

	s->by_filter = xmalloc(sizeof(*s->by_filter));
	hash_init(s->by_filter, matches);
	LIST_FOREACH(sub, &s->subscriptions, entry)
		hash_insert(s->by_filter, &sub->node,
		    hash_key(subscription_filter(sub)));
}

struct subscription *
session_add_subscription(struct session *s, struct slice filter)
{
	struct subscription *sub = xcalloc(1, sizeof(*sub) + filter.len + 1);

	sub->filter_len = (uint32_t)filter.len;
	memcpy(sub->filter, filter.ptr, filter.len);
	LIST_INSERT_HEAD(&s->subscriptions, sub, entry);
	s->n_subscriptions++;
	if (s->by_filter != NULL)
		hash_insert(s->by_filter, &sub->node, hash_key(filter));
	else if (s->n_subscriptions > MANY)
		hash_all(s);
	return sub;
}

void
session_drop_subscription(struct session *s, struct subscription **subp)
{
	struct subscription *sub = *subp;

	*subp = NULL;
	if (s->by_filter != NULL)
		hash_remove(s->by_filter, &sub->node);
	LIST_REMOVE(sub, entry);
	s->n_subscriptions--;
	free(sub);
}

static uint32_t
cost(const struct outgoing *o)
{
	return (uint32_t)message_size(o->message);
}

static bool
has_room(const struct session *s, const struct outgoing *o,
    const struct session_limits *limits)
{
	return s->backlog.n < limits->max_queued_messages &&
	    (uint64_t)s->backlog_bytes + cost(o) <= limits->max_queued_bytes;
}

bool
session_queue(struct session *s, const struct outgoing *o,
    const struct session_limits *limits)
{
	if (!has_room(s, o, limits))
		return false;
	outbox_push(&s->backlog, o)->state = OUTGOING_QUEUED;
	s->backlog_bytes += cost(o);
	return true;
}

bool
session_queue_first(struct session *s, const struct outgoing *o,
    const struct session_limits *limits)
{
	if (!has_room(s, o, limits))
		return false;
	outbox_push_first(&s->backlog, o)->state = OUTGOING_QUEUED;
	s->backlog_bytes += cost(o);
	return true;
}

bool
session_dequeue(struct session *s, struct outgoing *out)
{
	if (!outbox_pop(&s->backlog, out))
		return false;
	s->backlog_bytes -= cost(out);
	return true;
}
