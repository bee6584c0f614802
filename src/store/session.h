/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - the Session State of one Client Identifier.
 *
 * Lives on one worker from its first CONNECT to its end; the client comes to
 * it (doc/architecture.md). What it holds is what MQTT says it holds:
 * subscriptions, messages not finished in either direction, messages waiting
 * for a client that is away. All calls belong to the session's worker.
 */
#pragma once

#include "base/hash.h"
#include "base/queue.h"
#include "base/timer.h"
#include "store/inflight.h"
#include "store/receiving.h"

struct acl;
struct client;
struct will;

/* Of a session whose NATS identity is not known: that of nobody. */
#define SESSION_LINK_NONE UINT32_MAX

struct subscription {
	LIST_ENTRY(subscription)
	entry;
	struct hash_node node; /* used when there are many */
	uint32_t id;           /* Subscription Identifier, 0: none */
	uint32_t filter_len;
	uint32_t number; /* in the store; 0: not there */
	uint8_t qos : 2;
	uint8_t no_local : 1;
	uint8_t retain_as_published : 1;
	char filter[]; /* as the client sent it; zero-terminated */
};

struct session {
	struct hash_node node;  /* the registry's, under its lock */
	uint64_t handle;        /* [I] in its worker's slots */
	struct client *client;  /* NULL while it is away */
	char *client_id;        /* [I] */
	uint16_t client_id_len; /* [I] */
	uint8_t version;        /* of the client that was here last */
	bool keep;              /* Session Expiry Interval > 0 */
	uint32_t epoch;         /* counts Network Connections */
	uint32_t expiry_s;      /* MQTT_EXPIRY_NEVER: no end */
	uint32_t link;          /* NATS identity, 0: the daemon's */
	char *owner;            /* User Name it belongs to; NULL: anybody's */
	uint64_t stored_id;     /* in the store; 0: it does not last */
	uint64_t first_place;   /* there, of messages to the client */
	uint64_t next_place;
	uint64_t promised;    /* the client's messages wait for this number */
	uint32_t next_number; /* there, of subscriptions */
	uint32_t n_subscriptions;
	uint32_t backlog_bytes;
	LIST_HEAD(, subscription) subscriptions;
	struct hash *by_filter;     /* NULL while few */
	struct inflight inflight;   /* to the client */
	struct receiving receiving; /* from the client */
	struct outbox backlog;      /* QoS > 0, and what queue_qos0 keeps */
	struct timer expiry;        /* armed while away */
	struct will *will;          /* broker/will's, while delayed */
	struct acl *acl;            /* broker/rights'; NULL: the node's */
};

/* A session without subscriptions; handle and timers are the caller's. */
struct session *session_new(struct slice client_id);
/* Frees everything in it; the timer must be disarmed. */
void session_free(struct session **s);

struct slice session_client_id(const struct session *s);

struct subscription *session_find_subscription(const struct session *s,
    struct slice filter);
/* Add one whose filter is not there. */
struct subscription *session_add_subscription(struct session *s,
    struct slice filter);
/* Take out and free. */
void session_drop_subscription(struct session *s,
    struct subscription **subscription);

/* What a backlog may hold. */
struct session_limits {
	uint32_t max_queued_messages;
	uint32_t max_queued_bytes;
};

/*
 * Keep a message until the client can take it. False when the backlog is full
 * (then *o is still the caller's): the newest is refused, so that nobody who
 * was told "taken" loses by it.
 */
bool session_queue(struct session *s, const struct outgoing *o,
    const struct session_limits *limits) MUST_CHECK;
/* The same before everything that waits. */
bool session_queue_first(struct session *s, const struct outgoing *o,
    const struct session_limits *limits) MUST_CHECK;
/* The oldest into *out, which then owns it; false when there is none. */
bool session_dequeue(struct session *s, struct outgoing *out);
