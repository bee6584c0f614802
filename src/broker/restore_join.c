/* SPDX-License-Identifier: Apache-2.0 */
/* restore_join - NATS is asked for what the sessions want that came back. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/home.h"
#include "broker/life.h"
#include "broker/pending.h"
#include "broker/restore.h"

struct pending_restore {
	struct pending p;
	unsigned waiting; /* answers of the bus */
};

struct join_mail {
	struct mail mail;
};

struct joining {
	struct home *home;
	struct pending_restore *pending;
};

static void WORKER_THREAD
join_session(void *thing, void *arg)
{
	struct session *s = thing;
	struct joining *j = arg;
	struct subscription *sub;

	LIST_FOREACH(sub, &s->subscriptions, entry)
		j->pending->waiting +=
		    life_join_nats(j->home, s, sub, j->pending->p.token);
}

static void WORKER_THREAD
end_joining(struct home *h, struct pending_restore *r)
{
	if (r->waiting > 0)
		return;
	pending_remove(h, &r->p);
	free(r);
	atomic_fetch_sub(&h->broker->n_joining, 1);
}

static void WORKER_THREAD
on_join(struct mail *mail, void *owner)
{
	struct joining j = { .home = owner };

	free(container_of(mail, struct join_mail, mail));
	j.pending = xcalloc(1, sizeof(*j.pending));
	j.pending->p.kind = PENDING_RESTORE;
	pending_add(j.home, &j.pending->p);
	slots_each(&j.home->sessions, join_session, &j);
	end_joining(j.home, j.pending);
}

void
restore_settled(struct home *h, struct pending *p)
{
	struct pending_restore *r = container_of(p, struct pending_restore, p);

	r->waiting--;
	end_joining(h, r);
}

void
restore_free_pending(struct pending *p)
{
	free(container_of(p, struct pending_restore, p));
}

void
restore_join_nats(struct broker *b)
{
	for (unsigned i = 0; i < b->options->n_workers; i++) {
		struct join_mail *m = xcalloc(1, sizeof(*m));

		m->mail.handle = on_join;
		atomic_fetch_add(&b->n_joining, 1);
		mailbox_post(&b->homes[i]->mailbox, &m->mail);
	}
}

bool
restore_is_joined(struct broker *b)
{
	return atomic_load(&b->n_joining) == 0;
}
