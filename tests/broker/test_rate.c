/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/rate.h"

#include "broker/client.h"
#include "broker/device.h"
#include "broker/home.h"
#include "broker/limit.h"
#include "broker/node.h"

/* A client that may send ten messages and a thousand bytes a second. */
static struct device *
limited(struct node *n, bool refuses)
{
	n->rules.limits.message_rate = 10;
	n->rules.limits.byte_rate = 1000;
	n->rules.limits.refuse_rate = refuses;
	return device_online(n, 0, MQTT_V5, "limited", true);
}

static unsigned
n_taken(struct client *c, size_t size)
{
	unsigned taken = 0;

	while (taken < 1000 && !rate_is_spent(c) && rate_take(c, size))
		taken++;
	return taken;
}

Test(rate, lets_a_second_s_worth_pass_and_then_as_many_as_it_says)
{
	struct node *n = node_new();
	struct client *c = device_client(limited(n, false));
	const struct limits *l = &n->broker->limits;

	cr_assert(c->is_rated);
	cr_expect_eq(n_taken(c, 10), 10);
	cr_expect_eq(limit_struck(l, LIMIT_MESSAGE_RATE), 1);
	/* Once for each time that it has to wait. */
	cr_expect(rate_is_spent(c));
	cr_expect_eq(limit_struck(l, LIMIT_MESSAGE_RATE), 1);
	node_pass(n, 350);
	cr_expect_eq(n_taken(c, 10), 4); /* it owed none, and is owed 3.5 */
	node_pass(n, 60000);
	cr_expect_eq(n_taken(c, 10), 10);
	node_free(&n);
}

Test(rate, counts_bytes_too_and_lets_the_last_one_owe)
{
	struct node *n = node_new();
	struct client *c = device_client(limited(n, false));

	cr_expect_eq(n_taken(c, 800), 2); /* 600 too many */
	cr_expect_eq(limit_struck(&n->broker->limits, LIMIT_BYTE_RATE), 1);
	node_pass(n, 500);
	cr_expect(rate_is_spent(c));
	node_pass(n, 200);
	cr_expect_not(rate_is_spent(c));
	node_free(&n);
}

Test(rate, refuses_where_it_is_told_to)
{
	struct node *n = node_new();
	struct client *c = device_client(limited(n, true));

	cr_expect_eq(n_taken(c, 10), 10);
	cr_expect_not(rate_is_spent(c));
	cr_expect_not(rate_take(c, 10));
	node_pass(n, 200);
	cr_expect_eq(n_taken(c, 10), 2);
	node_free(&n);
}

Test(rate, costs_nothing_where_there_is_none)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "free", true);

	cr_expect_not(device_client(d)->is_rated);
	cr_expect_null(device_client(d)->extras);
	node_free(&n);
}
