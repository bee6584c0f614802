/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit - limits that have struck: counted by name, and said in the log once
 * a second at most for each of them.
 *
 * The names are those of the keys that set them. Counting is an atomic
 * addition; nothing is counted as long as nobody asks for too much.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/thread.h"
#include "mqtt/reason.h"

struct broker;
struct client;
struct home;
struct message;
struct retained;
struct session;

enum limit {
	LIMIT_MAX_CONNECTIONS, /* of the node, or of a listener */
	LIMIT_MAX_CONNECTIONS_PER_ADDRESS,
	LIMIT_MAX_CONNECTIONS_PER_USER,
	LIMIT_CONNECT_RATE,
	LIMIT_CONNECT_RATE_PER_ADDRESS,
	LIMIT_MAX_LAG, /* the workers are behind: nobody new */
	LIMIT_CONNECT_TIMEOUT,
	LIMIT_MAX_CONNECT_SIZE,
	LIMIT_MAX_PACKET_SIZE,
	LIMIT_MAX_CLIENT_ID_LENGTH,
	LIMIT_MAX_LOGINS,
	LIMIT_MAX_SESSIONS,
	LIMIT_MAX_TOPIC_LENGTH,
	LIMIT_MAX_TOPIC_LEVELS,
	LIMIT_MAX_SUBSCRIPTIONS,
	LIMIT_RECEIVE_MAXIMUM,
	LIMIT_MESSAGE_RATE,
	LIMIT_BYTE_RATE,
	LIMIT_MAX_OUTPUT_BYTES, /* QoS 0 was dropped */
	LIMIT_MAX_BEHIND_BYTES, /* the client was disconnected */
	LIMIT_MAX_QUEUED,       /* messages or bytes of one session */
	LIMIT_MAX_QUEUED_TOTAL, /* of all of them */
	LIMIT_MAX_RETAINED,
	LIMIT_MAX_RETAINED_BYTES,
	LIMIT_COUNT
};

struct limits {
	struct {
		atomic_ullong struck;
		struct log_limit log;
	} of[LIMIT_COUNT];
};

const char *limit_name(enum limit which);
uint64_t limit_struck(const struct limits *l, enum limit which) ANY_THREAD;

/* It struck; the text says whom. */
void
limit_strike(struct limits *l, enum limit which, const char *fmt,
    ...) ANY_THREAD
PRINTF_LIKE(3, 4);
/* The same for a client of its home. */
void limit_strike_client(const struct client *c,
    enum limit which) WORKER_THREAD;
/* And for the session of somebody who may be away. */
void limit_strike_session(struct limits *l, enum limit which,
    const struct session *s) ANY_THREAD;

/*
 * Is this topic, or filter, too long or too deep for a client of this
 * listener? Counts; and says why.
 */
enum mqtt_reason limit_check_topic(const struct client *c, struct slice topic,
    const char **why) WORKER_THREAD;
/*
 * Do so many messages wait, for all sessions together, that there is no room
 * for another one of this size? Counts.
 */
bool limit_all_queued(const struct home *h, const struct session *s,
    size_t size) WORKER_THREAD;
/*
 * retained_set within the limits of the node. False, and counted: there is no
 * room for it, and what was there stays.
 */
bool limit_retain(struct broker *b, struct retained *r,
    struct message *m) ANY_THREAD;
