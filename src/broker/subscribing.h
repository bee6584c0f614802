/* SPDX-License-Identifier: Apache-2.0 */
/* subscribing - a SUBSCRIBE that waits until NATS has its subscriptions. */
#pragma once

#include "broker/pending.h"

/* Free a PENDING_SUBSCRIBE. */
void subscribing_free(struct pending *p);
