/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/promise.h"

#include "broker/device.h"
#include "broker/stored.h"

#define CONNECT_V3 "10 [<MQTT> 04 00 0000 <%s>]"

/* What a device hears when the disk has stopped, and when it goes on. */
#define waits_for_the_disk(n, d, want)                                         \
	do {                                                                   \
		device_hears_nothing(d);                                       \
		stored_go_on(n);                                               \
		device_hears(d, want);                                         \
	} while (0)

Test(promise, connack_of_a_session_that_lasts_waits)
{
	struct node *n = stored_node();
	struct device *d = device_new(n, 0);

	stored_stop_disk();
	device_say(d, CONNECT_V3, "d");
	waits_for_the_disk(n, d, "CONNACK session_present=0 code=0");
	node_free(&n);
}

Test(promise, connack_that_has_ended_a_session_waits)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_hang_up(d);
	d = device_new(n, 0);
	stored_stop_disk();
	device_say(d, "10 [<MQTT> 04 02 0000 <d>]");
	waits_for_the_disk(n, d, "CONNACK session_present=0 code=0");
	node_free(&n);
}

Test(promise, clean_sessions_wait_for_nothing)
{
	struct node *n = stored_node();
	struct device *d, *e;

	stored_stop_disk();
	d = device_online(n, 0, MQTT_V311, "d", true);
	e = device_online(n, 1, MQTT_V311, "e", true);
	device_subscribe(e, "a", 2);
	device_subscribe(d, "a", 2);
	device_say(d, "32 [<a> 0007 'x']");
	device_hears(d, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	device_hears(d, "PUBACK packet_id=7");
	device_hears(e, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	device_say(d, "34 [<a> 0008 'x']");
	device_skip(d);
	device_say(d, "62 [0008]");
	device_hears(d, "PUBCOMP packet_id=8");
	cr_expect_eq(node_home(n, 0)->promises.posted, 0);
	cr_expect_eq(node_home(n, 1)->promises.posted, 0);
	stored_go_on(n);
	node_free(&n);
}

Test(promise, suback_and_unsuback_wait)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	stored_stop_disk();
	device_say(d, "82 [0005 <a> 01]");
	waits_for_the_disk(n, d, "SUBACK packet_id=5 codes=0x01");
	stored_stop_disk();
	device_say(d, "a2 [0006 <a>]");
	waits_for_the_disk(n, d, "UNSUBACK packet_id=6");
	node_free(&n);
}

/* The subscriber on the publisher's home, and on the other one. */
Test(promise, puback_waits_for_every_session_that_lasts)
{
	for (unsigned home = 0; home < 2; home++) {
		struct node *n = stored_node();
		struct device *s =
		    device_online(n, home, MQTT_V311, "s", false);
		struct device *d = device_online(n, 0, MQTT_V311, "d", true);

		device_subscribe(s, "a", 1);
		device_hang_up(s);
		stored_stop_disk();
		device_say(d, "32 [<a> 0007 'x']");
		waits_for_the_disk(n, d, "PUBACK packet_id=7");
		/* NATS had no say in it. */
		device_hears_nothing(d);
		node_free(&n);
		stored_begin_empty();
	}
}

/* A topic that NATS has no subject for: the group is this node's affair. */
Test(promise, puback_waits_for_the_member_of_a_share)
{
	for (unsigned home = 0; home < 2; home++) {
		struct broker_options o = node_options();
		struct node *n;
		struct device *s, *d;

		o.mapping.topic_prefix = slice_str("plant");
		n = stored_node_with(&o);
		s = device_online(n, home, MQTT_V311, "s", false);
		d = device_online(n, 0, MQTT_V311, "d", true);
		device_subscribe(s, "$share/g/a", 1);
		device_hang_up(s);
		stored_stop_disk();
		device_say(d, "32 [<a> 0007 'x']");
		waits_for_the_disk(n, d, "PUBACK packet_id=7");
		node_free(&n);
		stored_begin_empty();
	}
}

/* Whoever has answered first, what is promised here must be on disk. */
Test(promise, puback_waits_also_when_nats_has_answered)
{
	struct node *n = stored_node();
	struct device *s = device_online(n, 1, MQTT_V311, "s", false);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_subscribe(s, "a", 1);
	device_hang_up(s);
	bus_hears(n, 1, "SUBSCRIBE a");
	stored_stop_disk();
	device_put(d, "32 [<a> 0007 'x']");
	node_turn(n, 0);
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=x");
	fake_bus_settle(n->bus, 0, fake_bus_token(n->bus), BUS_OK, NULL);
	node_turn(n, 0);
	device_hears_nothing(d);
	node_run(n);
	waits_for_the_disk(n, d, "PUBACK packet_id=7");
	device_hears_nothing(d);
	node_free(&n);
}

Test(promise, puback_of_a_retained_message_waits)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	fake_bus_skip(n->bus, 0);
	stored_stop_disk();
	device_say(d, "33 [<a> 0007 'x']");
	bus_hears(n, 0, "PUBLISH a qos=1 ack=reply payload=x retain");
	node_settle(n, 0, BUS_OK);
	waits_for_the_disk(n, d, "PUBACK packet_id=7");
	node_free(&n);
}

