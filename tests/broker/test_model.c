/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random schedules against a model of what must have arrived.
 *
 *   publishers --QoS 1, 2--> \                 /--QoS 2, 5.0-->
 *                             node, two homes --  QoS 1, 3.1.1 --> subscribers
 *   NATS ------QoS 1, 2----> /                 \--QoS 2, 3.1.1-->
 *
 * Everybody breaks his connection, comes back through any home, is taken
 * over, reads and answers when he likes; the bus has no room now and then and
 * answers late. In the end all is calmed down, and then a message that was
 * acknowledged has reached every subscriber, and one that is QoS 2 all the
 * way has reached it once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "broker/device.h"

#define N_PUBLISHERS  3
#define N_SUBSCRIBERS 3
#define NATS          N_PUBLISHERS /* as a publisher */
#define N_SOURCES     (N_PUBLISHERS + 1)
#define N_MESSAGES    5000 /* of one source, at most */
#define N_OUT         8    /* a publisher has under way */

/* A message that a publisher is not done with. */
struct out {
	unsigned number;
	uint16_t packet_id;
	uint8_t qos;
	bool is_received; /* PUBREC has come: PUBREL is to be sent */
};

struct publisher {
	struct device *device;
	unsigned id, version, next;
	struct out out[N_OUT];
	unsigned n_out;
	uint16_t last_id;
	bool is_online; /* CONNACK was read */
};

struct answer {
	uint8_t type;
	uint16_t packet_id;
};

struct subscriber_device {
	struct device *device;
	unsigned id, version, qos, receive_maximum;
	struct answer answers[512]; /* to be sent, in this order */
	unsigned n_answers;
	bool holds[65536];   /* QoS 2 identifiers between PUBLISH and PUBREL */
	bool counted[65536]; /* against the Receive Maximum */
	unsigned n_counted;
	unsigned last[N_SOURCES]; /* highest number seen, plus 1 */
	bool is_online, has_session;
};

/* A publish that the bus has not answered. */
struct asked {
	unsigned home;
	uint64_t token;
};

struct world {
	struct node *node;
	enum ack_policy policy;
	struct publisher publishers[N_PUBLISHERS];
	struct subscriber_device subscribers[N_SUBSCRIBERS];
	unsigned nats_next;
	uint8_t qos[N_SOURCES][N_MESSAGES];
	bool acknowledged[N_SOURCES][N_MESSAGES];
	unsigned received[N_SUBSCRIBERS][N_SOURCES][N_MESSAGES];
	struct asked asked[1000];
	unsigned n_asked;
	unsigned seed;
};

static unsigned
chance(struct world *w, unsigned n)
{
	return (unsigned)rand_r(&w->seed) % n;
}

/* --- publishers --------------------------------------------------------- */

static void
send_out(struct publisher *p, const struct out *o, bool dup)
{
	unsigned first = 0x30u | (unsigned)o->qos << 1 | (dup ? 8 : 0);
	const char *properties = p->version == MQTT_V5 ? "[]" : "";

	if (o->is_received)
		device_put(p->device, "62 [%04x]", o->packet_id);
	else
		device_put(p->device, "%02x [<t/%u> %04x %s '%u']", first,
		    p->id, o->packet_id, properties, o->number);
}

static void
publisher_publish(struct world *w, struct publisher *p)
{
	struct out *o = &p->out[p->n_out];

	if (!p->is_online || p->n_out == N_OUT || p->next == N_MESSAGES)
		return;
	p->last_id = p->last_id == 40 ? 1 : p->last_id + 1;
	for (unsigned i = 0; i < p->n_out; i++)
		if (p->out[i].packet_id == p->last_id)
			return; /* in use */
	*o = (struct out){ .number = p->next++,
		.packet_id = p->last_id,
		.qos = (uint8_t)(1 + chance(w, 2)) };
	w->qos[p->id][o->number] = o->qos;
	p->n_out++;
	send_out(p, o, false);
}

static void
publisher_finish(struct publisher *p, unsigned i)
{
	p->n_out--;
	memmove(&p->out[i], &p->out[i + 1], (p->n_out - i) * sizeof(p->out[0]));
}

