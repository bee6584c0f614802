/* SPDX-License-Identifier: Apache-2.0 */
/*
 * any_packet - a decoded Control Packet of whatever type: one function each
 * to decode, encode and compare, for round trips.
 */
#pragma once

#include "mqtt/packet.h"

struct any_packet {
	unsigned type;
	unsigned version;
	union {
		struct packet_connect connect;
		struct packet_connack connack;
		struct packet_publish publish;
		struct packet_ack ack;
		struct packet_subscribe subscribe;
		struct packet_suback suback;
		struct packet_disconnect disconnect;
	};
};

/* Decode by f->type; type 0 is MALFORMED_PACKET. */
enum mqtt_reason any_packet_decode(const struct frame *f, unsigned version,
    struct any_packet *out);
/* Append the packet with everything in it, the payload too. */
void any_packet_encode(const struct any_packet *p, struct buf *out);
/* Do both say the same? Every member is compared that may be read. */
bool any_packet_eq(const struct any_packet *a, const struct any_packet *b);
bool any_properties_eq(const struct properties *a, const struct properties *b);

/*
 * The law that holds for every packet that decodes: encoded again it decodes
 * to the same. NULL when it holds, else what went wrong.
 */
const char *any_packet_round_trip(const struct any_packet *p);
