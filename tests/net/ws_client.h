/* SPDX-License-Identifier: Apache-2.0 */
/* ws_client - frames as a WebSocket client makes them. */
#pragma once

#include "base/buf.h"

#define WS_TEXT  1
#define WS_BIN   2
#define WS_CONT  0
#define WS_CLOSE 8
#define WS_PING  9
#define WS_PONG  10
#define WS_FIN   0x80

/* One frame, with a mask; `first` is its first byte. */
void ws_client_put(struct buf *out, unsigned first, struct slice payload);
