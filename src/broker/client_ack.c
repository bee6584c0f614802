/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_ack - PUBACK, PUBREC, PUBREL and PUBCOMP from a client.
 *
 *   to the client     QoS 1  PUBLISH -> PUBACK
 *                     QoS 2  PUBLISH -> PUBREC, PUBREL -> PUBCOMP
 *   from the client   QoS 2  PUBLISH -> PUBREC (client_publish), PUBREL ->
 *                            PUBCOMP
 */
#include "base/log.h"
#include "broker/answer.h"
#include "broker/client.h"
#include "broker/deliver.h"
#include "broker/home.h"
#include "broker/lasting.h"
#include "broker/promise.h"

static void WORKER_THREAD
send_ack(struct client *c, unsigned type, uint16_t packet_id,
    enum mqtt_reason reason)
{
	const char *why = reason >= MQTT_RC_UNSPECIFIED_ERROR
	    ? mqtt_reason_text(reason)
	    : NULL;

	/* v5 [MQTT-3.6.2-2] [MQTT-3.7.2-2] */
	packet_encode_ack(&c->out, c->version, type, packet_id, reason,
	    client_reason_string(c, why, 0));
	home_count(c->home, answers_out);
	client_touch(c);
}

/* What is said next waits until what was changed last is on disk. */
static void WORKER_THREAD
gate(struct client *c)
{
	if (c->session->stored_id != 0)
		promise_gate(c, promise_newest(c->home));
}

/*
 * The client has said its last word on a message: tell NATS that it has it,
 * unless the word is no, and send the next one.
 * v5 [MQTT-4.4.0-2] [MQTT-4.8.2-6]
 */
static void WORKER_THREAD
finish(struct client *c, struct outgoing *o, enum mqtt_reason reason)
{
	struct session *s = c->session;

	if (reason < MQTT_RC_UNSPECIFIED_ERROR)
		answer_acknowledged(c->home, s, o->message);
	lasting_end_outgoing(c->home, s, o);
	inflight_done(&s->inflight, o);
	deliver_pump(c);
}

/* v5 [MQTT-4.4.0-2] [MQTT-4.8.2-6] */
static void WORKER_THREAD
on_puback(struct client *c, const struct packet_ack *p)
{
	struct outgoing *o = inflight_find(&c->session->inflight, p->packet_id);

	/* One that we do not know ends nothing: it may be late. */
	if (o != NULL && o->qos == 1)
		finish(c, o, p->reason);
	else if (o != NULL)
		client_close(c, MQTT_RC_PROTOCOL_ERROR,
		    "PUBACK for a QoS 2 message");
}

/* v5 [MQTT-4.3.3-5] [MQTT-4.3.3-6] */
static void WORKER_THREAD
on_pubrec(struct client *c, const struct packet_ack *p)
{
	struct outgoing *o = inflight_find(&c->session->inflight, p->packet_id);

	if (o == NULL) {
		/* v5 3.6.2.1; 3.x gets the PUBREL that it waits for */
		if (p->reason < MQTT_RC_UNSPECIFIED_ERROR)
			send_ack(c, MQTT_PUBREL, p->packet_id,
			    MQTT_RC_PACKET_IDENTIFIER_NOT_FOUND);
		return;
	}
	if (o->qos != 2) {
		client_close(c, MQTT_RC_PROTOCOL_ERROR,
		    "PUBREC for a QoS 1 message");
		return;
	}
	if (p->reason >= MQTT_RC_UNSPECIFIED_ERROR) {
		finish(c, o, p->reason); /* v5 [MQTT-4.3.3-4]: no PUBREL */
		return;
	}
	inflight_release(&c->session->inflight, o);
	lasting_outgoing(c->home, c->session, o);
	/* Once it has PUBREL, the client would take it for another one. */
	gate(c);
	/* v3.1.1 [MQTT-4.3.3-1] */
	send_ack(c, MQTT_PUBREL, p->packet_id, MQTT_RC_SUCCESS);
}

static void WORKER_THREAD
on_pubcomp(struct client *c, const struct packet_ack *p)
{
	struct outgoing *o = inflight_find(&c->session->inflight, p->packet_id);

	if (o != NULL && o->qos == 2 && o->state == OUTGOING_RELEASED)
		finish(c, o, MQTT_RC_SUCCESS); /* it said so in PUBREC */
}

/* v5 [MQTT-4.3.3-11] [MQTT-4.3.3-12] */
static void WORKER_THREAD
on_pubrel(struct client *c, const struct packet_ack *p)
{
	struct receiving *r = &c->session->receiving;
	struct received *e = receiving_find(r, p->packet_id);
	enum mqtt_reason reason = MQTT_RC_SUCCESS;

	if (e != NULL && e->qos == 2 && e->state != RECEIVING_WAITING) {
		receiving_remove(r, e);
		/* Once it has PUBCOMP, the identifier is another message's. */
		lasting_end_received(c->home, c->session, p->packet_id);
		gate(c);
	} else {
		reason = MQTT_RC_PACKET_IDENTIFIER_NOT_FOUND;
	}
	/* v3.1.1 [MQTT-4.3.3-2]: PUBCOMP in every case */
	send_ack(c, MQTT_PUBCOMP, p->packet_id, reason);
}

void
client_on_ack(struct client *c, const struct frame *f)
{
	struct packet_ack p;
	enum mqtt_reason rc = packet_decode_ack(f, c->version, &p);

	if (rc != MQTT_RC_SUCCESS) {
		client_close(c, rc, "acknowledgement");
		return;
	}
	switch (f->type) {
	case MQTT_PUBACK:
		on_puback(c, &p);
		break;
	case MQTT_PUBREC:
		on_pubrec(c, &p);
		break;
	case MQTT_PUBREL:
		on_pubrel(c, &p);
		break;
	case MQTT_PUBCOMP:
		on_pubcomp(c, &p);
		break;
	}
}
