/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/rules.h"

#include "broker/device.h"

static struct node *
narrow_node(void)
{
	struct node *n = node_new();

	n->rules.max_qos = 1;
	n->rules.retain_available = false;
	n->rules.wildcard_available = false;
	n->rules.subscription_ids_available = false;
	n->rules.shared_available = false;
	return n;
}

static void
expect_told(const struct client_rules *r, const char *what, size_t len)
{
	struct buf b = { 0 };

	rules_put_properties(r, &b);
	cr_expect_eq(buf_len(&b), len);
	cr_expect(len == 0 || memcmp(buf_ptr(&b), what, len) == 0);
	buf_fini(&b);
}

/* v5 [MQTT-3.2.2-9]; what is there needs no mention */
Test(rules, tell_what_is_not_granted)
{
	struct client_rules all = { .max_qos = 2,
		.retain_available = true,
		.wildcard_available = true,
		.subscription_ids_available = true,
		.shared_available = true };
	struct client_rules none = { 0 };
	struct client_rules one = all;

	expect_told(&all, "", 0);
	expect_told(&none, "\x24\0\x25\0\x28\0\x29\0\x2a\0", 10);
	one.max_qos = 1;
	expect_told(&one, "\x24\1", 2);
}

/* v5 [MQTT-3.2.2-12] [MQTT-3.2.2-13] */
Test(rules, refuse_a_will_that_could_not_be_published)
{
	static const struct {
		const char *connect;
		const char *heard;
	} cases[] = {
		{ "10 [<MQTT> 05 16 0000 [] <id> [] <w> <x>]",
		    "CONNACK session_present=0 reason=0x9b (QoS not supported)"
		    " { Reason String=this listener does not take that QoS }" },
		{ "10 [<MQTT> 05 26 0000 [] <id> [] <w> <x>]",
		    "CONNACK session_present=0 reason=0x9a (retain not "
		    "supported) { Reason String=this listener retains nothing "
		    "}" },
		{ "10 [<MQTT> 04 16 0000 <id> <w> <x>]",
		    "CONNACK session_present=0 code=3" },
		{ "10 [<MQTT> 04 26 0000 <id> <w> <x>]",
		    "CONNACK session_present=0 code=3" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = narrow_node();
		struct device *d = device_new(n, 0);

		device_say(d, "%s", cases[i].connect);
		device_hears(d, cases[i].heard);
		device_hears_it_closed(d);
		node_free(&n);
	}
}

/* v5 [MQTT-3.2.2-11] [MQTT-3.2.2-14], 3.2.2.3.11, 3.2.2.3.12 */
Test(rules, end_the_connection_of_who_was_told)
{
	static const struct {
		const char *packet;
		const char *heard;
	} cases[] = {
		{ "34 [<a> 0001 [] 'x']",
		    "DISCONNECT reason=0x9b (QoS not supported) { Reason "
		    "String=QoS not supported: this listener does not take "
		    "that QoS }" },
		{ "31 [<a> [] 'x']",
		    "DISCONNECT reason=0x9a (retain not supported) { Reason "
		    "String=retain not supported: this listener retains "
		    "nothing }" },
		{ "82 [0001 [] <a> 00 <b/#> 00]",
		    "DISCONNECT reason=0xa2 (Wildcard Subscriptions not "
		    "supported) { Reason String=Wildcard Subscriptions not "
		    "supported: this listener has no wildcards }" },
		{ "82 [0001 [] <a> 00 <$share/g/b> 00]",
		    "DISCONNECT reason=0x9e (Shared Subscriptions not "
		    "supported) { Reason String=Shared Subscriptions not "
		    "supported: this listener has no Shared Subscriptions }" },
		{ "82 [0001 [0b 01] <a> 00]",
		    "DISCONNECT reason=0xa1 (Subscription Identifiers not "
		    "supported) { Reason String=Subscription Identifiers not "
		    "supported: this listener has no Subscription Identifiers "
		    "}" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct node *n = narrow_node();
		struct device *d = device_online(n, 0, MQTT_V5, "d", true);

		device_say(d, "%s", cases[i].packet);
		device_hears(d, cases[i].heard);
		device_hears_it_closed(d);
		bus_hears_nothing(n, 0);
		node_free(&n);
	}
}

Test(rules, refuse_3_1_1_what_it_was_not_told)
{
	struct node *n = narrow_node();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_say(d, "34 [<a> 0001 'x']");
	device_hears(d, "PUBREC packet_id=1");
	device_say(d, "3c [<a> 0001 'x']");
	device_hears(d, "PUBREC packet_id=1");
	device_say(d, "62 [0001]");
	device_hears(d, "PUBCOMP packet_id=1");
	device_say(d, "31 [<a> 'x']");
	device_hears_nothing(d);
	cr_assert_eq(node_count(n, refused_publishes), 2);
	bus_hears_nothing(n, 0);
	device_say(d, "82 [0002 <+/a> 00 <a> 00 <$share/g/a> 00]");
	bus_hears(n, 0, "SUBSCRIBE a");
	node_settle(n, 0, BUS_OK);
	device_hears(d, "SUBACK packet_id=2 codes=0x80,0x00,0x80");
	node_free(&n);
}

/* v5 [MQTT-3.2.2-10] */
Test(rules, grant_what_there_is_of_the_qos_asked_for)
{
	struct node *n = narrow_node();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(d, "82 [0001 [] <a> 02 <b> 01 <c> 00]");
	for (int i = 0; i < 3; i++) {
		cr_assert_not_null(fake_bus_take(n->bus, 0));
		node_settle(n, 0, BUS_OK);
	}
	device_hears(d, "SUBACK packet_id=1 codes=0x01,0x01,0x00");
	node_from_nats(n, "a", "r", 2, "x");
	device_hears(d, "PUBLISH qos=1 packet_id=1 topic=a payload=x");
	node_free(&n);
}

Test(rules, keep_retained_messages_from_a_listener_without)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);
	struct device *e = device_online(n, 0, MQTT_V5, "e", true);

	device_say(d, "31 [<a> [] 'x']");
	device_subscribe(d, "a", 0);
	device_hears(d, "PUBLISH qos=0 retain topic=a payload=x");
	n->rules.retain_available = false;
	device_subscribe(e, "a", 0);
	device_hears_nothing(e);
	node_free(&n);
}
