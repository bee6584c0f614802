/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reason - Reason Codes of MQTT 5.0 (v5 2.4), the currency of our protocol
 * code: the same value travels from the decoder to the DISCONNECT.
 */
#pragma once

#include <stdbool.h>

#include "mqtt/mqtt.h"

enum mqtt_reason {
#define REASON(name, value, ...) MQTT_RC_##name = value,
#include "mqtt/reason.tbl"
#undef REASON
};

/* Other names that the specification gives to the value 0. */
#define MQTT_RC_GRANTED_QOS_0        MQTT_RC_SUCCESS
#define MQTT_RC_NORMAL_DISCONNECTION MQTT_RC_SUCCESS

/* "Topic Name invalid", for logs and Reason Strings; never NULL. */
const char *mqtt_reason_text(enum mqtt_reason rc);

/*
 * May a packet of this type carry that Reason Code? True for what both sides
 * may send; who sends which is the broker's to know.
 */
bool mqtt_reason_legal(unsigned code, unsigned packet_type);

/* The CONNACK return code of 3.1.1 that says this best. */
enum mqtt_v3_connack mqtt_reason_to_v3_connack(enum mqtt_reason rc);
