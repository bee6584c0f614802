/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - the ini file, checked, as one plain struct.
 *
 * option.tbl declares every key once: where it is stored, what it may be and
 * its default. mqtt-nats.ini(5) is the manual. A struct config is filled by
 * config_load, completed by config_resolve and only read afterwards, by any
 * thread.
 *
 * Strings are never NULL (not given is ""), lists end with a NULL. Numbers
 * have their unit in their name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "auth/acl.h"
#include "auth/tokens.h"
#include "auth/users.h"
#include "base/attr.h"
#include "base/log.h"
#include "nats/bus.h"
#include "net/tls.h"
#include "store/store.h"
#include "topic/subject.h"

enum config_identity {
	IDENTITY_SHARED, /* the daemon's own towards NATS */
	IDENTITY_USER    /* the device's own */
};

enum config_when_down {
	WHEN_DOWN_SERVE,
	WHEN_DOWN_REFUSE /* no new clients while NATS is away */
};

/* What a 3.x client gets for a PUBLISH that is refused. */
enum config_v3_refuse {
	V3_REFUSE_ACK,  /* counted, dropped and acknowledged */
	V3_REFUSE_CLOSE /* the connection is closed */
};

/* What a v5 client gets that sends more than it was told it may. */
enum config_exceeded {
	EXCEEDED_DISCONNECT,
	EXCEEDED_WARN /* it is served, and the log says so */
};

/* Limits that are not numbers. */
#define CONFIG_AUTO    UINT32_MAX       /* none where only this machine is */
#define CONFIG_INHERIT (UINT32_MAX - 1) /* a listener's: as in [limits] */

/* A client that publishes faster than it may. */
enum config_rate_exceeded { RATE_WAIT, RATE_REFUSE };

/* What to do about a store that cannot be read. */
enum config_on_damage { ON_DAMAGE_STOP, ON_DAMAGE_ASIDE };

/* Clients of whom nobody knows who they are. */
enum config_anonymous {
	ANONYMOUS_NO,
	ANONYMOUS_YES,
	ANONYMOUS_AUTO /* where only this machine can reach the listener */
};

enum config_transport {
	TRANSPORT_TCP,
	TRANSPORT_WS /* WebSocket */
};

/* `[listener NAME]`; the one called "default" if the file has none. */
struct config_listener {
	char *name;
	char *address;         /* numeric, IPv4 or IPv6; "/PATH"; "systemd" */
	unsigned port;         /* 0: the kernel picks one */
	char *socket_mode;     /* of "/PATH": octal digits */
	char *socket_group;    /* "": the process's own */
	char **allow_networks; /* none: all */
	char **deny_networks;
	enum config_transport transport;
	char *ws_path;
	char **ws_origins; /* none: all */
	bool proxy_protocol;
	char **proxy_networks; /* that are believed */
	bool tls;
	char *cert_file;
	char *key_file;
	char *ca_file;
	char *crl_file;
	bool require_client_cert;
	enum tls_identity identity_from;
	bool identity_is_client_id;
	char *psk_file;
	struct tls_context *tls_context; /* of these; NULL: no TLS, or taken */
	unsigned protocols; /* bit 1 << protocol level: 3, 4 (3.1.1), 5 */
	unsigned max_qos;
	bool retain_available;
	bool wildcard_available;
	bool subscription_ids_available;
	bool shared_available;
	unsigned max_connections; /* 0: no limit of its own */
	/* CONFIG_INHERIT: as in [limits]; those with 0 have no 0 there. */
	unsigned max_connections_per_address;
	unsigned max_connections_per_user;
	unsigned connect_rate;
	unsigned connect_rate_per_address;
	unsigned connect_timeout_ms;  /* 0 */
	size_t max_connect_size;      /* 0 */
	size_t max_packet_size;       /* 0 */
	unsigned max_topic_length;    /* 0 */
	unsigned max_topic_levels;    /* 0 */
	unsigned max_subscriptions;   /* 0 */
	unsigned max_inflight;        /* 0 */
	unsigned max_queued_messages; /* 0 */
	size_t max_queued_bytes;      /* 0 */
	size_t max_output_bytes;      /* 0 */
	size_t max_behind_bytes;      /* 0 */
	unsigned message_rate;
	unsigned byte_rate;
	unsigned rate_exceeded;
	unsigned backlog;
	unsigned line; /* of its section, for messages; 0: not from a file */
};

/* One row of `[ack]`. Several may match a topic: the first one counts. */
struct config_ack {
	char *filter;
	enum ack_policy policy;
	unsigned line;
};

struct config {
	struct {
		unsigned workers; /* not 0 after config_resolve */
		char *node_name; /* not "" after config_resolve; a NATS token */
		bool node_name_made; /* by config_resolve */
		char *pid_file;
		char *user;  /* "": stay who started us */
		char *group; /* "": the user's */
		bool core_dumps;
		unsigned drain_timeout_ms;
		char *server_reference;     /* "": none */
		char *response_information; /* "": none */
		unsigned sys_interval_s;    /* 0: no $SYS */
	} server;

	struct config_listener *listeners; /* at least one */
	size_t n_listeners;

	struct {
		char *url; /* comma separated; "": no NATS at all */
		char *user;
		char *password;
		char *token;
		char *creds_file;
		char *nkey_seed_file;
		bool tls;
		char *ca_file;
		char *cert_file;
		char *key_file;
		enum config_identity identity;
		enum config_when_down when_down;
		char *retained_request_subject; /* "": off */
		char *retained_set_subject;     /* "": off */
		struct bus_inbound_qos *inbound_qos;
		size_t n_inbound_qos;
		char **request_subjects;
		char **push_subjects;
		char **pass_headers;
		bool send_client_id;
		size_t pending_bytes;
		size_t unsettled_bytes; /* 0: no limit */
		size_t max_control_line;
		unsigned flush_interval_us;
		unsigned liveness_s;
		unsigned link_linger_s;
		unsigned ring_size; /* items, a power of two */
	} nats;

