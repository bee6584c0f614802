/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - an immutable, counted Application Message in one allocation.
 *
 *   struct message | topic 0 | subject 0 | reply 0 | Client Identifier 0 |
 *       properties | payload
 *
 * Shared by every thread and every subscriber; nothing but the counts and
 * what is said of them below changes after message_new. The strings end with
 * a zero that their lengths do not count.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"

struct message {
	atomic_uint refs;
	/* Somebody has answered `reply`; set once, by exchange. */
	atomic_bool answered;
	uint8_t qos;
	bool retain;
	bool from_nats;
	/* Its Response Topic is the reply subject: a device will answer. */
	bool is_request;
	bool is_secret; /* wiped when it goes */
	uint16_t topic_len;
	uint16_t subject_len;
	uint16_t reply_len;
	uint16_t client_id_len;
	uint32_t properties_len;
	uint32_t payload_len;
	uint64_t publisher;  /* who sent it, for No Local; 0: nobody here */
	uint64_t expires_ms; /* clock_wall_ms when it is over; 0: never */
	/* How many are to store it before `reply` is answered, and a bit: see
	 * broker/answer. */
	atomic_uint owed;
	/* The store thread's: how many records refer to it, and where it is. */
	uint32_t stored_refs;
	uint64_t stored_id; /* 0: not stored */
	uint8_t bytes[];
};

/* What message_new copies; absent parts are empty slices. */
struct message_parts {
	struct slice topic;   /* at most 65535 bytes, as the next two */
	struct slice subject; /* its NATS subject; empty: stays on this node */
	struct slice reply;   /* NATS reply subject that wants an answer */
	struct slice client_id; /* of the publisher, where NATS is to know it */
	/*
	 * MQTT 5.0 properties to forward, encoded: Payload Format Indicator,
	 * Content Type, Response Topic, Correlation Data, User Property.
	 */
	struct slice properties;
	struct slice payload;
	uint8_t qos;
	bool retain;
	bool from_nats;
	bool is_request;
	bool is_secret;
	uint64_t publisher;
	uint64_t expires_ms;
};

/* A new message with one reference. Any thread. */
struct message *message_new(const struct message_parts *parts) MUST_CHECK;
struct message *message_ref(struct message *m);
/*
 * Give the reference in *m back and clear it; the last one frees. *m may be
 * NULL.
 */
void message_unref(struct message **m);

struct slice message_topic(const struct message *m);
struct slice message_subject(const struct message *m);
struct slice message_reply(const struct message *m);
struct slice message_client_id(const struct message *m);
struct slice message_properties(const struct message *m);
struct slice message_payload(const struct message *m);
/* Bytes of memory that the message takes. */
size_t message_size(const struct message *m);
/* Is its Message Expiry Interval over at `wall_ms`? */
bool message_is_expired(const struct message *m, uint64_t wall_ms);
/* Seconds left, rounded up; 0 for a message that never expires. */
uint32_t message_expiry_left(const struct message *m, uint64_t wall_ms);
