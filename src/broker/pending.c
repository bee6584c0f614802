/* SPDX-License-Identifier: Apache-2.0 */
/* pending - what a worker waits for. */
#include "broker/pending.h"

void
pending_add(struct home *h, struct pending *p)
{
	p->token = slots_add(&h->pending, p);
}

struct pending *
pending_find(struct home *h, uint64_t token)
{
	return slots_get(&h->pending, token);
}

void
pending_remove(struct home *h, struct pending *p)
{
	slots_remove(&h->pending, p->token);
	p->token = 0;
}
