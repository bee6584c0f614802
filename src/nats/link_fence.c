/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_fence - how a link learns what the NATS server has handled.
 */
#include "config.h"

#include "nats/link_fence.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "nats/bus_thread.h"

/* How long the flusher may be at one link while others wait for it. */
#define FLUSH_TIMEOUT_MS 1000

/* Waiting for a PONG, in the flusher's thread. */
struct flush_job {
	struct helper_job job;
	struct link *link; /* NULL: nobody waits any more */
	natsConnection *nc;
	/* What a lost link leaves to us, as we still use nc. */
	struct link_adapter *adapter;
	uint64_t fence;
	natsStatus status;
};

/* --- by PING ------------------------------------------------------------ */

static void
run_flush(struct helper_job *job)
{
	struct flush_job *f = container_of(job, struct flush_job, job);

	f->status = natsConnection_FlushTimeout(f->nc, FLUSH_TIMEOUT_MS);
}

static void
flush_job_free(struct flush_job *f)
{
	/* Only a link that is gone leaves these behind. */
	if (f->adapter != NULL) {
		natsConnection_Destroy(f->nc);
		link_adapter_free(&f->adapter);
	}
	free(f);
}

static void NATS_THREAD
on_flushed(struct mail *mail, void *owner)
{
	struct flush_job *f = container_of(mail, struct flush_job, job.mail);
	struct link *l = f->link;

	(void)owner;
	if (l != NULL) {
		l->flush = NULL;
		l->bus->n_flushing--;
		if (f->status == NATS_OK) /* the PONG was read: alive */
			link_on_fence(l, f->fence);
		link_touch(l);
	}
	flush_job_free(f);
}

static void
abandon_flush(struct helper_job *job)
{
	struct flush_job *f = container_of(job, struct flush_job, job);

	if (f->adapter != NULL)
		link_adapter_orphan(f->adapter);
	flush_job_free(f);
}

/* Have the fence in flight answered by a PONG. */
static void
start_flush(struct link *l)
{
	struct flush_job *f;
	struct bus *b = l->bus;

	if (l->flush != NULL)
		return;
	if (b->flusher == NULL && helper_start(&b->flusher, "nats-flush") < 0)
		return;
	f = xcalloc(1, sizeof(*f));
	f->job.mail.handle = on_flushed;
	f->job.done = &b->mailbox;
	f->job.run = run_flush;
	f->job.abandon = abandon_flush;
	f->link = l;
	f->nc = l->nc;
	f->fence = l->fences_sent;
	l->flush = f;
	b->n_flushing++;
	helper_post(b->flusher, &f->job, l->device == NULL);
}

static bool
touch_flushing(struct hash_node *node, void *arg)
{
	struct link *l = container_of(node, struct link, by_id);

	(void)arg;
	if (l->flush != NULL && atomic_load(&l->adapter->want_write))
		link_touch(l);
	return true;
}

void
link_touch_flushing(struct bus *b)
{
	if (b->n_flushing > 0)
		hash_each(&b->links, touch_flushing, NULL);
}

bool
link_is_flushing(const struct link *l)
{
	return l->flush != NULL;
}

void
link_leave_flush(struct link *l)
{
	l->flush->adapter = l->adapter;
	l->flush->link = NULL;
	l->flush = NULL;
	l->bus->n_flushing--;
}

/* --- fences ------------------------------------------------------------- */

bool
link_fence_in_flight(const struct link *l)
{
	return l->fences_answered < l->fences_sent;
}

uint64_t
link_want_fence(struct link *l)
{
	l->fence_wanted = true;
	link_touch(l);
	return l->fences_sent + 1;
}

void
link_send_fence(struct link *l)
{
	struct buf *b = &l->bus->subject;

	l->fence_wanted = false;
	l->fence_since_ms = l->bus->now_ms;
	l->fences_sent++;
	l->heard_denial = false;
	if (l->fence_by_ping) {
		start_flush(l);
		return;
	}
	buf_reset(b);
	buf_printf(b, "%sf%" PRIu64, l->inbox, l->fences_sent);
	buf_append_byte(b, '\0');
	/* When this fails the link is lost, which is noticed at once. */
	(void)natsConnection_PublishRequest(l->nc, l->fence_subject,
	    (const char *)buf_ptr(b), NULL, 0);
}

void
link_fence_by_ping(struct link *l)
{
	l->fence_by_ping = true;
	if (link_fence_in_flight(l))
		start_flush(l);
}
