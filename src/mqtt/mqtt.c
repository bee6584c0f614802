/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt - names of the Control Packet types. Pure. */
#include "mqtt/mqtt.h"

#include "base/attr.h"

const char *
mqtt_type_name(unsigned type)
{
	static const char *const names[] = { "packet type 0", "CONNECT",
		"CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
		"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ",
		"PINGRESP", "DISCONNECT", "AUTH" };

	return names[type < countof(names) ? type : 0];
}
