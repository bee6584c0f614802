/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/client.h"

#include <stdlib.h>

#include "broker/device.h"

/* --- PINGREQ and Keep Alive --------------------------------------------- */

/* v3.1.1 [MQTT-3.12.4-1], v5 [MQTT-3.12.4-1] */
Test(client, answers_a_pingreq)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *e = device_online(n, 0, MQTT_V5, "e", true);

	device_say(d, "c0 [] c0 []");
	device_hears(d, "PINGRESP");
	device_hears(d, "PINGRESP");
	device_hears_nothing(d);
	device_say(d, "c0 [00]");
	device_hears_it_closed(d);
	device_say(e, "c1 []");
	device_hears(e,
	    "DISCONNECT reason=0x81 (malformed packet) { Reason "
	    "String=malformed packet: PINGREQ }");
	node_free(&n);
}

/* v3.1.1 [MQTT-3.1.2-24], v5 [MQTT-3.1.2-22]: one and a half times */
Test(client, must_say_something_now_and_then)
{
	struct node *n = node_new();
	struct device *d = device_new(n, 0);
	struct device *e = device_new(n, 0);
	struct device *f = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 02 000a <d>]");
	device_say(e, "10 [<MQTT> 05 02 000a [] <e>]");
	device_say(f, "10 [<MQTT> 04 02 0000 <f>]");
	device_skip(d);
	device_skip(e);
	device_skip(f);
	node_pass(n, 14900);
	device_hears_nothing(d);
	device_say(d, "c0 []");
	device_hears(d, "PINGRESP");
	node_pass(n, 200);
	device_hears(e,
	    "DISCONNECT reason=0x8d (keep alive timeout) { Reason String=keep "
	    "alive timeout }");
	device_hears_it_closed(e);
	node_pass(n, 14600);
	device_hears_nothing(d);
	node_pass(n, 300);
	device_hears_it_closed(d);
	/* Keep Alive 0 turns it off. */
	node_pass(n, 1000000);
	device_hears_nothing(f);
	node_free(&n);
}

/* v5 [MQTT-3.1.2-21]: the server's is the one that counts. */
Test(client, is_held_to_the_keep_alive_of_the_server)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.keepalive_max_s = 20;
	n = node_new_with(&o);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 05 02 0000 [] <d>]");
	cr_assert_eq(device_next(d)->connack.properties.server_keep_alive, 20);
	node_pass(n, 29900);
	device_hears_nothing(d);
	node_pass(n, 200);
	cr_assert_eq(device_next(d)->disconnect.reason,
	    MQTT_RC_KEEP_ALIVE_TIMEOUT);
	node_free(&n);
}

/* What we do not read is no silence of the client. */
Test(client, is_not_silent_while_it_is_not_read)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.receive_maximum = 1;
	n = node_new_with(&o);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 02 000a <d>] 32 [<a> 0001] 32 [<a> 0002]");
	device_skip(d);
	for (unsigned i = 0; i < 100; i++)
		node_pass(n, 1000);
	device_hears_nothing(d);
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	node_settle(n, 0, BUS_OK);
	device_hears(d, "PUBACK packet_id=1");
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	node_settle(n, 0, BUS_OK);
	device_hears(d, "PUBACK packet_id=2");
	/* Now it counts again, from the packet that was read last. */
	node_pass(n, 14000);
	device_hears_nothing(d);
	for (unsigned i = 0; i < 20; i++)
		node_pass(n, 1000);
	device_hears_it_closed(d);
	node_free(&n);
}

/* --- DISCONNECT and what else ends the connection ----------------------- */

/*
 * v3.1.1 [MQTT-3.14.1-1] [MQTT-3.14.4-2], v5 [MQTT-3.14.1-1] [MQTT-3.14.4-2],
 * v5 [MQTT-3.14.4-1], v3.1.1 [MQTT-3.14.4-1]
 */
