/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turnover - subscriptions that others replace, while both bring messages.
 */
#include "config.h"

#include "nats/turnover.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/copies.h"
#include "nats/cover_tree.h"
#include "nats/intake.h"
#include "nats/link_fence.h"
#include "nats/receive.h"

/* How long a server may be between matching and sending. */
#define GRACE_MS     1000u
/* How long the copy of what an ended subscription has brought is awaited. */
#define AFTERMATH_MS 250u

enum stage {
	UNKNOWN, /* the server may not know those in its place yet */
	DOUBLE,  /* both bring messages */
	OVER,    /* it is ended */
	N_STAGES
};

struct leaving {
	TAILQ_ENTRY(leaving)
	entry;
	struct cover_leaf leaf;
	natsSubscription *subscription;
	enum stage stage;
	uint64_t fence;    /* UNKNOWN: it waits for that */
	uint64_t until_ms; /* DOUBLE, OVER */
	char subject[];
};
TAILQ_HEAD(leaving_list, leaving);

struct turnover {
	struct link *link;
	struct leaving_list stages[N_STAGES]; /* each in order of time */
	struct cover_tree tree;
	struct copies copies;
	struct timer timer;
	natsMsg *held; /* whose marker is on its way */
};

static void
move_to(struct turnover *t, struct leaving *s, enum stage stage,
    uint64_t until_ms)
{
	TAILQ_REMOVE(&t->stages[s->stage], s, entry);
	s->stage = stage;
	s->until_ms = until_ms;
	TAILQ_INSERT_TAIL(&t->stages[stage], s, entry);
}

/* What becomes of its subscription is the caller's care. */
static void
remove_leaving(struct turnover *t, struct leaving *s)
{
	cover_tree_remove(&s->leaf);
	TAILQ_REMOVE(&t->stages[s->stage], s, entry);
	free(s);
}

static void
destroy(struct turnover *t, struct leaving *s)
{
	natsSubscription_Destroy(s->subscription);
	remove_leaving(t, s);
}

static struct leaving *
found_at(const struct turnover *t, size_t i)
{
	return container_of(t->tree.found[i], struct leaving, leaf);
}

static struct leaving *
find(struct turnover *t, const char *subject)
{
	cover_tree_overlaps(&t->tree, slice_str(subject));
	for (size_t i = 0; i < t->tree.n_found; i++)
		if (strcmp(found_at(t, i)->subject, subject) == 0)
			return found_at(t, i);
	return NULL;
}

static bool
is_empty(const struct turnover *t)
{
	for (int i = 0; i < N_STAGES; i++)
		if (!TAILQ_EMPTY(&t->stages[i]))
			return false;
	return true;
}

/* --- time ---------------------------------------------------------------- */

static void
arm(struct turnover *t)
{
	const struct leaving *a = TAILQ_FIRST(&t->stages[DOUBLE]);
	const struct leaving *b = TAILQ_FIRST(&t->stages[OVER]);
	const struct leaving *next = a;

	if (a == NULL || (b != NULL && b->until_ms < a->until_ms))
		next = b;
	if (next != NULL)
		timer_arm(t->link->bus->wheel, &t->timer, next->until_ms);
}

