/* SPDX-License-Identifier: Apache-2.0 */
/* node - a broker with its homes, all in the test's thread. */
#include "broker/node.h"

#include <sched.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "broker/device.h"
#include "broker/plug.h"
#include "broker/restore.h"
#include "fake/fake_clock.h"
#include "store/store.h"

/* More turns than that, and the node is running in circles. */
#define TURNS_MAX 100000

struct broker_options
node_options(void)
{
	return (struct broker_options){
		.n_workers = 2,
		.ack = ACK_REPLY,
		.receive_maximum = 20,
		.max_inflight = 10,
		.topic_alias_maximum_out = 3,
		.max_packet_size = 100000,
		.max_connect_size = 90000,
		.queue = { .max_queued_messages = 50,
		    .max_queued_bytes = 100000 },
		.session_expiry_max_s = MQTT_EXPIRY_NEVER,
		.connect_timeout_ms = 10000,
		.max_output_bytes = 20000,
		.max_control_line = 4000,
		.max_topic_levels = 128,
		.max_client_id_length = 256,
		.max_subscriptions = 100,
		.max_sessions = 100000,
		.max_logins = 2,
		.check_payload_format = true,
	};
}

struct node *
node_new_alone(const struct broker_options *o)
{
	struct node *n = xcalloc(1, sizeof(*n));

	log_set_level(LOG_ERROR);
	thread_enter(THREAD_WORKER, "worker");
	n->options = *o;
	n->rules = (struct client_rules){ .listener = "test",
		.protocols = 1 << MQTT_V31 | 1 << MQTT_V311 | 1 << MQTT_V5,
		.is_open = true,
		.max_qos = 2,
		.retain_available = true,
		.wildcard_available = true,
		.shared_available = true,
		.subscription_ids_available = true };
	n->broker = broker_new(&n->options);
	cr_assert_not_null(n->broker);
	LIST_INIT(&n->devices);
	return n;
}

struct node *
node_new_with(const struct broker_options *o)
{
	struct node *n = node_new_alone(o);

	n->bus = fake_bus_new(o->n_workers, &broker_bus_ops, n->broker);
	n->broker->bus = n->bus;
	return n;
}

struct node *
node_new(void)
{
	struct broker_options o = node_options();

	return node_new_with(&o);
}

void
node_free(struct node **np)
{
	struct node *n = *np;
	struct store *store;
	struct device *d;

	*np = NULL;
	LIST_FOREACH(d, &n->devices, entry)
		if (device_is_open(d))
			device_hang_up(d);
	while ((d = LIST_FIRST(&n->devices)) != NULL)
		device_free(&d);
	store = n->broker->store;
	if (store != NULL) {
		restore_flush(n->broker);
		store_stop(store);
	}
	broker_free(&n->broker);
	if (store != NULL)
		store_free(&store);
	if (n->bus != NULL)
		fake_bus_free(&n->bus);
	free(n);
}

struct home *
node_home(const struct node *n, unsigned home)
{
	return n->broker->homes[home];
}

/* Those who ask for attention meanwhile come next turn. */
static void
attend(struct home *h)
{
	struct client *last = TAILQ_LAST(&h->dirty, client_list);
	struct client *c;

	while ((c = TAILQ_FIRST(&h->dirty)) != NULL) {
		bool is_last = c == last;

		TAILQ_REMOVE(&h->dirty, c, entry);
		c->is_dirty = false;
		plug_attend(container_of(c, struct plug, client));
		if (is_last)
			break;
	}
}

void
node_turn(struct node *n, unsigned home)
{
	struct home *h = node_home(n, home);

	home_turn(h);
	attend(h);
	home_flush(h);
}

static bool
has_work(const struct node *n)
{
	/* First, or what it says meanwhile would be missed. */
	bool awaits = node_awaits_store(n);

	for (unsigned i = 0; i < n->options.n_workers; i++)
		if (home_has_work(node_home(n, i)) ||
		    !TAILQ_EMPTY(&node_home(n, i)->dirty))
			return true;
	if (awaits)
		sched_yield();
	return awaits;
}

void
node_run(struct node *n)
{
	unsigned turns = 0;

	do {
		if (!node_awaits_store(n))
			cr_assert_lt(turns++, TURNS_MAX,
			    "the node never rests");
		for (unsigned i = 0; i < n->options.n_workers; i++)
			node_turn(n, i);
	} while (has_work(n));
}

void
node_pass(struct node *n, uint64_t ms)
{
	fake_clock_advance(ms);
	/* What a timer arms for a time that has passed fires next turn. */
	node_run(n);
	node_run(n);
}

struct message *
node_message(const char *topic, const char *subject, const char *reply,
    uint8_t qos, const char *payload)
{
	struct message_parts parts = { .topic = slice_str(topic),
		.subject = slice_str(subject),
		.reply = slice_str(reply),
		.payload = slice_str(payload),
		.qos = qos,
		.from_nats = true };

	return message_new(&parts);
}

void
node_from_nats(struct node *n, const char *topic, const char *reply,
    uint8_t qos, const char *payload)
{
	fake_bus_message(n->bus, 0,
	    node_message(topic, topic, reply, qos, payload));
	node_run(n);
}

void
node_settle(struct node *n, unsigned home, enum bus_result result)
{
	fake_bus_settle(n->bus, home, fake_bus_token(n->bus), result, NULL);
	node_run(n);
}
