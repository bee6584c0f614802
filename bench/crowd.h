/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd - many clients that connect and then wait to be told something.
 *
 * Connections are made a bounded number at a time, so that the rate measured
 * is that of the server and not of its listen queue.
 */
#pragma once

#include "load.h"

struct crowd {
	const struct options *o;
	struct peer_loop loop;
	struct peer *peers;
	unsigned size; /* how many there may be */
	unsigned opened;
	unsigned ready;  /* connected, and subscribed if that was asked for */
	unsigned closed; /* by the server */
	unsigned pongs;
	bool subscribe_at_once;
	uint64_t unacked_filters; /* SUBSCRIBEs under way */
};

/*
 * Prepare for `size` clients; false, after a line of JSON that says so, when
 * this process may not have that many descriptors.
 */
bool crowd_init(struct crowd *c, const struct options *o, unsigned size);

/* Close all connections. */
void crowd_fini(struct crowd *c);

/* Connect clients until there are `n` in all. */
void crowd_connect(struct crowd *c, unsigned n);

/* Every client subscribes to o->filters filters of its own. */
void crowd_subscribe(struct crowd *c);

/* Let the servers come to rest. */
void crowd_settle(struct crowd *c, double seconds);

/* Ask every client's connection for a sign of life; returns how many gave. */
unsigned crowd_ping(struct crowd *c);

/*
 * Print the start of the report: seconds, and per process CPU (begin to end)
 * and memory (begin to rest), each divided by `work`.
 */
void crowd_print_costs(const struct crowd *c, const char *mode, double work,
    const struct usage *begin, const struct usage *end,
    const struct usage *rest);
