/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules - what a listener grants its clients, and what it does not. Pure.
 *
 * A session may have come through another listener before: what it was granted
 * there stays, what its client asks for is looked at here.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/slice.h"
#include "mqtt/reason.h"
#include "store/session.h"

struct buf;
struct packet_subscribe;

/* A limit of a listener's own, or the node's. */
#define RULES_LIMIT(own, node) ((own) != 0 ? (own) : (node))

/* What clients of the listener may use up. */
struct rules_limits {
	/* 0: as the options of the broker have it. */
	unsigned connect_timeout_ms;
	unsigned max_subscriptions;
	unsigned max_inflight;
	size_t max_connect_size;
	size_t max_packet_size;
	size_t max_output_bytes;
	size_t max_behind_bytes; /* with more it is disconnected */
	struct session_limits queue;
	/* 0: no limit. */
	unsigned max_topic_length;
	unsigned max_topic_levels;
	unsigned max_connections_per_user;
	unsigned message_rate; /* a second */
	unsigned byte_rate;
	bool refuse_rate; /* v5: say no, do not let it wait */
	/* For net/admission; UINT32_MAX: it makes the choice. */
	unsigned max_connections_per_address;
	unsigned connect_rate_per_address; /* a second */
	unsigned connect_rate;
};

struct client_rules {
	const char *listener; /* its name, for the log */
	unsigned protocols;   /* bit 1 << enum mqtt_version */
	bool is_open;         /* to those of whom nobody knows who they are */
	bool needs_proof;     /* all of them have a certificate, with a name */
	bool proof_is_client_id; /* that name is their identifier, too */
	unsigned max_qos;
	bool retain_available;
	bool wildcard_available;
	bool subscription_ids_available;
	bool shared_available;
	struct rules_limits limits;
	/* [a] What has come into force since; NULL: nothing. Whoever was told
	 * of these keeps to them. */
	_Atomic(const struct client_rules *) newer;
};

/* What is in force now, where `r` was. */
const struct client_rules *rules_newest(const struct client_rules *r);

/* May a client publish so, or have a Will like that? SUCCESS, or why not. */
enum mqtt_reason rules_check_message(const struct client_rules *r, unsigned qos,
    bool retain, const char **why) MUST_CHECK;

/* May a client subscribe to this? `filter` need not be a valid one. */
enum mqtt_reason rules_check_filter(const struct client_rules *r,
    struct slice filter, const char **why) MUST_CHECK;

/* The same for a whole SUBSCRIBE of v5. */
enum mqtt_reason rules_check_subscribe(const struct client_rules *r,
    const struct packet_subscribe *p, const char **why) MUST_CHECK;

/* What CONNACK tells a v5 client: properties for what is not granted. */
void rules_put_properties(const struct client_rules *r, struct buf *out);
