/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats - what the counters of the node come to.
 *
 * Every thread counts for itself, without a lock: an atomic with one writer
 * (struct home_stats, and those of the bus, the store and the acceptor). Here
 * they are added up; whoever shows them to people, $SYS or a monitor, asks
 * here.
 */
#pragma once

#include <stdint.h>

#include "base/thread.h"

struct broker;

struct stats {
	/* How it is now. */
	uint64_t clients;
	uint64_t clients_away; /* sessions without one */
	uint64_t sessions;
	uint64_t subscriptions;
	uint64_t shared_subscriptions; /* of them */
	uint64_t retained;
	uint64_t retained_bytes;
	uint64_t queued; /* messages that wait for clients */
	uint64_t queued_bytes;
	uint64_t stored; /* retained or queued */
	uint64_t stored_bytes;
	/* Since the start. */
	uint64_t sockets;
	uint64_t connects; /* CONNECTs, those that were refused too */
	uint64_t expired;  /* sessions */
	uint64_t packets_in, packets_out;
	uint64_t publishes_in, publishes_out;
	uint64_t publishes_dropped;
	uint64_t publish_bytes_in, publish_bytes_out; /* of payloads */
	uint64_t bytes_in, bytes_out;                 /* of sockets */
};

/*
 * One reading. Other threads go on counting meanwhile, so that two of these
 * may be a message apart.
 */
void stats_read(const struct broker *b, struct stats *out) ANY_THREAD;
