/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares - the Shared Subscriptions of the node: who is in which group.
 */
#include "broker/shares.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"

struct member {
	struct subscriber subscriber;
	bool online;
};

struct share {
	struct hash_node by_number;
	struct hash_node by_key;
	uint64_t number;
	struct member *members;
	size_t n;
	size_t cap;
	size_t next;        /* whose turn it is */
	struct slice match; /* in key */
	size_t key_len;
	uint8_t key[]; /* the link's number, then the whole filter */
};

struct shares {
	pthread_mutex_t lock;
	struct hash by_number;   /* [l] */
	struct hash by_key;      /* [l] */
	size_t n_members;        /* [l] */
	uint64_t last;           /* [l] number that was given */
	struct buf scratch;      /* [l] */
	struct index *by_filter; /* [I] share numbers as sessions */
};

static bool
has_number(const struct hash_node *node, struct slice key)
{
	const struct share *sh =
	    container_of(node, const struct share, by_number);

	return slice_eq(slice_of(&sh->number, sizeof(sh->number)), key);
}

static bool
has_key(const struct hash_node *node, struct slice key)
{
	const struct share *sh = container_of(node, const struct share, by_key);

	return slice_eq(slice_of(sh->key, sh->key_len), key);
}

struct shares *
shares_new(void)
{
	struct shares *s = xcalloc(1, sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	hash_init(&s->by_number, has_number);
	hash_init(&s->by_key, has_key);
	s->by_filter = index_new();
	return s;
}

void
shares_free(struct shares **sp)
{
	struct shares *s = *sp;

	if (s == NULL)
		return;
	/* Every session has left its own by now. */
	assert(s->by_key.n == 0);
	index_free(&s->by_filter);
	hash_fini(&s->by_number);
	hash_fini(&s->by_key);
	buf_fini(&s->scratch);
	pthread_mutex_destroy(&s->lock);
	free(s);
	*sp = NULL;
}

/* --- under the lock ------------------------------------------------------ */

static struct slice
key_of(struct shares *s, uint32_t link, struct slice full)
{
	buf_reset(&s->scratch);
	buf_append(&s->scratch, &link, sizeof(link));
	buf_append_slice(&s->scratch, full);
	return buf_slice(&s->scratch);
}

static struct share *
find(struct shares *s, uint32_t link, struct slice full)
{
	struct slice key = key_of(s, link, full);
	struct hash_node *node = hash_find(&s->by_key, key, hash_key(key));

	return node != NULL ? container_of(node, struct share, by_key) : NULL;
}

static struct share *
find_number(struct shares *s, uint64_t number)
{
	struct slice key = slice_of(&number, sizeof(number));
	struct hash_node *node = hash_find(&s->by_number, key, hash_key(key));

	return node != NULL ? container_of(node, struct share, by_number)
			    : NULL;
}

static struct share *
make(struct shares *s, uint32_t link, struct slice full, struct slice match)
{
	struct slice key = key_of(s, link, full);
	struct share *sh = xcalloc(1, sizeof(*sh) + key.len);
	struct subscriber self;

	sh->number = ++s->last;
	sh->key_len = key.len;
	memcpy(sh->key, key.ptr, key.len);
	sh->match = slice_of(sh->key + key.len - match.len, match.len);
	hash_insert(&s->by_key, &sh->by_key, hash_key(key));
	hash_insert(&s->by_number, &sh->by_number,
	    hash_key(slice_of(&sh->number, sizeof(sh->number))));
	self = (struct subscriber){ .session = sh->number };
	index_add(s->by_filter, sh->match, &self);
	return sh;
}

static void
unmake(struct shares *s, struct share *sh)
{
	index_drop(s->by_filter, sh->match, sh->number);
	hash_remove(&s->by_key, &sh->by_key);
	hash_remove(&s->by_number, &sh->by_number);
	free(sh->members);
	free(sh);
}

static struct member *
member_of(struct share *sh, uint64_t session)
{
	for (size_t i = 0; i < sh->n; i++)
		if (sh->members[i].subscriber.session == session)
			return &sh->members[i];
	return NULL;
}

static struct member *
add_member(struct share *sh)
{
	if (sh->n == sh->cap) {
		sh->cap = sh->cap > 0 ? 2 * sh->cap : 2;
		sh->members =
		    xrealloc(sh->members, sh->cap * sizeof(*sh->members));
	}
	return &sh->members[sh->n++];
}

/* The next from `next` on who is `online` and not `avoid`, or NULL. */
static struct member *
turn_of(struct share *sh, bool online, uint64_t avoid)
{
	for (size_t i = 0; i < sh->n; i++) {
		size_t at = (sh->next + i) % sh->n;
		struct member *m = &sh->members[at];

		if (m->online != online || m->subscriber.session == avoid)
			continue;
		sh->next = at + 1;
		return m;
	}
	return NULL;
}

/* --- the interface ------------------------------------------------------- */

uint64_t
shares_join(struct shares *s, uint32_t link, struct slice full,
    struct slice match, const struct subscriber *member, bool online)
{
	struct share *sh;
	struct member *m;
	uint64_t number;

	pthread_mutex_lock(&s->lock);
	sh = find(s, link, full);
	if (sh == NULL)
		sh = make(s, link, full, match);
	m = member_of(sh, member->session);
	if (m == NULL) {
		m = add_member(sh);
		s->n_members++;
	}
	m->subscriber = *member;
	m->online = online;
	number = sh->number;
	pthread_mutex_unlock(&s->lock);
	return number;
}

uint64_t
shares_leave(struct shares *s, uint32_t link, struct slice full,
    uint64_t session)
{
	uint64_t number = 0;
	struct member *m = NULL;
	struct share *sh;

	pthread_mutex_lock(&s->lock);
	sh = find(s, link, full);
	if (sh != NULL)
		m = member_of(sh, session);
	if (m != NULL) {
		number = sh->number;
		*m = sh->members[--sh->n];
		s->n_members--;
		if (sh->n == 0)
			unmake(s, sh);
	}
	pthread_mutex_unlock(&s->lock);
	return number;
}

void
shares_set_online(struct shares *s, uint32_t link, struct slice full,
    uint64_t session, bool online)
{
	struct member *m = NULL;
	struct share *sh;

	pthread_mutex_lock(&s->lock);
	sh = find(s, link, full);
	if (sh != NULL)
		m = member_of(sh, session);
	if (m != NULL)
		m->online = online;
	pthread_mutex_unlock(&s->lock);
}

enum shares_found
shares_pick(struct shares *s, uint64_t share, uint64_t avoid, bool away,
    struct subscriber *out)
{
	enum shares_found found = SHARES_NONE;
	struct member *m = NULL;
	struct share *sh;

	pthread_mutex_lock(&s->lock);
	sh = find_number(s, share);
	if (sh != NULL)
		m = turn_of(sh, true, avoid);
	if (m == NULL && sh != NULL && away)
		m = turn_of(sh, false, avoid);
	if (m != NULL) {
		*out = m->subscriber;
		found = m->online ? SHARES_ONLINE : SHARES_AWAY;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

uint64_t
shares_find(struct shares *s, uint32_t link, struct slice full)
{
	const struct share *sh;
	uint64_t number;

	pthread_mutex_lock(&s->lock);
	sh = find(s, link, full);
	number = sh != NULL ? sh->number : 0;
	pthread_mutex_unlock(&s->lock);
	return number;
}

void
shares_filter(struct shares *s, uint64_t share, struct buf *out)
{
	const struct share *sh;

	pthread_mutex_lock(&s->lock);
	sh = find_number(s, share);
	if (sh != NULL)
		buf_append(out, sh->key + sizeof(uint32_t),
		    sh->key_len - sizeof(uint32_t));
	pthread_mutex_unlock(&s->lock);
}

void
shares_match(struct shares *s, struct slice topic, struct matches *out)
{
	index_match(s->by_filter, topic, out);
}

size_t
shares_count(struct shares *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->by_key.n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

size_t
shares_members(struct shares *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->n_members;
	pthread_mutex_unlock(&s->lock);
	return n;
}
