/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - somebody else on NATS, speaking the protocol over a plain socket.
 *
 * Everything that waits does so for a bounded time and then fails the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct peer {
	int fd;
	struct buf in;
};

struct peer_message {
	char subject[512];
	char reply[512];
	char headers[4096]; /* "" for none */
	char payload[65536];
	size_t payload_len;
};

/* Does something on this port greet like a NATS server? */
bool peer_greets(int port);
/* Connect; `login` is e.g. "\"user\":\"a\",\"pass\":\"b\"" or "". */
void peer_open(struct peer *p, int port, const char *login);
void peer_close(struct peer *p);

void peer_subscribe(struct peer *p, const char *subject);
void peer_publish(struct peer *p, const char *subject, const char *reply,
    const char *payload);
void peer_publish_headers(struct peer *p, const char *subject,
    const char *reply, const char *headers, const char *payload);
/* The server has everything that was sent before. */
void peer_flush(struct peer *p);

/* The next message. */
void peer_next(struct peer *p, struct peer_message *out);
/* The same; false when none comes for so long. */
bool peer_try(struct peer *p, struct peer_message *out, int timeout_ms);
