/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waker - wakes an event loop once per transition from idle to busy.
 *
 * Every access to `armed` is an exchange, those of the owner too: a store
 * would hide a kick that came just before it, and with that what the kicker
 * had published.
 */
#include "base/waker.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static bool
set_armed(struct waker *w, bool armed)
{
	return atomic_exchange_explicit(&w->armed, armed, memory_order_acq_rel);
}

int
waker_init(struct waker *w)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	w->fd = fd;
	atomic_init(&w->armed, true);
	return 0;
}

void
waker_fini(struct waker *w)
{
	close(w->fd);
	w->fd = -1;
}

void
waker_kick(struct waker *w)
{
	const uint64_t one = 1;
	ssize_t n;

	if (!set_armed(w, false))
		return;
	/* Nobody can fill the counter, so that it never says EAGAIN. */
	do
		n = write(w->fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
	assert(n == (ssize_t)sizeof(one));
}

void
waker_clear(struct waker *w)
{
	uint64_t count;
	ssize_t n;

	/* EAGAIN: the loop turned for another reason. */
	do
		n = read(w->fd, &count, sizeof(count));
	while (n < 0 && errno == EINTR);
	assert(n > 0 || errno == EAGAIN);
	set_armed(w, false);
}

void
waker_arm(struct waker *w)
{
	set_armed(w, true);
}

void
waker_disarm(struct waker *w)
{
	set_armed(w, false);
}
