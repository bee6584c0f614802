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
 * is known (v5 [MQTT-4.3.3-10]). One per session; its worker's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum receiving_state { RECEIVING_WAITING, RECEIVING_HELD };

struct received {
	uint64_t token; /* the pending publish; 0 when HELD */
	uint16_t packet_id;
	uint8_t qos;
	uint8_t state;
};

struct receiving {
	struct received *items; /* ordered by arrival */
	uint32_t n;
	uint32_t n_waiting;
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
void receiving_remove(struct receiving *r, struct received *e);
/* Drop what a Network Connection takes with it: everything at QoS 1. */
void receiving_disconnect(struct receiving *r);
