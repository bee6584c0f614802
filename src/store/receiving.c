/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiving - Packet Identifiers of a client's messages, ours to finish.
 *
 * An array in order of arrival: answers mostly come in that order, so a
 * search from the front ends at once.
 */
#include "store/receiving.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void
receiving_fini(struct receiving *r)
{
	free(r->items);
	memset(r, 0, sizeof(*r));
}

struct received *
receiving_find(const struct receiving *r, uint16_t packet_id)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->items[i].packet_id == packet_id)
			return &r->items[i];
	return NULL;
}

struct received *
receiving_add(struct receiving *r, uint16_t packet_id, uint8_t qos,
    uint64_t token)
{
	struct received *e;

	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 4 : r->cap * 2;
		r->items = xrealloc(r->items, r->cap * sizeof(*r->items));
	}
	e = &r->items[r->n++];
	r->n_waiting++;
	*e = (struct received){ .token = token,
		.packet_id = packet_id,
		.qos = qos,
		.state = RECEIVING_WAITING };
	return e;
}

/* v5 [MQTT-4.3.3-12] [MQTT-4.3.3-13] */
void
receiving_hold(struct receiving *r, struct received *e)
{
	assert(e->state == RECEIVING_WAITING);
	e->state = RECEIVING_HELD;
	e->token = 0;
	r->n_waiting--;
}

void
receiving_wait(struct receiving *r, struct received *e, uint64_t token)
{
	assert(e->state == RECEIVING_DELIVERED);
	e->state = RECEIVING_WAITING;
	e->token = token;
	r->n_waiting++;
}

void
receiving_restore(struct receiving *r, uint16_t packet_id, bool held)
{
	struct received *e = receiving_add(r, packet_id, 2, 0);

	receiving_hold(r, e);
	if (!held)
		e->state = RECEIVING_DELIVERED;
	e->is_earlier = true;
	r->n_earlier++;
}

void
receiving_remove(struct receiving *r, struct received *e)
{
	size_t i = (size_t)(e - r->items);

	if (e->state == RECEIVING_WAITING)
		r->n_waiting--;
	if (e->is_earlier)
		r->n_earlier--;
	memmove(e, e + 1, (r->n - i - 1) * sizeof(*e));
	if (--r->n == 0 && r->cap > 8)
		receiving_fini(r);
}

uint32_t
receiving_n_counted(const struct receiving *r)
{
	return r->n - r->n_earlier;
}

void
receiving_disconnect(struct receiving *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->n; i++) {
		if (r->items[i].qos == 2) {
			r->items[kept] = r->items[i];
			r->items[kept++].is_earlier = true;
		} else {
			r->n_waiting--;
		}
	}
	r->n = kept;
	r->n_earlier = kept;
	if (kept == 0)
		receiving_fini(r);
}
