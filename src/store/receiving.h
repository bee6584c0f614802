/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiving - QoS 1 and 2 messages from a client that we have not finished
 * with, by the Packet Identifier that the client chose.
 *
 *   QoS 1  WAITING --settled--> PUBACK, gone
 *   QoS 2  WAITING --settled--> PUBREC, HELD --PUBREL--> PUBCOMP, gone
 *
 * WAITING: the bus or a local session has not taken responsibility yet.
 * HELD: it has; the identifier stays until PUBREL, so that a repeated PUBLISH
 * is known (v5 [MQTT-4.3.3-10]). DELIVERED: as WAITING, but the process has
 * been started anew since; the subscribers of this node have it already.
 *
 * One per session; its worker's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum receiving_state { RECEIVING_WAITING, RECEIVING_HELD, RECEIVING_DELIVERED };

struct received {
	uint64_t token; /* the pending publish; 0 when HELD */
	uint16_t packet_id;
	uint8_t qos;
	uint8_t state;
	bool is_earlier; /* of a Network Connection before this one */
};

struct receiving {
	struct received *items; /* ordered by arrival */
	uint32_t n;
	uint32_t n_waiting;
	uint32_t n_earlier;
	uint32_t cap;
};

void receiving_fini(struct receiving *r);
/* The entry, or NULL. Valid until the next change. */
struct received *receiving_find(const struct receiving *r, uint16_t packet_id);
/* Add an identifier that is not there. */
struct received *receiving_add(struct receiving *r, uint16_t packet_id,
    uint8_t qos, uint64_t token);
/* WAITING becomes HELD. */
void receiving_hold(struct receiving *r, struct received *e);
/* DELIVERED becomes WAITING for this token. */
void receiving_wait(struct receiving *r, struct received *e, uint64_t token);
/* One of QoS 2 from before the start of the process: HELD or DELIVERED. */
void receiving_restore(struct receiving *r, uint16_t packet_id, bool held);
void receiving_remove(struct receiving *r, struct received *e);
/* How many count against the Receive Maximum: v5 4.9, it begins anew with
 * each Network Connection. */
uint32_t receiving_n_counted(const struct receiving *r);
/* Drop what a Network Connection takes with it: everything at QoS 1. */
void receiving_disconnect(struct receiving *r);