Test(client, goes_with_disconnect)
{
	static const struct {
		unsigned version;
		const char *packet;
		const char *heard;
	} cases[] = {
		{ 4, "e0 []", "CLOSED" },
		{ 5, "e0 []", "CLOSED" },
		{ 5, "e0 [00]", "CLOSED" },
		{ 5, "e0 [04 []]", "CLOSED" },
		{ 5, "e0 [80 [1f <tired>]]", "CLOSED" },
		/* what follows is not looked at: v3.1.1 [MQTT-3.14.4-2] */
		{ 4, "e0 [] c0 []", "CLOSED" },
		{ 4, "e0 [00]", "CLOSED" },
		{ 5, "e1 []",
		    "DISCONNECT reason=0x81 (malformed packet) { Reason "
		    "String=malformed packet: DISCONNECT }" },
		{ 5, "e0 [01]",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: DISCONNECT }" },
		/* v5 3.14.2.2.2 */
		{ 5, "e0 [00 [11 00000001]]",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: Session Expiry Interval was 0 }" },
		/* packets of a server, and none */
		{ 5, "20 [00 00 []]",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: unexpected CONNACK }" },
		{ 5, "90 [0001 [] 00]",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: unexpected SUBACK }" },
		{ 5, "b0 [0001 [] 00]",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: unexpected UNSUBACK }" },
		{ 5, "d0 []",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: unexpected PINGRESP }" },
		{ 5, "f0 [18 [15 <x>]]",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: CONNECT has named no "
		    "Authentication Method }" },
		{ 5, "00 []",
		    "DISCONNECT reason=0x82 (protocol error) { Reason "
		    "String=protocol error: unexpected packet type 0 }" },
		{ 5, "40 [00]",
		    "DISCONNECT reason=0x81 (malformed packet) { Reason "
		    "String=malformed packet: acknowledgement }" },
		/* v5 [MQTT-1.5.5-1], v3.1.1 2.2.3 */
		{ 5, "30 ff ff ff ff 01",
		    "DISCONNECT reason=0x81 (malformed packet) { Reason "
		    "String=malformed packet }" },
		/* v5 [MQTT-3.2.2-15] */
		{ 5, "30 ffff7f",
		    "DISCONNECT reason=0x95 (packet too large) { Reason "
		    "String=packet too large }" },
		{ 4, "30 ffff7f", "CLOSED" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *d =
		    device_online(n, 0, cases[i].version, "d", true);
		const char *heard;

		device_say(d, "%s", cases[i].packet);
		heard = device_read(d);
		cr_expect_str_eq(heard, cases[i].heard, "%s: heard \"%s\"",
		    cases[i].packet, heard);
		cr_expect_str_eq(device_read(d), "CLOSED");
		cr_expect_eq(node_count(n, clients), 0);
		cr_expect_eq(node_count(n, sessions), 0);
		node_free(&n);
	}
}

/*
 * v5 [MQTT-3.14.2-3], [MQTT-3.1.2-24], v5 [MQTT-3.2.2-19] [MQTT-3.4.2-2]
 * [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3]
 * [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-2] [MQTT-3.11.2-1]
 * [MQTT-3.11.2-2] [MQTT-3.14.2-2] [MQTT-3.14.2-4] [MQTT-3.15.2-2]
 * [MQTT-3.15.2-3]
 */
Test(client, is_told_why_in_as_many_words_as_it_takes)
{
	static const char *const cases[][2] = {
		{ "10 [<MQTT> 05 02 0000 [17 00] <d>]",
		    "DISCONNECT reason=0x8b (server shutting down)" },
		{ "10 [<MQTT> 05 02 0000 [27 000000ff] <d>]",
		    "DISCONNECT reason=0x8b (server shutting down)" },
		{ "10 [<MQTT> 05 02 0000 [27 00000100] <d>]",
		    "DISCONNECT reason=0x8b (server shutting down) { Reason "
		    "String=server shutting down: now }" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = node_new();
		struct device *d = device_new(n, 0);

		device_say(d, "%s", cases[i][0]);
		device_skip(d);
		client_close(device_client(d), MQTT_RC_SERVER_SHUTTING_DOWN,
		    "now");
		node_run(n);
		device_hears(d, cases[i][1]);
		device_hears_it_closed(d);
		node_free(&n);
	}
}

/* Its last words may take their time, and it hears nothing behind them. */
Test(client, has_its_last_words_written)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", false);

	device_subscribe(d, "a", 1);
	device_set_window(d, 0);
	node_from_nats(n, "a", "", 0, "x");
	client_close(device_client(d), MQTT_RC_SERVER_SHUTTING_DOWN, NULL);
	client_close(device_client(d), MQTT_RC_PROTOCOL_ERROR, "again");
	node_run(n);
	cr_assert_not_null(d->plug);
	node_from_nats(n, "a", "", 1, "y"); /* waits in the session */
	device_say(d, "c0 []");
	device_set_window(d, SIZE_MAX);
	node_run(n);
	device_hears(d, "PUBLISH qos=0 topic=a payload=x");
	device_hears(d,
	    "DISCONNECT reason=0x8b (server shutting down) { Reason "
	    "String=server shutting down }");
	device_hears_it_closed(d);
	node_free(&n);
}

/* --- back-pressure ------------------------------------------------------ */

Test(client, is_not_read_while_nats_has_no_room)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *e = device_online(n, 0, MQTT_V311, "e", true);
	struct device *f = device_online(n, 1, MQTT_V311, "f", true);

	fake_bus_set_room(n->bus, 0, 2);
	device_say(d, "30 [<a> '1'] 30 [<a> '2'] 30 [<a> '3'] 30 [<a> '4']");
	device_say(e, "c0 [] 30 [<a> '5']");
	device_say(f, "c0 []");
	/* The third was read, and is kept; from then on nothing is. */
	cr_assert_eq(node_count(n, messages_in), 3);
	cr_assert(node_home(n, 0)->congested);
	device_hears_nothing(e);
	device_hears(f, "PINGRESP"); /* the other home has room */
	bus_hears(n, 0, "PUBLISH a qos=0 payload=1");
	bus_hears(n, 0, "PUBLISH a qos=0 payload=2");
	bus_hears_nothing(n, 0);
	fake_bus_set_room(n->bus, 0, 2);
	node_run(n);
	node_run(n);
	bus_hears(n, 0, "PUBLISH a qos=0 payload=3");
	bus_hears(n, 0, "PUBLISH a qos=0 payload=4");
	fake_bus_set_room(n->bus, 0, SIZE_MAX);
	node_run(n);
	node_run(n);
	device_hears(e, "PINGRESP");
	bus_hears(n, 0, "PUBLISH a qos=0 payload=5");
	cr_assert_not(node_home(n, 0)->congested);
	node_free(&n);
}