Test(promise, pubrec_and_pubcomp_wait)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	stored_stop_disk();
	device_say(d, "34 [<a> 0007 'x']");
	bus_hears(n, 0, "PUBLISH a qos=2 ack=reply payload=x");
	node_settle(n, 0, BUS_OK);
	waits_for_the_disk(n, d, "PUBREC packet_id=7");
	stored_stop_disk();
	device_say(d, "62 [0007]");
	waits_for_the_disk(n, d, "PUBCOMP packet_id=7");
	node_free(&n);
}

Test(promise, publish_at_qos_2_to_a_session_that_lasts_waits)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 2);
	stored_stop_disk();
	node_from_nats(n, "a", "", 2, "x");
	waits_for_the_disk(n, d, "PUBLISH qos=2 packet_id=1 topic=a payload=x");
	stored_stop_disk();
	device_say(d, "50 [0001]");
	waits_for_the_disk(n, d, "PUBREL packet_id=1");
	/* At QoS 1 it may come twice: no need to wait. */
	stored_stop_disk();
	node_from_nats(n, "a", "", 1, "y");
	device_hears(d, "PUBLISH qos=1 packet_id=2 topic=a payload=y");
	stored_go_on(n);
	node_free(&n);
}

Test(promise, what_comes_behind_stays_behind)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 2);
	stored_stop_disk();
	node_from_nats(n, "a", "", 2, "1");
	node_from_nats(n, "a", "", 0, "2");
	node_from_nats(n, "a", "", 1, "3");
	node_from_nats(n, "a", "", 2, "4");
	device_hears_nothing(d);
	stored_go_on(n);
	device_hears(d, "PUBLISH qos=2 packet_id=1 topic=a payload=1");
	device_hears(d, "PUBLISH qos=0 topic=a payload=2");
	device_hears(d, "PUBLISH qos=1 packet_id=2 topic=a payload=3");
	device_hears(d, "PUBLISH qos=2 packet_id=3 topic=a payload=4");
	node_free(&n);
}

Test(promise, pingresp_waits_for_no_disk)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 2);
	stored_stop_disk();
	node_from_nats(n, "a", "", 2, "1");
	device_say(d, "82 [0005 <b> 01]");
	device_say(d, "c0 []");
	device_hears(d, "PINGRESP");
	device_say(d, "c0 []");
	device_hears(d, "PINGRESP");
	device_hears_nothing(d);
	stored_go_on(n);
	device_hears(d, "PUBLISH qos=2 packet_id=1 topic=a payload=1");
	device_hears(d, "SUBACK packet_id=5 codes=0x01");
	node_free(&n);
}

/* The socket takes a part of what may go, twice. */
Test(promise, a_slow_socket_gets_no_more_than_it_may)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "a", 2);
	device_set_window(d, 3);
	node_from_nats(n, "a", "", 0, "1");
	stored_stop_disk();
	node_from_nats(n, "a", "", 2, "2");
	device_set_window(d, SIZE_MAX);
	node_run(n);
	device_hears(d, "PUBLISH qos=0 topic=a payload=1");
	waits_for_the_disk(n, d, "PUBLISH qos=2 packet_id=1 topic=a payload=2");
	node_free(&n);
}

/* One session here, one there, one away: one answer, when all have it. */
Test(promise, nats_is_answered_when_every_session_has_it_on_disk)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);
	struct device *e = device_online(n, 1, MQTT_V311, "e", false);
	struct device *f = device_online(n, 1, MQTT_V311, "f", true);

	device_subscribe(d, "a", 1);
	device_subscribe(e, "a", 1);
	device_subscribe(f, "a", 1);
	device_hang_up(d);
	for (unsigned i = 0; i < 2; i++)
		fake_bus_skip(n->bus, i);
	stored_stop_disk();
	node_from_nats(n, "a", "_INBOX.1", 1, "x");
	/* Even a client that has it does not answer before. */
	device_say(f, "40 [0001]");
	bus_hears_nothing(n, 0);
	bus_hears_nothing(n, 1);
	stored_go_on(n);
	if (fake_bus_n_requests(n->bus, 0) > 0)
		bus_hears(n, 0, "ANSWER _INBOX.1");
	else
		bus_hears(n, 1, "ANSWER _INBOX.1");
	device_say(e, "40 [0001]");
	bus_hears_nothing(n, 0);
	bus_hears_nothing(n, 1);
	node_free(&n);
}

Test(promise, nats_is_answered_by_a_client_where_no_session_lasts)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_subscribe(d, "a", 1);
	fake_bus_skip(n->bus, 0);
	node_from_nats(n, "a", "_INBOX.1", 1, "x");
	bus_hears_nothing(n, 0);
	device_say(d, "40 [0001]");
	bus_hears(n, 0, "ANSWER _INBOX.1");
	node_free(&n);
}
