/* SPDX-License-Identifier: Apache-2.0 */
/* writer - the wire data types of MQTT appended to a buffer. */
#pragma once

#include "base/buf.h"

void writer_u8(struct buf *b, uint8_t v);
void writer_u16(struct buf *b, uint16_t v);
void writer_u32(struct buf *b, uint32_t v);
/* `v` is at most MQTT_VARINT_MAX. */
void writer_varint(struct buf *b, uint32_t v);
/* Length prefix and bytes, at most MQTT_STRING_MAX of them. */
void writer_string(struct buf *b, struct slice s);
/* How many bytes writer_varint writes for `v`. */
size_t writer_varint_len(uint32_t v);
