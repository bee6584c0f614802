/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login - a client whose credentials somebody looks at: NATS, or the helper
 * that hashes passwords. Until the answer comes it is not read from; when it
 * goes meanwhile, the answer finds nobody.
 */
#pragma once

#include "broker/pending.h"

struct client;
struct grant;
struct verify;

enum login_result {
	LOGIN_GOOD,
	LOGIN_WRONG, /* these credentials are nobody's */
	LOGIN_LATE   /* who could tell is away */
};

struct pending_login {
	struct pending p;
	struct client *client; /* NULL: it did not wait */
	struct verify *verify; /* NULL: NATS is asked */
};

/* The client waits from now on; what for is told by `verify`. */
struct pending_login *login_begin(struct client *c,
    struct verify *verify) WORKER_THREAD;
/* The client does not wait any more. */
void login_forget(struct client *c) WORKER_THREAD;
/* PENDING_LOGIN by what was granted; NULL: it was not, `why` for the log. */
void login_granted(struct home *h, struct pending *p, struct grant *g,
    const char *why) WORKER_THREAD;
/* PENDING_LOGIN was answered; `link` is the NATS identity, 0 without one. */
void login_settled(struct home *h, struct pending *p, enum login_result result,
    uint32_t link) WORKER_THREAD;
