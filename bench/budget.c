/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget - fixed work for bench/budget-check to count the instructions of.
 *
 *   budget [WORK]...        all of them without an argument
 *   budget --list           their names
 *   budget --compiler       what the figures depend on
 *
 * Control Packets go through framer, decoder, broker and encoder; what would
 * go to a socket is dropped, what would go to NATS is taken from a fake bus.
 * No thread, no socket, no clock. What runs in `collected` counts; preparing
 * it and taking it down does not.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/home.h"
#include "fake/fake_bus.h"
#include "mqtt/framer.h"
#include "mqtt/mqtt.h"
#include "mqtt/property.h"
#include "nats/header.h"
#include "nats/reply.h"
#include "topic/subject.h"

/* Messages of a work, and how many of them come in one turn of the loop. */
#define N_MESSAGES  2000u
#define N_PER_TURN  20u
#define N_FAN_OUT   500u
#define N_FANNED    20u
#define N_CONNECTED 1000u

#define MAX_CLIENTS 1000u
#define TOPIC       "plant/hall-7/line-3/temperature"

static const struct client_rules rules = { .listener = "budget",
	.protocols = 1 << MQTT_V31 | 1 << MQTT_V311 | 1 << MQTT_V5,
	.is_open = true,
	.max_qos = 2,
	.retain_available = true,
	.wildcard_available = true,
	.shared_available = true,
	.subscription_ids_available = true };

static struct broker_options options = {
	.n_workers = 1,
	.ack = ACK_LOCAL,
	.receive_maximum = 1000,
	.max_inflight = 1000,
	.max_packet_size = 1 << 20,
	.max_connect_size = 1 << 16,
	.queue = { .max_queued_messages = 1000, .max_queued_bytes = 1 << 20 },
	.session_expiry_max_s = MQTT_EXPIRY_NEVER,
	.connect_timeout_ms = 10000,
	.max_output_bytes = 1 << 24,
	.max_control_line = 4000,
	.max_topic_levels = 128,
	.max_client_id_length = 256,
	.max_subscriptions = 100,
	.max_sessions = 100000,
	.max_logins = 2,
	.check_payload_format = true,
};

/* All that a work has to do with. */
static struct broker *broker;
static struct home *home;
static struct client *clients[MAX_CLIENTS];
static struct buf input;   /* what a client sends in one turn */
static struct buf answers; /* what a subscriber answers to what it got */
static size_t n_seen;      /* PUBLISH packets that subscribers got */
static size_t n_out_bytes; /* so that nothing is optimised away */

/* --- what net/conn does ------------------------------------------------- */

static void
read_packets(struct client *c, const struct buf *from)
{
	struct slice rest = buf_slice(from);
	enum mqtt_reason reason;
	struct frame f;

	while (rest.len > 0) {
		enum framer_result got =
		    framer_next(rest, client_max_packet(c), &f, &reason);

		assert(got == FRAMER_PACKET && client_may_read(c));
		client_on_packet(c, &f);
		rest = slice_skip(rest, f.size);
	}
}

/* What a subscriber has to say to these bytes. */
static void
answer(const struct buf *out)
{
	static const uint8_t types[] = { [MQTT_PUBREC] = MQTT_PUBREL << 4 | 2,
		[MQTT_PUBREL] = MQTT_PUBCOMP << 4 };
	struct slice rest = buf_slice(out);
	enum mqtt_reason reason;
	struct frame f;

	while (framer_next(rest, SIZE_MAX, &f, &reason) == FRAMER_PACKET) {
		unsigned qos = f.flags >> 1 & 3;
		size_t at = 0;
		uint8_t first = 0;

		if (f.type == MQTT_PUBLISH) {
			n_seen++;
			at = 2 + (size_t)(f.body.ptr[0] << 8 | f.body.ptr[1]);
			first = qos == 1 ? MQTT_PUBACK << 4
			    : qos == 2   ? MQTT_PUBREC << 4
					 : 0;
		} else if (f.type < countof(types)) {
			first = types[f.type];
		}
		if (first != 0) {
			uint8_t ack[] = { first, 2, f.body.ptr[at],
				f.body.ptr[at + 1] };

			buf_append(&answers, ack, sizeof(ack));
		}
		rest = slice_skip(rest, f.size);
	}
}

/* End of a turn: everybody's output is written, and answered. */
static void
attend(void)
{
	struct client *c;

	while ((c = TAILQ_FIRST(&home->dirty)) != NULL) {
		TAILQ_REMOVE(&home->dirty, c, entry);
		c->is_dirty = false;
		n_out_bytes += buf_len(&c->out);
		answer(&c->out);
		buf_fini(&c->out);
		client_on_drained(c);
		read_packets(c, &answers);
		buf_reset(&answers);
	}
	home_flush(home);
}

static void
turn(struct client *c)
{
	home_turn(home);
	read_packets(c, &input);
	attend();
}

/* --- what is prepared --------------------------------------------------- */

