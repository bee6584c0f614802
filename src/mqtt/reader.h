/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader - the wire data types of MQTT taken off a byte range.
 *
 * The error sticks: after the first read beyond the end or of a bad value
 * `bad` is set and every further read gives zero, so that a decoder asks once,
 * at its end. Slices borrow from the range. Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct reader {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

struct reader reader_of(struct slice s);
size_t reader_left(const struct reader *r);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
/* Variable Byte Integer, shortest form only: v5 [MQTT-1.5.5-1]. */
uint32_t reader_varint(struct reader *r);
/* Binary Data: two bytes of length and that many bytes. */
struct slice reader_binary(struct reader *r);
/* UTF-8 Encoded String; bad unless utf8_valid. */
struct slice reader_string(struct reader *r);
struct slice reader_bytes(struct reader *r, size_t n);
/* Everything that is left. */
struct slice reader_rest(struct reader *r);
