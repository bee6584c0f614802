/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header_order - User Properties keep their order, headers do not.
 */
#include "nats/header_order.h"

#include <stdlib.h>
#include <string.h>

static int
by_name(const void *a, const void *b)
{
	const struct header_field *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct header_field *
find(struct header_field *fields, size_t n, const char *name)
{
	const struct header_field key = { .name = name };

	return bsearch(&key, fields, n, sizeof(key), by_name);
}

static void
read_next(struct header_reading *r, struct header_field *f)
{
	const char *value = f->values[f->used++];

	if (value != NULL)
		header_read(r, f->name, value);
}

/* What the order names; it may name what is not there. */
static void
read_in_order(struct header_reading *r, struct header_field *fields, size_t n,
    const char *order)
{
	struct buf name = { 0 };

	while (*order != '\0') {
		size_t len = strcspn(order, " ");
		struct header_field *f;

		buf_reset(&name);
		buf_append(&name, order, len);
		buf_append_byte(&name, '\0');
		f = find(fields, n, (const char *)buf_ptr(&name));
		if (f != NULL && f->used < f->n)
			read_next(r, f);
		order += len + (order[len] == ' ');
	}
	buf_fini(&name);
}

void
header_read_fields(struct header_reading *r, struct header_field *fields,
    size_t n)
{
	const struct header_field *order;

	if (n == 0)
		return;
	qsort(fields, n, sizeof(*fields), by_name);
	order = find(fields, n, HEADER_ORDER);
	if (order != NULL && order->n > 0 && order->values[0] != NULL)
		read_in_order(r, fields, n, order->values[0]);
	for (size_t i = 0; i < n; i++)
		while (fields[i].used < fields[i].n)
			read_next(r, &fields[i]);
}
