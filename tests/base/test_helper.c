/* SPDX-License-Identifier: Apache-2.0 */
#include "base/helper.h"

#include <poll.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/clock.h"
#include "base/xalloc.h"

/* Nothing here takes that long. */
#define PATIENCE_MS 30000

struct job {
	struct helper_job job;
	struct owner *owner;
	int number;
	struct mailbox *gate; /* run until there is a letter in it */
};

struct owner {
	struct waker waker;
	struct mailbox mailbox;
	int order[8];
	size_t n_done;
	atomic_uint n_begun, n_abandoned;
};

static struct owner o;

static void
open_mailbox(void)
{
	o = (struct owner){ 0 };
	cr_assert(eq(int, waker_init(&o.waker), 0));
	mailbox_init(&o.mailbox, &o.waker);
}

static void
close_mailbox(void)
{
	waker_fini(&o.waker);
}

TestSuite(helper, .init = open_mailbox, .fini = close_mailbox);

static void
run(struct helper_job *job)
{
	struct job *j = container_of(job, struct job, job);

	atomic_fetch_add(&j->owner->n_begun, 1);
	while (j->gate != NULL && mailbox_len(j->gate) == 0)
		(void)poll(NULL, 0, 1);
}

static void
abandon(struct helper_job *job)
{
	struct job *j = container_of(job, struct job, job);

	atomic_fetch_add(&j->owner->n_abandoned, 1);
	free(j);
}

static void
on_done(struct mail *mail, void *arg)
{
	struct helper_job *job = container_of(mail, struct helper_job, mail);
	struct job *j = container_of(job, struct job, job);
	struct owner *owner = arg;

	owner->order[owner->n_done++] = j->number;
	free(j);
}

static struct job *
job_new(int number, struct mailbox *gate)
{
	struct job *j = xcalloc(1, sizeof(*j));

	j->job.mail.handle = on_done;
	j->job.done = &o.mailbox;
	j->job.run = run;
	j->job.abandon = abandon;
	j->owner = &o;
	j->number = number;
	j->gate = gate;
	return j;
}

static void
open_gate(struct mail *mail, void *arg)
{
	(void)mail;
	(void)arg;
}

static void
await_begun(void)
{
	while (atomic_load(&o.n_begun) == 0)
		(void)poll(NULL, 0, 1);
}

static void
await_done(size_t n)
{
	while (o.n_done < n) {
		struct pollfd p = { .fd = o.waker.fd, .events = POLLIN };

		waker_arm(&o.waker);
		if (mailbox_len(&o.mailbox) == 0)
			(void)poll(&p, 1, PATIENCE_MS);
		waker_disarm(&o.waker);
		waker_clear(&o.waker);
		mailbox_drain(&o.mailbox, &o);
	}
}

Test(helper, does_jobs_in_turn_but_urgent_ones_first)
{
	struct mailbox gate;
	struct mail key = { .handle = open_gate };
	struct helper *h;

	mailbox_init(&gate, &o.waker);
	cr_assert(eq(int, helper_start(&h, "helper"), 0));
	helper_post(h, &job_new(1, &gate)->job, false);
	await_begun();
	helper_post(h, &job_new(2, NULL)->job, false);
	helper_post(h, &job_new(3, NULL)->job, false);
	helper_post(h, &job_new(4, NULL)->job, true);
	mailbox_post(&gate, &key);
	await_done(4);
	cr_expect(eq(int, o.order[0], 1));
	cr_expect(eq(int, o.order[1], 4));
	cr_expect(eq(int, o.order[2], 2));
	cr_expect(eq(int, o.order[3], 3));
	cr_expect(helper_stop(&h, clock_mono_ms() + PATIENCE_MS));
	cr_expect_null(h);
	mailbox_drain(&gate, NULL);
}

Test(helper, abandons_what_did_not_begin)
{
	struct mailbox gate;
	struct mail key = { .handle = open_gate };
	struct helper *h;

	mailbox_init(&gate, &o.waker);
	cr_assert(eq(int, helper_start(&h, "helper"), 0));
	helper_post(h, &job_new(1, &gate)->job, false);
	await_begun();
	helper_post(h, &job_new(2, NULL)->job, false);
	/* The first one is left alone, the second one has never run. */
	cr_expect_not(helper_stop(&h, clock_mono_ms()));
	cr_expect(eq(uint, (unsigned)atomic_load(&o.n_abandoned), 1));
	mailbox_post(&gate, &key);
	while (atomic_load(&o.n_abandoned) < 2)
		(void)poll(NULL, 0, 1);
	cr_expect(eq(uint, atomic_load(&o.n_begun), 1));
	cr_expect(eq(sz, mailbox_len(&o.mailbox), 0));
	mailbox_drain(&gate, NULL);
}
