/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox - many senders, one owner: how threads ask a worker for something.
 *
 * A letter is any struct with a `struct mail` inside; posting hands it over,
 * and the owner's handler, set in the letter, frees it. Letters arrive in the
 * order in which one sender posted them.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>

#include "base/waker.h"

struct mail {
	struct mail *next;
	/* Runs in the owner's thread; `owner` is what the owner drains with. */
	void (*handle)(struct mail *mail, void *owner);
};

struct mailbox {
	_Atomic(struct mail *) head; /* newest first */
	atomic_size_t n;             /* letters not yet handled */
	struct waker *waker;         /* the owner's; not ours */
};

void mailbox_init(struct mailbox *mb, struct waker *waker);
/* Any thread: hand over a letter and wake the owner. */
void mailbox_post(struct mailbox *mb, struct mail *mail);
/*
 * Owner: handle everything that is there, oldest first; what is posted
 * meanwhile stays for the next call. Returns how many letters were handled.
 */
size_t mailbox_drain(struct mailbox *mb, void *owner);
/* Any thread: letters waiting; a hint for back-pressure. */
size_t mailbox_len(struct mailbox *mb);
