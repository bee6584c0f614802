/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew - workers of a broker on their own threads, and devices at the other
 * end of a socket pair.
 */
#pragma once

#include <criterion/criterion.h>

#include "base/attr.h"
#include "base/buf.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "net/door.h"
#include "net/worker.h"

struct crew {
	struct broker_options options;
	struct client_rules rules;
	struct broker *broker;
	struct worker **workers;
	struct bus *bus;  /* a fake_bus, or NULL */
	struct door door; /* of the one listener */
	struct door_rules door_rules;
	bool is_stopped;
};

/* Options that let everything pass. */
struct broker_options crew_options(unsigned n_workers);
/* Running workers, without NATS or with a bus that answers nothing. */
struct crew *crew_new(const struct broker_options *o);
struct crew *crew_new_with_bus(const struct broker_options *o);
/* Drain for this long, and end the threads; then look around. */
void crew_stop(struct crew *c, unsigned drain_ms);
/* The same, check that nothing is left, and free. */
void crew_free(struct crew **c, unsigned drain_ms);

/* A socket that is connected to this worker. */
int crew_connect(struct crew *c, unsigned worker);
/* Wait until the condition holds; false after some seconds. */
bool crew_wait(struct crew *c, bool (*holds)(struct crew *c));

/* The device's side; notation as in mqtt/wire.h. */
void line_say(int fd, const char *notation, ...) PRINTF_LIKE(2, 3);
/*
 * The next packet in the words of packet_print; "CLOSED" when the server has
 * closed, "TIMEOUT" after some seconds. In a static buffer.
 */
const char *line_read(int fd, unsigned version);
#define line_hears(fd, version, want)                                          \
	cr_assert_str_eq(line_read(fd, version), want)
