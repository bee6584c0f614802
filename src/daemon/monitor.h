/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitor - HTTP for those who watch the daemon.
 *
 *   /healthz              is it alive and ready? 200 or 503
 *   /healthz?live=1       alive is enough
 *   /varz                 every counter by its name, as JSON
 *
 * libevent's HTTP server in main's loop. It only reads counters, which are
 * atomic, so that nobody who watches stops a worker. Few connections at a
 * time, small requests, a few seconds each, no body, no other method than GET
 * and HEAD.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/thread.h"

struct broker;
struct event_base;
struct monitor;

struct monitor_options {
	const char *address; /* numeric */
	unsigned port;
	const char *node_name;
};

/*
 * Listen. NULL, with a line in the log, when that cannot be. The options are
 * borrowed.
 */
struct monitor *
monitor_new(struct event_base *base, const struct monitor_options *o,
    struct broker *b) MAIN_THREAD
MUST_CHECK;
/* Harmless on NULL. */
void monitor_free(struct monitor **m) MAIN_THREAD;

/* It is ready from now on, or (at the end) no more. */
void monitor_set_serving(struct monitor *m, bool serving) MAIN_THREAD;
