/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/home.h"

#include <stdlib.h>

#include "broker/device.h"

/* A request that can be told apart. */
static void
ask(struct node *n, unsigned i)
{
	struct bus_request r = { .type = BUS_FORGET, .link = i };

	home_request(node_home(n, 0), &r);
}

static unsigned
next_link(struct node *n)
{
	const struct bus_request *r = fake_bus_take(n->bus, 0);

	return r != NULL ? r->link : 0;
}

/* Whatever room there is from turn to turn, and whatever comes meanwhile. */
Test(home, keeps_the_order_of_what_the_bus_had_no_room_for)
{
	struct node *n = node_new();
	unsigned asked = 0, seen = 0, link;

	srand(11);
	while (seen < 5000) {
		fake_bus_set_room(n->bus, 0, (size_t)rand() % 40);
		for (int i = rand() % 30; i > 0 && asked < 5000; i--)
			ask(n, ++asked);
		if (rand() % 4 == 0)
			fake_bus_set_room(n->bus, 0, (size_t)rand() % 5);
		node_turn(n, 0);
		while ((link = next_link(n)) != 0)
			cr_assert_eq(link, ++seen);
	}
	fake_bus_set_room(n->bus, 0, SIZE_MAX);
	node_turn(n, 0);
	cr_assert_eq(node_home(n, 0)->n_overflow, 0);
	cr_assert_not(node_home(n, 0)->congested);
	node_free(&n);
}

Test(home, shows_the_bus_what_it_asks_once_per_turn)
{
	struct node *n = node_new();

	ask(n, 1);
	ask(n, 2);
	cr_assert_eq(fake_bus_n_requests(n->bus, 0), 0);
	node_turn(n, 0);
	cr_assert_eq(fake_bus_n_requests(n->bus, 0), 2);
	node_free(&n);
}

/* What is kept when the process ends is freed, whatever it is. */
Test(home, may_end_with_requests_that_were_never_put)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d, *e;

	o.identity_user = true;
	n = node_new_with(&o);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 82 0000 <d> <anna>]");
	cr_assert_not_null(fake_bus_take(n->bus, 0));
	fake_bus_identify(n->bus, 0, fake_bus_token(n->bus), BUS_OK, 7);
	node_run(n);
	device_skip(d);
	device_subscribe(d, "b", 0);
	fake_bus_message(n->bus, 7, node_message("b", "b", "_INBOX.1", 1, ""));
	node_run(n);
	e = device_new(n, 0);
	device_put(e, "10 [<MQTT> 04 82 0000 <e> <bert>]");
	fake_bus_set_room(n->bus, 0, 0);
	device_put(d, "32 [<a> 0001 'x'] 82 [0001 <c> 00] a2 [0002 <b>]");
	cr_assert_gt(node_home(n, 0)->n_overflow, 0);
	node_free(&n);
}

/* Events are taken a number at a time, so that clients get their turn. */
Test(home, takes_many_events_over_several_turns)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct bus_event e = { .type = BUS_SUBSCRIBED, .token = 77 };
	unsigned turns = 0;

	for (unsigned i = 0; i < 3000; i++)
		fake_bus_event(n->bus, 0, &e);
	device_put(d, "c0 []");
	node_turn(n, 0);
	device_hears(d, "PINGRESP");
	while (home_has_work(node_home(n, 0)) && turns++ < 10)
		node_turn(n, 0);
	cr_assert_geq(turns, 1);
	cr_assert_leq(turns, 4);
	node_free(&n);
}

/* The bus may answer what nobody asks any more. */
Test(home, is_unmoved_by_answers_to_nothing)
{
	static const enum bus_event_type types[] = { BUS_SETTLED,
		BUS_SUBSCRIBED, BUS_IDENTIFIED };
	struct node *n = node_new();

	for (size_t i = 0; i < countof(types); i++) {
		struct bus_event e = { .type = (uint8_t)types[i] };

		for (unsigned token = 0; token < 3; token++) {
			e.token = token;
			fake_bus_event(n->bus, 0, &e);
		}
	}
	fake_bus_settle(n->bus, 0, 99, BUS_REFUSED, "said too late");
	node_run(n);
	bus_hears_nothing(n, 0);
	node_free(&n);
}
