/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/mqtt.h"

#include <criterion/criterion.h>

Test(mqtt, types_have_the_names_of_the_specification)
{
	cr_expect_str_eq(mqtt_type_name(MQTT_CONNECT), "CONNECT");
	cr_expect_str_eq(mqtt_type_name(MQTT_PUBCOMP), "PUBCOMP");
	cr_expect_str_eq(mqtt_type_name(MQTT_UNSUBACK), "UNSUBACK");
	cr_expect_str_eq(mqtt_type_name(MQTT_AUTH), "AUTH");
}

Test(mqtt, what_is_no_type_has_a_name_too)
{
	cr_expect_str_eq(mqtt_type_name(0), "packet type 0");
	cr_expect_str_eq(mqtt_type_name(16), "packet type 0");
	cr_expect_str_eq(mqtt_type_name(UINT32_MAX), "packet type 0");
}
