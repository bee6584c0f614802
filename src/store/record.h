/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record - what the store keeps, as bytes: the format on disk. Pure.
 *
 *   table         key                     value
 *   meta          name                    text or number
 *   session       session                 struct session_record
 *   subscription  session, number         struct subscription_record
 *   message       message                 the message
 *   queued        session, place          message, struct queued_record
 *   received      session, packet_id      struct received_record
 *   retained      order of retention      struct retained_record, its message
 *   will          will                    struct will_record, its message
 *
 * Keys are big-endian, so that what belongs to a session is a range in its
 * order. Every value ends with a check of key and value. doc/store.md has the
 * same for operators; RECORD_FORMAT changes when any of this does.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "store/message.h"

/* 1, which is read as well, had no `share` and no Wills of present clients. */
#define RECORD_FORMAT 2

enum record_table {
	RECORD_META,
	RECORD_SESSION,
	RECORD_SUBSCRIPTION,
	RECORD_MESSAGE,
	RECORD_QUEUED,
	RECORD_RECEIVED,
	RECORD_RETAINED,
	RECORD_WILL,
	RECORD_TABLES
};

/* The name of a table, as in the file. */
const char *record_table_name(enum record_table table);

#define RECORD_KEY_MAX 16

struct record_key {
	uint8_t len;
	uint8_t bytes[RECORD_KEY_MAX];
};

struct record_key record_key(uint64_t id);
struct record_key record_key_pair(uint64_t id, uint64_t second);
/* At most RECORD_KEY_MAX bytes. */
struct record_key record_key_name(const char *name);
struct slice record_key_slice(const struct record_key *key);
/* The numbers of a key; false when it has not that many. */
bool record_key_read(struct slice key, uint64_t *id, uint64_t *second);

/* Append the check of `key` and what stands in `value` from `start` on. */
void record_seal(struct buf *value, size_t start, struct slice key);
/* Take the check off *value; false when it is wrong. */
bool record_unseal(struct slice key, struct slice *value) MUST_CHECK;

struct session_record {
	struct slice client_id;
	struct slice owner; /* ptr NULL: nobody's */
	uint8_t version;    /* enum mqtt_version */
	uint32_t expiry_s;
	uint64_t left_ms; /* clock_wall_ms; 0: its client is, or was, there */
};

struct subscription_record {
	struct slice filter;
	uint32_t id;
	uint8_t qos;
	bool no_local;
	bool retain_as_published;
};

/* A message that a session has not finished with, towards its client. */
struct queued_record {
	uint64_t message;
	uint16_t packet_id; /* 0: not sent yet */
	uint8_t qos;
	bool retain;
	bool released;      /* PUBREC has come */
	struct slice share; /* the Shared Subscription's filter; ptr NULL */
	struct slice ids;   /* Subscription Identifiers, four bytes each */
};

/* A QoS 2 message from a client that awaits its PUBREL. */
struct received_record {
	bool held; /* answered by PUBREC; else only delivered here */
};

struct retained_record {
	struct slice owner; /* ptr NULL: the node's */
};

struct will_record {
	uint64_t session;  /* 0: it is due whatever becomes of that */
	bool present;      /* its client is, or was, there */
	uint64_t due_ms;   /* clock_wall_ms; if present: so long after it */
	uint32_t expiry_s; /* once published; UINT32_MAX: as its message says */
	struct slice owner;
};

void record_put_session(struct buf *out, const struct session_record *r);
void record_put_subscription(struct buf *out,
    const struct subscription_record *r);
/* Without `message`, which the store puts before it. */
void record_put_queued(struct buf *out, const struct queued_record *r);
void record_put_message_id(struct buf *out, uint64_t message);
void record_put_received(struct buf *out, const struct received_record *r);
void record_put_retained(struct buf *out, const struct retained_record *r);
void record_put_will(struct buf *out, const struct will_record *r);
/* The last part of a value. */
void record_put_message(struct buf *out, const struct message *m);

/*
 * Unsealed values back again; slices borrow from them. False when the value
 * is not one of those above.
 */
bool record_get_session(struct slice value,
    struct session_record *out) MUST_CHECK;
bool record_get_subscription(struct slice value,
    struct subscription_record *out) MUST_CHECK;
bool record_get_queued(struct slice value,
    struct queued_record *out) MUST_CHECK;
bool record_get_received(struct slice value,
    struct received_record *out) MUST_CHECK;
/* *message: what is left for record_get_message. */
bool record_get_retained(struct slice value, struct retained_record *out,
    struct slice *message) MUST_CHECK;
bool record_get_will(struct slice value, struct will_record *out,
    struct slice *message) MUST_CHECK;
/*
 * A new message, or NULL. It has been answered, or is not to be: not all who
 * were to store it may have done so, and who wants an answer asks again.
 */
struct message *record_get_message(struct slice value) MUST_CHECK;
