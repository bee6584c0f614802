/* SPDX-License-Identifier: Apache-2.0 */
/* packet_wire - what decoder and encoder of the packets share. Pure. */
#pragma once

#include <stdint.h>

#include "mqtt/mqtt.h"

/* Bits of the Connect Flags: v5 3.1.2.3, v3.1.1 3.1.2.3. */
#define CONNECT_RESERVED       0x01u
#define CONNECT_CLEAN_START    0x02u
#define CONNECT_WILL           0x04u
#define CONNECT_WILL_QOS_SHIFT 3
#define CONNECT_WILL_RETAIN    0x20u
#define CONNECT_PASSWORD       0x40u
#define CONNECT_USER_NAME      0x80u

/* High bit of the protocol level: the client is a bridge (mosquitto). */
#define CONNECT_BRIDGE_LEVEL 0x80u

/* Bits of the Subscription Options: v5 3.8.3.1. */
#define SUBSCRIBE_QOS                   0x03u
#define SUBSCRIBE_NO_LOCAL              0x04u
#define SUBSCRIBE_RETAIN_AS_PUBLISHED   0x08u
#define SUBSCRIBE_RETAIN_HANDLING_SHIFT 4
#define SUBSCRIBE_RESERVED              0xC0u
#define SUBSCRIBE_RESERVED_V3           0xFCu

/*
 * The reserved flags of a fixed header: v5 table 2-2. The flags of PUBLISH
 * are not reserved and not asked for.
 */
static inline uint8_t
packet_reserved_flags(unsigned type)
{
	return type == MQTT_PUBREL || type == MQTT_SUBSCRIBE ||
		type == MQTT_UNSUBSCRIBE
	    ? 0x02
	    : 0x00;
}
