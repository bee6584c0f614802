/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - the protocol state of one Network Connection.
 *
 *   NEW --CONNECT--> LOGIN --it is who it says--> ONLINE --> CLOSING --> gone
 *    |               (where somebody asks)          ^
 *    `----------------------------------------------'
 *
 * It knows no socket: net/conn embeds it, feeds it Control Packets and writes
 * out what stands in `out`; the client asks for attention by getting on its
 * home's `dirty` list. Only the worker of its home touches it.
 */
#pragma once

#include "base/buf.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/thread.h"
#include "base/timer.h"
#include "broker/login.h"
#include "broker/rules.h"
#include "mqtt/packet.h"
#include "nats/bus.h"
#include "store/session.h"

struct client_auth;
struct feed;
struct gates;
struct grant;
struct home;
struct pending;
struct rate;
struct topic_aliases;

TAILQ_HEAD(feed_list, feed);

enum client_state {
	CLIENT_NEW,
	CLIENT_LOGIN, /* somebody finds out who it is */
	CLIENT_AUTH,  /* v5: it proves that itself, see client_auth.h */
	CLIENT_ONLINE,
	CLIENT_CLOSING /* write `out`, then close the socket */
};

/* What most clients do not need. */
struct client_extras {
	/* Topic Aliases of v5, made when the first one is used. */
	char **taken; /* its topics, [alias - 1]; NULL: none, or not set */
	struct topic_aliases *given; /* ours; NULL: none */
	struct rate *rate;           /* NULL: as fast as it likes */
	uint64_t stored_will;        /* in the store; 0: not there */
	struct grant *grant;         /* of request_subject; NULL: none */
	struct client_rules *rules;  /* its own; NULL: the listener's */
	struct timer expiry;         /* of the grant */
	struct client *client;       /* whose it is; NULL: it is not armed */
	/* What was dropped or queued for it since it has taken all. */
	uint64_t behind_bytes;
};

struct client {
	TAILQ_ENTRY(client)
	entry; /* of home's dirty or stalled */
	struct home *home;
	struct session *session;          /* ONLINE only */
	const struct client_rules *rules; /* borrowed, constant */
	struct buf out;                   /* not yet written to the socket */
	struct gates *gates; /* of `out`, see promise; NULL: none */
	struct timer timer;  /* time to CONNECT, then keep alive */
	struct message *will;
	char *address;          /* for the log; then is_proven's name */
	struct feed_list feeds; /* retained messages on their way */
	size_t n_feeding;       /* that many */
	struct client_extras *extras;
	struct pending *login;
	struct client_auth *auth; /* v5 Authentication Method; NULL: none */
	struct buf held;          /* the CONNECT while LOGIN or moving */
	uint64_t last_packet_ms;
	uint32_t number;          /* for the log */
	uint32_t max_packet_size; /* the client's; UINT32_MAX: any */
	uint32_t will_delay_s;
	uint32_t will_expiry_s; /* once published; MQTT_EXPIRY_NEVER */
	uint32_t link;          /* NATS identity; 0: the daemon's */
	uint16_t keep_alive_s;
	uint16_t alias_max; /* that we may give; 0: it wants none */
	uint16_t send_max;  /* the client's Receive Maximum, or ours */
	uint8_t state;
	uint8_t version; /* enum mqtt_version; 0 before CONNECT */
	bool is_dirty : 1;
	bool is_stalled : 1;
	bool is_paused : 1; /* net stopped reading, see client_may_read */
	bool wants_problem_information : 1;
	bool has_link : 1; /* one BUS_FORGET is due */
	bool is_authenticated : 1;
	bool is_asked : 1;     /* request_subject: somebody has been */
	bool is_proven : 1;    /* by certificate or key, see client_prove */
	bool has_exceeded : 1; /* its Receive Maximum, and was warned of */
	bool is_moving : 1;    /* net: hand it to worker `move_to` */
	uint8_t move_to;
	bool is_rated : 1;   /* `extras` has a rate */
	bool is_present : 1; /* counted for its user, see presence */
};

/* A connection was accepted; `address` is copied. */
void client_init(struct client *c, struct home *h,
    const struct client_rules *rules, const char *address) WORKER_THREAD;
/*
 * It goes to another worker: what must not be lost is moved to `to`, which
 * client_init_moved takes over there; client_fini is still due.
 */
void client_pack(struct client *c, struct client *to) WORKER_THREAD;
void client_init_moved(struct client *c, struct home *h,
    struct client *from) WORKER_THREAD;
/* Look at the CONNECT that came with it. */
void client_start_moved(struct client *c) WORKER_THREAD;
/* Nothing may come after this; state CLOSING or moved away. */
void client_fini(struct client *c) WORKER_THREAD;

/*
 * Before CONNECT: it has proven to be this user, by a certificate or a key;
 * NULL: nobody. Copied; harmless to say twice.
 */
void client_prove(struct client *c, const char *name) WORKER_THREAD;
/* Who that is; empty: it has not. */
struct slice client_proven_name(const struct client *c);
/* Who it is was not known before; the text is copied. */
void client_set_address(struct client *c, const char *address) WORKER_THREAD;

/* One Control Packet. Afterwards look at `state`, `is_moving`, may_read. */
void client_on_packet(struct client *c, const struct frame *f) WORKER_THREAD;
/* What came was no packet, or too large a one. */
void client_on_bad_frame(struct client *c,
    enum mqtt_reason reason) WORKER_THREAD;
/* The peer has closed or broken the connection; `why` goes to the log. */
void client_on_hangup(struct client *c, const char *why) WORKER_THREAD;
/* `out` was written: there may be more to send. */
void client_on_drained(struct client *c) WORKER_THREAD;

/*
 * May another packet be read now? No: while logging in, while the bus or
 * another worker is congested, while too much is unanswered or unsent. The
 * client gets on `dirty` when that may have changed.
 */
bool client_may_read(struct client *c) WORKER_THREAD;
/* The largest packet it may send now, bytes. */
size_t client_max_packet(const struct client *c) WORKER_THREAD;

/* Ask for the worker's attention at the end of this turn. */
void client_touch(struct client *c) WORKER_THREAD;

/*
 * End the Network Connection because of us: v5 clients that are online get a
 * DISCONNECT with the reason; `why` (NULL: the reason's own text) goes into
 * its Reason String and the log. The Will is published, unless the reason is
 * normal. Does nothing when it is CLOSING already.
 */
void client_close(struct client *c, enum mqtt_reason reason,
    const char *why) WORKER_THREAD;
/*
 * The server stops: where another one takes over, v5 clients are told which,
 * v5 4.11.
 */
void client_send_away(struct client *c) WORKER_THREAD;
/*
 * The same without another word to the client, after a CONNACK that refuses
 * or a DISCONNECT of its own. `with_will`: the Will is to be published.
 */
void client_end(struct client *c, bool with_will,
    const char *why) WORKER_THREAD;

/* A log line about this client: number, identifier, address, then the text. */
void client_log(const struct client *c, enum log_level level, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

/* The Will is no longer the client's: its number in the store, or 0. */
uint64_t client_take_stored_will(struct client *c) WORKER_THREAD;

/* Made if there are none yet. */
struct client_extras *client_extras(struct client *c) WORKER_THREAD;

/* Keep alive of an ONLINE client starts to count (again). */
void client_arm_keep_alive(struct client *c) WORKER_THREAD;

/* By packet; each in the file of its name. */
void client_on_connect(struct client *c, const struct frame *f) WORKER_THREAD;
void client_on_publish(struct client *c, const struct frame *f) WORKER_THREAD;
void client_on_ack(struct client *c, const struct frame *f) WORKER_THREAD;
void client_on_subscribe(struct client *c, const struct frame *f) WORKER_THREAD;
void client_on_unsubscribe(struct client *c,
    const struct frame *f) WORKER_THREAD;
void client_on_auth(struct client *c, const struct frame *f) WORKER_THREAD;
void client_on_disconnect(struct client *c,
    const struct frame *f) WORKER_THREAD;

/* client_login: it is known who that is; `link` as in login_settled. */
void client_on_login(struct client *c, enum login_result result,
    uint32_t link) WORKER_THREAD;
/* client_grant: what was said about it; NULL: nothing, so it is refused. */
void client_on_grant(struct client *c, struct grant *g) WORKER_THREAD;
/* client_grant: it is online, and the grant counts from now on. */
void client_start_grant(struct client *c) WORKER_THREAD;
/* client_grant: it goes. */
void client_free_grant(struct client *c) WORKER_THREAD;
/* What was granted to it, or NULL. */
const struct grant *client_grant(const struct client *c);
/*
 * client_publish: PUBACK or PUBREC for a PUBLISH of this QoS, with a Reason
 * String (`why`, may be NULL). A 3.x client gets none for an error.
 */
void client_answer_publish(struct client *c, uint8_t qos, uint16_t packet_id,
    enum mqtt_reason reason, const char *why) WORKER_THREAD;
/* client_subscribe: NATS has one more of its subscriptions. */
void subscribe_settled(struct home *h, struct pending *p,
    enum bus_result result) WORKER_THREAD;

/*
 * Reason String, if the client wants them and it fits into a packet that has
 * `len` bytes that vary: property bytes in the home's scratch, empty
 * otherwise.
 */
struct slice client_reason_string(struct client *c, const char *why,
    size_t len) WORKER_THREAD;
