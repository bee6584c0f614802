/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "broker/device.h"
#include "store/retained.h"

static struct message *
flagged(const char *topic, const char *payload, bool retain)
{
	struct message_parts parts = { .topic = slice_str(topic),
		.subject = slice_str(topic),
		.payload = slice_str(payload),
		.retain = retain,
		.from_nats = true };

	return message_new(&parts);
}

Test(inbound, reaches_every_home_that_wants_it)
{
	struct node *n = node_new();
	struct device *a = device_online(n, 0, MQTT_V311, "a", true);
	struct device *b = device_online(n, 0, MQTT_V5, "b", true);
	struct device *c = device_online(n, 1, MQTT_V311, "c", true);
	struct device *d = device_online(n, 1, MQTT_V311, "d", true);

	device_subscribe(a, "x/+", 0);
	device_subscribe(b, "x/y", 1);
	device_subscribe(c, "#", 2);
	device_subscribe(d, "z", 2);
	node_from_nats(n, "x/y", "", 1, "1");
	device_hears(a, "PUBLISH qos=0 topic=x/y payload=1");
	device_hears(b, "PUBLISH qos=1 packet_id=1 topic=x/y payload=1");
	device_hears(c, "PUBLISH qos=1 packet_id=1 topic=x/y payload=1");
	device_hears_nothing(d);
	node_from_nats(n, "nobody", "", 1, "2");
	device_hears(c, "PUBLISH qos=1 packet_id=2 topic=nobody payload=2");
	/* $ topics are not for leading wildcards: v3.1.1 [MQTT-4.7.2-1] */
	node_from_nats(n, "$x/y", "", 1, "3");
	device_hears_nothing(c);
	node_free(&n);
}

/* Mqtt-Retain: from another node, say. v3.1.1 [MQTT-3.3.1-9] */
Test(inbound, may_be_retained)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.max_retained = 1;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V311, "d", true);
	device_subscribe(d, "a", 1);
	fake_bus_message(n->bus, 0, flagged("a", "x", true));
	fake_bus_message(n->bus, 0, flagged("b", "y", true));
	/* An identity of a device keeps nothing for the node. */
	fake_bus_message(n->bus, 7, flagged("a", "z", true));
	node_run(n);
	device_hears(d, "PUBLISH qos=0 topic=a payload=x");
	device_hears_nothing(d);
	device_subscribe(d, "a", 1);
	device_hears(d, "PUBLISH qos=0 retain topic=a payload=x");
	cr_assert_eq(retained_count(n->broker->retained), 1);
	cr_assert_eq(atomic_load(&n->broker->dropped_retained), 1);
	node_free(&n);
}

/* A message on retained_set_subject: kept, published, answered. */
Test(inbound, sets_a_retained_message_for_a_service)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 1, MQTT_V311, "d", true);
	struct message_parts parts = { .topic = SLICE("a/b"),
		.subject = SLICE("a.b"),
		.reply = SLICE("_INBOX.1"),
		.payload = SLICE("x"),
		.qos = 1,
		.retain = true,
		.from_nats = true };

	device_subscribe(d, "#", 1);
	fake_bus_retained_set(n->bus, message_new(&parts));
	node_run(n);
	device_hears(d, "PUBLISH qos=1 packet_id=1 topic=a/b payload=x");
	bus_hears(n, 0,
	    "PUBLISH a.b qos=1 ack=local payload=x retain from=nats");
	bus_hears(n, 0, "ANSWER _INBOX.1");
	/* It is answered; that of the device would be one too many. */
	fake_bus_skip(n->bus, 1);
	device_say(d, "40 [0001]");
	bus_hears_nothing(n, 1);
	cr_assert_eq(retained_count(n->broker->retained), 1);
	/* An empty one clears. */
	parts.payload = slice_of(NULL, 0);
	parts.reply = slice_of(NULL, 0);
	fake_bus_retained_set(n->bus, message_new(&parts));
	node_run(n);
	cr_assert_eq(retained_count(n->broker->retained), 0);
	bus_hears(n, 0,
	    "PUBLISH a.b qos=1 ack=local payload= retain from=nats");
	bus_hears_nothing(n, 0);
	node_free(&n);
}

/* A service that floods us with them is slowed down by the bus, which has
 * bounds; a mailbox has none. */
Test(inbound, comes_through_the_bus)
{
	struct node *n = node_new();
	struct message_parts parts = { .topic = SLICE("a"),
		.subject = SLICE("a"),
		.payload = SLICE("x"),
		.retain = true };

	fake_bus_retained_set(n->bus, message_new(&parts));
	fake_bus_retained_request(n->bus,
	    node_message("", "", "_INBOX.2", 0, "a"));
	cr_assert_eq(mailbox_len(&node_home(n, 0)->mailbox), 0);
	cr_assert(bus_has_event(n->bus, 0));
	node_run(n);
	bus_hears(n, 0, "PUBLISH a qos=0 payload=x retain");
	bus_hears(n, 0,
	    "SEND _INBOX.2 payload=[{\"subject\":\"a\",\"payload\":\"x\"}]");
	/* What is under way when the process ends is dropped. */
	fake_bus_retained_set(n->bus, message_new(&parts));
	fake_bus_retained_request(n->bus,
	    node_message("", "", "_INBOX.3", 0, "a"));
	fake_bus_message(n->bus, 0, flagged("a", "x", false));
	node_free(&n);
}
