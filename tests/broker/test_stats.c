/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/stats.h"

#include "broker/device.h"

static struct stats
read_stats(const struct node *n)
{
	struct stats s;

	stats_read(n->broker, &s);
	return s;
}

Test(stats, are_zero_at_first)
{
	static const struct stats zero;
	struct node *n = node_new();
	struct stats s = read_stats(n);

	cr_assert_eq(memcmp(&s, &zero, sizeof(s)), 0);
	node_free(&n);
}

/* Devices on both homes are one node. */
Test(stats, count_packets_and_payloads)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *s = device_online(n, 1, MQTT_V5, "s", true);
	struct stats st;

	device_subscribe(s, "a", 1);
	device_say(d, "30 [<a> 'hello'] 30 [<b> 'x'] 30 [<a>] c0 []");
	st = read_stats(n);
	cr_expect_eq(st.clients, 2);
	cr_expect_eq(st.sockets, 2);
	cr_expect_eq(st.connects, 2);
	cr_expect_eq(st.subscriptions, 1);
	cr_expect_eq(st.shared_subscriptions, 0);
	/* CONNECT, SUBSCRIBE, PUBLISH, PINGREQ */
	cr_expect_eq(st.packets_in, 2 + 1 + 3 + 1);
	cr_expect_eq(st.publishes_in, 3);
	cr_expect_eq(st.publish_bytes_in, 6);
	/* CONNACK, SUBACK, PUBLISH, PINGRESP */
	cr_expect_eq(st.packets_out, 2 + 1 + 2 + 1);
	cr_expect_eq(st.publishes_out, 2);
	cr_expect_eq(st.publish_bytes_out, 5);
	node_free(&n);
}

/* The answers to everything else are packets, too. */
Test(stats, count_every_answer)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d, *e;

	o.ack = ACK_LOCAL;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V5, "d", true);
	e = device_new(n, 0);
	device_subscribe(d, "a", 2);
	device_say(d, "34 [<a> 0001 []] 62 [0001]");
	device_say(d, "50 [0001] 70 [0001]");
	device_say(d, "a2 [0002 [] <a>] 82 [0003 [] <b/#/c> 00] f0 []");
	device_say(e, "10 [<MQTT> 06 02 0000 [] <id>]");
	cr_expect_eq(read_stats(n).packets_out,
	    device_skip(d) + device_skip(e) + 2 /* CONNACK, SUBACK */);
	cr_expect_eq(read_stats(n).connects, 2);
	node_free(&n);
}

Test(stats, count_shared_subscriptions_among_all)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct device *e = device_online(n, 1, MQTT_V311, "e", true);

	device_subscribe(d, "$share/g/a", 0);
	device_subscribe(e, "$share/g/a", 0);
	device_subscribe(e, "a", 0);
	cr_expect_eq(read_stats(n).shared_subscriptions, 2);
	cr_expect_eq(read_stats(n).subscriptions, 3);
	device_hang_up(d);
	cr_expect_eq(read_stats(n).shared_subscriptions, 1);
	node_free(&n);
}

Test(stats, tell_sessions_from_clients)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);
	struct device *e = device_online(n, 1, MQTT_V311, "e", true);
	struct device *f = device_new(n, 1);

	device_say(f, "10 [<MQTT> 05 02 0000 [11 00000005] <f>]");
	device_hang_up(d);
	device_hang_up(e);
	device_hang_up(f);
	cr_expect_eq(read_stats(n).clients, 0);
	cr_expect_eq(read_stats(n).sessions, 2);
	cr_expect_eq(read_stats(n).clients_away, 2);
	cr_expect_eq(read_stats(n).expired, 0);
	node_pass(n, 6000);
	cr_expect_eq(read_stats(n).sessions, 1);
	cr_expect_eq(read_stats(n).expired, 1);
	node_free(&n);
}

Test(stats, follow_what_waits_and_what_is_retained)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);
	struct device *e = device_online(n, 1, MQTT_V311, "e", true);
	struct stats one, s;

	device_subscribe(d, "a", 1);
	device_hang_up(d);
	device_say(e, "32 [<a> 0001 'x']");
	one = read_stats(n);
	cr_expect_eq(one.queued, 1);
	cr_expect_gt(one.queued_bytes, 0);
	device_say(e, "32 [<a> 0002 'x'] 31 [<r> 'y']");
	s = read_stats(n);
	cr_expect_eq(s.queued, 2);
	cr_expect_eq(s.queued_bytes, 2 * one.queued_bytes);
	cr_expect_eq(s.retained, 1);
	cr_expect_eq(s.stored, 3);
	cr_expect_eq(s.stored_bytes, s.queued_bytes + s.retained_bytes);
	/* It comes and gets them. */
	d = device_online(n, 0, MQTT_V311, "d", false);
	cr_expect_eq(read_stats(n).queued, 0);
	cr_expect_eq(read_stats(n).queued_bytes, 0);
	/* They wait, and end with the session. */
	device_hang_up(d);
	device_say(e, "32 [<a> 0003 'x']");
	cr_expect_eq(read_stats(n).queued, 1);
	d = device_online(n, 0, MQTT_V311, "d", true);
	cr_expect_eq(read_stats(n).queued, 0);
	cr_expect_eq(read_stats(n).queued_bytes, 0);
	node_free(&n);
}
