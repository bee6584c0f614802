/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack - of which streams the connections of a listener consist. Main makes
 * one per listener; it is constant, and what it points to is for any thread.
 */
#pragma once

#include "base/thread.h"
#include "net/transport.h"

struct tls;
struct ws_rules;

struct stack {
	struct tls *tls;           /* NULL: none */
	const struct ws_rules *ws; /* NULL: none */
};

/*
 * The topmost stream of a socket that was accepted.
 */
struct stream *stack_open(const struct stack *s, int fd) WORKER_THREAD;
