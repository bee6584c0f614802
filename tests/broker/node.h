/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node - a broker with its homes, all in the test's thread: no socket, no
 * NATS, no sleeping.
 *
 *   device --packets--> client \                      / fake_bus
 *   device <---bytes--- client  >-- home, home, ... --
 *   device              client /                      \ fake_clock
 *
 * The node plays what net/ does for the broker: it turns the homes, attends
 * to clients that ask for it, writes out what they have to say, and carries
 * them from one home to another.
 */
#pragma once

#include <criterion/criterion.h>

#include "base/queue.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/home.h"
#include "fake/fake_bus.h"

struct device;

struct node {
	struct broker_options options;
	struct client_rules rules; /* of the one listener */
	struct broker *broker;
	struct bus *bus; /* a fake_bus; NULL: no NATS at all */
	LIST_HEAD(, device) devices;
};

/* What most tests are content with; change some, then node_new. */
struct broker_options node_options(void);
/* A node with two homes and node_options. */
struct node *node_new(void);
struct node *node_new_with(const struct broker_options *o);
/* The same without NATS. */
struct node *node_new_alone(const struct broker_options *o);
/* Is there a store that has something to say to a home? See stored. */
bool node_awaits_store(const struct node *n);
/* Every connection breaks, then the node and its devices are freed. */
void node_free(struct node **n);

struct home *node_home(const struct node *n, unsigned home);
/* One turn of this home's loop. */
void node_turn(struct node *n, unsigned home);
/* Turn all homes until there is nothing left to do. */
void node_run(struct node *n);
/* Time passes, in steps of a tick; then the node runs. */
void node_pass(struct node *n, uint64_t ms);

/* Sum of a counter over the homes. */
#define node_count(n, counter)                                                 \
	(atomic_load(&node_home((n), 0)->stats.counter) +                      \
	    ((n)->options.n_workers > 1                                        \
		    ? atomic_load(&node_home((n), 1)->stats.counter)           \
		    : 0))

/* A message from NATS; `reply` may be "". */
struct message *node_message(const char *topic, const char *subject,
    const char *reply, uint8_t qos, const char *payload);
/* NATS has one for the devices of the node, on the daemon's own link. */
void node_from_nats(struct node *n, const char *topic, const char *reply,
    uint8_t qos, const char *payload);
/* The answer to the request that was read last from this home. */
void node_settle(struct node *n, unsigned home, enum bus_result result);

/* The next request of this home is `want`, in the words of fake_bus_read. */
#define bus_hears(n, home, want)                                               \
	cr_assert_str_eq(fake_bus_read((n)->bus, home), want)
#define bus_hears_nothing(n, home) bus_hears(n, home, "")
