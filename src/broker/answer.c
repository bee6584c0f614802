/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer - the one answer to a NATS message that has a reply subject.
 *
 * `owed` of the message counts the workers that are still to store it, and has
 * a bit that says that somebody has it for good: a client, or a session that
 * lasts. Whoever brings it to nothing but that bit answers.
 */
#include "broker/answer.h"

#include "broker/deliver.h"
#include "broker/home.h"
#include "broker/promise.h"
#include "store/session.h"

/* In `owed`: somebody has it for good. */
#define OWED_TAKEN 0x80000000u

static bool
wants_answer(const struct message *m)
{
	return m->reply_len > 0 && !m->is_request;
}

void
answer_acknowledged(struct home *h, struct session *s, struct message *m)
{
	struct bus_request r = { .type = BUS_ANSWER, .link = s->link };

	if (!wants_answer(m))
		return;
	/* While others are to store it, the last of them answers. */
	if ((atomic_fetch_or(&m->owed, OWED_TAKEN) & ~OWED_TAKEN) != 0 ||
	    atomic_exchange(&m->answered, true))
		return;
	r.message = message_ref(m);
	home_request(h, &r);
}

void
answer_owe(struct message *m, unsigned n)
{
	if (wants_answer(m))
		atomic_fetch_add(&m->owed, n);
}

void
answer_stored(struct home *h, struct message *m, uint32_t link, unsigned result)
{
	if (!wants_answer(m))
		return;
	if ((result & DELIVER_STORED) != 0)
		atomic_fetch_or(&m->owed, OWED_TAKEN);
	/* Another one will wait for a batch behind ours. */
	if ((atomic_load(&m->owed) & ~OWED_TAKEN) > 1)
		promise_flush(h);
	if (atomic_fetch_sub(&m->owed, 1) - 1 == OWED_TAKEN &&
	    !atomic_exchange(&m->answered, true))
		promise_answer(h, m, link, promise_all(h));
}
