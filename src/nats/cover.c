/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cover - the filters that are wanted -> few, disjoint NATS subscriptions.
 *
 * Subscriptions hang in a tree, see cover_tree.h. Each holds the list of the
 * wanted filters within it; a filter needs no pointer back, for looking it up
 * in the tree finds the one subscription that has it.
 *
 * A change is made in two steps: first the tree is changed, with new
 * subscriptions in `fresh` and those that they replace in `stale`; then
 * settle() calls join for all fresh ones and leave for all stale ones.
 */
#include "nats/cover.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/queue.h"
#include "base/xalloc.h"
#include "nats/cover_tree.h"
#include "topic/subject.h"

/* A filter that somebody wants. */
struct wanted {
	struct hash_node node; /* in cover.wanted */
	TAILQ_ENTRY(wanted)
	entry;
	size_t refs;
	enum {
		PLACED, /* within a subscription */
		APART,  /* in cover.apart, joined on its own */
		DENIED  /* in cover.denied, not joined */
	} state;
	void *handle; /* APART */
	size_t len;
	char filter[];
};
TAILQ_HEAD(wanted_list, wanted);

/* A subscription. */
struct subscription {
	TAILQ_ENTRY(subscription)
	entry; /* in exactly one list of the cover */
	struct cover_leaf leaf;
	void *handle;
	struct wanted_list wanted;
	bool joined; /* `join` was called and `leave` was not */
	bool loose;  /* in cover.loose: wanted filters have left it */
	size_t len;
	char subject[];
};
TAILQ_HEAD(subscription_list, subscription);

/* How many wanted filters begin with this reserved token. */
struct reserved {
	TAILQ_ENTRY(reserved)
	entry;
	size_t n;
	size_t len;
	char token[];
};

struct cover {
	struct wanted_list denied; /* what NATS has refused */
	struct wanted_list apart;  /* whose common subscription it has */
	const struct cover_ops *ops;
	void *arg;
	struct hash wanted;
	struct cover_tree tree;
	struct subscription_list all;   /* in place, and joined */
	struct subscription_list loose; /* the same, to be narrowed */
	struct subscription_list fresh; /* in place, not joined yet */
	struct subscription_list stale; /* replaced, still joined */
	TAILQ_HEAD(, reserved) reserved;
	size_t n;
};

static bool
wanted_matches(const struct hash_node *node, struct slice key)
{
	const struct wanted *w = container_of(node, const struct wanted, node);

	return slice_eq(slice_of(w->filter, w->len), key);
}

struct cover *
cover_new(const struct cover_ops *ops, void *arg)
{
	struct cover *c = xcalloc(1, sizeof(*c));

	c->ops = ops;
	c->arg = arg;
	hash_init(&c->wanted, wanted_matches);
	cover_tree_init(&c->tree);
	TAILQ_INIT(&c->denied);
	TAILQ_INIT(&c->apart);
	TAILQ_INIT(&c->all);
	TAILQ_INIT(&c->loose);
	TAILQ_INIT(&c->fresh);
	TAILQ_INIT(&c->stale);
	TAILQ_INIT(&c->reserved);
	return c;
}

/* --- changing ----------------------------------------------------------- */

static struct subscription *
subscription_new(struct slice subject)
{
	struct subscription *s = xcalloc(1, sizeof(*s) + subject.len + 1);

	TAILQ_INIT(&s->wanted);
	s->len = subject.len;
	memcpy(s->subject, subject.ptr, subject.len);
	return s;
}

/* One of those that the last search has found. */
static struct subscription *
found_at(const struct cover *c, size_t i)
{
	return container_of(c->tree.found[i], struct subscription, leaf);
}

/* `s` leaves its place; its list is given up, too. */
static void
displace(struct cover *c, struct subscription *s)
{
	cover_tree_remove(&s->leaf);
	c->n--;
	if (!s->joined) {
		TAILQ_REMOVE(&c->fresh, s, entry);
		free(s);
		return;
	}
	TAILQ_REMOVE(s->loose ? &c->loose : &c->all, s, entry);
	s->loose = false;
	TAILQ_INSERT_TAIL(&c->stale, s, entry);
}

