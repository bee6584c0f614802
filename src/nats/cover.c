/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cover - the filters that are wanted -> few, disjoint NATS subscriptions.
 *
 * Subscriptions hang in a trie of tokens, so that those that overlap a new
 * filter are found by walking only where it leads. Each holds the list of the
 * wanted filters within it; a filter needs no pointer back, for looking it up
 * in the trie finds the one subscription that has it.
 *
 * A change is made in two steps: first the trie is changed, with new
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
#include "topic/subject.h"

/* A filter that somebody wants. */
struct wanted {
	struct hash_node node; /* in cover.wanted */
	TAILQ_ENTRY(wanted)
	entry;
	size_t refs;
	bool denied; /* in cover.denied, not in a subscription */
	size_t len;
	char filter[];
};
TAILQ_HEAD(wanted_list, wanted);

/* A subscription. */
struct subscription {
	TAILQ_ENTRY(subscription)
	entry;                /* in exactly one list of the cover */
	struct trie_node *at; /* NULL: not in the trie */
	void *handle;
	struct wanted_list wanted;
	bool joined; /* `join` was called and `leave` was not */
	bool loose;  /* in cover.loose: wanted filters have left it */
	size_t len;
	char subject[];
};
TAILQ_HEAD(subscription_list, subscription);

struct trie_node {
	struct hash_node node; /* in parent's children; a literal token */
	struct trie_node *parent;
	struct hash children;
	struct trie_node *star;    /* the child `*` */
	struct subscription *end;  /* the one whose last token this is */
	struct subscription *rest; /* the one that goes on with `>` */
	size_t len;
	char token[];
};

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
	const struct cover_ops *ops;
	void *arg;
	struct hash wanted;
	struct trie_node *root;
	struct subscription_list all;   /* in place, and joined */
	struct subscription_list loose; /* the same, to be narrowed */
	struct subscription_list fresh; /* in place, not joined yet */
	struct subscription_list stale; /* replaced, still joined */
	TAILQ_HEAD(, reserved) reserved;
	size_t n;
	/* What the last search has found. */
	struct subscription **found;
	size_t n_found;
	size_t found_cap;
};

static bool
wanted_matches(const struct hash_node *node, struct slice key)
{
	const struct wanted *w = container_of(node, const struct wanted, node);

	return slice_eq(slice_of(w->filter, w->len), key);
}

static bool
node_matches(const struct hash_node *node, struct slice key)
{
	const struct trie_node *n =
	    container_of(node, const struct trie_node, node);

	return slice_eq(slice_of(n->token, n->len), key);
}

static struct trie_node *
node_new(struct trie_node *parent, struct slice token)
{
	struct trie_node *n = xcalloc(1, sizeof(*n) + token.len + 1);

	n->parent = parent;
	hash_init(&n->children, node_matches);
	n->len = token.len;
	if (token.len > 0)
		memcpy(n->token, token.ptr, token.len);
	return n;
}

struct cover *
cover_new(const struct cover_ops *ops, void *arg)
{
	struct cover *c = xcalloc(1, sizeof(*c));

	c->ops = ops;
	c->arg = arg;
	hash_init(&c->wanted, wanted_matches);
	c->root = node_new(NULL, slice_of(NULL, 0));
	TAILQ_INIT(&c->denied);
	TAILQ_INIT(&c->all);
	TAILQ_INIT(&c->loose);
	TAILQ_INIT(&c->fresh);
	TAILQ_INIT(&c->stale);
	TAILQ_INIT(&c->reserved);
	return c;
}

/* The first token of *rest, which is cut off it. */
static struct slice
next_token(struct slice *rest)
{
	struct slice token = *rest;
	const uint8_t *dot =
	    token.len > 0 ? memchr(token.ptr, '.', token.len) : NULL;

	if (dot != NULL) {
		token.len = (size_t)(dot - token.ptr);
		*rest = slice_skip(*rest, token.len + 1);
	} else {
		*rest = slice_of(NULL, 0);
	}
	return token;
}