static int
by_number(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* End those whose time has come. */
static void
end_due(struct turnover *t, uint64_t now)
{
	struct leaving *s;
	int64_t *ended = NULL;
	size_t n = 0, cap = 0;

	while ((s = TAILQ_FIRST(&t->stages[DOUBLE])) != NULL &&
	    s->until_ms <= now) {
		if (n == cap) {
			cap = cap > 0 ? 2 * cap : 16;
			ended = xrealloc(ended, cap * sizeof(*ended));
		}
		ended[n++] = turnover_number(s->subscription);
		(void)natsSubscription_Unsubscribe(s->subscription);
		move_to(t, s, OVER, now + AFTERMATH_MS);
	}
	if (n > 0) {
		qsort(ended, n, sizeof(*ended), by_number);
		copies_forget(&t->copies, ended, n);
	}
	free(ended);
}

static void
on_time(struct timer *timer, void *arg)
{
	struct turnover *t = container_of(timer, struct turnover, timer);
	struct link *l = t->link;
	uint64_t now = l->bus->now_ms;
	struct leaving *s;

	(void)arg;
	while (
	    (s = TAILQ_FIRST(&t->stages[OVER])) != NULL && s->until_ms <= now)
		destroy(t, s);
	end_due(t, now);
	link_touch(l);
	if (is_empty(t))
		turnover_free(l);
	else
		arm(t);
}

/* --- subscriptions ------------------------------------------------------- */

static struct turnover *
get(struct link *l)
{
	struct turnover *t = l->turnover;

	if (t != NULL)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->link = l;
	for (int i = 0; i < N_STAGES; i++)
		TAILQ_INIT(&t->stages[i]);
	cover_tree_init(&t->tree);
	copies_init(&t->copies);
	timer_init(&t->timer, on_time);
	l->turnover = t;
	return t;
}

void
turnover_add(struct link *l, const char *subject,
    natsSubscription *subscription, uint64_t fence)
{
	struct turnover *t = get(l);
	struct leaving *s = find(t, subject);
	size_t size = strlen(subject) + 1;

	/* An earlier one of the same subject brings nothing of its own. */
	if (s != NULL) {
		turnover_on_end(l, turnover_number(s->subscription));
		destroy(t, s);
	}
	s = xcalloc(1, sizeof(*s) + size);
	memcpy(s->subject, subject, size);
	s->subscription = subscription;
	s->fence = fence;
	TAILQ_INSERT_TAIL(&t->stages[UNKNOWN], s, entry);
	cover_tree_insert(&t->tree, &s->leaf, slice_str(s->subject));
}

natsSubscription *
turnover_take_back(struct link *l, const char *subject)
{
	struct turnover *t = l->turnover;
	natsSubscription *subscription;
	struct leaving *s;

	/* Where NATS refuses anything it may have refused this one. */
	if (t == NULL || l->was_denied)
		return NULL;
	s = find(t, subject);
	if (s == NULL || s->stage != DOUBLE)
		return NULL;
	subscription = s->subscription;
	remove_leaving(t, s);
	return subscription;
}

void
turnover_on_end(struct link *l, int64_t subscription)
{
	if (l->turnover != NULL)
		copies_forget(&l->turnover->copies, &subscription, 1);
}

void
turnover_on_fence(struct link *l, uint64_t fence)
{
	struct turnover *t = l->turnover;
	struct leaving *s;

	if (t == NULL)
		return;
	while (
	    (s = TAILQ_FIRST(&t->stages[UNKNOWN])) != NULL && s->fence <= fence)
		move_to(t, s, DOUBLE, l->bus->now_ms + GRACE_MS);
	arm(t);
}

void
turnover_free(struct link *l)
{
	struct turnover *t = l->turnover;
	struct leaving *s;

	if (t == NULL)
		return;
	for (int i = 0; i < N_STAGES; i++)
		while ((s = TAILQ_FIRST(&t->stages[i])) != NULL)
			destroy(t, s);
	timer_cancel(l->bus->wheel, &t->timer);
	if (t->held != NULL)
		intake_free(t->held);
	cover_tree_fini(&t->tree);
	copies_fini(&t->copies);
	free(t);
	l->turnover = NULL;
}

/* --- messages ------------------------------------------------------------ */

/* Is it one that several subscriptions may bring? Those are in t->tree. */
static bool
concerns(struct turnover *t, natsMsg *msg)
{
	const struct link *l = t->link;
	struct slice subject = slice_str(natsMsg_GetSubject(msg));

	/* Replies and fences have a subscription of their own. */
	if (subject.len == 0 ||
	    slice_starts(subject, slice_str(l->fence_subject)))
		return false;
	cover_tree_overlaps(&t->tree, subject);
	return t->tree.n_found > 0;
}

static uint64_t
content_of(natsMsg *msg)
{
	const char *reply = natsMsg_GetReply(msg);
	const uint64_t parts[] = {
		hash_key(slice_str(natsMsg_GetSubject(msg))),
		hash_key(slice_str(reply != NULL ? reply : "")),
		hash_key(slice_of(natsMsg_GetData(msg),
		    (size_t)natsMsg_GetDataLength(msg))),
	};

	return hash_key(slice_of(parts, sizeof(parts)));
}

bool
turnover_is_first(struct link *l, natsMsg *msg, int64_t subscription)
{
	struct turnover *t = l->turnover;

	return t == NULL || !concerns(t, msg) ||
	    copies_is_first(&t->copies, content_of(msg), subscription,
		clock_mono_ms());
}

bool
turnover_hold(struct link *l, natsMsg **msg)
{
	struct turnover *t = l->turnover;
	natsMsg *marker = NULL;

	if (t == NULL || !concerns(t, *msg) ||
	    natsMsg_Create(&marker, "_", NULL, NULL, 0) != NATS_OK)
		return false;
	t->held = *msg;
	*msg = marker;
	return true;
}

/* Is the marker here? `arg`: the number of where it was; 0: not found yet. */
static void
look_at(void *arg, void *handle)
{
	int64_t *found = arg;
	natsMsg *marker = NULL;

	if (*found != 0 || handle == NULL ||
	    natsSubscription_NextMsg(&marker, handle, 0) != NATS_OK)
		return;
	*found = turnover_number(handle);
	natsMsg_Destroy(marker);
}

/* The subscription that has brought what is held; 0: it ended meanwhile. */
static int64_t
find_marker(struct turnover *t, struct slice subject)
{
	int64_t found = 0;

	cover_tree_overlaps(&t->tree, subject);
	for (size_t i = 0; i < t->tree.n_found; i++)
		if (found_at(t, i)->stage != OVER)
			look_at(&found, found_at(t, i)->subscription);
	if (found == 0)
		cover_each_match(t->link->cover, subject, look_at, &found);
	return found;
}

void
turnover_settle(struct link *l)
{
	struct turnover *t = l->turnover;
	natsMsg *msg;
	int64_t by;

	if (t == NULL || t->held == NULL)
		return;
	msg = t->held;
	t->held = NULL;
	by = find_marker(t, slice_str(natsMsg_GetSubject(msg)));
	/* The turn's own time may be from before the loop slept. */
	if (!copies_is_first(&t->copies, content_of(msg), by,
		clock_mono_ms()) ||
	    receive_message(l, msg))
		intake_free(msg);
}