static void
publisher_on_ack(struct world *w, struct publisher *p,
    const struct any_packet *packet)
{
	unsigned i = 0;

	while (i < p->n_out && p->out[i].packet_id != packet->ack.packet_id)
		i++;
	if (i == p->n_out)
		return; /* of an answer that came twice */
	if (packet->type == MQTT_PUBCOMP) {
		publisher_finish(p, i);
		return;
	}
	cr_assert_lt(packet->ack.reason, MQTT_RC_UNSPECIFIED_ERROR);
	w->acknowledged[p->id][p->out[i].number] = true;
	if (packet->type == MQTT_PUBACK) {
		cr_assert_eq(p->out[i].qos, 1);
		publisher_finish(p, i);
		return;
	}
	cr_assert_eq(packet->type, MQTT_PUBREC);
	cr_assert_eq(p->out[i].qos, 2);
	p->out[i].is_received = true;
	send_out(p, &p->out[i], false);
}

static void
publisher_read(struct world *w, struct publisher *p, unsigned n)
{
	const struct any_packet *packet;

	while (n-- > 0 && (packet = device_next(p->device)) != NULL) {
		if (packet->type != MQTT_CONNACK) {
			publisher_on_ack(w, p, packet);
			continue;
		}
		p->is_online = true;
		cr_assert_eq(packet->connack.code, 0);
		for (unsigned i = 0; i < p->n_out; i++)
			send_out(p, &p->out[i], true);
	}
}

/* A new connection; the old one may still be there, and is taken over. */
static void
publisher_connect(struct world *w, struct publisher *p)
{
	p->is_online = false;
	p->device = device_new(w->node, chance(w, 2));
	device_put(p->device,
	    p->version == MQTT_V5 ? "10 [<MQTT> 05 00 0000 [11 ffffffff] <p%u>]"
				  : "10 [<MQTT> 04 00 0000 <p%u>]",
	    p->id);
}

/* --- subscribers -------------------------------------------------------- */

static void
answer_later(struct subscriber_device *s, unsigned type, uint16_t packet_id)
{
	cr_assert_lt(s->n_answers, countof(s->answers));
	s->answers[s->n_answers++] =
	    (struct answer){ .type = (uint8_t)type, .packet_id = packet_id };
}

static void
count_publish(struct subscriber_device *s, uint16_t packet_id)
{
	if (s->counted[packet_id])
		return;
	s->counted[packet_id] = true;
	/* v5 [MQTT-3.3.4-9] */
	cr_assert_leq(++s->n_counted, s->receive_maximum);
}

static void
receive(struct world *w, struct subscriber_device *s,
    const struct packet_publish *p)
{
	unsigned source, number;
	char text[32];

	(void)snprintf(text, sizeof(text), "%.*s %.*s", SLICE_ARG(p->topic),
	    SLICE_ARG(p->payload));
	cr_assert_eq(sscanf(text, "t/%u %u", &source, &number), 2, "%s", text);
	cr_assert_lt(source, N_SOURCES);
	w->received[s->id][source][number]++;
	/* v3.1.1 [MQTT-4.6.0-6]: what is new is in order. */
	if (w->received[s->id][source][number] == 1) {
		cr_assert_geq(number, s->last[source],
		    "subscriber %u: %u of source %u behind %u", s->id, number,
		    source, s->last[source]);
		s->last[source] = number + 1;
	}
}

static void
subscriber_on_publish(struct world *w, struct subscriber_device *s,
    const struct packet_publish *p)
{
	cr_assert_geq(p->qos, 1);
	cr_assert_leq(p->qos, s->qos);
	count_publish(s, p->packet_id);
	if (p->qos == 1) {
		receive(w, s, p);
		answer_later(s, MQTT_PUBACK, p->packet_id);
		return;
	}
	/* v5 [MQTT-4.3.3-10]: what it holds it has had. */
	if (!s->holds[p->packet_id])
		receive(w, s, p);
	s->holds[p->packet_id] = true;
	answer_later(s, MQTT_PUBREC, p->packet_id);
}

