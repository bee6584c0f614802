/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/lasting.h"

#include <stdio.h>

#include "broker/device.h"
#include "broker/stored.h"
#include "store/store.h"

/* Records of a table, once the node has ended and begun again. */
static size_t
records(struct node *n, enum record_table table)
{
	return store_count(n->broker->store, table);
}

Test(lasting, a_payload_is_stored_once)
{
	struct node *n = stored_node();
	struct device *p;

	for (unsigned i = 0; i < 5; i++) {
		char id[8];
		struct device *d;

		(void)snprintf(id, sizeof(id), "d%u", i);
		d = device_online(n, i % 2, MQTT_V311, id, false);
		device_subscribe(d, "a", 1);
		device_hang_up(d);
	}
	p = device_online(n, 0, MQTT_V311, "p", true);
	device_say(p, "32 [<a> 0007 'x']");
	stored_restart(&n);
	cr_expect_eq(records(n, RECORD_QUEUED), 5);
	cr_expect_eq(records(n, RECORD_MESSAGE), 1);
	for (unsigned i = 0; i < 5; i++) {
		struct device *d = device_new(n, 0);

		device_say(d, "10 [<MQTT> 04 00 0000 <d%u>]", i);
		device_skip(d);
		device_say(d, "40 [0001]");
	}
	stored_restart(&n);
	cr_expect_eq(records(n, RECORD_QUEUED), 0);
	cr_expect_eq(records(n, RECORD_MESSAGE), 0);
	node_free(&n);
}

Test(lasting, a_session_takes_all_its_records_with_it)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V5, "d", false);

	device_subscribe(d, "a", 2);
	device_subscribe(d, "b", 2);
	device_say(d, "34 [<a> 0007 [] 'x']");
	device_skip(d);
	device_say(d, "34 [<c> 0008 [] 'x']");
	device_hang_up(d);
	stored_restart(&n);
	cr_expect_eq(records(n, RECORD_SESSION), 1);
	cr_expect_eq(records(n, RECORD_SUBSCRIPTION), 2);
	cr_expect_eq(records(n, RECORD_QUEUED), 1);
	cr_expect_eq(records(n, RECORD_RECEIVED), 2);
	d = device_online(n, 1, MQTT_V311, "d", true);
	stored_restart(&n);
	for (unsigned t = RECORD_SESSION; t < RECORD_TABLES; t++)
		cr_expect_eq(records(n, t), 0, "%s", record_table_name(t));
	node_free(&n);
}

/* v5: a session that lasted is told to end with its connection. */
Test(lasting, ends_when_its_client_says_so)
{
	struct node *n = stored_node();
	struct device *d = device_online(n, 0, MQTT_V5, "d", false);

	device_subscribe(d, "a", 2);
	device_say(d, "e0 [00 [11 00000000]]");
	stored_restart(&n);
	cr_expect_eq(records(n, RECORD_SESSION), 0);
	cr_expect_eq(records(n, RECORD_SUBSCRIPTION), 0);
	node_free(&n);
}

Test(lasting, leaves_qos_0_alone)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d, *p;

	o.queue_qos0 = true;
	n = stored_node_with(&o);
	d = device_online(n, 0, MQTT_V311, "d", false);
	p = device_online(n, 0, MQTT_V311, "p", true);
	device_subscribe(d, "a", 1);
	device_hang_up(d);
	device_say(p, "30 [<a> 'x']");
	stored_restart(&n);
	cr_expect_eq(records(n, RECORD_QUEUED), 0);
	node_free(&n);
}
