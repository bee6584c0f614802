/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus - the NATS thread, as the workers see it.
 *
 *   worker 0 --ring--> +-------------+ --- link 0 (the daemon's own) --- NATS
 *   worker 1 --ring--> | NATS thread | --- link 7 (device "anna")   --- NATS
 *            <--ring-- +-------------+
 *
 * A worker puts requests into its ring and flushes once per loop turn; the
 * NATS thread carries them out and answers with events through the ring of
 * the same worker. Both rings are bounded: a full request ring means that the
 * worker stops reading its sockets; a full event ring makes the NATS thread
 * stop reading from NATS, and never wait.
 *
 * cnats is used in nats/ only, and natsStatus does not leave it.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "base/thread.h"
#include "base/waker.h"
#include "base/xalloc.h"
#include "store/message.h"
#include "topic/subject.h"

struct bus;

/* What a PUBACK waits for: `[qos] ack` and `[ack]` of mqtt-nats.ini(5). */
enum ack_policy { ACK_REPLY, ACK_STREAM, ACK_SERVER, ACK_LOCAL };

enum bus_request_type {
	/*
	 * Publish `message` to its subject. At QoS > 0 with a policy other than
	 * ACK_LOCAL exactly one BUS_SETTLED with the same token follows (unless
	 * the bus stops). The reference is given away.
	 */
	BUS_PUBLISH,
	/* Publish an empty message to the reply subject of `message` (its
	 * reference is given away): an acknowledgement towards NATS. */
	BUS_ANSWER,
	/* Publish payload to subject of `message` as it stands: no headers of
	 * ours, no reply, no token: replies to requests. */
	BUS_SEND,
	/*
	 * One more / one less wants `subject` (a NATS subscription, wildcards
	 * allowed; a heap string that is given away). Counted per subject and
	 * link. A SUBSCRIBE is answered by BUS_SUBSCRIBED when the NATS server
	 * surely has it, or at once while the link is down; BUS_DENIED: the
	 * server refuses it. Answers come in the order of requests.
	 */
	BUS_SUBSCRIBE,
	BUS_UNSUBSCRIBE,
	/*
	 * One more / one less of this node is a member of a queue group
	 * (`group`, from bus_group_new, is given away). Counted and answered
	 * like BUS_SUBSCRIBE; what comes goes to on_shared.
	 */
	BUS_JOIN_GROUP,
	BUS_LEAVE_GROUP,
	/*
	 * `[nats] identity = user`: a link for these credentials (`login`, a
	 * heap struct that is given away); joins the one that has them already.
	 * Answered by BUS_IDENTIFIED. Ended by one BUS_FORGET per success.
	 */
	BUS_IDENTIFY,
	BUS_FORGET
};

/* Publish again until acknowledged, whatever ack_attempts says (wills). */
#define BUS_UNTIL_SETTLED 0x01
/* Never publish again: somebody has it, and only the reply is of interest. */
#define BUS_ONCE          0x02
/*
 * A question of our own, with ACK_REPLY: it goes out as it is, once, and now
 * or not at all (BUS_DOWN). With BUS_OK the text of BUS_SETTLED is the reply.
 */
#define BUS_ASK           0x04
/* More of such a reply is not taken: the question is refused. */
#define BUS_REPLY_MAX     65536u

/* Credentials of a device towards NATS; free with bus_login_free. */
struct bus_login {
	char *user; /* NULL: none */
	char *password;
};
/* Wipes and frees. */
void bus_login_free(struct bus_login **login);

/* A Shared Subscription towards NATS; one allocation, for free(). */
struct bus_group {
	uint64_t share; /* what on_shared is told; never 0 */
	char *group;    /* the queue group, a token */
	char subject[]; /* a NATS subscription */
};

static inline struct bus_group *
bus_group_new(uint64_t share, struct slice subject, struct slice group)
{
	struct bus_group *g =
	    xcalloc(1, sizeof(*g) + subject.len + group.len + 2);

	g->share = share;
	memcpy(g->subject, subject.ptr, subject.len);
	g->group = g->subject + subject.len + 1;
	memcpy(g->group, group.ptr, group.len);
	return g;
}

struct bus_request {
	uint8_t type;
	uint8_t policy;
	uint8_t flags;
	uint32_t link; /* 0: the daemon's own */
	uint64_t token;
	union {
		struct message *message;
		char *subject;
		struct bus_group *group;
		struct bus_login *login;
	};
};

/* Let go of what a request that nobody carries out owns. */
static inline void
bus_request_fini(struct bus_request *r)
{
	switch ((enum bus_request_type)r->type) {
	case BUS_PUBLISH:
	case BUS_ANSWER:
	case BUS_SEND:
		message_unref(&r->message);
		break;
	case BUS_SUBSCRIBE:
	case BUS_UNSUBSCRIBE:
		free(r->subject);
		break;
	case BUS_JOIN_GROUP:
	case BUS_LEAVE_GROUP:
		free(r->group);
		break;
	case BUS_IDENTIFY:
		bus_login_free(&r->login);
		break;
	case BUS_FORGET:
		break;
	}
}

enum bus_event_type {
	BUS_SETTLED,    /* result */
	BUS_SUBSCRIBED, /* token of the SUBSCRIBE, and result */
	BUS_IDENTIFIED, /* result, and link when it is BUS_OK */
	BUS_DELIVERY,   /* `delivery`, whatever bus_deliver was given */
	BUS_LINK        /* link, result: BUS_OK is up, BUS_DOWN is down */
};

enum bus_result {
	BUS_OK,            /* reply, PubAck or barrier, as the policy asks */
	BUS_NO_RESPONDERS, /* nobody there: ACK_REPLY and ACK_STREAM */
	BUS_DENIED,        /* NATS does not permit it to this user */
	BUS_REFUSED,       /* a PubAck with an error; login refused */
	BUS_TIMEOUT,       /* no reply after every attempt */
	BUS_DOWN,          /* NATS is away (BUS_IDENTIFIED, BUS_LINK) */
	BUS_UNSENDABLE     /* larger than the NATS server takes */
};

struct bus_event {
	uint8_t type;
	uint8_t result;
	uint32_t link;
	uint64_t token;
	union {
		void *delivery;
		/*
		 * BUS_SETTLED, with BUS_OK only for BUS_ASK: the server's
		 * text, a heap string that the receiver frees; may be NULL.
		 */
		char *text;
	};
};

/* Upwards, by function pointer; all run in the NATS thread and must not
 * wait. */
struct bus_ops {
	/*
	 * A message came from NATS for somebody: match it and hand it to
	 * workers with bus_deliver. The message is borrowed. `link` as above.
	 */
	void (*on_message)(void *arg, uint32_t link, struct message *m);
	/* The same, for one member of this Shared Subscription. */
	void (*on_shared)(void *arg, uint32_t link, uint64_t share,
	    struct message *m);
	/*
	 * A request on retained_request_subject: m's payload is the request,
	 * m's reply is where the answer goes (BUS_SEND). Borrowed.
	 */
	void (*on_retained_request)(void *arg, struct message *m);
	/*
	 * A message on retained_set_subject: m's subject and topic are those
	 * to set (the prefix is gone), retain is set. Borrowed.
	 */
	void (*on_retained_set)(void *arg, struct message *m);
	/* A delivery that was taken by bus_deliver could not be handed over
	 * because the bus stops: free it. */
	void (*drop_delivery)(void *arg, void *delivery);
};

/* One row of `[nats] inbound_qos`. */
struct bus_inbound_qos {
	const char *subject; /* a NATS subscription */
	uint8_t qos;
};

/* Borrowed for the life of the bus; filled by daemon/config. */
struct bus_options {
	const char *url;       /* comma separated, not empty */
	const char *node_name; /* of this node; token-safe, also in inboxes */
	const char *user, *password, *token; /* NULL or "": none */
	const char *creds_file, *nkey_seed_file;
	bool tls;
	const char *ca_file, *cert_file, *key_file;
	struct mapping mapping;
	bool identity_user;  /* device links are used */
	bool send_client_id; /* Mqtt-Client header */
	unsigned ack_timeout_ms;
	unsigned ack_attempts;
	unsigned link_linger_s;     /* a device link after its last client */
	unsigned flush_interval_us; /* gather writes at most this long */
	unsigned liveness_s;        /* no fence answered for so long: dead */
	size_t pending_bytes;       /* kept at QoS 0 while NATS is away */
	size_t unsettled_bytes;  /* at QoS > 0, more are refused; 0: no limit */
	size_t max_control_line; /* subject and reply */
	size_t ring_size;        /* items per ring */
	const char *const *pass_headers; /* NULL-terminated; ours to NATS */
	const struct bus_inbound_qos *inbound_qos;
	size_t n_inbound_qos;
	const char *const *request_subjects;  /* NULL-terminated */
	const char *const *push_subjects;     /* NULL-terminated */
	const char *retained_request_subject; /* "": off */
	const char *retained_set_subject;     /* "": off */
	unsigned n_workers;
	struct waker *const *worker_wakers; /* one per worker */
};

/* Counters, read by anyone. */
struct bus_stats {
	atomic_ullong out_msgs, out_bytes; /* to NATS */
	atomic_ullong in_msgs, in_bytes;   /* from NATS */
	atomic_ullong dropped_pending;     /* QoS 0 dropped while away */
	atomic_ullong dropped_unmapped;    /* subjects without a legal topic */
	atomic_ullong unsendable;          /* refused by the guards */
	atomic_ullong republished;
	atomic_ullong reconnects;
	atomic_ullong permission_errors;
	atomic_uint links;
	atomic_uint subscriptions; /* on NATS, all links */
	atomic_uint outstanding;   /* QoS > 0 not settled */
	atomic_bool up;            /* link 0 */
	/* max_payload of the newest INFO of link 0; 0: not known yet */
	atomic_size_t max_payload;
};

/* `arg` goes to every function of ops. Options and ops outlive the bus. */
struct bus *bus_new(const struct bus_options *options,
    const struct bus_ops *ops, void *arg) MAIN_THREAD;
/*
 * Start the NATS thread; it connects by itself and for ever, so this does not
 * fail because NATS is away. Returns 0 or -errno.
 */
int
bus_start(struct bus *b) MAIN_THREAD
ALONE
MUST_CHECK;
/*
 * Drain: carry out what is in the rings, wait for the server to have it (a
 * fence), close; at most `timeout_ms`. The workers no longer put requests.
 */
void bus_stop(struct bus *b, unsigned timeout_ms) MAIN_THREAD;
void bus_free(struct bus **b) MAIN_THREAD;
const struct bus_stats *bus_stats(const struct bus *b) ANY_THREAD;
/* The server that link 0 is or was connected to; copied, zero-terminated. */
void bus_server_name(struct bus *b, char *out, size_t size) ANY_THREAD;

/* Put a request; false when the ring is full and nothing was taken. */
bool
bus_put(struct bus *b, unsigned worker,
    const struct bus_request *r) WORKER_THREAD
MUST_CHECK;
/* Show what was put and wake the NATS thread if it sleeps. */
void bus_flush(struct bus *b, unsigned worker) WORKER_THREAD;
/*
 * Requests that bus_put takes, but for the bytes of their messages; 0: none.
 * After bus_put has said false the worker is woken when there is room; it
 * looks here once more when it has armed its waker.
 */
size_t bus_room(struct bus *b, unsigned worker) WORKER_THREAD;
/* Take the oldest event; false when there is none. */
bool bus_next_event(struct bus *b, unsigned worker,
    struct bus_event *out) WORKER_THREAD;

/* Would bus_next_event take one? */
bool bus_has_event(struct bus *b, unsigned worker) WORKER_THREAD;

/*
 * From the bus_ops only: a BUS_DELIVERY for this worker, which then owns
 * `delivery`. Always taken: what the ring does not hold waits in the NATS
 * thread, which reads no more from NATS until the ring has room.
 */
void bus_deliver(struct bus *b, unsigned worker, void *delivery) NATS_THREAD;