static void
subscriber_on_connack(struct subscriber_device *s, bool present)
{
	s->is_online = true;
	cr_assert_eq(present, s->has_session);
	if (s->has_session)
		return;
	s->has_session = true;
	device_put(s->device,
	    s->version == MQTT_V5 ? "82 [0001 [] <t/+> %02x]"
				  : "82 [0001 <t/+> %02x]",
	    s->qos);
}

static void
subscriber_read(struct world *w, struct subscriber_device *s, unsigned n)
{
	const struct any_packet *p;

	while (n-- > 0 && (p = device_next(s->device)) != NULL) {
		switch (p->type) {
		case MQTT_CONNACK:
			subscriber_on_connack(s, p->connack.session_present);
			break;
		case MQTT_SUBACK:
			break;
		case MQTT_PUBLISH:
			subscriber_on_publish(w, s, &p->publish);
			break;
		case MQTT_PUBREL:
			s->holds[p->ack.packet_id] = false;
			answer_later(s, MQTT_PUBCOMP, p->ack.packet_id);
			break;
		default:
			cr_assert(p->type == MQTT_DISCONNECT, "%s",
			    mqtt_type_name(p->type));
			cr_assert_eq(p->disconnect.reason,
			    MQTT_RC_SESSION_TAKEN_OVER);
		}
	}
}

static void
subscriber_answer(struct subscriber_device *s, unsigned n)
{
	static const unsigned heads[] = { [MQTT_PUBACK] = 0x40,
		[MQTT_PUBREC] = 0x50,
		[MQTT_PUBCOMP] = 0x70 };
	unsigned i;

	if (!device_is_open(s->device))
		return;
	for (i = 0; i < n && i < s->n_answers; i++) {
		const struct answer *a = &s->answers[i];

		device_put(s->device, "%02x [%04x]", heads[a->type],
		    a->packet_id);
		if (a->type == MQTT_PUBREC || !s->counted[a->packet_id])
			continue;
		s->counted[a->packet_id] = false;
		s->n_counted--;
	}
	s->n_answers -= i;
	memmove(s->answers, s->answers + i,
	    s->n_answers * sizeof(s->answers[0]));
}

static void
subscriber_connect(struct world *w, struct subscriber_device *s)
{
	s->is_online = false;
	s->n_answers = 0;
	s->n_counted = 0;
	memset(s->counted, 0, sizeof(s->counted));
	s->device = device_new(w->node, chance(w, 2));
	s->receive_maximum = w->node->options.max_inflight;
	if (s->version != MQTT_V5) {
		device_put(s->device, "10 [<MQTT> 04 00 0000 <s%u>]", s->id);
		return;
	}
	s->receive_maximum = 1 + chance(w, 5);
	device_put(s->device,
	    "10 [<MQTT> 05 00 0000 [11 ffffffff 21 %04x] <s%u>]",
	    s->receive_maximum, s->id);
}

/* --- NATS --------------------------------------------------------------- */

static void
settle_one(struct world *w, enum bus_result result)
{
	unsigned i = chance(w, w->n_asked);

	fake_bus_settle(w->node->bus, w->asked[i].home, w->asked[i].token,
	    result, NULL);
	w->asked[i] = w->asked[--w->n_asked];
}

static void
nats_hear(struct world *w, unsigned home, const struct bus_request *r)
{
	const char *reply;

	if (r->type == BUS_ANSWER) {
		reply = (const char *)message_reply(r->message).ptr;
		w->acknowledged[NATS][strtoul(reply, NULL, 10)] = true;
	} else if (r->type == BUS_PUBLISH && r->token != 0) {
		if (w->n_asked == countof(w->asked))
			settle_one(w, BUS_OK);
		w->asked[w->n_asked++] =
		    (struct asked){ .home = home, .token = r->token };
	}
}

/* Take what the homes ask; remember what is to be answered. */
static void
nats_listen(struct world *w)
{
	const struct bus_request *r;

	for (unsigned home = 0; home < 2; home++)
		while ((r = fake_bus_take(w->node->bus, home)) != NULL)
			nats_hear(w, home, r);
}

/*
 * With ack = reply there is always a session that takes the message, so what
 * NATS says must not matter; otherwise it is the only acknowledgement.
 */