static void
connect_client(unsigned i, unsigned version)
{
	struct packet_connect p = { .version = (uint8_t)version,
		.clean_start = true,
		.keep_alive = 60 };
	char id[16];

	snprintf(id, sizeof(id), "device-%05u", i);
	p.client_id = slice_str(id);
	clients[i] = xcalloc(1, sizeof(*clients[i]));
	client_init(clients[i], home, &rules, "10.0.0.9:50122");
	buf_reset(&input);
	packet_encode_connect(&input, &p, (struct slice){ 0 },
	    (struct slice){ 0 });
	turn(clients[i]);
	assert(clients[i]->state == CLIENT_ONLINE);
}

static void
subscribe_client(unsigned i, const char *filter, uint8_t qos)
{
	struct packet_filter f = { .filter = slice_str(filter), .qos = qos };

	buf_reset(&input);
	packet_encode_subscribe(&input, clients[i]->version, MQTT_SUBSCRIBE, 1,
	    &f, 1, (struct slice){ 0 });
	turn(clients[i]);
	turn(clients[i]);
}

static void
put_properties(struct buf *props)
{
	property_put_slice(props, MQTT_PROP_CONTENT_TYPE,
	    SLICE("application/json"));
	property_put_slice(props, MQTT_PROP_CORRELATION_DATA,
	    SLICE("0123456789abcdef"));
	property_put_user(props, SLICE("unit"), SLICE("celsius"));
}

/* N_PER_TURN publishes with 64 bytes each into `input`. */
static void
compose(unsigned version, uint8_t qos, bool has_properties)
{
	uint8_t payload[64];
	struct buf props = { 0 };

	memset(payload, 'x', sizeof(payload));
	if (has_properties)
		put_properties(&props);
	buf_reset(&input);
	for (unsigned i = 0; i < N_PER_TURN; i++) {
		struct packet_publish p = { .qos = qos,
			.topic = SLICE(TOPIC),
			.packet_id = (uint16_t)(i + 1) };

		packet_encode_publish(&input, version, &p, buf_slice(&props),
		    sizeof(payload));
		buf_append(&input, payload, sizeof(payload));
	}
	buf_fini(&props);
}

static void
set_up(bool has_nats)
{
	broker = broker_new(&options);
	assert(broker != NULL);
	home = broker->homes[0];
	if (has_nats)
		broker->bus = fake_bus_new(1, &broker_bus_ops, broker);
	n_seen = 0;
}

static void
tear_down(void)
{
	struct bus *bus = broker->bus;

	for (unsigned i = 0; i < MAX_CLIENTS; i++) {
		if (clients[i] == NULL)
			continue;
		client_on_hangup(clients[i], "the end");
		if (clients[i]->is_dirty)
			TAILQ_REMOVE(&home->dirty, clients[i], entry);
		client_fini(clients[i]);
		free(clients[i]);
		clients[i] = NULL;
	}
	broker_free(&broker);
	if (bus != NULL)
		fake_bus_free(&bus);
}

/* --- the works ---------------------------------------------------------- */

/* One publisher, client 0; whoever has subscribed to its topic. */
static void
publish_all(unsigned n)
{
	for (unsigned i = 0; i < n; i += N_PER_TURN)
		turn(clients[0]);
}

static void
prepare_pair(uint8_t qos, bool has_nats)
{
	set_up(has_nats);
	connect_client(0, MQTT_V311);
	connect_client(1, MQTT_V311);
	subscribe_client(1, TOPIC, qos);
	compose(MQTT_V311, qos, false);
}

static void
work_publish(void)
{
	publish_all(N_MESSAGES);
}

static void
work_fan_out_500(void)
{
	publish_all(N_FANNED);
}

/* What nats/publish does without cnats: the subject, and the headers. */
static void
count_header(void *arg, const char *name, const char *value)
{
	*(size_t *)arg += header_size(name, value);
}

static void
take_requests(void)
{
	const struct bus_request *r;

	while ((r = fake_bus_take(broker->bus, 0)) != NULL) {
		const struct message *m = r->message;

		assert(r->type == BUS_PUBLISH &&
		    subject_valid(message_subject(m), false));
		if (!header_is_plain(m, false))
			header_each(m, false, 0, NULL, count_header,
			    &n_out_bytes);
		n_seen++;
	}
}

static void
work_to_nats(void)
{
	for (unsigned i = 0; i < N_MESSAGES; i += N_PER_TURN) {
		turn(clients[0]);
		take_requests();
	}
}

static struct message *
message_from_nats(void)
{
	static const uint8_t payload[64] = "x";
	struct message_parts parts = { .topic = SLICE(TOPIC),
		.subject = SLICE("plant.hall-7.line-3.temperature"),
		.payload = slice_of(payload, sizeof(payload)),
		.from_nats = true };

	return message_new(&parts);
}

