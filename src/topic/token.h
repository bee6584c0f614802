/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token - one MQTT level as one NATS token: the escapes of both modes.
 *
 *   level              token, mode nats   token, mode swap
 *   (empty)            /                  /
 *   *                  /a                 /a
 *   >                  /g                 /g
 *   . inside           //                 / or, where that says
 *                                         something else, //
 *   space TAB LF CR FF DEL inside:        /s /t /n /r /f /d in both
 *   all other bytes    themselves
 *
 * In mode swap a `.` is written `//` only in front of another `/` or of the
 * letter of an escape, and when the token would be one of the first three
 * above. Every level has one token, every token at most one level: a token
 * that is not exactly what its level would become has none. Pure.
 */
#pragma once

#include "topic/subject.h"

/* The most bytes that the tokens of a name take, dots between included. */
#define TOKEN_ROOM(len) (2 * (len) + 1)

/* Write the token of a level at `out`; returns its end. */
uint8_t *token_encode(enum mapping_mode mode, struct slice level, uint8_t *out);

/*
 * Write the level of a token, which is never longer, at `out`; returns its
 * end, NULL when the token stands for no level.
 */
uint8_t *token_decode(enum mapping_mode mode, struct slice token, uint8_t *out);