/* Put a subscription in place for `w` and all that overlap. */
static void
place(struct cover *c, struct wanted *w)
{
	struct wanted_list within = TAILQ_HEAD_INITIALIZER(within);
	struct buf a = { 0 }, b = { 0 };
	struct buf *subject = &a, *next = &b;
	struct subscription *s;
	bool loose = false;

	buf_append(subject, w->filter, w->len);
	cover_tree_overlaps(&c->tree, buf_slice(subject));
	while (c->tree.n_found > 0) {
		s = found_at(c, 0);
		if (c->tree.n_found == 1 &&
		    cover_within(buf_slice(subject),
			slice_of(s->subject, s->len)))
			break;
		for (size_t i = 0; i < c->tree.n_found; i++) {
			struct buf *swap = subject;

			s = found_at(c, i);
			cover_join(buf_slice(subject),
			    slice_of(s->subject, s->len), next);
			subject = next;
			next = swap;
			loose |= s->loose;
			TAILQ_CONCAT(&within, &s->wanted, entry);
			displace(c, s);
		}
		cover_tree_overlaps(&c->tree, buf_slice(subject));
	}
	if (c->tree.n_found == 1) {
		s = found_at(c, 0);
	} else {
		s = subscription_new(buf_slice(subject));
		cover_tree_insert(&c->tree, &s->leaf, buf_slice(subject));
		TAILQ_INSERT_TAIL(&c->fresh, s, entry);
		c->n++;
	}
	s->loose |= loose && !s->joined;
	TAILQ_CONCAT(&s->wanted, &within, entry);
	TAILQ_INSERT_TAIL(&s->wanted, w, entry);
	buf_fini(&a);
	buf_fini(&b);
}

/* A stale subscription of the same subject lends its handle. */
static bool
adopt(struct cover *c, struct subscription *s)
{
	struct subscription *old;

	TAILQ_FOREACH(old, &c->stale, entry) {
		if (!slice_eq(slice_of(old->subject, old->len),
			slice_of(s->subject, s->len)))
			continue;
		s->handle = old->handle;
		s->joined = true;
		TAILQ_REMOVE(&c->stale, old, entry);
		free(old);
		return true;
	}
	return false;
}

/* Tell the owner what has changed. Returns whether anything has. */
static bool
settle(struct cover *c)
{
	bool replaced = !TAILQ_EMPTY(&c->fresh);
	struct subscription *s;
	bool changed = false;

	while ((s = TAILQ_FIRST(&c->fresh)) != NULL) {
		if (!adopt(c, s)) {
			s->handle = c->ops->join(c->arg, s->subject);
			s->joined = true;
			changed = true;
		}
		TAILQ_REMOVE(&c->fresh, s, entry);
		TAILQ_INSERT_TAIL(s->loose ? &c->loose : &c->all, s, entry);
	}
	while ((s = TAILQ_FIRST(&c->stale)) != NULL) {
		TAILQ_REMOVE(&c->stale, s, entry);
		c->ops->leave(c->arg, s->subject, s->handle, replaced);
		free(s);
		changed = true;
	}
	return changed;
}

/* --- reserved first tokens ---------------------------------------------- */

static struct reserved *
reserved_find(const struct cover *c, struct slice token)
{
	struct reserved *r;

	TAILQ_FOREACH(r, &c->reserved, entry)
		if (slice_eq(slice_of(r->token, r->len), token))
			return r;
	return NULL;
}

static void
reserved_count(struct cover *c, struct slice filter, bool more)
{
	struct slice rest = filter;
	struct slice token = cover_next_token(&rest);
	struct reserved *r;

	if (!subject_is_reserved(filter))
		return;
	r = reserved_find(c, token);
	if (r == NULL) {
		r = xcalloc(1, sizeof(*r) + token.len);
		r->len = token.len;
		memcpy(r->token, token.ptr, token.len);
		TAILQ_INSERT_TAIL(&c->reserved, r, entry);
	}
	r->n += more ? 1 : (size_t)-1;
	if (r->n == 0) {
		TAILQ_REMOVE(&c->reserved, r, entry);
		free(r);
	}
}

bool
cover_wants_reserved(const struct cover *c, struct slice token)
{
	return reserved_find(c, token) != NULL;
}

/* --- the interface ------------------------------------------------------ */