static void
nats_answer(struct world *w)
{
	static const enum bus_result results[] = { BUS_OK, BUS_NO_RESPONDERS,
		BUS_TIMEOUT };

	nats_listen(w);
	if (w->n_asked > 0)
		settle_one(w,
		    w->policy == ACK_REPLY ? results[chance(w, 3)] : BUS_OK);
}

static void
nats_send(struct world *w)
{
	unsigned number = w->nats_next;
	struct message *m;
	char reply[12], payload[12], topic[12];

	if (number == N_MESSAGES)
		return;
	w->nats_next++;
	w->qos[NATS][number] = (uint8_t)(1 + chance(w, 2));
	(void)snprintf(topic, sizeof(topic), "t/%u", NATS);
	(void)snprintf(reply, sizeof(reply), "%u", number);
	(void)snprintf(payload, sizeof(payload), "%u", number);
	m = node_message(topic, topic, reply, w->qos[NATS][number], payload);
	fake_bus_message(w->node->bus, 0, m);
}

/* --- the schedule ------------------------------------------------------- */

static void
hang_up(struct device *d)
{
	if (device_is_open(d))
		device_hang_up(d);
}

static void
move_publisher(struct world *w, struct publisher *p)
{
	if (!device_is_open(p->device))
		publisher_connect(w, p);
	switch (chance(w, 60)) {
	case 0:
		hang_up(p->device);
		break;
	case 1:
		publisher_connect(w, p); /* takes over */
		break;
	default:
		publisher_publish(w, p);
		publisher_read(w, p, chance(w, 6));
	}
}

static void
move_subscriber(struct world *w, struct subscriber_device *s)
{
	if (!device_is_open(s->device))
		subscriber_connect(w, s);
	switch (chance(w, 60)) {
	case 0:
		hang_up(s->device);
		break;
	case 1:
		subscriber_connect(w, s);
		break;
	case 2: /* reads slowly for a while */
		device_set_window(s->device, chance(w, 200));
		break;
	case 3:
		device_set_window(s->device, SIZE_MAX);
		break;
	default:
		subscriber_read(w, s, chance(w, 8));
		subscriber_answer(s, chance(w, 8));
	}
}

static void
move_bus(struct world *w)
{
	switch (chance(w, 40)) {
	case 0:
		fake_bus_set_room(w->node->bus, chance(w, 2), chance(w, 4));
		break;
	case 1:
	case 2:
		fake_bus_set_room(w->node->bus, 0, SIZE_MAX);
		fake_bus_set_room(w->node->bus, 1, SIZE_MAX);
		break;
	default:
		/* A reply takes longer than what the homes tell each other. */
		if (w->policy == ACK_REPLY)
			node_run(w->node);
		nats_answer(w);
	}
}

static void
step(struct world *w)
{
	switch (chance(w, 8)) {
	case 0:
	case 1:
		move_publisher(w, &w->publishers[chance(w, N_PUBLISHERS)]);
		break;
	case 2:
	case 3:
	case 4:
		move_subscriber(w, &w->subscribers[chance(w, N_SUBSCRIBERS)]);
		break;
	case 5:
		move_bus(w);
		break;
	case 6:
		if (chance(w, 3) == 0)
			nats_send(w);
		break;
	default:
		node_turn(w->node, chance(w, 2));
	}
}

/* Everybody is here, reads and answers; true while anything moves. */
static bool
calm(struct world *w)
{
	bool moves = false;

	for (unsigned i = 0; i < N_PUBLISHERS; i++) {
		struct publisher *p = &w->publishers[i];

		if (!device_is_open(p->device))
			publisher_connect(w, p);
		moves |= !p->is_online || p->n_out > 0;
		publisher_read(w, p, 1000);
	}
	for (unsigned i = 0; i < N_SUBSCRIBERS; i++) {
		struct subscriber_device *s = &w->subscribers[i];

		if (!device_is_open(s->device))
			subscriber_connect(w, s);
		device_set_window(s->device, SIZE_MAX);
		moves |= !s->is_online || buf_len(&s->device->heard) > 0;
		subscriber_read(w, s, 1000);
		moves |= s->n_answers > 0;
		subscriber_answer(s, 1000);
	}
	moves |= w->n_asked > 0;
	nats_answer(w);
	node_run(w->node);
	return moves;
}

