/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/reason.h"

#include <criterion/criterion.h>

#include "base/attr.h"
#include "mqtt/wire.h"

Test(reason, text_is_never_null)
{
	unsigned code;

	for (code = 0; code < 512; code++)
		cr_expect_not_null(mqtt_reason_text((enum mqtt_reason)code));
	cr_expect_str_eq(mqtt_reason_text(MQTT_RC_SUCCESS), "success");
	cr_expect_str_eq(mqtt_reason_text(MQTT_RC_TOPIC_NAME_INVALID),
	    "Topic Name invalid");
	cr_expect_str_eq(mqtt_reason_text((enum mqtt_reason)0x03),
	    "unknown reason");
	cr_expect_str_eq(mqtt_reason_text((enum mqtt_reason)0xA3),
	    "unknown reason");
}

/*
 * The tables of the packets' own sections, v5 3.2.2.2, 3.4.2.1, 3.5.2.1,
 * 3.6.2.1, 3.7.2.1, 3.9.3, 3.11.3, 3.14.2.1, 3.15.2.1, against ours, which is
 * made from table 2-6. That one allows 0x8C in a DISCONNECT, 3.14.2.1 does
 * not list it.
 */
static const struct {
	unsigned type;
	const char *codes;
} legal[] = {
	{ 0, "" },
	{ MQTT_CONNECT, "" },
	{ MQTT_CONNACK,
	    "00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c"
	    " 9d 9f" },
	{ MQTT_PUBLISH, "" },
	{ MQTT_PUBACK, "00 10 80 83 87 90 91 97 99" },
	{ MQTT_PUBREC, "00 10 80 83 87 90 91 97 99" },
	{ MQTT_PUBREL, "00 92" },
	{ MQTT_PUBCOMP, "00 92" },
	{ MQTT_SUBSCRIBE, "" },
	{ MQTT_SUBACK, "00 01 02 80 83 87 8f 91 97 9e a1 a2" },
	{ MQTT_UNSUBSCRIBE, "" },
	{ MQTT_UNSUBACK, "00 11 80 83 87 8f 91" },
	{ MQTT_PINGREQ, "" },
	{ MQTT_PINGRESP, "" },
	{ MQTT_DISCONNECT,
	    "00 04 80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98"
	    " 99 9a 9b 9c 9d 9e 9f a0 a1 a2" },
	{ MQTT_AUTH, "00 18 19" },
};

Test(reason, is_legal_in_the_packets_that_list_it)
{
	struct slice codes;
	unsigned code;
	size_t i;
	bool listed;

	for (i = 0; i < countof(legal); i++) {
		codes = wire_new(legal[i].codes);
		for (code = 0; code < 512; code++) {
			listed = code < 256 && codes.len > 0 &&
			    memchr(codes.ptr, (int)code, codes.len) != NULL;
			cr_expect_eq(mqtt_reason_legal(code, legal[i].type),
			    listed, "0x%02x in %s", code,
			    mqtt_type_name(legal[i].type));
		}
		wire_free(&codes);
	}
}

Test(reason, every_refusal_has_a_connack_code_of_3_1_1)
{
	static const struct {
		enum mqtt_reason reason;
		enum mqtt_v3_connack code;
	} cases[] = {
		{ MQTT_RC_SUCCESS, MQTT_V3_ACCEPTED },
		{ MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION, MQTT_V3_BAD_VERSION },
		{ MQTT_RC_CLIENT_IDENTIFIER_NOT_VALID, MQTT_V3_BAD_CLIENT_ID },
		{ MQTT_RC_SERVER_UNAVAILABLE, MQTT_V3_UNAVAILABLE },
		{ MQTT_RC_SERVER_BUSY, MQTT_V3_UNAVAILABLE },
		{ MQTT_RC_QUOTA_EXCEEDED, MQTT_V3_UNAVAILABLE },
		{ MQTT_RC_BAD_USER_NAME_OR_PASSWORD, MQTT_V3_BAD_CREDENTIALS },
		{ MQTT_RC_BAD_AUTHENTICATION_METHOD, MQTT_V3_BAD_CREDENTIALS },
		{ MQTT_RC_NOT_AUTHORIZED, MQTT_V3_NOT_AUTHORIZED },
		{ MQTT_RC_BANNED, MQTT_V3_NOT_AUTHORIZED },
	};
	size_t i;
	unsigned code;

	for (i = 0; i < countof(cases); i++)
		cr_expect_eq(mqtt_reason_to_v3_connack(cases[i].reason),
		    cases[i].code, "%s", mqtt_reason_text(cases[i].reason));
	for (code = 0x80; code < 256; code++)
		cr_expect_neq(mqtt_reason_to_v3_connack((enum mqtt_reason)code),
		    MQTT_V3_ACCEPTED, "0x%02x", code);
}