static bool
is_star(struct slice token)
{
	return token.len == 1 && token.ptr[0] == '*';
}

static bool
is_rest(struct slice token)
{
	return token.len == 1 && token.ptr[0] == '>';
}

/* --- the trie ----------------------------------------------------------- */

static struct trie_node *
child_of(const struct trie_node *n, struct slice token)
{
	struct hash_node *found;

	if (is_star(token))
		return n->star;
	if (n->children.n == 0)
		return NULL;
	found = hash_find(&n->children, token, hash_key(token));
	return found != NULL ? container_of(found, struct trie_node, node)
			     : NULL;
}

static struct trie_node *
child_made(struct trie_node *n, struct slice token)
{
	struct trie_node *child = child_of(n, token);

	if (child != NULL)
		return child;
	child = node_new(n, token);
	if (is_star(token))
		n->star = child;
	else
		hash_insert(&n->children, &child->node, hash_key(token));
	return child;
}

static void
trie_insert(struct cover *c, struct subscription *s)
{
	struct slice rest = slice_of(s->subject, s->len);
	struct trie_node *n = c->root;

	while (rest.len > 0) {
		struct slice token = next_token(&rest);

		if (is_rest(token)) {
			assert(n->rest == NULL);
			n->rest = s;
			s->at = n;
			return;
		}
		n = child_made(n, token);
	}
	assert(n->end == NULL);
	n->end = s;
	s->at = n;
}

static bool
node_is_bare(const struct trie_node *n)
{
	return n->end == NULL && n->rest == NULL && n->star == NULL &&
	    n->children.n == 0;
}

static void
trie_remove(struct subscription *s)
{
	struct trie_node *n = s->at;

	if (n->rest == s)
		n->rest = NULL;
	else
		n->end = NULL;
	s->at = NULL;
	while (n->parent != NULL && node_is_bare(n)) {
		struct trie_node *parent = n->parent;

		if (parent->star == n)
			parent->star = NULL;
		else
			hash_remove(&parent->children, &n->node);
		hash_fini(&n->children);
		free(n);
		n = parent;
	}
}

/* --- what overlaps ------------------------------------------------------ */

static void
found(struct cover *c, struct subscription *s)
{
	if (s == NULL)
		return;
	if (c->n_found == c->found_cap) {
		c->found_cap = c->found_cap > 0 ? 2 * c->found_cap : 16;
		c->found = xrealloc(c->found,
		    c->found_cap * sizeof(struct subscription *));
	}
	c->found[c->n_found++] = s;
}

static void find_below(struct cover *c, struct trie_node *n);
static void find_from(struct cover *c, struct trie_node *n, struct slice rest);

/* What a walk over all literal children carries. */
struct walk {
	struct cover *c;
	struct slice rest;
	bool everything;
};

static void
find_in(struct walk *w, struct trie_node *child)
{
	if (child == NULL)
		return;
	if (w->everything || w->rest.len == 0)
		found(w->c, child->end);
	if (w->everything)
		find_below(w->c, child);
	else if (w->rest.len > 0)
		find_from(w->c, child, w->rest);
}

static bool
find_in_child(struct hash_node *node, void *arg)
{
	find_in(arg, container_of(node, struct trie_node, node));
	return true;
}

/* All subscriptions that have at least one token behind `n`. */
static void
find_below(struct cover *c, struct trie_node *n)
{
	struct walk w = { .c = c, .everything = true };

	found(c, n->rest);
	find_in(&w, n->star);
	hash_each(&n->children, find_in_child, &w);
}

/* All that overlap the filter whose tokens from `n` on are `rest`. */
static void
find_from(struct cover *c, struct trie_node *n, struct slice rest)
{
	struct slice token = next_token(&rest);
	struct walk w = { .c = c, .rest = rest };

	if (is_rest(token)) {
		find_below(c, n);
		return;
	}
	found(c, n->rest);
	find_in(&w, n->star);
	if (is_star(token))
		hash_each(&n->children, find_in_child, &w);
	else
		find_in(&w, child_of(n, token));
}

