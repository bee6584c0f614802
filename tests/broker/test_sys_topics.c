/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "broker/sys_topics.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/device.h"
#include "store/retained.h"

static struct node *
node_with_sys(unsigned interval_s)
{
	struct broker_options o = node_options();

	o.sys_interval_s = interval_s;
	return node_new_with(&o);
}

struct found {
	char payload[80];
	size_t n;
};

static bool
find(struct message *m, uint64_t order, void *arg)
{
	struct found *f = arg;

	(void)order;
	f->n++;
	(void)snprintf(f->payload, sizeof(f->payload), "%.*s",
	    SLICE_ARG(message_payload(m)));
	return true;
}

/* The payload of this topic, below $SYS/broker/. */
static struct found
look_up(const struct node *n, const char *name)
{
	struct found f = { 0 };
	char topic[80];

	(void)snprintf(topic, sizeof(topic), "$SYS/broker/%s", name);
	retained_match(sys_topics_retained(n->broker->sys_topics),
	    slice_str(topic), 0, find, &f);
	cr_expect_eq(f.n, 1, "%s", topic);
	return f;
}

static void
expect(const struct node *n, const char *name, const char *payload)
{
	struct found f = look_up(n, name);

	cr_expect_str_eq(f.payload, payload, "%s: %s", name, f.payload);
}

/* Timers are late by a tick. */
static void
expect_about(const struct node *n, const char *name, double value)
{
	struct found f = look_up(n, name);
	double got = strtod(f.payload, NULL);

	cr_expect(got > value * 0.995 && got < value * 1.005, "%s: %s", name,
	    f.payload);
}

/* The names are those of mosquitto(8). */
Test(sys_topics, are_there_from_the_start)
{
	struct node *n = node_with_sys(10);

	expect(n, "version", "mqtt-natsd version " PACKAGE_VERSION);
	expect(n, "timestamp", "2023-11-14T22:13:20Z");
	expect(n, "uptime", "0 seconds");
	expect(n, "clients/maximum", "0");
	expect(n, "retained messages/count", "0");
	expect(n, "load/connections/15min", "0.00");
	node_free(&n);
}

Test(sys_topics, are_published_again_and_again)
{
	struct node *n = node_with_sys(10);
	struct device *d = device_online(n, 1, MQTT_V311, "d", true);
	struct device *e = device_online(n, 0, MQTT_V311, "e", true);

	device_say(d, "82 [0001 <$SYS/broker/clients/connected> 01]");
	device_hears(d, "SUBACK packet_id=1 codes=0x01");
	device_hears(d,
	    "PUBLISH qos=0 retain topic=$SYS/broker/clients/connected "
	    "payload=0");
	node_pass(n, 9000);
	device_hears_nothing(d);
	node_pass(n, 1100);
	device_hears(d,
	    "PUBLISH qos=0 topic=$SYS/broker/clients/connected payload=2");
	device_hang_up(e);
	node_pass(n, 10100);
	device_hears(d,
	    "PUBLISH qos=0 topic=$SYS/broker/clients/connected payload=1");
	expect(n, "clients/maximum", "2");
	expect(n, "uptime", "20 seconds");
	bus_hears_nothing(n, 0);
	bus_hears_nothing(n, 1);
	node_free(&n);
}

/* v5 [MQTT-4.7.2-1], v3.1.1 [MQTT-4.7.2-1] */
Test(sys_topics, are_not_what_a_leading_wildcard_means)
{
	struct node *n = node_with_sys(10);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_subscribe(d, "#", 0);
	device_subscribe(d, "+/broker/uptime", 0);
	device_subscribe(d, "+/+/#", 0);
	device_hears_nothing(d);
	node_pass(n, 11000);
	device_hears_nothing(d);
	node_free(&n);
}

Test(sys_topics, do_not_count_as_retained)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.sys_interval_s = 1;
	o.max_retained = 1;
	n = node_new_with(&o);
	d = device_online(n, 0, MQTT_V311, "d", true);
	node_pass(n, 3000);
	device_say(d, "31 [<a> 'x']");
	node_pass(n, 3000);
	cr_expect_eq(retained_count(n->broker->retained), 1);
	expect(n, "retained messages/count", "1");
	expect(n, "store/messages/count", "1");
	node_free(&n);
}

/* 60 in the first minute, none in the second; 1/e of it is left then. */
Test(sys_topics, average_what_is_counted)
{
	struct node *n = node_with_sys(60);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	for (int i = 0; i < 60; i++)
		device_say(d, "30 [<a>]");
	node_pass(n, 60100);
	expect_about(n, "load/publish/received/1min", 37.927);
	expect_about(n, "load/publish/received/5min", 10.876);
	expect_about(n, "load/publish/received/15min", 3.870);
	node_pass(n, 60100);
	expect_about(n, "load/publish/received/1min", 13.953);
	expect_about(n, "load/publish/received/15min", 3.620);
	node_free(&n);
}

Test(sys_topics, can_be_off)
{
	struct node *n = node_with_sys(0);
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);

	device_say(d, "82 [0001 <$SYS/#> 00]");
	device_hears(d, "SUBACK packet_id=1 codes=0x00");
	node_pass(n, 100000);
	device_hears_nothing(d);
	node_free(&n);
}
