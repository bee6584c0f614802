/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cover - the filters that are wanted -> few, disjoint NATS subscriptions.
 *
 *   wanted           a.b (2x)   a.c   x.*.y   x.1.*
 *                       |        |       \     /
 *   subscriptions      a.b      a.c       x.*.*
 *
 * No two subscriptions overlap and each wanted filter lies within exactly
 * one of them, so that every message that is wanted comes once. A filter that
 * overlaps others takes their place together with them: equal tokens stay,
 * different ones become `*`, different lengths `>`.
 *
 * Only what NATS refuses breaks that, see cover_deny.
 *
 * A subscription that nobody needs ends at once. One that has become wider
 * than what is left of its filters is narrowed by cover_narrow only, which
 * its owner calls after a while, so that devices that come and go do not make
 * the subscriptions flap. Pure but for its two callbacks; one owner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/slice.h"

struct cover;

struct cover_ops {
	/*
	 * Subscribe; what it returns comes back in `leave`. New subscriptions
	 * are always made before those that they replace end.
	 */
	void *(*join)(void *arg, const char *subject);
	/*
	 * `replaced`: others bring what it brought, and messages that the
	 * server sent before it knew of them may still be on their way.
	 */
	void (*leave)(void *arg, const char *subject, void *handle,
	    bool replaced);
};

struct cover *cover_new(const struct cover_ops *ops, void *arg);
/* No callback is called. */
void cover_free(struct cover **c);

/*
 * One more wants `filter`, a valid NATS subscription. Returns whether
 * subscriptions have changed.
 */
bool cover_add(struct cover *c, struct slice filter);
/* One less wants it; that there was one is the caller's promise. */
void cover_drop(struct cover *c, struct slice filter);
/*
 * NATS has refused a subscription to exactly this. A filter that somebody
 * wants is left out, and what lies within it gets subscriptions of its own. A
 * subscription that was made up for filters that overlap is taken apart: each
 * has its own then, and what several of them match comes several times. All
 * is tried again by cover_join_all. Harmless when there is none.
 */
void cover_deny(struct cover *c, struct slice filter);
/* Is this filter wanted, and left out? */
bool cover_is_denied(const struct cover *c, struct slice filter);
/* Is anything wider than it needs to be? */
bool cover_is_loose(const struct cover *c);
/* Make it as narrow as adding what is wanted afresh would. */
void cover_narrow(struct cover *c);

/* Call `join` for every subscription again: there is a new connection. */
void cover_join_all(struct cover *c);
/* Call `leave` for every subscription, whose handle is then NULL. */
void cover_leave_all(struct cover *c);

/* How many subscriptions there are. */
size_t cover_count(const struct cover *c);
/*
 * Does some wanted filter begin with exactly this token? Only for tokens of
 * reserved subjects, see subject_is_reserved; those are counted apart.
 */
bool cover_wants_reserved(const struct cover *c, struct slice token);
/* Call `fn` with the handle of every one that matches this subject. */
void cover_each_match(struct cover *c, struct slice subject,
    void (*fn)(void *arg, void *handle), void *arg);
/* Call `fn` for every subscription, in no order. */
void cover_each(const struct cover *c,
    void (*fn)(void *arg, const char *subject), void *arg);
