/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox - many senders, one owner.
 *
 * Senders push onto a stack; the owner takes the whole stack at once and
 * turns it over. Nobody ever takes a single letter off, so that the stack
 * has no ABA problem.
 */
#include "base/mailbox.h"

void
mailbox_init(struct mailbox *mb, struct waker *waker)
{
	atomic_init(&mb->head, NULL);
	atomic_init(&mb->n, 0);
	mb->waker = waker;
}

void
mailbox_post(struct mailbox *mb, struct mail *mail)
{
	struct mail *head;

	/* Counted first: the owner may handle it before we return. */
	atomic_fetch_add_explicit(&mb->n, 1, memory_order_relaxed);
	head = atomic_load_explicit(&mb->head, memory_order_relaxed);
	do
		mail->next = head;
	while (!atomic_compare_exchange_weak_explicit(&mb->head, &head, mail,
	    memory_order_release, memory_order_relaxed));
	waker_kick(mb->waker);
}

static struct mail *
take_all(struct mailbox *mb)
{
	struct mail *mail, *next, *oldest = NULL;

	mail = atomic_exchange_explicit(&mb->head, NULL, memory_order_acquire);
	for (; mail != NULL; mail = next) {
		next = mail->next;
		mail->next = oldest;
		oldest = mail;
	}
	return oldest;
}

size_t
mailbox_drain(struct mailbox *mb, void *owner)
{
	struct mail *mail, *next;
	size_t n = 0;

	for (mail = take_all(mb); mail != NULL; mail = next) {
		next = mail->next;
		atomic_fetch_sub_explicit(&mb->n, 1, memory_order_relaxed);
		mail->handle(mail, owner);
		n++;
	}
	return n;
}

size_t
mailbox_len(struct mailbox *mb)
{
	return atomic_load_explicit(&mb->n, memory_order_relaxed);
}