static void
check(const struct world *w)
{
	for (unsigned s = 0; s < N_SUBSCRIBERS; s++) {
		for (unsigned source = 0; source < N_SOURCES; source++) {
			unsigned n = source == NATS
			    ? w->nats_next
			    : w->publishers[source].next;

			for (unsigned i = 0; i < n; i++) {
				unsigned times = w->received[s][source][i];
				bool is_exact =
				    source == NATS || w->qos[source][i] == 2;

				cr_assert(w->acknowledged[source][i],
				    "%u of source %u never acknowledged", i,
				    source);
				cr_assert_geq(times, 1,
				    "subscriber %u lost %u of source %u", s, i,
				    source);
				if (is_exact && w->subscribers[s].qos == 2 &&
				    w->qos[source][i] == 2)
					cr_assert_eq(times, 1,
					    "subscriber %u has %u of source "
					    "%u %u times",
					    s, i, source, times);
			}
		}
	}
}

static void
check_nothing_is_left(const struct world *w)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct home *h = node_home(w->node, i);

		cr_assert_eq(h->pending.n_used, 0);
		cr_assert_eq(h->n_overflow, 0);
	}
	for (unsigned i = 0; i < N_SUBSCRIBERS; i++) {
		const struct session *s =
		    device_client(w->subscribers[i].device)->session;

		cr_assert_eq(s->inflight.n, 0);
		cr_assert_eq(s->backlog.n, 0);
	}
	for (unsigned i = 0; i < N_PUBLISHERS; i++)
		cr_assert_eq(device_client(w->publishers[i].device)
				 ->session->receiving.n,
		    0);
}

static struct world *
world_new(enum ack_policy policy, unsigned seed)
{
	struct broker_options o = node_options();
	struct world *w = calloc(1, sizeof(*w));

	o.ack = policy;
	o.queue.max_queued_messages = 100000;
	o.queue.max_queued_bytes = UINT32_MAX;
	o.max_inflight = 5;
	o.max_output_bytes = 400;
	w->seed = seed;
	w->policy = policy;
	w->node = node_new_with(&o);
	for (unsigned i = 0; i < N_SUBSCRIBERS; i++) {
		w->subscribers[i].id = i;
		w->subscribers[i].version = i == 0 ? MQTT_V5 : MQTT_V311;
		w->subscribers[i].qos = i == 1 ? 1 : 2;
		subscriber_connect(w, &w->subscribers[i]);
		node_run(w->node);
		subscriber_read(w, &w->subscribers[i], 10);
	}
	node_run(w->node);
	for (unsigned i = 0; i < N_PUBLISHERS; i++) {
		w->publishers[i].id = i;
		w->publishers[i].version = i == 0 ? MQTT_V5 : MQTT_V311;
		publisher_connect(w, &w->publishers[i]);
	}
	return w;
}

static void
run_world(enum ack_policy policy, unsigned seed, unsigned steps)
{
	struct world *w = world_new(policy, seed);
	unsigned rounds = 0;

	for (unsigned i = 0; i < steps; i++)
		step(w);
	fake_bus_set_room(w->node->bus, 0, SIZE_MAX);
	fake_bus_set_room(w->node->bus, 1, SIZE_MAX);
	while (calm(w))
		cr_assert_lt(rounds++, 20000, "it does not come to rest");
	check(w);
	check_nothing_is_left(w);
	node_free(&w->node);
	free(w);
}

Test(model, loses_nothing_that_a_session_has_taken)
{
	for (unsigned seed = 1; seed <= 6; seed++)
		run_world(ACK_REPLY, seed, 15000);
}

Test(model, loses_nothing_that_the_server_has)
{
	for (unsigned seed = 11; seed <= 16; seed++)
		run_world(ACK_SERVER, seed, 15000);
}

Test(model, loses_nothing_that_the_node_has_taken)
{
	for (unsigned seed = 21; seed <= 26; seed++)
		run_world(ACK_LOCAL, seed, 15000);
}
