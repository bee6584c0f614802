/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_upgrade - the HTTP request that opens a WebSocket, RFC 6455 section 4,
 * and the answer to it. Pure. It understands just enough of HTTP/1.1 to say
 * yes, and says no to everything that it is not sure of.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

/* The whole of a request; a browser's, with cookies, is one or two kB. */
#define WS_UPGRADE_MAX 8192

/* Of a listener; constant. */
struct ws_rules {
	const char *path;
	/* Ends with NULL; none: pages of any origin may connect. */
	char *const *origins;
};

enum ws_upgrade_result {
	WS_UPGRADE_MORE, /* so far nothing is wrong */
	WS_UPGRADE_DONE,
	WS_UPGRADE_REFUSED
};

struct ws_upgrade {
	size_t size;          /* DONE: bytes of `in` that it takes */
	struct slice key;     /* in `in`; Sec-WebSocket-Key */
	const char *protocol; /* the subprotocol that we speak */
	unsigned status;      /* REFUSED: of HTTP */
	const char *why;      /* the same, for the log */
};

enum ws_upgrade_result ws_upgrade_decode(struct slice in,
    const struct ws_rules *rules, struct ws_upgrade *out) MUST_CHECK;

/* Append the answer: 101 after DONE, what `status` says after REFUSED. */
void ws_upgrade_accept(const struct ws_upgrade *u, struct buf *out);
void ws_upgrade_refuse(const struct ws_upgrade *u, struct buf *out);
