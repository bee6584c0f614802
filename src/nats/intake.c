/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake - how messages come from cnats.
 */
#include "config.h"

#include "nats/intake.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/receive.h"
#include "nats/turnover.h"

/* --- by cnats' delivery thread ------------------------------------------- */

/* A message on its way from cnats' delivery thread to ours. */
struct parcel {
	struct mail mail;
	uint32_t link;
	uint64_t share; /* 0: none */
	int64_t subscription;
	natsMsg *msg;
};

static void NATS_THREAD
on_parcel(struct mail *mail, void *owner)
{
	struct parcel *p = container_of(mail, struct parcel, mail);
	struct link *l = bus_find_link(owner, p->link);

	if (l != NULL && p->share != 0)
		receive_shared(l, p->msg, p->share);
	if (l == NULL || p->share != 0 ||
	    !turnover_is_first(l, p->msg, p->subscription) ||
	    receive_message(l, p->msg))
		natsMsg_Destroy(p->msg);
	free(p);
}

static void
send_parcel(const struct intake_gate *gate, natsSubscription *sub, natsMsg *msg)
{
	struct parcel *p = xcalloc(1, sizeof(*p));

	p->mail.handle = on_parcel;
	p->link = gate->link;
	p->share = gate->share;
	p->subscription = turnover_number(sub);
	p->msg = msg;
	mailbox_post(gate->mailbox, &p->mail);
}

static void
on_pooled(natsConnection *nc, natsSubscription *sub, natsMsg *msg,
    void *closure)
{
	(void)nc;
	send_parcel(closure, sub, msg);
}

static natsSubscription *
subscribe_pooled(struct link *l, const char *subject)
{
	natsSubscription *sub = NULL;

	if (natsConnection_Subscribe(&sub, l->nc, subject, on_pooled,
		l->gate) != NATS_OK)
		return NULL;
	return sub;
}

static struct intake_gate *
gate_new(struct bus *b, uint32_t link, uint64_t share)
{
	struct intake_gate *gate = xcalloc(1, sizeof(*gate));

	gate->mailbox = &b->mailbox;
	gate->link = link;
	gate->share = share;
	return gate;
}

static void
on_group_over(void *closure)
{
	free(closure);
}

/* cnats would drop what the NATS thread has no time for; reading stops then. */
static void
lift_limits(natsSubscription *sub)
{
	(void)natsSubscription_SetPendingLimits(sub, -1, -1);
}

natsSubscription *
intake_subscribe_group(struct link *l, const char *subject, const char *group,
    uint64_t share)
{
	struct intake_gate *gate = gate_new(l->bus, l->id, share);
	natsSubscription *sub = NULL;

	if (natsConnection_QueueSubscribe(&sub, l->nc, subject, group,
		on_pooled, gate) != NATS_OK) {
		free(gate);
		return NULL;
	}
	lift_limits(sub);
	if (natsSubscription_SetOnCompleteCB(sub, on_group_over, gate) !=
	    NATS_OK) {
		/* It stays until the end, like a link's. */
		gate->next = l->bus->gates;
		l->bus->gates = gate;
	}
	return sub;
}

static void
on_held(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
	(void)nc;
	(void)sub;
	(void)closure;
	natsMsg_Destroy(msg);
}

natsSubscription *
intake_hold(struct link *l, const char *subject)
{
	natsSubscription *sub = NULL;

	if (natsConnection_Subscribe(&sub, l->nc, subject, on_held, NULL) !=
	    NATS_OK)
		return NULL;
	lift_limits(sub);
	return sub;
}

/* --- in the event loop ---------------------------------------------------- */

#ifdef NATS_HOOK

/*
 * cnats exports these two, and its Debian package lists them among its
 * symbols, but nats.h does not declare them. configure looks for them.
 */
typedef void natsMsgFilter(natsConnection *nc, natsMsg **msg, void *closure);
void natsConn_setFilterWithClosure(natsConnection *nc, natsMsgFilter *filter,
    void *closure);
void natsMsg_free(void *msg);

static void
on_hooked(natsConnection *nc, natsMsg **msg, void *closure)
{
	(void)nc;
	thread_assert_nats();
	turnover_settle(closure);
	if (turnover_hold(closure, msg))
		return;
	if (receive_message(closure, *msg))
		natsMsg_free(*msg);
	*msg = NULL;
}

static void
hook(struct link *l, natsConnection *nc)
{
	natsConn_setFilterWithClosure(nc, on_hooked, l);
}

static natsSubscription *
subscribe_hooked(struct link *l, const char *subject)
{
	natsSubscription *sub = NULL;

	/* The filter takes every message; only markers of turnovers pass. */
	if (natsConnection_SubscribeSync(&sub, l->nc, subject) != NATS_OK)
		return NULL;
	return sub;
}

void
intake_free(natsMsg *msg)
{
	natsMsg_free(msg);
}

#else

static void
hook(struct link *l, natsConnection *nc)
{
	(void)l;
	(void)nc;
}

static natsSubscription *
subscribe_hooked(struct link *l, const char *subject)
{
	return subscribe_pooled(l, subject);
}

void
intake_free(natsMsg *msg)
{
	natsMsg_Destroy(msg);
}

#endif

/* The connection of a side tells its subscriptions apart. */
static bool
is_pooled(const struct link *l)
{
	return !INTAKE_BY_HOOK || l->main != NULL;
}

void
intake_start(struct link *l, natsConnection *nc)
{
	if (!is_pooled(l))
		hook(l, nc);
}

natsSubscription *
intake_subscribe(struct link *l, const char *subject)
{
	return is_pooled(l) ? subscribe_pooled(l, subject)
			    : subscribe_hooked(l, subject);
}

struct intake_gate *
intake_gate_new(struct link *l)
{
	struct intake_gate *gate;

	if (!is_pooled(l))
		return NULL;
	gate = gate_new(l->bus, l->id, 0);
	gate->next = l->bus->gates;
	l->bus->gates = gate;
	return gate;
}

void
intake_free_gates(struct bus *b)
{
	struct intake_gate *gate;

	while ((gate = b->gates) != NULL) {
		b->gates = gate->next;
		free(gate);
	}
}
