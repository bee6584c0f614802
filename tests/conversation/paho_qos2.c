/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paho_qos2 - Eclipse Paho's C client at QoS 2: paho_qos2 PORT VERSION TOPIC
 *
 * Publishes numbered messages and receives them, in VERSION 4 (3.1.1) or 5;
 * then breaks off in the middle and goes on in the same session. Exit status
 * 0: each came exactly once, in order.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <MQTTClient.h>

#define N_MESSAGES  40
#define PATIENCE_MS 20000

static const char *uri;
static const char *topic;
static int version;

static void
die(const char *what, int rc)
{
	fprintf(stderr, "paho_qos2: %s: %d\n", what, rc);
	exit(1);
}

static MQTTClient
new_client(const char *id)
{
	MQTTClient_createOptions o = MQTTClient_createOptions_initializer;
	MQTTClient c;
	int rc;

	o.MQTTVersion = version;
	rc = MQTTClient_createWithOptions(&c, uri, id,
	    MQTTCLIENT_PERSISTENCE_NONE, NULL, &o);
	if (rc != MQTTCLIENT_SUCCESS)
		die("create", rc);
	return c;
}

/* Returns whether the session was there. */
static bool
connect_v5(MQTTClient c, bool clean)
{
	MQTTClient_connectOptions o = MQTTClient_connectOptions_initializer5;
	MQTTProperties props = MQTTProperties_initializer;
	MQTTProperty expiry = {
		.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
		.value.integer4 = 60,
	};
	MQTTResponse r;

	MQTTProperties_add(&props, &expiry);
	o.MQTTVersion = MQTTVERSION_5;
	o.cleanstart = clean;
	r = MQTTClient_connect5(c, &o, &props, NULL);
	if (r.reasonCode != MQTTREASONCODE_SUCCESS)
		die("connect", (int)r.reasonCode);
	MQTTProperties_free(&props);
	MQTTResponse_free(r);
	return true; /* Paho does not tell whether the session was there */
}

static bool
connect_v3(MQTTClient c, bool clean)
{
	MQTTClient_connectOptions o = MQTTClient_connectOptions_initializer;
	int rc;

	o.MQTTVersion = version;
	o.cleansession = clean;
	rc = MQTTClient_connect(c, &o);
	if (rc != MQTTCLIENT_SUCCESS)
		die("connect", rc);
	return o.returned.sessionPresent != 0;
}

static bool
connect_client(MQTTClient c, bool clean)
{
	return version == MQTTVERSION_5 ? connect_v5(c, clean)
					: connect_v3(c, clean);
}

static void
subscribe(MQTTClient c)
{
	MQTTResponse r;
	int rc;

	if (version != MQTTVERSION_5) {
		rc = MQTTClient_subscribe(c, topic, 2);
		if (rc != MQTTCLIENT_SUCCESS)
			die("subscribe", rc);
		return;
	}
	r = MQTTClient_subscribe5(c, topic, 2, NULL, NULL);
	if (r.reasonCode != MQTTREASONCODE_GRANTED_QOS_2)
		die("subscribe", (int)r.reasonCode);
	MQTTResponse_free(r);
}

static void
publish(MQTTClient c, int number)
{
	MQTTClient_message m = MQTTClient_message_initializer;
	MQTTClient_deliveryToken token;
	char text[16];
	int rc;

	m.payloadlen = snprintf(text, sizeof(text), "%d", number);
	m.payload = text;
	m.qos = 2;
	if (version == MQTTVERSION_5) {
		MQTTResponse r =
		    MQTTClient_publishMessage5(c, topic, &m, &token);

		if (r.reasonCode != MQTTREASONCODE_SUCCESS)
			die("publish", (int)r.reasonCode);
		MQTTResponse_free(r);
	} else {
		rc = MQTTClient_publishMessage(c, topic, &m, &token);
		if (rc != MQTTCLIENT_SUCCESS)
			die("publish", rc);
	}
	rc = MQTTClient_waitForCompletion(c, token, PATIENCE_MS);
	if (rc != MQTTCLIENT_SUCCESS)
		die("completion", rc);
}

static void
expect(MQTTClient c, int number)
{
	MQTTClient_message *m = NULL;
	char *name = NULL;
	char text[16];
	int len, rc = MQTTClient_receive(c, &name, &len, &m, PATIENCE_MS);

	if ((rc != MQTTCLIENT_SUCCESS &&
		rc != MQTTCLIENT_TOPICNAME_TRUNCATED) ||
	    m == NULL)
		die("nothing received", rc);
	snprintf(text, sizeof(text), "%d", number);
	if (strcmp(name, topic) != 0 || m->qos != 2 ||
	    m->payloadlen != (int)strlen(text) ||
	    memcmp(m->payload, text, strlen(text)) != 0) {
		fprintf(stderr, "paho_qos2: %s QoS %d \"%.*s\", not %d\n", name,
		    m->qos, m->payloadlen, (char *)m->payload, number);
		exit(1);
	}
	MQTTClient_freeMessage(&m);
	MQTTClient_free(name);
}

static void
disconnect(MQTTClient c)
{
	int rc = version == MQTTVERSION_5
	    ? MQTTClient_disconnect5(c, 1000, MQTTREASONCODE_SUCCESS, NULL)
	    : MQTTClient_disconnect(c, 1000);

	if (rc != MQTTCLIENT_SUCCESS)
		die("disconnect", rc);
}

int
main(int argc, char **argv)
{
	MQTTClient sub, pub;
	char address[64], id[64];

	if (argc != 4)
		die("usage: paho_qos2 PORT VERSION TOPIC", argc);
	snprintf(address, sizeof(address), "tcp://127.0.0.1:%s", argv[1]);
	uri = address;
	version = strcmp(argv[2], "5") == 0 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	topic = argv[3];
	snprintf(id, sizeof(id), "paho-%s-%d", argv[1], version);
	sub = new_client(id);
	pub = new_client("");
	(void)connect_client(sub, true);
	if (version != MQTTVERSION_5) {
		/* Clean Session 1 would not keep it. */
		disconnect(sub);
		(void)connect_client(sub, false);
	}
	(void)connect_client(pub, true);
	subscribe(sub);
	for (int i = 0; i < N_MESSAGES / 2; i++)
		publish(pub, i);
	for (int i = 0; i < N_MESSAGES / 2; i++)
		expect(sub, i);
	disconnect(sub);
	for (int i = N_MESSAGES / 2; i < N_MESSAGES; i++)
		publish(pub, i);
	if (!connect_client(sub, false))
		die("the session is gone", 0);
	for (int i = N_MESSAGES / 2; i < N_MESSAGES; i++)
		expect(sub, i);
	publish(pub, N_MESSAGES);
	expect(sub, N_MESSAGES);
	disconnect(sub);
	(void)connect_client(sub, true);
	disconnect(sub);
	disconnect(pub);
	MQTTClient_destroy(&sub);
	MQTTClient_destroy(&pub);
	return 0;
}
