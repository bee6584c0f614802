/* SPDX-License-Identifier: Apache-2.0 */
/* outgoing - a ring of messages that grows by doubling and frees itself. */
#include "store/outgoing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define CAP_MIN  4u
#define KEEP_MAX 8u

void
outgoing_fini(struct outgoing *o)
{
	if (o->message != NULL)
		message_unref(&o->message);
	free(o->more_ids);
	o->more_ids = NULL;
}

struct outgoing *
outbox_at(const struct outbox *box, uint32_t i)
{
	assert(i < box->n);
	return &box->items[(box->head + i) & (box->cap - 1)];
}

void
outbox_fini(struct outbox *box)
{
	for (uint32_t i = 0; i < box->n; i++)
		outgoing_fini(outbox_at(box, i));
	free(box->items);
	memset(box, 0, sizeof(*box));
}

static void
grow(struct outbox *box)
{
	uint32_t cap = box->cap == 0 ? CAP_MIN : box->cap * 2;
	struct outgoing *items = xmalloc(cap * sizeof(*items));

	for (uint32_t i = 0; i < box->n; i++)
		items[i] = *outbox_at(box, i);
	free(box->items);
	box->items = items;
	box->cap = cap;
	box->head = 0;
}

struct outgoing *
outbox_push(struct outbox *box, const struct outgoing *o)
{
	struct outgoing *slot;

	if (box->n == box->cap)
		grow(box);
	slot = &box->items[(box->head + box->n) & (box->cap - 1)];
	*slot = *o;
	box->n++;
	return slot;
}

struct outgoing *
outbox_push_first(struct outbox *box, const struct outgoing *o)
{
	if (box->n == box->cap)
		grow(box);
	box->head = (box->head - 1) & (box->cap - 1);
	box->items[box->head] = *o;
	box->n++;
	return &box->items[box->head];
}

bool
outbox_pop(struct outbox *box, struct outgoing *out)
{
	if (box->n == 0)
		return false;
	*out = *outbox_at(box, 0);
	box->head = (box->head + 1) & (box->cap - 1);
	if (--box->n == 0) {
		/* Keep a small ring: a busy session needs it again at once. */
		box->head = 0;
		if (box->cap > KEEP_MAX) {
			free(box->items);
			box->items = NULL;
			box->cap = 0;
		}
	}
	return true;
}
