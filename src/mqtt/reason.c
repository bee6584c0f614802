/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reason - the table of Reason Codes, indexed by value. Pure.
 */
#include "mqtt/reason.h"

#include <stddef.h>

#include "base/attr.h"

#define IN(type) (1u << MQTT_##type)

static const struct {
	const char *text; /* NULL: no such Reason Code */
	uint16_t packets; /* one bit per packet type */
} reasons[] = {
#define REASON(name, value, text, packets) [value] = { text, packets },
#include "mqtt/reason.tbl"
#undef REASON
};

const char *
mqtt_reason_text(enum mqtt_reason rc)
{
	unsigned code = rc;

	if (code >= countof(reasons) || reasons[code].text == NULL)
		return "unknown reason";
	return reasons[code].text;
}

bool
mqtt_reason_legal(unsigned code, unsigned packet_type)
{
	return code < countof(reasons) &&
	    (reasons[code].packets >> packet_type & 1) != 0;
}

enum mqtt_v3_connack
mqtt_reason_to_v3_connack(enum mqtt_reason rc)
{
	switch (rc) {
	case MQTT_RC_SUCCESS:
		return MQTT_V3_ACCEPTED;
	case MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION:
		return MQTT_V3_BAD_VERSION;
	case MQTT_RC_CLIENT_IDENTIFIER_NOT_VALID:
		return MQTT_V3_BAD_CLIENT_ID;
	case MQTT_RC_BAD_USER_NAME_OR_PASSWORD:
	case MQTT_RC_BAD_AUTHENTICATION_METHOD:
		return MQTT_V3_BAD_CREDENTIALS;
	case MQTT_RC_NOT_AUTHORIZED:
	case MQTT_RC_BANNED:
		return MQTT_V3_NOT_AUTHORIZED;
	default:
		return MQTT_V3_UNAVAILABLE;
	}
}
