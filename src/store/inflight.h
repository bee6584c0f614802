/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflight - QoS 1 and 2 messages a client has not finished with.
 *
 * Hands out Packet Identifiers and keeps each message until its last
 * acknowledgement.
 *
 *   QoS 1  SENT --PUBACK--> done
 *   QoS 2  SENT --PUBREC--> RELEASED --PUBCOMP--> done
 *          SENT --reconnect--> AGAIN --repeated--> SENT
 *
 * Identifiers are handed out in ascending order over the life of the session
 * and never start again at 1 because the client was idle, so an answer that
 * comes late never hits another message. Because of that order the ring is
 * sorted by age and an identifier's place can be computed, unless they have
 * gone round while an old one stayed. One per session; touched only by the
 * session's worker.
 */
#pragma once

#include "store/outgoing.h"

struct inflight {
	struct outbox box;
	uint16_t n;       /* not DONE */
	uint16_t n_again; /* of them, AGAIN */
	uint16_t last_id; /* handed out last */
	bool is_mixed;    /* the box is not sorted by identifier */
};

void inflight_fini(struct inflight *f);

/*
 * Take over *o, give it a Packet Identifier that is not in use (v3.1.1
 * [MQTT-2.3.1-4], v5 [MQTT-2.2.1-4]) and the state SENT. The caller keeps
 * f->n below 65535. Valid until the next change.
 */
struct outgoing *inflight_add(struct inflight *f, const struct outgoing *o);

/*
 * Take over one from before the start of the process, with the identifier and
 * the state that it has; later ones follow in their order.
 */
void inflight_restore(struct inflight *f, const struct outgoing *o);

/* The message with this identifier that is not DONE, or NULL. */
struct outgoing *inflight_find(const struct inflight *f, uint16_t packet_id);

/*
 * The client's last word on an entry of inflight_find: drop it. Pointers into
 * `f` become invalid.
 */
void inflight_done(struct inflight *f, struct outgoing *o);

/* PUBREC has come for an entry of inflight_find. */
void inflight_release(struct inflight *f, struct outgoing *o);

/* A new Network Connection: all that is SENT is to be repeated. */
void inflight_reconnect(struct inflight *f);
/* The oldest that is to be repeated, or NULL. */
struct outgoing *inflight_next_again(const struct inflight *f);
/* It was. */
void inflight_sent_again(struct inflight *f, struct outgoing *o);

/* Call `fn` on everything unfinished, oldest first. */
void inflight_each(const struct inflight *f,
    void (*fn)(struct outgoing *o, void *arg), void *arg);
