/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_grant - what a service has granted to a client: who it is, what it
 * may do and use up, and for how long.
 */
#include <stdlib.h>

#include "auth/grant.h"
#include "base/xalloc.h"
#include "broker/client.h"
#include "broker/connecting.h"
#include "broker/home.h"

const struct grant *
client_grant(const struct client *c)
{
	return c->extras != NULL ? c->extras->grant : NULL;
}

static void
set(unsigned *limit, uint32_t granted)
{
	if (granted != 0)
		*limit = granted;
}

/* The listener's rules, but for what was granted otherwise. */
static void
take_limits(struct client *c, const struct grant_limits *g)
{
	static const struct grant_limits none;
	struct client_rules *own;
	struct rules_limits *l;

	if (memcmp(g, &none, sizeof(none)) == 0)
		return;
	own = xmalloc(sizeof(*own));
	memcpy(own, c->rules, sizeof(*own));
	atomic_init(&own->newer, NULL);
	l = &own->limits;
	set(&l->max_inflight, g->max_inflight);
	set(&l->max_subscriptions, g->max_subscriptions);
	set(&l->message_rate, g->message_rate);
	set(&l->byte_rate, g->byte_rate);
	set(&l->queue.max_queued_messages, g->max_queued_messages);
	set(&l->queue.max_queued_bytes, g->max_queued_bytes);
	if (g->max_packet_size != 0)
		l->max_packet_size = g->max_packet_size;
	c->extras->rules = own;
	c->rules = own;
}

void
client_on_grant(struct client *c, struct grant *g)
{
	c->state = CLIENT_NEW;
	if (g == NULL) {
		connecting_refuse(c, MQTT_RC_SERVER_UNAVAILABLE,
		    "nobody can say who it is");
	} else if (!g->allows) {
		connecting_refuse(c, MQTT_RC_NOT_AUTHORIZED, g->reason);
	} else {
		client_extras(c)->grant = grant_ref(g);
		take_limits(c, &g->limits);
		c->is_asked = true;
		c->is_authenticated = true;
		connecting_resume(c);
	}
	client_touch(c);
}

static void WORKER_THREAD
on_expiry(struct timer *t, void *arg)
{
	struct client_extras *x = container_of(t, struct client_extras, expiry);

	(void)arg;
	client_close(x->client, MQTT_RC_MAXIMUM_CONNECT_TIME,
	    "what it was granted is over");
}

void
client_start_grant(struct client *c)
{
	const struct grant *g = client_grant(c);

	if (g == NULL || g->expires_s == 0)
		return;
	c->extras->client = c;
	timer_init(&c->extras->expiry, on_expiry);
	timer_arm(c->home->timers, &c->extras->expiry,
	    c->home->now_ms + g->expires_s * 1000ull);
}

void
client_free_grant(struct client *c)
{
	struct client_extras *x = c->extras;

	if (x->client != NULL)
		timer_cancel(c->home->timers, &x->expiry);
	grant_unref(&x->grant);
	free(x->rules);
	x->rules = NULL;
}