bool
cover_add(struct cover *c, struct slice filter)
{
	uint64_t hash = hash_key(filter);
	struct hash_node *node = hash_find(&c->wanted, filter, hash);
	struct wanted *w;

	assert(filter.len > 0);
	if (node != NULL) {
		container_of(node, struct wanted, node)->refs++;
		return false;
	}
	w = xcalloc(1, sizeof(*w) + filter.len + 1);
	w->refs = 1;
	w->len = filter.len;
	memcpy(w->filter, filter.ptr, filter.len);
	hash_insert(&c->wanted, &w->node, hash);
	reserved_count(c, filter, true);
	place(c, w);
	return settle(c);
}

static struct wanted *
wanted_find(const struct cover *c, struct slice filter)
{
	struct hash_node *node =
	    hash_find(&c->wanted, filter, hash_key(filter));

	return node != NULL ? container_of(node, struct wanted, node) : NULL;
}

/* A subscription of its own, though it overlaps others. */
static void
join_apart(struct cover *c, struct wanted *w)
{
	w->state = APART;
	w->handle = c->ops->join(c->arg, w->filter);
	TAILQ_INSERT_TAIL(&c->apart, w, entry);
	c->n++;
}

static void
leave_apart(struct cover *c, struct wanted *w)
{
	TAILQ_REMOVE(&c->apart, w, entry);
	c->n--;
	c->ops->leave(c->arg, w->filter, w->handle, false);
	w->handle = NULL;
}

/* Take it out of the subscription that it lies in. */
static void
unplace(struct cover *c, struct wanted *w)
{
	struct subscription *s;

	cover_tree_overlaps(&c->tree, slice_of(w->filter, w->len));
	assert(c->tree.n_found == 1);
	s = found_at(c, 0);
	TAILQ_REMOVE(&s->wanted, w, entry);
	if (TAILQ_EMPTY(&s->wanted)) {
		displace(c, s);
		settle(c);
	} else if (!s->loose) {
		s->loose = true;
		TAILQ_REMOVE(&c->all, s, entry);
		TAILQ_INSERT_TAIL(&c->loose, s, entry);
	}
}

void
cover_drop(struct cover *c, struct slice filter)
{
	struct wanted *w = wanted_find(c, filter);

	assert(w != NULL);
	if (--w->refs > 0)
		return;
	hash_remove(&c->wanted, &w->node);
	reserved_count(c, filter, false);
	if (w->state == DENIED)
		TAILQ_REMOVE(&c->denied, w, entry);
	else if (w->state == APART)
		leave_apart(c, w);
	else
		unplace(c, w);
	free(w);
}

/* The subscription to exactly this, or NULL. */
static struct subscription *
subscription_find(struct cover *c, struct slice subject)
{
	struct subscription *s;

	cover_tree_overlaps(&c->tree, subject);
	if (c->tree.n_found != 1)
		return NULL;
	s = found_at(c, 0);
	return slice_eq(slice_of(s->subject, s->len), subject) ? s : NULL;
}

static void
deny(struct cover *c, struct wanted *w)
{
	w->state = DENIED;
	TAILQ_INSERT_TAIL(&c->denied, w, entry);
}

/*
 * NATS has refused `s`. If somebody wants just that, the others may do
 * without it; if it was made up for filters that overlap, each of those is
 * to be judged by itself.
 */
static void
take_apart(struct cover *c, struct subscription *s)
{
	struct wanted *asked = wanted_find(c, slice_of(s->subject, s->len));
	struct wanted_list within = TAILQ_HEAD_INITIALIZER(within);
	struct wanted *w;

	if (asked != NULL && asked->state != PLACED)
		asked = NULL;
	TAILQ_CONCAT(&within, &s->wanted, entry);
	cover_tree_remove(&s->leaf);
	TAILQ_REMOVE(s->loose ? &c->loose : &c->all, s, entry);
	c->n--;
	/* Behind nothing: it never brought a message. */
	c->ops->leave(c->arg, s->subject, s->handle, false);
	free(s);
	while ((w = TAILQ_FIRST(&within)) != NULL) {
		TAILQ_REMOVE(&within, w, entry);
		if (w == asked)
			deny(c, w);
		else if (asked != NULL)
			place(c, w);
		else
			join_apart(c, w);
	}
	settle(c);
}

void
cover_deny(struct cover *c, struct slice filter)
{
	struct wanted *w = wanted_find(c, filter);
	struct subscription *s;

	if (w != NULL && w->state == APART) {
		leave_apart(c, w);
		deny(c, w);
		return;
	}
	s = subscription_find(c, filter);
	if (s != NULL)
		take_apart(c, s);
}

