/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws - a stream in a WebSocket: the server's side.
 *
 *   OPENING --request--> OPEN --close, or what may not be--> CLOSED
 *      `--------- a request that is refused ------------------^
 *
 * What the topmost stream reads and writes is the payload of binary messages.
 * An open one that is idle holds no buffer.
 */
#pragma once

#include "base/attr.h"
#include "net/transport.h"
#include "net/ws_upgrade.h"

/* On top of `below`, which is its own from now on; the rules are borrowed. */
struct stream *ws_new(struct stream *below,
    const struct ws_rules *rules) MUST_CHECK;
