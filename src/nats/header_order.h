/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header_order - User Properties keep their order, headers do not.
 *
 * cnats keeps the headers of a message in a hash: those of one name stay in
 * order, the names do not. So where User Properties are not sorted by name,
 * the header Mqtt-Order says their names, one after the other:
 *
 *   Mqtt-Order: unit place unit
 *
 * and whoever reads them without that header takes them sorted. Pure.
 */
#pragma once

#include <stddef.h>

#include "nats/header.h"

#define HEADER_ORDER "Mqtt-Order"

/* All headers of one name in a message from NATS; strings are borrowed. */
struct header_field {
	const char *name;
	const char **values;
	int n;    /* of values */
	int used; /* of them; 0 before */
};

/* header_read for every value, in their order; `fields` is reordered. */
void header_read_fields(struct header_reading *r, struct header_field *fields,
    size_t n);
