/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply - what a reply to a published message means under a policy.
 *
 * JetStream answers with a PubAck: {"stream":"S","seq":7}, or with an error:
 * {"error":{"code":503,"description":"..."},...}. Anything else is a
 * service's own answer. Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "nats/bus.h"

/*
 * Does a reply with this body settle a message under this policy? Then
 * *result says how, and *text, which may be NULL, is the server's reason on
 * the heap. `no_responders`: the reply is the NATS server's status 503.
 */
bool reply_settles(enum ack_policy policy, struct slice body,
    bool no_responders, enum bus_result *result, char **text) MUST_CHECK;
