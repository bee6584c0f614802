/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_auth - enhanced authentication, v5 4.12: a CONNECT that names an
 * Authentication Method, AUTH there and back, CONNACK; and the same again
 * while the client is online. SCRAM-SHA-256 is the method there is.
 *
 *   NEW --CONNECT--> AUTH --proof--> NEW, which looks at the CONNECT again
 *
 * What is needed for it hangs on the client from the CONNECT on; other
 * clients have none.
 */
#pragma once

#include "broker/client.h"

struct client_auth;

/* CONNECT names a method: begin, or refuse. */
void client_auth_begin(struct client *c, const struct frame *f,
    const struct packet_connect *p) WORKER_THREAD;
/* A packet while AUTH is what we wait for. */
void client_auth_on_packet(struct client *c,
    const struct frame *f) WORKER_THREAD;

/* Who has proven itself with CONNECT; until that is told to the session. */
struct slice client_auth_user(const struct client_auth *a);
/* Append what CONNACK has to say about it; nothing without a method. */
void client_auth_connack(const struct client *c, struct buf *props);
/* The CONNECT is through. */
void client_auth_settle(struct client_auth *a);

void client_auth_free(struct client_auth **a);
