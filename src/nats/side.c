/* SPDX-License-Identifier: Apache-2.0 */
/*
 * side - a second connection of a link, for what its own cannot carry.
 */
#include "config.h"

#include "nats/side.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/intake.h"
#include "nats/link_subscription.h"
#include "topic/subject.h"

/* One subscription: a subject and a queue group, which is empty for a held
 * subject. Neither has spaces. */
struct member {
	struct hash_node node;
	natsSubscription *subscription; /* NULL: not connected, or refused */
	uint64_t share;
	unsigned refs;
	bool denied; /* on this connection */
	size_t subject_len;
	size_t key_len;
	const char *group; /* in key */
	char key[];        /* "subject\0group" */
};

struct side {
	struct link *link;
	struct hash members;
	unsigned n_groups; /* members that are no held subjects */
};

static bool
is_member(const struct hash_node *node, struct slice key)
{
	const struct member *m = container_of(node, const struct member, node);

	return slice_eq(slice_of(m->key, m->key_len), key);
}

static struct side *
side_of(struct link *main)
{
	struct bus *b = main->bus;
	struct side *s = main->side;

	assert(main->main == NULL);
	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	hash_init(&s->members, is_member);
	main->side = s;
	s->link = link_new(b, ++b->last_link, main->device, main);
	link_connect(s->link);
	return s;
}

/* "subject\0group" of one, in scratch of the bus. */
static struct slice
key_of(struct bus *b, struct slice subject, struct slice group)
{
	struct buf *out = &b->subject;

	buf_reset(out);
	buf_append_slice(out, subject);
	buf_append_byte(out, '\0');
	buf_append_slice(out, group);
	return buf_slice(out);
}

static struct member *
find(const struct side *s, struct slice key)
{
	struct hash_node *node = hash_find(&s->members, key, hash_key(key));

	return node != NULL ? container_of(node, struct member, node) : NULL;
}

static void
subscribe(struct link *l, struct member *m)
{
	m->denied = false;
	m->subscription = *m->group != '\0'
	    ? intake_subscribe_group(l, m->key, m->group, m->share)
	    : intake_hold(l, m->key);
	if (m->subscription != NULL)
		atomic_fetch_add(&l->bus->stats.subscriptions, 1);
}

static void
unsubscribe(struct link *l, struct member *m)
{
	if (m->subscription == NULL)
		return;
	atomic_fetch_sub(&l->bus->stats.subscriptions, 1);
	(void)natsSubscription_Unsubscribe(m->subscription);
	natsSubscription_Destroy(m->subscription);
	m->subscription = NULL;
}

static void NATS_THREAD
add(struct side *s, struct slice key, size_t subject_len, uint64_t share)
{
	struct member *m = find(s, key);

	if (m != NULL) {
		m->refs++;
		return;
	}
	m = xcalloc(1, sizeof(*m) + key.len + 1);
	m->refs = 1;
	m->share = share;
	m->subject_len = subject_len;
	m->key_len = key.len;
	memcpy(m->key, key.ptr, key.len);
	m->group = m->key + subject_len + 1;
	hash_insert(&s->members, &m->node, hash_key(key));
	s->n_groups += *m->group != '\0';
	if (s->link->nc != NULL)
		subscribe(s->link, m);
	link_touch(s->link);
}

static void NATS_THREAD
drop(struct side *s, struct slice key)
{
	struct member *m = find(s, key);

	if (m == NULL || --m->refs > 0)
		return;
	unsubscribe(s->link, m);
	s->n_groups -= *m->group != '\0';
	hash_remove(&s->members, &m->node);
	free(m);
	link_touch(s->link);
}

void
side_join(struct link *main, unsigned worker, uint64_t token,
    const struct bus_group *g)
{
	struct side *s = side_of(main);
	struct slice subject = slice_str(g->subject);

	add(s, key_of(main->bus, subject, slice_str(g->group)), subject.len,
	    g->share);
	link_answer_subscribed(s->link, worker, token, subject);
}

void
side_leave(struct link *main, const struct bus_group *g)
{
	if (main->side != NULL)
		drop(main->side,
		    key_of(main->bus, slice_str(g->subject),
			slice_str(g->group)));
}

void
side_hold(struct link *main, struct slice subject)
{
	add(side_of(main), key_of(main->bus, subject, SLICE("")), subject.len,
	    0);
}

void
side_let_go(struct link *main, struct slice subject)
{
	if (main->side != NULL)
		drop(main->side, key_of(main->bus, subject, SLICE("")));
}

/* --- the connection ------------------------------------------------------ */

static bool
subscribe_one(struct hash_node *node, void *arg)
{
	subscribe(arg, container_of(node, struct member, node));
	return true;
}

void
side_on_open(struct link *l)
{
	hash_each(&l->main->side->members, subscribe_one, l);
}

static bool
unsubscribe_one(struct hash_node *node, void *arg)
{
	unsubscribe(arg, container_of(node, struct member, node));
	return true;
}

void
side_on_close(struct link *l)
{
	hash_each(&l->main->side->members, unsubscribe_one, l);
}

struct search {
	struct slice subject;
	bool found;
};

static bool
look_at_one(struct hash_node *node, void *arg)
{
	const struct member *m = container_of(node, struct member, node);
	struct search *s = arg;

	s->found = *m->group != '\0' && !m->denied &&
	    subject_match(slice_of(m->key, m->subject_len), s->subject);
	return !s->found;
}

bool
side_has_group(const struct link *main, struct slice subject)
{
	struct search s = { .subject = subject };

	if (main->side != NULL && main->side->n_groups > 0)
		hash_each(&main->side->members, look_at_one, &s);
	return s.found;
}

bool
side_is_coming(const struct link *main)
{
	return main->side->link->state != LINK_UP &&
	    main->side->link->state != LINK_REFUSED;
}

struct denial {
	struct slice subject;
	bool is_new; /* else it is asked for */
	bool found;
};

static bool
deny_one(struct hash_node *node, void *arg)
{
	struct member *m = container_of(node, struct member, node);
	struct denial *d = arg;

	if (!slice_eq(slice_of(m->key, m->subject_len), d->subject))
		return true;
	m->denied |= d->is_new;
	d->found |= m->denied;
	return true;
}

void
side_denied(struct link *l, struct slice subject)
{
	struct denial d = { .subject = subject, .is_new = true };

	hash_each(&l->main->side->members, deny_one, &d);
}

bool
side_is_denied(const struct link *l, struct slice subject)
{
	struct denial d = { .subject = subject };

	if (l->was_denied)
		hash_each(&l->main->side->members, deny_one, &d);
	return d.found;
}

/* --- life ---------------------------------------------------------------- */

static bool
free_one(struct hash_node *node, void *arg)
{
	struct side *s = arg;

	hash_remove(&s->members, node);
	free(container_of(node, struct member, node));
	return true;
}

void
side_free(struct link *main)
{
	struct side *s = main->side;

	if (s == NULL)
		return;
	link_free(&s->link);
	main->side = NULL;
	hash_each(&s->members, free_one, s);
	hash_fini(&s->members);
	free(s);
}
