/* SPDX-License-Identifier: Apache-2.0 */
/* connack - what CONNACK tells a client of MQTT 5.0. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"
#include "base/thread.h"

struct client;
struct packet_connect;

/*
 * Does the client take a CONNACK with so many bytes of properties? v5
 * [MQTT-3.1.2-24]
 */
bool connack_fits(const struct client *c, struct slice props);

/*
 * What it must be told that its CONNECT did not say, in the home's scratch;
 * empty before v5. `assigned`: we have made up its Client Identifier.
 *
 * v5 [MQTT-3.1.2-28] [MQTT-3.2.2-17] [MQTT-3.2.2-18]: Response Information
 * only for those who ask, and a maximum of aliases
 */
struct slice connack_properties(struct client *c,
    const struct packet_connect *p, bool assigned) WORKER_THREAD;
