/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/write.h"

#include "broker/device.h"

/* One that understands `aliases` and takes packets of `max_packet` bytes. */
static struct device *
device_with(struct node *n, unsigned aliases, unsigned max_packet)
{
	struct device *d = device_new(n, 0);

	d->version = MQTT_V5;
	device_say(d,
	    "10 [<MQTT> 05 00 0000 [11 ffffffff 22 %04x 27 %08x] <d>]", aliases,
	    max_packet);
	cr_assert_eq(device_next(d)->type, MQTT_CONNACK);
	return d;
}

/* v5 [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-8] */
Test(write, sends_a_topic_once_to_a_client_that_wants_aliases)
{
	struct node *n = node_new();
	struct device *d = device_with(n, 2, 1000);
	struct device *e = device_online(n, 0, MQTT_V5, "e", true);

	device_subscribe(d, "#", 1);
	device_subscribe(e, "#", 1);
	for (int i = 0; i < 2; i++) {
		node_from_nats(n, "topic/a", "", 0, "x");
		node_from_nats(n, "topic/b", "", 0, "x");
		node_from_nats(n, "topic/c", "", 0, "x");
		node_from_nats(n, "d", "", 0, "x");
	}
	device_hears(d,
	    "PUBLISH qos=0 topic=topic/a payload=x { Topic Alias=1 }");
	device_hears(d,
	    "PUBLISH qos=0 topic=topic/b payload=x { Topic Alias=2 }");
	device_hears(d, "PUBLISH qos=0 topic=topic/c payload=x");
	device_hears(d, "PUBLISH qos=0 topic=d payload=x");
	device_hears(d, "PUBLISH qos=0 topic= payload=x { Topic Alias=1 }");
	device_hears(d, "PUBLISH qos=0 topic= payload=x { Topic Alias=2 }");
	device_hears(d, "PUBLISH qos=0 topic=topic/c payload=x");
	device_hears(d, "PUBLISH qos=0 topic=d payload=x");
	for (int i = 0; i < 2; i++) {
		device_hears(e, "PUBLISH qos=0 topic=topic/a payload=x");
		device_hears(e, "PUBLISH qos=0 topic=topic/b payload=x");
		device_hears(e, "PUBLISH qos=0 topic=topic/c payload=x");
		device_hears(e, "PUBLISH qos=0 topic=d payload=x");
	}
	node_free(&n);
}

/* v5 [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11] */
Test(write, gives_no_more_aliases_than_it_may)
{
	struct broker_options o = node_options();

	for (unsigned ours = 0; ours < 4; ours++) {
		struct node *n;
		struct device *d;

		o.topic_alias_maximum_out = ours;
		n = node_new_with(&o);
		d = device_with(n, 2, 1000);
		cr_expect_eq(device_client(d)->alias_max, ours < 2 ? ours : 2);
		cr_expect_null(device_client(d)->extras);
		node_free(&n);
	}
}

/* v5 [MQTT-3.3.2-7]: repeated on another connection, the topic is there. */
Test(write, forgets_aliases_with_the_connection)
{
	struct node *n = node_new();
	struct device *d = device_with(n, 3, 1000);

	device_subscribe(d, "topic/a", 1);
	node_from_nats(n, "topic/a", "r", 1, "1");
	node_from_nats(n, "topic/a", "r", 1, "2");
	device_hears(d,
	    "PUBLISH qos=1 packet_id=1 topic=topic/a payload=1 { Topic "
	    "Alias=1 }");
	device_hears(d,
	    "PUBLISH qos=1 packet_id=2 topic= payload=2 { Topic Alias=1 }");
	device_hang_up(d);
	d = device_with(n, 3, 1000);
	device_hears(d,
	    "PUBLISH qos=1 dup packet_id=1 topic=topic/a payload=1 { Topic "
	    "Alias=1 }");
	device_hears(d,
	    "PUBLISH qos=1 dup packet_id=2 topic= payload=2 { Topic Alias=1 "
	    "}");
	device_hang_up(d);
	d = device_with(n, 0, 1000);
	device_hears(d,
	    "PUBLISH qos=1 dup packet_id=1 topic=topic/a payload=1");
	device_hears(d,
	    "PUBLISH qos=1 dup packet_id=2 topic=topic/a payload=2");
	node_free(&n);
}

/* v5 [MQTT-3.1.2-24]: not even for what would save bytes later */
Test(write, makes_no_packet_too_large_by_an_alias)
{
	/* 2 of fixed header, 2 + 7 of topic, 1 of properties, 16 */
	for (unsigned max = 28; max < 40; max++) {
		struct node *n = node_new();
		struct device *d = device_with(n, 3, max);
		bool is_aliased = max >= 28 + 5;

		d->max_packet_size = max;
		device_subscribe(d, "#", 0);
		node_from_nats(n, "topic/a", "", 0, "0123456789abcdef");
		device_hears(d,
		    is_aliased ? "PUBLISH qos=0 topic=topic/a payload="
				 "0123456789abcdef { Topic Alias=1 }"
			       : "PUBLISH qos=0 topic=topic/a payload="
				 "0123456789abcdef");
		node_from_nats(n, "topic/a", "", 0, "0123456789abcdefg");
		if (max >= 29)
			cr_expect_eq(device_next(d)->type, MQTT_PUBLISH);
		device_hears_nothing(d);
		node_free(&n);
	}
}

Test(write, carries_identifiers_beside_an_alias)
{
	struct node *n = node_new();
	struct device *d = device_with(n, 3, 1000);

	device_say(d, "82 [0001 [0b 07] <topic/a> 00]");
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	node_settle(n, 0, BUS_OK);
	device_skip(d);
	for (int i = 0; i < 2; i++)
		node_from_nats(n, "topic/a", "", 0, "x");
	device_hears(d,
	    "PUBLISH qos=0 topic=topic/a payload=x { Topic Alias=1 "
	    "Subscription Identifier=7 }");
	device_hears(d,
	    "PUBLISH qos=0 topic= payload=x { Topic Alias=1 Subscription "
	    "Identifier=7 }");
	node_free(&n);
}
