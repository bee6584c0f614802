/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_psk - a file of pre-shared keys, as mosquitto has them.
 *
 *   # a comment
 *   NAME:KEY              in hexadecimal digits
 *
 * Immutable once it is loaded.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

/* The longest key and name. OpenSSL takes no longer key; names, up to 256. */
#define TLS_PSK_KEY_MAX  512
#define TLS_PSK_NAME_MAX 128

struct tls_psk;

/* NULL when a line is wrong; its number and what it is about are stored. */
struct tls_psk *tls_psk_parse(struct slice text, unsigned *line,
    struct buf *why) MUST_CHECK;
/* The key of this name; empty when there is none. */
struct slice tls_psk_find(const struct tls_psk *p, const char *name);
/* Wipes the keys. */
void tls_psk_free(struct tls_psk **p);
