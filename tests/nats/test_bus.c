/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/bus.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "nats/nats_server.h"
#include "nats/peer.h"
#include "nats/rig.h"

TestSuite(bus, .timeout = 120);

static struct nats_server server;
static struct peer peer;
static struct rig rig;
static struct peer_message msg;

static void
start(const char *config)
{
	if (!nats_server_is_here())
		return;
	nats_server_start(&server, 0, config);
	peer_open(&peer, server.port, "");
	rig_init(&rig, server.port);
}

static void
stop(void)
{
	rig_stop(&rig);
	peer_close(&peer);
	nats_server_stop(&server);
}

static bool
payload_is(struct message *m, const char *text)
{
	return slice_eq(message_payload(m), slice_str(text));
}

Test(bus, publishes_qos_0_as_a_plain_pub)
{
	start(NULL);
	peer_subscribe(&peer, "a.b");
	rig_start_up(&rig);
	rig_publish(&rig, 1, 0, ACK_REPLY, "a.b", "hello");
	peer_next(&peer, &msg);
	cr_expect_str_eq(msg.subject, "a.b");
	cr_expect_str_eq(msg.payload, "hello");
	cr_expect_str_eq(msg.reply, "");
	cr_expect_str_eq(msg.headers, "");
	stop();
}

Test(bus, settles_qos_1_when_somebody_replies)
{
	start(NULL);
	peer_subscribe(&peer, "a.b");
	rig_start_up(&rig);
	rig_publish(&rig, 7, 1, ACK_REPLY, "a.b", "hello");
	peer_next(&peer, &msg);
	cr_expect_str_eq(msg.headers, "NATS/1.0\r\nMqtt-Qos: 1\r\n\r\n");
	cr_expect(strncmp(msg.reply, "_MQ.node-1.", 11) == 0);
	peer_publish(&peer, msg.reply, NULL, "");
	cr_expect(rig_settled(&rig, 7) == BUS_OK);
	stop();
}

Test(bus, delivers_what_is_subscribed)
{
	struct message *m;

	start(NULL);
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "a.*");
	peer_publish(&peer, "x.b", NULL, "no");
	peer_publish(&peer, "a.b", NULL, "yes");
	m = rig_delivered(&rig);
	cr_expect(payload_is(m, "yes"));
	cr_expect(slice_eq(message_topic(m), SLICE("a/b")));
	cr_expect(m->qos == 0 && m->reply_len == 0 && m->from_nats);
	message_unref(&m);
	stop();
}

Test(bus, says_when_nobody_is_there)
{
	start(NULL);
	rig_start_up(&rig);
	rig_publish(&rig, 9, 1, ACK_REPLY, "a.b", "hello");
	cr_expect(rig_settled(&rig, 9) == BUS_NO_RESPONDERS);
	stop();
}
