/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header - MQTT Properties <-> NATS headers.
 *
 *   QoS 1, 2                  Mqtt-Qos: 1
 *   RETAIN                    Mqtt-Retain: 1
 *   published again           Mqtt-Dup: 1
 *   Client Identifier         Mqtt-Client, if [nats] send_client_id
 *   Content Type              Mqtt-Content-Type
 *   Payload Format Indicator  Mqtt-Payload-Format
 *   Message Expiry Interval   Mqtt-Expiry (seconds left)
 *   Correlation Data          Mqtt-Correlation (base64)
 *   Response Topic            Mqtt-Response-Topic
 *   User Property             its own name, see header_order.h
 *
 * User Properties whose names are no legal header names are left out, as are
 * those that mean something to NATS or to us (Nats-, Nmqtt-, KV-, Mqtt-)
 * unless the operator passes them; so for headers on the way in. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "store/message.h"

/* Called for each header; both strings are the caller's again afterwards. */
typedef void header_emit_fn(void *arg, const char *name, const char *value);

/* Has the message nothing to say in headers? */
bool header_is_plain(const struct message *m, bool duplicate);
/*
 * The headers of a message; `pass` is [nats] pass_headers, NULL-terminated or
 * NULL.
 */
void header_each(const struct message *m, bool duplicate, uint64_t wall_ms,
    const char *const *pass, header_emit_fn *emit, void *arg);
/* Bytes on the wire of one header, and of what stands around all of them. */
size_t header_size(const char *name, const char *value);
#define HEADER_OVERHEAD (sizeof("NATS/1.0\r\n\r\n") - 1)

/* What the headers of a message from NATS say. */
struct header_reading {
	const char *const *pass;
	uint64_t wall_ms;
	uint64_t expires_ms;   /* 0: never */
	struct buf properties; /* encoded, to forward */
	uint64_t seen;         /* properties that stand once only */
	uint8_t qos;
	bool has_qos;
	bool retain;
};

/* Start reading; `r` was used before or is all zero. */
void header_read_start(struct header_reading *r, uint64_t wall_ms,
    const char *const *pass);
/* One header. What cannot be a legal property is left out. */
void header_read(struct header_reading *r, const char *name, const char *value);
