/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_denial - what NATS does not permit the user of a link.
 */
#include "config.h"

#include "nats/link_denial.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/device.h"
#include "nats/link_fence.h"
#include "nats/link_subscription.h"
#include "nats/publish.h"

/* So much of a text cnats keeps in the connection, and so do we. */
#define TEXT_LEN     255u
/* What is read in the same moment is heard within so long, and much less. */
#define GRACE_MS     25u
/* Should a text never be heard, fences are believed after so many. */
#define GRACE_ROUNDS 40u

struct owner_search {
	const natsConnection *nc;
	struct link *found;
};

static bool
has_connection(struct hash_node *node, void *arg)
{
	struct link *l = container_of(node, struct link, by_id);
	struct owner_search *search = arg;

	if (l->nc == search->nc)
		search->found = l;
	return search->found == NULL;
}

/* What stands in quotes behind `what`; false: it is about something else. */
static bool
is_about(const char *text, const char *what, struct slice *subject)
{
	const char *quote = strstr(text, what);

	if (quote == NULL)
		return false;
	quote += strlen(what);
	*subject = slice_of(quote, strcspn(quote, "\""));
	return true;
}

static void
on_inbox_denied(struct link *l)
{
	if (!l->inbox_denied && l->device != NULL)
		log_info("NATS user \"%s\" may not subscribe to \"%s>\": it "
			 "does not learn when nobody is there",
		    device_name(l->device), l->inbox);
	l->inbox_denied = true;
	link_fence_by_ping(l);
}

/* Has cnats read more than has come here? */
static bool
is_unheard(const struct link *l)
{
	const char *text = NULL;

	return natsConnection_GetLastError(l->nc, &text) ==
	    NATS_NOT_PERMITTED &&
	    text != NULL &&
	    (l->denial == NULL || strncmp(text, l->denial, TEXT_LEN) != 0);
}

/*
 * The same words may come again, which is_unheard does not see. Words that
 * have come since the fence was sent are in the order of the server's.
 */
static bool
is_doubtful(const struct link *l)
{
	return is_unheard(l) || (l->was_denied && !l->heard_denial);
}

static void
arm_late(struct link *l)
{
	timer_arm(l->bus->wheel, &l->late, l->bus->now_ms + GRACE_MS);
}

bool
link_denial_defers(struct link *l, uint64_t fence)
{
	if (!is_doubtful(l))
		return false;
	if (!timer_is_armed(&l->late)) {
		l->late_fence = fence;
		l->late_rounds = 0;
		arm_late(l);
	}
	return true;
}

static void NATS_THREAD
settle_late(struct link *l)
{
	uint64_t fence = l->late_fence;

	link_settle_fence(l, fence);
	/* Those that were answered meanwhile. */
	fence = l->fences_answered;
	if (fence > l->late_fence && !link_denial_defers(l, fence))
		link_settle_fence(l, fence);
}

static void NATS_THREAD
on_late(struct timer *t, void *arg)
{
	struct link *l = container_of(t, struct link, late);

	(void)arg;
	if (is_unheard(l) && ++l->late_rounds < GRACE_ROUNDS)
		arm_late(l);
	else
		settle_late(l);
}

/* What was heard may end the doubt. */
static void NATS_THREAD
look_again(struct link *l)
{
	if (!timer_is_armed(&l->late) || is_doubtful(l))
		return;
	timer_cancel(l->bus->wheel, &l->late);
	settle_late(l);
}

static void
on_subscription_denied(struct link *l, struct slice subject)
{
	l->was_denied = true;
	link_subscription_denied(l, subject);
}

static void NATS_THREAD
on_publish_denied(struct link *l, struct slice subject, const char *text)
{
	l->was_denied = true;
	publish_on_denied(l, subject, text);
}

void
link_on_denied(struct bus *b, const natsConnection *nc, const char *text)
{
	struct owner_search search = { .nc = nc };
	struct link *l;
	struct slice subject;

	hash_each(&b->links, has_connection, &search);
	l = search.found;
	if (l == NULL)
		return;
	free(l->denial);
	l->denial = xstrdup(text);
	l->heard_denial = true;
	if (is_about(text, "ubscription to \"", &subject)) {
		if (slice_starts(subject, slice_of(l->inbox, l->inbox_len)))
			on_inbox_denied(l);
		else
			on_subscription_denied(l, subject);
	} else if (is_about(text, "ublish to \"", &subject)) {
		if (slice_eq(subject, slice_str(l->fence_subject)))
			link_fence_by_ping(l);
		else
			on_publish_denied(l, subject, text);
	}
	look_again(l);
}

void
link_denial_init(struct link *l)
{
	timer_init(&l->late, on_late);
}

void
link_denial_reset(struct link *l)
{
	timer_cancel(l->bus->wheel, &l->late);
	free(l->denial);
	l->denial = NULL;
	l->was_denied = false;
	l->heard_denial = false;
}
