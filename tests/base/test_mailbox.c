/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mailbox.h"

#include <poll.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/thread.h"
#include "base/xalloc.h"

#define N_SENDERS 4u
#define N_LETTERS 10000u

struct owner {
	struct waker waker;
	struct mailbox mailbox;
	unsigned next[N_SENDERS]; /* the number each sender's next must have */
	size_t n_handled;
	size_t n_out_of_order;
};

struct letter {
	struct mail mail;
	unsigned sender;
	unsigned number;
};

static struct owner o;

static void
open_mailbox(void)
{
	cr_assert(eq(int, waker_init(&o.waker), 0));
	mailbox_init(&o.mailbox, &o.waker);
}

static void
close_mailbox(void)
{
	waker_fini(&o.waker);
}

TestSuite(mailbox, .init = open_mailbox, .fini = close_mailbox);

static void
on_letter(struct mail *mail, void *arg)
{
	struct letter *l = container_of(mail, struct letter, mail);
	struct owner *owner = arg;

	owner->n_out_of_order += l->number != owner->next[l->sender];
	owner->next[l->sender] = l->number + 1;
	owner->n_handled++;
	free(l);
}

static void
post(unsigned sender, unsigned number)
{
	struct letter *l = xcalloc(1, sizeof(*l));

	l->mail.handle = on_letter;
	l->sender = sender;
	l->number = number;
	mailbox_post(&o.mailbox, &l->mail);
}

static bool
is_awake(void)
{
	struct pollfd p = { .fd = o.waker.fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

Test(mailbox, empty_one_has_nothing_to_do)
{
	cr_expect(eq(sz, mailbox_len(&o.mailbox), 0));
	cr_expect(eq(sz, mailbox_drain(&o.mailbox, &o), 0));
	cr_expect(not(is_awake()));
}

Test(mailbox, post_wakes_the_owner)
{
	post(0, 0);
	cr_expect(is_awake());
	mailbox_drain(&o.mailbox, &o);
}

Test(mailbox, handles_all_in_the_order_of_posting)
{
	unsigned i;

	for (i = 0; i < 100; i++)
		post(0, i);
	cr_expect(eq(sz, mailbox_len(&o.mailbox), 100));
	cr_expect(eq(sz, mailbox_drain(&o.mailbox, &o), 100));
	cr_expect(eq(sz, mailbox_len(&o.mailbox), 0));
	cr_expect(eq(sz, o.n_handled, 100));
	cr_expect(eq(sz, o.n_out_of_order, 0));
	cr_expect(eq(sz, mailbox_drain(&o.mailbox, &o), 0));
}

static void
post_again(struct mail *mail, void *arg)
{
	free(container_of(mail, struct letter, mail));
	((struct owner *)arg)->n_handled++;
	post(0, 0);
}

/* Otherwise two workers could keep each other from ever returning. */
Test(mailbox, letter_posted_by_a_handler_waits_for_the_next_drain)
{
	struct letter *l = xcalloc(1, sizeof(*l));

	l->mail.handle = post_again;
	mailbox_post(&o.mailbox, &l->mail);
	waker_clear(&o.waker);
	waker_arm(&o.waker);
	cr_expect(eq(sz, mailbox_drain(&o.mailbox, &o), 1));
	cr_expect(eq(sz, mailbox_len(&o.mailbox), 1));
	cr_expect(is_awake());
	cr_expect(eq(sz, mailbox_drain(&o.mailbox, &o), 1));
	cr_expect(eq(sz, o.n_handled, 2));
}

static void *
send_letters(void *arg)
{
	unsigned *sender = arg, i;

	for (i = 0; i < N_LETTERS; i++)
		post(*sender, i);
	return NULL;
}

static void
drain_until(size_t n)
{
	struct pollfd p = { .fd = o.waker.fd, .events = POLLIN };

	while (o.n_handled < n) {
		mailbox_drain(&o.mailbox, &o);
		waker_arm(&o.waker);
		if (mailbox_len(&o.mailbox) > 0 || o.n_handled >= n) {
			waker_disarm(&o.waker);
			continue;
		}
		poll(&p, 1, -1);
		waker_clear(&o.waker);
	}
}

Test(mailbox, many_senders_lose_nothing_and_keep_their_order, .timeout = 120)
{
	pthread_t threads[N_SENDERS];
	unsigned senders[N_SENDERS], i;

	for (i = 0; i < N_SENDERS; i++) {
		senders[i] = i;
		cr_assert(eq(int,
		    thread_start(&threads[i], send_letters, &senders[i]), 0));
	}
	drain_until((size_t)N_SENDERS * N_LETTERS);
	for (i = 0; i < N_SENDERS; i++)
		pthread_join(threads[i], NULL);
	cr_expect(eq(sz, mailbox_drain(&o.mailbox, &o), 0));
	cr_expect(eq(sz, mailbox_len(&o.mailbox), 0));
	cr_expect(eq(sz, o.n_handled, (size_t)N_SENDERS * N_LETTERS));
	cr_expect(eq(sz, o.n_out_of_order, 0));
	for (i = 0; i < N_SENDERS; i++)
		cr_expect(eq(u32, o.next[i], N_LETTERS), "sender %u", i);
}