static void
work_from_nats(void)
{
	for (unsigned i = 0; i < N_MESSAGES; i++) {
		fake_bus_message(broker->bus, 0, message_from_nats());
		if (i % N_PER_TURN == N_PER_TURN - 1) {
			home_turn(home);
			attend();
		}
	}
}

static void
work_puback_of_stream(void)
{
	static const char body[] =
	    "{\"stream\":\"MEASUREMENTS\", \"seq\":123456}";
	enum bus_result result;
	char *text;

	for (unsigned i = 0; i < N_MESSAGES; i++)
		if (reply_settles(ACK_STREAM, SLICE(body), false, &result,
			&text) &&
		    result == BUS_OK)
			n_seen++;
}

static void
work_connect_subscribe(void)
{
	char filter[48];

	for (unsigned i = 0; i < N_CONNECTED; i++) {
		snprintf(filter, sizeof(filter), "device/%05u/commands", i);
		connect_client(i, MQTT_V311);
		subscribe_client(i, filter, 1);
	}
}

/* --- one after the other ------------------------------------------------ */

static void
prepare_qos0(void)
{
	prepare_pair(0, false);
}

static void
prepare_qos1(void)
{
	prepare_pair(1, false);
}

static void
prepare_qos2(void)
{
	prepare_pair(2, false);
}

static void
prepare_fan_out(void)
{
	set_up(false);
	connect_client(0, MQTT_V311);
	for (unsigned i = 1; i <= N_FAN_OUT; i++) {
		connect_client(i, MQTT_V311);
		subscribe_client(i, TOPIC, 0);
	}
	compose(MQTT_V311, 0, false);
}

static void
prepare_nobody(void)
{
	set_up(false);
	connect_client(0, MQTT_V311);
	compose(MQTT_V311, 0, false);
}

static void
prepare_to_nats(void)
{
	set_up(true);
	connect_client(0, MQTT_V311);
	compose(MQTT_V311, 0, false);
}

static void
prepare_to_nats_headers(void)
{
	set_up(true);
	connect_client(0, MQTT_V5);
	compose(MQTT_V5, 1, true);
}

static void
prepare_from_nats(void)
{
	prepare_pair(0, true);
	fake_bus_skip(broker->bus, 0);
}

static void
prepare_nothing(void)
{
	set_up(false);
}

struct work {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
	size_t expected; /* of n_seen */
};

static const struct work works[] = {
	{ "qos0_1_to_1", prepare_qos0, work_publish, N_MESSAGES },
	{ "qos1_1_to_1", prepare_qos1, work_publish, N_MESSAGES },
	{ "qos2_1_to_1", prepare_qos2, work_publish, N_MESSAGES },
	{ "fan_out_500", prepare_fan_out, work_fan_out_500,
	    N_FAN_OUT *N_FANNED },
	{ "nobody", prepare_nobody, work_publish, 0 },
	{ "to_nats", prepare_to_nats, work_to_nats, N_MESSAGES },
	{ "to_nats_headers", prepare_to_nats_headers, work_to_nats,
	    N_MESSAGES },
	{ "from_nats", prepare_from_nats, work_from_nats, N_MESSAGES },
	{ "puback_of_stream", prepare_nothing, work_puback_of_stream,
	    N_MESSAGES },
	{ "connect_subscribe", prepare_nothing, work_connect_subscribe, 0 },
};

/* Valgrind counts from here until it returns. */
static void __attribute__((noinline)) collected(void (*work)(void))
{
	work();
	__asm__ volatile("" ::: "memory"); /* no tail call */
}

static bool
run(const struct work *w)
{
	bool as_expected;

	w->prepare();
	n_seen = 0;
	collected(w->run);
	as_expected = n_seen == w->expected;
	if (!as_expected)
		fprintf(stderr, "%s: %zu messages, not %zu\n", w->name, n_seen,
		    w->expected);
	tear_down();
	return as_expected;
}

/* What the figures depend on. */
static void
print_compiler(void)
{
	struct utsname u;

	uname(&u);
#ifdef __clang__
	printf("clang %d %s\n", __clang_major__, u.machine);
#else
	printf("gcc %d %s\n", __GNUC__, u.machine);
#endif
}

static bool
is_said(const char *option, int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], option) == 0;
}

int
main(int argc, char **argv)
{
	bool good = true;

	if (is_said("--compiler", argc, argv)) {
		print_compiler();
		return EXIT_SUCCESS;
	}
	if (is_said("--list", argc, argv)) {
		for (size_t i = 0; i < countof(works); i++)
			puts(works[i].name);
		return EXIT_SUCCESS;
	}

	log_set_level(LOG_ERROR);
	thread_enter(THREAD_WORKER, "budget");
	for (size_t i = 0; i < countof(works); i++) {
		bool is_wanted = argc == 1;

		for (int a = 1; a < argc; a++)
			is_wanted |= strcmp(argv[a], works[i].name) == 0;
		if (is_wanted)
			good &= run(&works[i]);
	}
	buf_fini(&input);
	buf_fini(&answers);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
