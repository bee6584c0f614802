/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waker - wakes an event loop once per transition from idle to busy.
 *
 * The loop's owner polls `fd`. Producers publish, then kick; a kick is one
 * atomic exchange and nothing else while the owner is awake.
 *
 *   owner, when fd is readable: waker_clear, then repeat
 *     drain everything
 *     waker_arm             (from now on a kick writes to fd)
 *     anything new? waker_disarm and drain again : go to sleep
 *
 * Arm and kick are both exchanges, so that the store/load race between "I
 * look once more" and "is he asleep?" is closed without a fence.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attr.h"

struct waker {
	int fd; /* eventfd, non-blocking */
	atomic_bool armed;
};

/* Opens the eventfd, armed. Returns 0 or -errno. */
int waker_init(struct waker *w) MUST_CHECK;
void waker_fini(struct waker *w);
/* Any thread: make the owner's loop turn, if it sleeps. */
void waker_kick(struct waker *w);
/* Owner: fd was readable; read it empty and count as awake. */
void waker_clear(struct waker *w);
/* Owner: about to sleep; look for work once more after this. */
void waker_arm(struct waker *w);
/* Owner: found work after all. */
void waker_disarm(struct waker *w);
