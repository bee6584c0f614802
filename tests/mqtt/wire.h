/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire - bytes of packets, written so that one can read them.
 *
 *   10 2a     bytes in hexadecimal; spaces are free
 *   'abc'     the bytes of a text
 *   <abc>     the same behind two bytes of length: a UTF-8 Encoded String
 *   <80 ff>   no: what is between < and > is always text
 *   [ ... ]   the same behind its length as a Variable Byte Integer
 *   ff*300    a byte, repeated
 *
 * So a PUBLISH of 5.0 is "30 [<a/b> [01 01] 'payload']".
 */
#pragma once

#include "base/buf.h"

/*
 * The bytes in memory of exactly their size, so that AddressSanitizer sees a
 * read behind their end. Aborts when the notation is wrong.
 */
struct slice wire_new(const char *notation);
/* A copy of the first `len` bytes, also of exact size. */
struct slice wire_copy(struct slice s, size_t len);
void wire_free(struct slice *s);

/* The bytes as hexadecimal, for messages; in a static buffer, cut if long. */
const char *wire_text(struct slice s);
