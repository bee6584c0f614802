/* SPDX-License-Identifier: Apache-2.0 */
/* batch - changes to the store that come into force together. */
#include "store/batch.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct batch *
batch_new(void)
{
	struct batch *b = xcalloc(1, sizeof(*b));

	b->cost = sizeof(*b);
	return b;
}

void
batch_free(struct batch **bp)
{
	struct batch *b = *bp;

	*bp = NULL;
	for (size_t i = 0; i < b->n; i++)
		message_unref(&b->ops[i].message);
	free(b->ops);
	buf_fini(&b->values);
	free(b);
}

static size_t
values_taken(const struct batch *b)
{
	const struct batch_op *last = b->n > 0 ? &b->ops[b->n - 1] : NULL;

	return last != NULL ? (size_t)last->at + last->len : 0;
}

static void
grow(struct batch *b)
{
	b->cap = b->cap == 0 ? 4 : b->cap * 2;
	b->ops = xrealloc(b->ops, b->cap * sizeof(*b->ops));
}

void
batch_add(struct batch *b, enum batch_verb verb, enum record_table table,
    struct record_key key, struct message *m)
{
	size_t at = values_taken(b);
	size_t len = buf_len(&b->values) - at;

	if (b->n == b->cap)
		grow(b);
	b->ops[b->n++] = (struct batch_op){ .verb = (uint8_t)verb,
		.table = (uint8_t)table,
		.key = key,
		.at = (uint32_t)at,
		.len = (uint32_t)len,
		.message = m != NULL ? message_ref(m) : NULL };
	b->closes |= verb == BATCH_CLOSE;
	b->cost += sizeof(struct batch_op) + len;
	if (m != NULL && verb == BATCH_PUT)
		b->cost += message_size(m);
}

void
batch_move(struct batch *from, size_t i, struct batch *to)
{
	struct batch_op *op = &from->ops[i];

	buf_append_slice(&to->values, batch_value(from, op));
	batch_add(to, op->verb, op->table, op->key, op->message);
	message_unref(&op->message);
	from->n--;
	memmove(op, op + 1, (from->n - i) * sizeof(*op));
}

struct slice
batch_value(const struct batch *b, const struct batch_op *op)
{
	return slice_of(buf_ptr(&b->values) + op->at, op->len);
}
