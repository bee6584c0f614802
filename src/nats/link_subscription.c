/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_subscription - what a link is subscribed to.
 */
#include "config.h"

#include "nats/link_subscription.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/intake.h"
#include "nats/link_fence.h"
#include "nats/side.h"
#include "nats/turnover.h"

/* How long a cover may stay wider than it needs to be. */
#define NARROW_AFTER_MS 2000u

/* A BUS_SUBSCRIBED that waits for a fence. */
struct subscribed {
	STAILQ_ENTRY(subscribed) entry;
	uint64_t fence;
	uint64_t token;
	unsigned worker;
	char subject[];
};

/* --- the cover's subscriptions ------------------------------------------ */

static void
count_subscriptions(struct link *l, int change)
{
	atomic_fetch_add(&l->bus->stats.subscriptions, (unsigned)change);
}

static void *
join(void *arg, const char *subject)
{
	struct link *l = arg;
	natsSubscription *sub;

	if (l->nc == NULL)
		return NULL;
	sub = turnover_take_back(l, subject);
	if (sub == NULL)
		sub = intake_subscribe(l, subject);
	if (sub != NULL)
		count_subscriptions(l, 1);
	return sub;
}

/*
 * One that was replaced stays for a while: what the server has matched with
 * it alone may still come.
 */
static void
leave(void *arg, const char *subject, void *handle, bool replaced)
{
	struct link *l = arg;

	if (handle == NULL)
		return;
	count_subscriptions(l, -1);
	if (replaced) {
		turnover_add(l, subject, handle, link_want_fence(l));
		return;
	}
	turnover_on_end(l, turnover_number(handle));
	/* Harmless when the connection is closed. */
	(void)natsSubscription_Unsubscribe(handle);
	natsSubscription_Destroy(handle);
}

static const struct cover_ops COVER_OPS = { .join = join, .leave = leave };

static void
on_narrow(struct timer *t, void *arg)
{
	struct link *l = container_of(t, struct link, narrow);

	(void)arg;
	cover_narrow(l->cover);
	link_touch(l);
}

/* --- what devices want --------------------------------------------------- */

static bool
is_denied(const struct link *l, struct slice subject)
{
	return l->main != NULL ? side_is_denied(l, subject)
			       : cover_is_denied(l->cover, subject);
}

static void NATS_THREAD
answer_subscribed(struct link *l, uint64_t fence)
{
	struct subscribed *s;

	while (
	    (s = STAILQ_FIRST(&l->subscribed)) != NULL && s->fence <= fence) {
		struct bus_event e = {
			.type = BUS_SUBSCRIBED,
			.result = BUS_OK,
			.link = l->id,
			.token = s->token,
		};

		if (is_denied(l, slice_str(s->subject)))
			e.result = BUS_DENIED;
		STAILQ_REMOVE_HEAD(&l->subscribed, entry);
		bus_post(l->bus, s->worker, &e);
		free(s);
	}
}

static bool
subscription_fits(const struct link *l, struct slice subject)
{
	return subject_valid(subject, true) &&
	    subject.len <= l->bus->options->max_control_line;
}

void
link_answer_subscribed(struct link *l, unsigned worker, uint64_t token,
    struct slice subject)
{
	struct subscribed *s = xcalloc(1, sizeof(*s) + subject.len + 1);

	memcpy(s->subject, subject.ptr, subject.len);
	s->worker = worker;
	s->token = token;
	if (l->nc != NULL)
		s->fence = link_want_fence(l);
	else if (l->main != NULL && l->state == LINK_CONNECTING)
		s->fence = l->fences_sent + 1; /* of its connection */
	STAILQ_INSERT_TAIL(&l->subscribed, s, entry);
	if (s->fence == 0)
		answer_subscribed(l, 0);
}

/* May a push consumer deliver there? */
static bool
is_held(const struct link *l, struct slice subject)
{
	const char *const *row = l->bus->options->push_subjects;

	if (row == NULL || !subject_valid(subject, false))
		return false;
	for (; *row != NULL; row++)
		if (subject_match(slice_str(*row), subject))
			return true;
	return false;
}

void
link_subscribe(struct link *l, unsigned worker, uint64_t token,
    struct slice subject)
{
	if (!subscription_fits(l, subject)) {
		atomic_fetch_add(&l->bus->stats.unsendable, 1);
	} else {
		cover_add(l->cover, subject);
		if (is_held(l, subject))
			side_hold(l, subject);
	}
	link_answer_subscribed(l, worker, token, subject);
}

void
link_unsubscribe(struct link *l, struct slice subject)
{
	if (!subscription_fits(l, subject))
		return;
	cover_drop(l->cover, subject);
	if (is_held(l, subject))
		side_let_go(l, subject);
	if (cover_is_loose(l->cover) && !timer_is_armed(&l->narrow))
		timer_arm(l->bus->wheel, &l->narrow,
		    l->bus->now_ms + NARROW_AFTER_MS);
	link_touch(l);
}

/* --- what NATS refuses --------------------------------------------------- */

void
link_subscription_denied(struct link *l, struct slice subject)
{
	struct subscribed *s;

	if (l->main != NULL)
		side_denied(l, subject);
	else
		cover_deny(l->cover, subject);
	/* What was subscribed in its place may be refused, too. */
	STAILQ_FOREACH(s, &l->subscribed, entry)
		s->fence = link_want_fence(l);
}

/* --- the connection ------------------------------------------------------ */

void
link_subscriptions_on_fence(struct link *l, uint64_t fence)
{
	answer_subscribed(l, fence);
	turnover_on_fence(l, fence);
}

void
link_subscriptions_open(struct link *l)
{
	cover_join_all(l->cover);
	if (l->main != NULL)
		side_on_open(l);
}

void
link_subscriptions_close(struct link *l)
{
	cover_leave_all(l->cover);
	if (l->main != NULL)
		side_on_close(l);
	turnover_free(l);
}

void
link_subscriptions_down(struct link *l)
{
	answer_subscribed(l, UINT64_MAX);
}

/* --- life ---------------------------------------------------------------- */

void
link_subscriptions_init(struct link *l)
{
	STAILQ_INIT(&l->subscribed);
	l->cover = cover_new(&COVER_OPS, l);
	timer_init(&l->narrow, on_narrow);
}

void
link_subscriptions_fini(struct link *l)
{
	struct subscribed *s;

	while ((s = STAILQ_FIRST(&l->subscribed)) != NULL) {
		STAILQ_REMOVE_HEAD(&l->subscribed, entry);
		free(s);
	}
	timer_cancel(l->bus->wheel, &l->narrow);
	cover_free(&l->cover);
}
