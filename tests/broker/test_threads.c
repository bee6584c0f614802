/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Homes that turn on threads of their own, as they do in net/worker: what
 * they share, and what they hand to each other, must hold. ThreadSanitizer
 * sees the races that do no harm by chance.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/xalloc.h"
#include "broker/device.h"
#include "broker/plug.h"
#include "broker/registry.h"
#include "mqtt/wire.h"
#include "store/retained.h"

#define N_THREADS 3
#define N_DEVICES 400 /* per thread */

struct crew {
	struct node *node;
	struct slice packets[8]; /* a Network Connection's whole life */
	atomic_uint n_working;
};

struct hand {
	struct crew *crew;
	pthread_t thread;
	unsigned home;
	unsigned seed;
	struct device *devices[N_DEVICES];
};

/* No assertion in here: Criterion wants them in the test's own thread. */
static void
start_device(struct hand *hand, struct device *d)
{
	struct slice packets = hand->crew->packets[rand_r(&hand->seed) % 8];

	d->version = packets.ptr[8] == 5 ? MQTT_V5 : MQTT_V311;
	plug_open(d, node_home(hand->crew->node, hand->home));
	buf_append_slice(&d->sent, packets);
	plug_read(d->plug);
}

static bool
has_mail(const struct node *n)
{
	for (unsigned i = 0; i < N_THREADS; i++)
		if (home_has_work(node_home(n, i)))
			return true;
	return false;
}

static void *
run(void *arg)
{
	struct hand *hand = arg;
	struct crew *crew = hand->crew;
	const struct timespec pause = { .tv_nsec = 100000 };

	thread_enter(THREAD_WORKER, "worker");
	for (unsigned i = 0; i < N_DEVICES; i++) {
		start_device(hand, hand->devices[i]);
		node_turn(crew->node, hand->home);
	}
	atomic_fetch_sub(&crew->n_working, 1);
	/* Mail begets mail. */
	while (atomic_load(&crew->n_working) > 0 || has_mail(crew->node)) {
		node_turn(crew->node, hand->home);
		nanosleep(&pause, NULL); /* poll */
	}
	return NULL;
}

/* Devices without a plug, which their thread gives them. */
static void
make_devices(struct node *n, struct hand *hand)
{
	for (unsigned i = 0; i < N_DEVICES; i++) {
		struct device *d = xcalloc(1, sizeof(*d));

		d->node = n;
		d->window = SIZE_MAX;
		d->max_packet_size = SIZE_MAX;
		LIST_INSERT_HEAD(&n->devices, d, entry);
		hand->devices[i] = d;
	}
}

#define SUBSCRIBE_V311 " 82 [0001 <a/+> 01] 82 [0002 <a/b> 00]"
#define SUBSCRIBE_V5   " 82 [0001 [0b 01] <a/+> 01 <a/#> 2a]"
#define PUBLISH_V311   " 33 [<a/b> 0007 'x'] 30 [<a/c> 'y'] 34 [<a/d> 0008 'z']"
#define PUBLISH_V5     " 33 [<a/b> 0007 [] 'x'] 30 [<a/c> [] 'y']"
#define WILL_V5                                                                \
	"10 [<MQTT> 05 0c 0000 [11 00000010] <p> [18 00000001] <a/w> <w>]"

static const char *const lives[8] = {
	"10 [<MQTT> 04 02 0000 <p>]" SUBSCRIBE_V311 PUBLISH_V311,
	"10 [<MQTT> 04 00 0000 <p>]" SUBSCRIBE_V311 PUBLISH_V311,
	"10 [<MQTT> 05 02 0000 [] <p>]" SUBSCRIBE_V5 PUBLISH_V5,
	WILL_V5 SUBSCRIBE_V5 PUBLISH_V5,
	"10 [<MQTT> 04 02 0000 <q>]" SUBSCRIBE_V311 PUBLISH_V311 " e0 []",
	"10 [<MQTT> 04 00 0000 <q>]" SUBSCRIBE_V311 PUBLISH_V311 " e0 []",
	"10 [<MQTT> 05 02 0000 [] <q>]" SUBSCRIBE_V5 PUBLISH_V5 " e0 []",
	"10 [<MQTT> 05 00 0000 [] <r>]" SUBSCRIBE_V5 PUBLISH_V5 " e0 [04]",
};

static unsigned
n_open(const struct node *n)
{
	const struct device *d;
	unsigned open = 0;

	LIST_FOREACH(d, &n->devices, entry)
		open += d->plug != NULL;
	return open;
}

static unsigned
n_online(const struct node *n)
{
	unsigned online = 0;

	for (unsigned i = 0; i < N_THREADS; i++)
		online += atomic_load(&node_home(n, i)->stats.clients);
	return online;
}

/* Three names for all of them: they take over from each other all the time,
 * and a session ends on one home while another home looks for it. */
Test(threads, leave_every_client_identifier_with_one_client)
{
	struct broker_options o = node_options();
	struct crew crew = { .n_working = N_THREADS };
	static struct hand hands[N_THREADS];

	o.n_workers = N_THREADS;
	crew.node = node_new_alone(&o);
	for (unsigned i = 0; i < 8; i++)
		crew.packets[i] = wire_new(lives[i]);
	for (unsigned i = 0; i < N_THREADS; i++) {
		hands[i] =
		    (struct hand){ .crew = &crew, .home = i, .seed = i + 1 };
		make_devices(crew.node, &hands[i]);
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		cr_assert_eq(thread_start(&hands[i].thread, run, &hands[i]), 0);
	for (unsigned i = 0; i < N_THREADS; i++)
		pthread_join(hands[i].thread, NULL);
	node_run(crew.node);
	cr_assert_leq(n_open(crew.node), 2);
	cr_assert_eq(n_online(crew.node), n_open(crew.node));
	cr_assert_leq(registry_len(crew.node->broker->registry), 3);
	cr_assert_eq(retained_count(crew.node->broker->retained), 1);
	for (unsigned i = 0; i < 8; i++)
		wire_free(&crew.packets[i]);
	node_free(&crew.node);
}
