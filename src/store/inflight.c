/* SPDX-License-Identifier: Apache-2.0 */
/* inflight - QoS 1 and 2 messages a client has not finished with. */
#include "store/inflight.h"

#include <assert.h>

/* Holes that may lie between the messages before they are closed. */
#define HOLES_MAX 64u

void
inflight_fini(struct inflight *f)
{
	outbox_fini(&f->box);
	f->n = 0;
}

static uint16_t
next_id(uint16_t id)
{
	return id == UINT16_MAX ? 1 : (uint16_t)(id + 1);
}

/* A hole may have the identifier of a later message. */
static bool
is_it(const struct outgoing *o, uint16_t packet_id)
{
	return o->packet_id == packet_id && o->state != OUTGOING_DONE;
}

/* How far an identifier is from the oldest; 0 is left out when they wrap. */
static uint32_t
distance(const struct inflight *f, uint16_t packet_id)
{
	uint16_t first = outbox_at(&f->box, 0)->packet_id;

	return (uint32_t)(uint16_t)(packet_id - first) - (packet_id < first);
}

/* Does every identifier from the first to the last stand in the box, once? */
static bool
is_gapless(const struct inflight *f)
{
	uint16_t last = outbox_at(&f->box, f->box.n - 1)->packet_id;

	return !f->is_mixed && distance(f, last) == f->box.n - 1;
}

struct outgoing *
inflight_find(const struct inflight *f, uint16_t packet_id)
{
	uint32_t guess;

	if (f->n == 0 || packet_id == 0)
		return NULL;
	/* Identifiers follow each other. */
	guess = distance(f, packet_id);
	if (guess < f->box.n && is_it(outbox_at(&f->box, guess), packet_id))
		return outbox_at(&f->box, guess);
	if (guess >= f->box.n && is_gapless(f))
		return NULL; /* as for every new identifier */
	/* Not there: holes were closed, or one in use was left out after they
	 * wrapped. */
	for (uint32_t i = 0; i < f->box.n; i++)
		if (is_it(outbox_at(&f->box, i), packet_id))
			return outbox_at(&f->box, i);
	return NULL;
}

static struct outgoing *
push(struct inflight *f, const struct outgoing *o, uint16_t id)
{
	struct outgoing *slot;

	/* Once round, behind an old one that stays? */
	f->is_mixed = f->box.n > 0 &&
	    (f->is_mixed ||
		distance(f, id) <=
		    distance(f, outbox_at(&f->box, f->box.n - 1)->packet_id));
	slot = outbox_push(&f->box, o);
	slot->packet_id = id;
	return slot;
}

struct outgoing *
inflight_add(struct inflight *f, const struct outgoing *o)
{
	struct outgoing *slot;
	uint16_t id = next_id(f->last_id);

	assert(f->n < UINT16_MAX);
	/* v3.1.1 [MQTT-2.3.1-4], v5 [MQTT-2.2.1-4] */
	while (inflight_find(f, id) != NULL)
		id = next_id(id);
	slot = push(f, o, id);
	slot->state = OUTGOING_SENT;
	f->last_id = id;
	f->n++;
	return slot;
}

void
inflight_restore(struct inflight *f, const struct outgoing *o)
{
	assert(inflight_find(f, o->packet_id) == NULL);
	(void)push(f, o, o->packet_id);
	f->last_id = o->packet_id;
	f->n++;
	f->n_again += o->state == OUTGOING_AGAIN;
}

static void
leave_state(struct inflight *f, struct outgoing *o, enum outgoing_state next)
{
	if (o->state == OUTGOING_AGAIN)
		f->n_again--;
	o->state = (uint8_t)next;
}

/* Behind a message that stays, the others would leave holes without end. */
static void
close_holes(struct inflight *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->box.n; i++)
		if (outbox_at(&f->box, i)->state != OUTGOING_DONE)
			*outbox_at(&f->box, n++) = *outbox_at(&f->box, i);
	f->box.n = n;
}

void
inflight_done(struct inflight *f, struct outgoing *o)
{
	struct outgoing gone;

	assert(o->state != OUTGOING_DONE);
	leave_state(f, o, OUTGOING_DONE);
	outgoing_fini(o);
	f->n--;
	while (f->box.n > 0 && outbox_at(&f->box, 0)->state == OUTGOING_DONE)
		(void)outbox_pop(&f->box, &gone);
	if (f->box.n > 2u * f->n + HOLES_MAX)
		close_holes(f);
}

void
inflight_release(struct inflight *f, struct outgoing *o)
{
	leave_state(f, o, OUTGOING_RELEASED);
}

void
inflight_reconnect(struct inflight *f)
{
	for (uint32_t i = 0; i < f->box.n; i++) {
		struct outgoing *o = outbox_at(&f->box, i);

		if (o->state != OUTGOING_SENT)
			continue;
		o->state = OUTGOING_AGAIN;
		f->n_again++;
	}
}

struct outgoing *
inflight_next_again(const struct inflight *f)
{
	/* They are repeated in their order, so not many stand before it. */
	for (uint32_t i = 0; f->n_again > 0; i++)
		if (outbox_at(&f->box, i)->state == OUTGOING_AGAIN)
			return outbox_at(&f->box, i);
	return NULL;
}

void
inflight_sent_again(struct inflight *f, struct outgoing *o)
{
	leave_state(f, o, OUTGOING_SENT);
}

void
inflight_each(const struct inflight *f,
    void (*fn)(struct outgoing *o, void *arg), void *arg)
{
	for (uint32_t i = 0; i < f->box.n; i++) {
		struct outgoing *o = outbox_at(&f->box, i);

		if (o->state != OUTGOING_DONE)
			fn(o, arg);
	}
}
