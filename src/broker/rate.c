/* SPDX-License-Identifier: Apache-2.0 */
/* rate - how fast a client may publish. */
#include "broker/rate.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/home.h"

/* In thousandths, so that a millisecond fills whole ones. */
struct bucket {
	uint64_t rate; /* a second; 0: no limit */
	int64_t left;
};

struct rate {
	struct timer timer; /* when there is something in them again */
	struct client *client;
	uint64_t at_ms; /* filled up to then */
	struct bucket messages;
	struct bucket bytes;
	bool refuses;
};

static void WORKER_THREAD
on_filled(struct timer *t, void *arg)
{
	struct rate *r = container_of(t, struct rate, timer);

	(void)arg;
	client_touch(r->client);
}

static struct bucket
full(uint64_t rate)
{
	return (struct bucket){ .rate = rate, .left = (int64_t)rate * 1000 };
}

void
rate_start(struct client *c)
{
	const struct rules_limits *l = &c->rules->limits;
	struct rate *r;

	if (l->message_rate == 0 && l->byte_rate == 0)
		return;
	r = xcalloc(1, sizeof(*r));
	timer_init(&r->timer, on_filled);
	r->client = c;
	r->at_ms = c->home->now_ms;
	r->messages = full(l->message_rate);
	r->bytes = full(l->byte_rate);
	r->refuses = c->version == MQTT_V5 && l->refuse_rate;
	client_extras(c)->rate = r;
	c->is_rated = true;
}

void
rate_stop(struct client *c)
{
	struct rate *r = c->extras->rate;

	if (r == NULL)
		return;
	timer_cancel(c->home->timers, &r->timer);
	free(r);
	c->extras->rate = NULL;
	c->is_rated = false;
}

static void
fill(struct bucket *b, uint64_t ms)
{
	int64_t most = (int64_t)b->rate * 1000;

	/* An hour fills every bucket, whatever it owes. */
	if (ms > 3600000)
		ms = 3600000;
	b->left += (int64_t)(ms * b->rate);
	if (b->left > most)
		b->left = most;
}

static void
fill_both(struct rate *r, uint64_t now_ms)
{
	if (now_ms <= r->at_ms)
		return;
	fill(&r->messages, now_ms - r->at_ms);
	fill(&r->bytes, now_ms - r->at_ms);
	r->at_ms = now_ms;
}

static bool
is_empty(const struct bucket *b)
{
	return b->rate != 0 && b->left <= 0;
}

/* Milliseconds until there is something in it. */
static uint64_t
wait_ms(const struct bucket *b)
{
	return is_empty(b) ? (uint64_t)-b->left / b->rate + 1 : 0;
}

static void WORKER_THREAD
strike(const struct client *c, const struct rate *r)
{
	limit_strike_client(c,
	    is_empty(&r->messages) ? LIMIT_MESSAGE_RATE : LIMIT_BYTE_RATE);
}

bool
rate_take(struct client *c, size_t size)
{
	struct rate *r = c->extras->rate;

	fill_both(r, c->home->now_ms);
	if (r->refuses && (is_empty(&r->messages) || is_empty(&r->bytes))) {
		strike(c, r);
		return false;
	}
	r->messages.left -= 1000;
	r->bytes.left -= (int64_t)size * 1000;
	return true;
}

bool
rate_is_spent(struct client *c)
{
	struct rate *r = c->extras->rate;
	uint64_t ms, other;

	if (r->refuses)
		return false;
	if (!is_empty(&r->messages) && !is_empty(&r->bytes))
		return false;
	fill_both(r, c->home->now_ms);
	ms = wait_ms(&r->messages);
	other = wait_ms(&r->bytes);
	if (other > ms)
		ms = other;
	if (ms == 0)
		return false;
	if (timer_is_armed(&r->timer))
		return true;
	strike(c, r);
	timer_arm(c->home->timers, &r->timer, c->home->now_ms + ms);
	return true;
}
