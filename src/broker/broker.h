/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker - what an MQTT Server does, for the whole node.
 *
 *   broker --- index, registry, retained    shared, each with its own locks
 *      |------ home 0 ... home N-1          one per worker, touched by it only
 *      `------ bus                          the NATS thread
 */
#pragma once

#include <pthread.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/helper.h"
#include "broker/index.h"
#include "broker/limit.h"
#include "nats/bus.h"
#include "store/session.h"

struct home;
struct registry;
struct retained;
struct store;
struct sys_topics;
struct tokens;
struct users;
struct acl;

/* One row of `[ack]`. */
struct ack_rule {
	const char *filter;
	enum ack_policy policy;
};

/* Borrowed for the life of the broker, each of them; filled by daemon/. */
struct broker_options {
	unsigned n_workers;
	struct mapping mapping;
	enum ack_policy ack;
	const struct ack_rule *ack_rules; /* the first that matches counts */
	size_t n_ack_rules;
	unsigned receive_maximum; /* from a client, not acknowledged yet */
	unsigned max_inflight;    /* to a client, not acknowledged yet */
	unsigned topic_alias_maximum_out; /* to a client; 0: none */
	size_t max_packet_size;
	size_t max_connect_size; /* of the first one */
	struct session_limits queue;
	uint32_t session_expiry_max_s; /* MQTT_EXPIRY_NEVER: no limit */
	unsigned keepalive_max_s;      /* 0: no limit */
	unsigned connect_timeout_ms;
	unsigned max_lag_ms;     /* of a worker, or nobody new; 0: any */
	size_t max_output_bytes; /* to a client whose socket is full */
	size_t max_behind_bytes; /* with those that were dropped; 0: any */
	uint64_t max_queued_messages_total; /* of all sessions; 0: any */
	uint64_t max_queued_bytes_total;
	size_t max_retained_bytes; /* 0: no limit */
	size_t max_control_line;   /* of NATS: subject and reply */
	unsigned max_topic_levels;
	unsigned max_client_id_length;
	unsigned max_subscriptions;
	unsigned max_sessions;
	size_t max_retained;              /* 0: no limit */
	const char *server_reference;     /* NULL or "": no other takes over */
	const char *response_information; /* where it begins; as above */
	unsigned sys_interval_s;          /* of $SYS; 0: there is none */
	unsigned max_logins;          /* whose passwords wait to be checked */
	const char *auth_subject;     /* who says who may connect; NULL */
	unsigned auth_timeout_ms;     /* for its reply */
	unsigned auth_cache_s;        /* that one holds, if it does not say */
	struct users *users;          /* NULL: there is no password file */
	struct tokens *tokens;        /* NULL: no key signs any */
	const char *client_id_prefix; /* with %u in it; NULL: any */
	struct acl *acl;              /* NULL: there is no ACL file */
	bool queue_qos0;
	bool check_payload_format;
	bool tolerate_receive_maximum; /* v5: more than it are served */
	bool v3_refuse_close;
	bool identity_user;
	bool refuse_when_down;
	bool send_client_id;
};

struct calls;
struct grant_cache;
struct presence;
struct shares;

struct broker {
	/* [a] another one after a reload; what needs a restart is the same */
	_Atomic(const struct broker_options *) options;
	struct index *index;       /* [I] */
	struct registry *registry; /* [I] */
	struct retained *retained; /* [I] */
	pthread_mutex_t owned_lock;
	struct hash owned;          /* [l] by User Name, identity = user */
	struct calls *calls;        /* [I] from NATS, to be answered */
	struct shares *shares;      /* [I] */
	struct presence *presence;  /* [I] clients of each user */
	struct grant_cache *grants; /* [I] */
	struct bus *bus;            /* [I] NULL: no NATS at all */
	struct store *store;        /* [I] NULL: nothing outlives the process */
	struct home **homes;        /* [I] n_workers of them */
	struct sys_topics *sys_topics; /* [I] NULL: there are none */
	struct helper *helper;         /* [I] NULL: none runs */
	atomic_uint n_verifying;       /* [a] passwords with the helper */
	atomic_uint n_asking;          /* [a] questions of request_subject */
	atomic_uint next_connection;   /* numbers for the log */
	atomic_uint n_joining; /* homes whose sessions NATS does not know yet */
	atomic_ullong dropped_retained; /* from NATS, at the limit */
	struct matches inbound;         /* scratch of the NATS thread */
	struct limits limits;           /* [a] those that have struck */
};

/*
 * The broker and its homes; nothing runs yet. The bus is made afterwards, with
 * broker_bus_ops and the broker as `arg`, and put into ->bus before a worker
 * starts.
 */
struct broker *broker_new(const struct broker_options *options) MAIN_THREAD;
/* After every worker and the bus have stopped; ends every session. */
void broker_free(struct broker **b) MAIN_THREAD;

/* Start the helper thread, before the workers. Returns 0 or -errno. */
int
broker_start(struct broker *b) MAIN_THREAD
MUST_CHECK;
/* Stop it, after them. */
void broker_stop(struct broker *b) MAIN_THREAD;
/* Have a job done by the helper; where none runs, on the spot. */
void broker_help(struct broker *b, struct helper_job *job) ANY_THREAD;

extern const struct bus_ops broker_bus_ops;

/*
 * Where the Retained Messages of a session are: the node's, or, when devices
 * carry their own NATS identity (`owner` is their User Name), a store of its
 * own for each, since NATS may not let them see each other's.
 */
struct retained *broker_retained(struct broker *b,
    const char *owner) ANY_THREAD;

/* Forget retained messages that have expired, in every store. */
void broker_expire_retained(struct broker *b, uint64_t wall_ms) ANY_THREAD;

/* Is there a NATS that a message could go to now? */
bool broker_nats_is_up(const struct broker *b) ANY_THREAD;
/* What the PUBACK of a message on this topic waits for. */
enum ack_policy broker_ack_policy(const struct broker *b,
    struct slice topic) ANY_THREAD;