	struct {
		enum mapping_mode mode;
		char *topic_prefix;
		char *subject_prefix;
	} mapping;

	struct {
		enum ack_policy ack;
		unsigned ack_timeout_ms;
		unsigned ack_attempts;
		unsigned
		    receive_maximum; /* from a client, not yet acknowledged */
		enum config_exceeded receive_maximum_exceeded;
		unsigned max_inflight; /* to a client, not yet acknowledged */
	} qos;

	struct config_ack *ack_rows; /* in the order of the file */
	size_t n_ack_rows;

	struct {
		size_t max_packet_size;   /* bytes, fixed header included */
		size_t max_connect_size;  /* of a CONNECT */
		unsigned max_connections; /* of the node */
		unsigned max_connections_per_address; /* or CONFIG_AUTO */
		unsigned max_connections_per_user;    /* 0: any */
		unsigned connect_rate;                /* or CONFIG_AUTO */
		unsigned connect_rate_per_address;    /* or CONFIG_AUTO */
		unsigned max_lag_ms;
		unsigned max_queued_messages; /* of a session, per session */
		size_t max_queued_bytes;
		uint32_t session_expiry_max_s; /* UINT32_MAX: never */
		unsigned keepalive_max_s;      /* 0: whatever the client says */
		unsigned connect_timeout_ms;   /* from accept to CONNECT */
		bool queue_qos0; /* for a session whose client is away */
		enum config_v3_refuse v3_refuse;
		bool check_payload_format; /* of what says it is text */
		size_t
		    max_output_bytes; /* not yet taken by a client's socket */
		size_t max_behind_bytes;
		size_t max_queued_messages_total; /* 0: no limit */
		size_t max_queued_bytes_total;
		unsigned message_rate; /* or CONFIG_AUTO; 0: no limit */
		unsigned byte_rate;
		unsigned rate_exceeded;
		size_t max_retained_bytes; /* 0: no limit */
		unsigned max_topic_length;
		unsigned max_topic_levels;
		unsigned max_client_id_length;
		unsigned max_sessions;
		unsigned max_subscriptions;       /* of a session */
		unsigned topic_alias_maximum_out; /* towards a client */
		size_t max_retained;              /* 0: no limit */
		unsigned max_logins; /* passwords that wait to be checked */
	} limits;

	struct {
		enum config_anonymous allow_anonymous;
		char *client_id_prefix; /* "": none */
		char *acl_file;         /* "": none */
		struct acl *acl;        /* what is in it; NULL: none */
		char *request_subject;  /* "": none */
		unsigned request_timeout_ms;
		unsigned request_cache_s;
		char *jwt_key_file; /* "": none */
		char *jwt_issuer;   /* "": any */
		char *jwt_audience; /* "": any */
		char *jwt_user_claim;
		struct tokens *tokens; /* keys of jwt_key_file; NULL: none */
		char *password_file;   /* "": none */
		struct users *users;   /* what is in it; NULL: none */
	} auth;

	struct {
		char *path; /* a directory; "": nothing outlives the process */
		enum store_sync sync;
		unsigned sync_interval_ms;
		size_t max_size;
		enum config_on_damage on_damage;
	} store;

	struct {
		char *address;
		unsigned port; /* 0: off */
	} monitor;

	struct {
		enum log_level level;
		char *file; /* "": standard error */
	} log;
};

/* Something from the command line that wins over the file. */
struct config_override {
	const char *flag; /* as the user knows it, "-p" */
	const char *section;
	const char *key;
	const char *value;
};

/* What was found while loading, each a line without newline, "FILE:LINE: "
 * in front. All zero is an empty report. */
struct config_report {
	char **errors;
	size_t n_errors;
	char **warnings;
	size_t n_warnings;
};
void config_report_fini(struct config_report *r);

/*
 * Read `path` (NULL: built-in defaults only), apply the overrides, check
 * everything. All mistakes of the file are reported, up to 20. NULL when
 * there is any; warnings alone do not prevent loading. The caller frees.
 */
struct config *config_load(const char *path,
    const struct config_override *overrides, size_t n_overrides,
    struct config_report *report) MUST_CHECK;

/* The same for text in memory; `name` stands in messages. For tests. */
struct config *config_parse(const char *text, const char *name,
    const struct config_override *overrides, size_t n_overrides,
    struct config_report *report) MUST_CHECK;

/*
 * Settle what depends on the machine: workers = auto becomes the number of
 * processors, an empty node_name becomes the host's name and random letters,
 * so that no two nodes have the same.
 */
void config_resolve(struct config *c);

/* May clients of whom nobody knows who they are come through this one? */
bool config_admits_anonymous(const struct config *c,
    const struct config_listener *l);

/* Can only this machine reach it, as far as its keys tell? */
bool config_is_loopback(const struct config_listener *l);

/* Wipes secrets. */
void config_free(struct config **c);

/*
 * Print the effective configuration as an ini file that means the same; what
 * is secret is shown as "***" if it is set.
 */
void config_print(const struct config *c, FILE *out);

/*
 * What the NATS layer needs, borrowed from `c`; wakers and n_workers are left
 * to the caller. Only for a configuration with an url.
 */
void config_bus_options(const struct config *c, struct bus_options *out);
