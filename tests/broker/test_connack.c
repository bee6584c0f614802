/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/connack.h"

#include "broker/device.h"

/*
 * v5 [MQTT-3.1.3-6] [MQTT-3.2.2-16], v5 [MQTT-3.1.2-28] [MQTT-3.2.2-17]
 * [MQTT-3.2.2-20] [MQTT-3.2.2-22]
 */
Test(connack, tells_a_v5_client_what_it_could_not_know)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d, *e;
	const struct properties *props;

	o.session_expiry_max_s = 60;
	o.keepalive_max_s = 30;
	n = node_new_with(&o);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 05 02 0000 [11 00000064] <>]");
	props = &device_next(d)->connack.properties;
	cr_assert(properties_has(props, MQTT_PROP_ASSIGNED_CLIENT_IDENTIFIER));
	cr_assert_eq(props->assigned_client_identifier.len, 22);
	cr_assert(properties_has(props, MQTT_PROP_SESSION_EXPIRY_INTERVAL));
	cr_assert_eq(props->session_expiry_interval, 60);
	cr_assert(properties_has(props, MQTT_PROP_SERVER_KEEP_ALIVE));
	cr_assert_eq(props->server_keep_alive, 30); /* v5 [MQTT-3.2.2-21] */
	/* What it asked for it need not be told. */
	e = device_new(n, 0);
	device_say(e, "10 [<MQTT> 05 02 001e [11 0000003c] <e>]");
	props = &device_next(e)->connack.properties;
	cr_assert_not(
	    properties_has(props, MQTT_PROP_ASSIGNED_CLIENT_IDENTIFIER));
	cr_assert_not(properties_has(props, MQTT_PROP_SESSION_EXPIRY_INTERVAL));
	cr_assert_not(properties_has(props, MQTT_PROP_SERVER_KEEP_ALIVE));
	node_free(&n);
}

/* The Response Information that this CONNECT is answered with. */
static void
expect_response(const char *root, const char *connect, const char *want)
{
	struct broker_options o = node_options();
	const struct properties *props;
	struct node *n;
	struct device *d;

	o.response_information = root;
	n = node_new_with(&o);
	d = device_new(n, 0);
	device_say(d, "%s", connect);
	props = &device_next(d)->connack.properties;
	cr_expect_eq(properties_has(props, MQTT_PROP_RESPONSE_INFORMATION),
	    want != NULL, "%s", connect);
	if (want != NULL)
		cr_expect(slice_eq(props->response_information,
			      slice_str(want)),
		    "%s", connect);
	cr_expect(device_is_open(d));
	node_free(&n);
}

/* v5 [MQTT-3.1.2-28] */
Test(connack, has_response_information_for_those_who_ask)
{
	static const char asks[] = "10 [<MQTT> 05 02 0000 [19 01] <pump>]";

	expect_response("answers/to", asks, "answers/to/pump");
	expect_response("", asks, NULL);
	expect_response(NULL, asks, NULL);
	expect_response("r", "10 [<MQTT> 05 02 0000 [19 00] <pump>]", NULL);
	expect_response("r", "10 [<MQTT> 05 02 0000 [] <pump>]", NULL);
	/* No topic could begin so. */
	expect_response("r", "10 [<MQTT> 05 02 0000 [19 01] <a/#>]", NULL);
	expect_response("r", "10 [<MQTT> 05 02 0000 [19 01] <a+>]", NULL);
	/* 2 + 2 + 1 + 11 bytes without it, 9 with it */
	expect_response("r",
	    "10 [<MQTT> 05 02 0000 [19 01 27 00000018] <pump>]", NULL);
	expect_response("r",
	    "10 [<MQTT> 05 02 0000 [19 01 27 00000019] <pump>]", "r/pump");
}
