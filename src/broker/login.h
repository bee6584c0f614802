/* SPDX-License-Identifier: Apache-2.0 */
/* login - a client that waits for NATS to accept its credentials. */
#pragma once

#include "broker/pending.h"

struct client;

struct pending_login {
	struct pending p;
	struct client *client; /* NULL: it did not wait */
};
