/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt - the constants of MQTT 3.1, 3.1.1 and 5.0. */
#pragma once

#include <stdint.h>

enum mqtt_version { MQTT_V31 = 3, MQTT_V311 = 4, MQTT_V5 = 5 };

/* Control Packet types, v5 table 2-1. */
enum mqtt_type {
	MQTT_CONNECT = 1,
	MQTT_CONNACK,
	MQTT_PUBLISH,
	MQTT_PUBACK,
	MQTT_PUBREC,
	MQTT_PUBREL,
	MQTT_PUBCOMP,
	MQTT_SUBSCRIBE,
	MQTT_SUBACK,
	MQTT_UNSUBSCRIBE,
	MQTT_UNSUBACK,
	MQTT_PINGREQ,
	MQTT_PINGRESP,
	MQTT_DISCONNECT,
	MQTT_AUTH
};

#define MQTT_QOS_0 0
#define MQTT_QOS_1 1
#define MQTT_QOS_2 2

/* Flags of the fixed header of a PUBLISH. */
#define MQTT_PUBLISH_RETAIN 0x01
#define MQTT_PUBLISH_DUP    0x08

/* CONNACK return codes of 3.1 and 3.1.1. */
enum mqtt_v3_connack {
	MQTT_V3_ACCEPTED,
	MQTT_V3_BAD_VERSION,
	MQTT_V3_BAD_CLIENT_ID,
	MQTT_V3_UNAVAILABLE,
	MQTT_V3_BAD_CREDENTIALS,
	MQTT_V3_NOT_AUTHORIZED
};
#define MQTT_V3_SUBACK_FAILURE 0x80

/* Limits of the wire format. */
#define MQTT_VARINT_MAX       268435455u /* four bytes of seven bits */
#define MQTT_STRING_MAX       65535u
#define MQTT_FIXED_HEADER_MAX 5u

/* Session Expiry Interval that means "never", v5 3.1.2.11.2. */
#define MQTT_EXPIRY_NEVER UINT32_MAX

/* Retain Handling of a subscription, v5 3.8.3.1. */
enum mqtt_retain_handling {
	MQTT_RETAIN_SEND,
	MQTT_RETAIN_SEND_IF_NEW,
	MQTT_RETAIN_DONT_SEND
};

/* "PUBLISH" and so on, for the log; "packet type 0" for what is none. */
const char *mqtt_type_name(unsigned type);