/* Nor while another home is behind with what this one sends it. */
Test(client, is_not_read_while_another_home_is_behind)
{
	struct broker_options o = node_options();
	struct node *n = node_new_alone(&o);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *s = device_online(n, 1, MQTT_V311, "s", true);
	unsigned i;

	device_subscribe(s, "a", 0);
	for (i = 0; i < 20000 && !node_home(n, 0)->congested; i++) {
		device_put(d, "30 [<a> 'x']");
		node_turn(n, 0);
	}
	cr_assert_gt(i, 1000);
	cr_assert_lt(i, 20000);
	device_put(d, "c0 []");
	node_turn(n, 0);
	device_hears_nothing(d);
	node_turn(n, 1);
	node_turn(n, 0);
	node_turn(n, 0);
	device_hears(d, "PINGRESP");
	node_free(&n);
}

/* A client that waits to be read may go before it is. */
Test(client, may_go_while_it_is_not_read)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *e = device_online(n, 0, MQTT_V311, "e", true);

	fake_bus_set_room(n->bus, 0, 0);
	device_say(e, "30 [<a> '1']");
	device_say(d, "30 [<a> '2']");
	device_hang_up(d);
	device_hears_it_closed(d);
	fake_bus_set_room(n->bus, 0, SIZE_MAX);
	node_run(n);
	bus_hears(n, 0, "PUBLISH a qos=0 payload=1");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* What a device with these properties hears when the server stops. */
static void
expect_sent_away(const char *reference, unsigned version, const char *props,
    const char *heard)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d, *e;

	o.server_reference = reference;
	n = node_new_with(&o);
	d = device_new(n, 0);
	e = device_online(n, 0, MQTT_V311, "e", true);
	device_subscribe(e, "will", 0);
	if (version == MQTT_V5)
		device_say(d, "10 [<MQTT> 05 06 0000 %s <d> [] <will> <x>]",
		    props);
	else
		device_say(d, "10 [<MQTT> 04 06 0000 <d> <will> <x>]");
	cr_assert_eq(device_next(d)->type, MQTT_CONNACK);
	client_send_away(device_client(d));
	node_run(n);
	if (heard != NULL)
		device_hears(d, heard);
	device_hears_it_closed(d);
	device_hears(e, "PUBLISH qos=0 topic=will payload=x");
	node_free(&n);
}

/* v5 4.11; what the client cannot take it is not sent: v5 [MQTT-3.1.2-24] */
Test(client, is_sent_to_another_server_if_there_is_one)
{
	static const char shutting_down[] =
	    "DISCONNECT reason=0x8b (server shutting down) { Reason "
	    "String=server shutting down }";

	expect_sent_away("b c:1884", MQTT_V5, "[]",
	    "DISCONNECT reason=0x9c (use another server) { Reason String=the "
	    "server shuts down Server Reference=b c:1884 }");
	expect_sent_away("b", MQTT_V5, "[17 00]",
	    "DISCONNECT reason=0x9c (use another server) { Server Reference=b "
	    "}");
	expect_sent_away("b", MQTT_V5, "[27 00000040]",
	    "DISCONNECT reason=0x9c (use another server) { Server Reference=b "
	    "}");
	expect_sent_away("a.server.of.a.very.long.name.example.org", MQTT_V5,
	    "[27 00000020]", "DISCONNECT reason=0x8b (server shutting down)");
	expect_sent_away("", MQTT_V5, "[]", shutting_down);
	expect_sent_away(NULL, MQTT_V5, "[]", shutting_down);
	expect_sent_away("b", MQTT_V311, "", NULL);
}
