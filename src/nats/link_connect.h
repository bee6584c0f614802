/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_connect - making one connection to NATS, in the helper's thread.
 *
 * One attempt: each server is tried once. cnats never reconnects by itself
 * here, so this is the only place where connections come from, the first one
 * and all later ones, whatever ended the one before.
 */
#pragma once

#include <nats/nats.h>

#include "base/helper.h"
#include "nats/bus.h"
#include "nats/link_adapter.h"

enum connect_outcome {
	CONNECT_OK,
	CONNECT_REFUSED, /* the credentials are wrong */
	CONNECT_FAILED   /* anything else */
};

struct connect_job {
	struct helper_job job;
	/* What to do. */
	const struct bus_options *options;
	struct bus_stats *stats;
	uint32_t link;
	bool pooled;             /* subscriptions have callbacks of their own */
	struct bus_login *login; /* a copy; NULL: the daemon's own */
	char *more_urls;         /* servers that NATS told us of, or NULL */
	/* What came out. */
	enum connect_outcome outcome;
	struct link_adapter *adapter; /* attached when CONNECT_OK */
	natsConnection *nc;           /* CONNECT_OK only */
	char *text;                   /* why not; never with secrets */
};

/*
 * A job for the helper; `handle` gets it back in its mailbox's owner. The
 * options and stats outlive it, unless it is abandoned.
 */
struct connect_job *connect_job_new(const struct bus_options *options,
    struct bus_stats *stats, struct waker *waker, uint32_t link, bool pooled,
    const struct bus_login *login, const char *more_urls,
    void (*handle)(struct mail *mail, void *owner));
/* Frees what was not taken out, the connection too; clears *j. */
void connect_job_free(struct connect_job **j);
