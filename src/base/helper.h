/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper - a thread for what may block or takes long, so that an event loop
 * never does: resolving, connecting, waiting for a PONG, hashing passwords.
 *
 * A job runs in the helper's thread and then goes to a mailbox as a letter.
 * One after the other, oldest first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mailbox.h"
#include "base/queue.h"
#include "base/thread.h"

struct helper;

/*
 * Embedded in what the job needs. `run` touches nothing that others may
 * change meanwhile; `mail.handle` is called by the mailbox's owner when it
 * is done. `abandon` is called instead, in the helper's thread, when nobody
 * waits for the job any more, and frees it.
 */
struct helper_job {
	struct mail mail;
	struct mailbox *done; /* where it goes then */
	TAILQ_ENTRY(helper_job)
	entry;
	void (*run)(struct helper_job *job);
	void (*abandon)(struct helper_job *job);
};

/* Start one. Returns 0 or -errno. */
int helper_start(struct helper **out, const char *name) MUST_CHECK;
/* Hand a job over; one that is urgent goes before all that wait. */
void helper_post(struct helper *h, struct helper_job *job,
    bool urgent) ANY_THREAD;
/*
 * Stop it and clear *h. Jobs that did not begin are abandoned. One that runs
 * is waited for until `deadline_ms` of clock_mono_ms; then it is left alone,
 * abandoned when it ends. False: it was left alone.
 */
bool helper_stop(struct helper **h, uint64_t deadline_ms);