static void
find_overlaps(struct cover *c, struct slice filter)
{
	c->n_found = 0;
	find_from(c, c->root, filter);
}

/* Does everything that `inner` matches match `outer`, too? */
static bool
is_within(struct slice inner, struct slice outer)
{
	while (inner.len > 0 && outer.len > 0) {
		struct slice in = next_token(&inner);
		struct slice out = next_token(&outer);

		if (is_rest(out))
			return true;
		if (is_rest(in) || (!is_star(out) && !slice_eq(in, out)))
			return false;
	}
	return inner.len == 0 && outer.len == 0;
}

/* The narrowest filter of one shape that has all of `a` and all of `b`. */
static void
join_filters(struct slice a, struct slice b, struct buf *out)
{
	buf_reset(out);
	while (a.len > 0 || b.len > 0) {
		struct slice ta = next_token(&a);
		struct slice tb = next_token(&b);

		if (buf_len(out) > 0)
			buf_append_byte(out, '.');
		if (ta.len == 0 || tb.len == 0 || is_rest(ta) || is_rest(tb)) {
			buf_append_byte(out, '>');
			return;
		}
		buf_append_slice(out, slice_eq(ta, tb) ? ta : SLICE("*"));
	}
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

/* `s` leaves its place; its list is given up, too. */
static void
displace(struct cover *c, struct subscription *s)
{
	trie_remove(s);
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
	find_overlaps(c, buf_slice(subject));
	while (c->n_found > 0) {
		s = c->found[0];
		if (c->n_found == 1 &&
		    is_within(buf_slice(subject), slice_of(s->subject, s->len)))
			break;
		for (size_t i = 0; i < c->n_found; i++) {
			struct buf *swap = subject;

			s = c->found[i];
			join_filters(buf_slice(subject),
			    slice_of(s->subject, s->len), next);
			subject = next;
			next = swap;
			loose |= s->loose;
			TAILQ_CONCAT(&within, &s->wanted, entry);
			displace(c, s);
		}
		find_overlaps(c, buf_slice(subject));
	}
	if (c->n_found == 1) {
		s = c->found[0];
	} else {
		s = subscription_new(buf_slice(subject));
		trie_insert(c, s);
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
	struct slice token = next_token(&rest);
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

/* Take it out of the subscription that it lies in. */
static void
unplace(struct cover *c, struct wanted *w)
{
	struct subscription *s;

	find_overlaps(c, slice_of(w->filter, w->len));
	assert(c->n_found == 1);
	s = c->found[0];
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
	if (w->denied)
		TAILQ_REMOVE(&c->denied, w, entry);
	else
		unplace(c, w);
	free(w);
}

void
cover_deny(struct cover *c, struct slice filter)
{
	struct wanted *w = wanted_find(c, filter);

	if (w == NULL || w->denied)
		return;
	unplace(c, w);
	w->denied = true;
	TAILQ_INSERT_TAIL(&c->denied, w, entry);
	cover_narrow(c);
}

/* A new connection may be allowed what the last one was not. */
static void
try_denied(struct cover *c)
{
	struct wanted *w;

	while ((w = TAILQ_FIRST(&c->denied)) != NULL) {
		TAILQ_REMOVE(&c->denied, w, entry);
		w->denied = false;
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
	try_denied(c);
}

void
cover_leave_all(struct cover *c)
{
	list_leave(c, &c->all);
	list_leave(c, &c->loose);
}

size_t
cover_count(const struct cover *c)
{
	return c->n;
}

void
cover_each(const struct cover *c, void (*fn)(void *arg, const char *subject),
    void *arg)
{
	struct subscription *s;

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
		trie_remove(s);
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
	hash_fini(&dead->root->children);
	free(dead->root);
	free(dead->found);
	free(dead);
	*c = NULL;
}