bool
cover_is_denied(const struct cover *c, struct slice filter)
{
	const struct wanted *w = wanted_find(c, filter);

	return w != NULL && w->state == DENIED;
}

/* A new connection may be allowed what the last one was not. */
static void
try_refused(struct cover *c)
{
	struct wanted *w;

	TAILQ_CONCAT(&c->denied, &c->apart, entry);
	while ((w = TAILQ_FIRST(&c->denied)) != NULL) {
		TAILQ_REMOVE(&c->denied, w, entry);
		if (w->state == APART)
			c->n--;
		w->state = PLACED;
		place(c, w);
	}
	settle(c);
}

bool
cover_is_loose(const struct cover *c)
{
	return !TAILQ_EMPTY(&c->loose);
}

void
cover_narrow(struct cover *c)
{
	struct subscription *s;

	while ((s = TAILQ_FIRST(&c->loose)) != NULL) {
		struct wanted_list left = TAILQ_HEAD_INITIALIZER(left);
		struct wanted *w;

		TAILQ_CONCAT(&left, &s->wanted, entry);
		displace(c, s);
		while ((w = TAILQ_FIRST(&left)) != NULL) {
			TAILQ_REMOVE(&left, w, entry);
			place(c, w);
		}
		settle(c);
	}
}

static void
list_join(struct cover *c, struct subscription_list *list)
{
	struct subscription *s;

	TAILQ_FOREACH(s, list, entry)
		s->handle = c->ops->join(c->arg, s->subject);
}

static void
list_leave(struct cover *c, struct subscription_list *list)
{
	struct subscription *s;

	TAILQ_FOREACH(s, list, entry) {
		c->ops->leave(c->arg, s->subject, s->handle, false);
		s->handle = NULL;
	}
}

void
cover_join_all(struct cover *c)
{
	list_join(c, &c->all);
	list_join(c, &c->loose);
	try_refused(c);
}

void
cover_leave_all(struct cover *c)
{
	struct wanted *w;

	list_leave(c, &c->all);
	list_leave(c, &c->loose);
	TAILQ_FOREACH(w, &c->apart, entry) {
		c->ops->leave(c->arg, w->filter, w->handle, false);
		w->handle = NULL;
	}
}

size_t
cover_count(const struct cover *c)
{
	return c->n;
}

void
cover_each_match(struct cover *c, struct slice subject,
    void (*fn)(void *arg, void *handle), void *arg)
{
	struct wanted *w;

	cover_tree_overlaps(&c->tree, subject);
	for (size_t i = 0; i < c->tree.n_found; i++)
		fn(arg, found_at(c, i)->handle);
	TAILQ_FOREACH(w, &c->apart, entry)
		if (subject_match(slice_str(w->filter), subject))
			fn(arg, w->handle);
}

void
cover_each(const struct cover *c, void (*fn)(void *arg, const char *subject),
    void *arg)
{
	struct subscription *s;
	struct wanted *w;

	TAILQ_FOREACH(w, &c->apart, entry)
		fn(arg, w->filter);
	TAILQ_FOREACH(s, &c->all, entry)
		fn(arg, s->subject);
	TAILQ_FOREACH(s, &c->loose, entry)
		fn(arg, s->subject);
}

static bool
wanted_free(struct hash_node *node, void *arg)
{
	struct hash *h = arg;

	hash_remove(h, node);
	free(container_of(node, struct wanted, node));
	return true;
}

static void
list_free(struct subscription_list *list)
{
	struct subscription *s;

	while ((s = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, s, entry);
		cover_tree_remove(&s->leaf);
		free(s);
	}
}

void
cover_free(struct cover **c)
{
	struct cover *dead = *c;
	struct reserved *r;

	if (dead == NULL)
		return;
	list_free(&dead->all);
	list_free(&dead->loose);
	hash_each(&dead->wanted, wanted_free, &dead->wanted);
	hash_fini(&dead->wanted);
	while ((r = TAILQ_FIRST(&dead->reserved)) != NULL) {
		TAILQ_REMOVE(&dead->reserved, r, entry);
		free(r);
	}
	cover_tree_fini(&dead->tree);
	free(dead);
	*c = NULL;
}
