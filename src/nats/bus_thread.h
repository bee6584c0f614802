/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_thread - what the files of the NATS thread share.
 *
 * One turn of the loop: events of sockets and of the waker, letters of the
 * helpers, requests from the rings round robin, timers; then every link that
 * was touched gets its fence and its write, and every worker sees its events.
 */
#pragma once

#include "base/buf.h"
#include "base/hash.h"
#include "base/helper.h"
#include "base/mailbox.h"
#include "base/queue.h"
#include "base/timer.h"
#include "nats/bus.h"
#include "nats/header.h"
#include "nats/lane.h"
#include "nats/link.h"

struct event;
struct event_base;

struct bus {
	const struct bus_options *options; /* [I] */
	const struct bus_ops *ops;         /* [I] */
	void *arg;                         /* [I] for ops */
	struct bus_stats stats;            /* [a] */
	struct lane *lanes;                /* [I] one per worker */
	struct waker waker;                /* [I] wakes this thread */
	struct mailbox mailbox;            /* to this thread */
	pthread_t thread;                  /* [I] main's */
	bool started;                      /* main's */
	atomic_uint_fast64_t stop_at_ms;   /* [a] 0: run */
	pthread_mutex_t name_lock;
	char server_name[256]; /* [l] */

	/* The rest is the NATS thread's. */
	struct event_base *base;
	struct event *on_waker;
	struct event *on_time;   /* the wheel's next deadline */
	struct event *on_gather; /* a write that was put off */
	struct timer_wheel *wheel;
	uint64_t now_ms;          /* of this turn */
	struct helper *connector; /* makes connections */
	struct helper *flusher;   /* waits for PONGs; NULL until needed */
	struct link *own;         /* link 0 */
	struct hash links;        /* all links by number */
	struct hash devices;      /* links of devices by credentials */
	uint32_t last_link;
	struct hash consumers;  /* consumer's, push consumers of JetStream */
	uint64_t last_question; /* that was asked about one */
	TAILQ_HEAD(dirty_links, link) dirty; /* links touched in this turn */
	TAILQ_HEAD(, link) gathering;        /* whose writes were put off */
	unsigned n_flushing;                 /* links the flusher is at */
	unsigned n_congested;                /* links whose output is full */
	unsigned next_lane;                  /* whose turn it is */
	bool ending;                         /* read whatever the workers do */
	bool reading;                        /* no overflow: sockets are read */
	char *more_urls;                     /* servers that NATS told us of */

	struct intake_gate *gates;

	/* Scratch. */
	struct buf topic;
	struct buf subject;
	struct header_reading header;
};

/* An event for one worker; shown when the turn ends. */
void bus_post(struct bus *b, unsigned worker,
    const struct bus_event *e) NATS_THREAD;
/* The link with this number, or NULL when it is gone. */
struct link *bus_find_link(struct bus *b, uint32_t id);
/* Look at the link again after so long: its write is put off. */
void bus_gather(struct bus *b, struct link *l, unsigned us);
