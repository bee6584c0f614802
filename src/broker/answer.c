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

/* In `owed`: somebody has it for good; sessions that last are to have it. */
#define OWED_TAKEN 0x80000000u
#define OWED_LASTS 0x40000000u
#define OWED_COUNT 0x3fffffffu

static bool
wants_answer(const struct message *m)
{
	return m->reply_len > 0 && !m->is_request;
}

static void WORKER_THREAD
answer(struct home *h, struct message *m, uint32_t link, uint32_t owed)
{
	if (atomic_exchange(&m->answered, true))
		return;
	/* All others have posted theirs: a batch of ours is behind it. */
	promise_answer(h, m, link,
	    (owed & OWED_LASTS) != 0 ? promise_all(h) : 0);
}

void
answer_acknowledged(struct home *h, struct session *s, struct message *m)
{
	uint32_t owed;

	if (!wants_answer(m))
		return;
	owed = atomic_fetch_or(&m->owed, OWED_TAKEN);
	/* While others are to store it, the last of them answers. */
	if ((owed & OWED_COUNT) == 0)
		answer(h, m, s->link, owed);
}

void
answer_owe(struct message *m, unsigned n)
{
	if (n > 0 && wants_answer(m))
		atomic_fetch_add(&m->owed, OWED_LASTS + n);
}

void
answer_stored(struct home *h, struct message *m, uint32_t link, unsigned result)
{
	uint32_t owed;

	if (!wants_answer(m))
		return;
	if ((result & DELIVER_STORED) != 0)
		atomic_fetch_or(&m->owed, OWED_TAKEN);
	/* Another one will wait for a batch behind ours. */
	if ((atomic_load(&m->owed) & OWED_COUNT) > 1)
		promise_flush(h);
	owed = atomic_fetch_sub(&m->owed, 1) - 1;
	if (owed == (OWED_LASTS | OWED_TAKEN))
		answer(h, m, link, owed);
}
