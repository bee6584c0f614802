/* SPDX-License-Identifier: Apache-2.0 */
/* sys_topics - $SYS/broker/...: the counters of the node. */
#include <config.h> /* the build's, not ours */

#include "broker/sys_topics.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/home.h"
#include "broker/spread.h"
#include "broker/stats.h"
#include "store/retained.h"

#define N_AVERAGES 3

#define PLACE(member) offsetof(struct stats, member)

static const struct {
	const char *name;
	size_t place;
} numbers[] = {
	{ "clients/connected", PLACE(clients) },
	{ "clients/disconnected", PLACE(clients_away) },
	{ "clients/total", PLACE(sessions) },
	{ "clients/expired", PLACE(expired) },
	{ "messages/received", PLACE(packets_in) },
	{ "messages/sent", PLACE(packets_out) },
	{ "messages/stored", PLACE(stored) },
	{ "store/messages/count", PLACE(stored) },
	{ "store/messages/bytes", PLACE(stored_bytes) },
	{ "publish/messages/received", PLACE(publishes_in) },
	{ "publish/messages/sent", PLACE(publishes_out) },
	{ "publish/messages/dropped", PLACE(publishes_dropped) },
	{ "publish/bytes/received", PLACE(publish_bytes_in) },
	{ "publish/bytes/sent", PLACE(publish_bytes_out) },
	{ "bytes/received", PLACE(bytes_in) },
	{ "bytes/sent", PLACE(bytes_out) },
	{ "retained messages/count", PLACE(retained) },
	{ "subscriptions/count", PLACE(subscriptions) },
	{ "shared_subscriptions/count", PLACE(shared_subscriptions) },
};

/* How many a minute. */
static const struct {
	const char *name;
	size_t place;
} loads[] = {
	{ "messages/received", PLACE(packets_in) },
	{ "messages/sent", PLACE(packets_out) },
	{ "publish/received", PLACE(publishes_in) },
	{ "publish/sent", PLACE(publishes_out) },
	{ "publish/dropped", PLACE(publishes_dropped) },
	{ "bytes/received", PLACE(bytes_in) },
	{ "bytes/sent", PLACE(bytes_out) },
	{ "sockets", PLACE(sockets) },
	{ "connections", PLACE(connects) },
};

static const struct {
	const char *name;
	double minutes;
} averages[N_AVERAGES] = { { "1min", 1 }, { "5min", 5 }, { "15min", 15 } };

struct sys_topics {
	struct broker *broker;
	struct retained *retained;
	struct timer timer;
	struct stats stats; /* read last */
	double load[countof(loads)][N_AVERAGES];
	uint64_t clients_maximum; /* as far as it was seen */
	uint64_t started_ms;
	uint64_t read_ms;
};

static uint64_t
number_at(const struct stats *s, size_t place)
{
	uint64_t n;

	memcpy(&n, (const char *)s + place, sizeof(n));
	return n;
}

static void WORKER_THREAD
PRINTF_LIKE(4, 5)
say(struct sys_topics *s, struct home *h, const char *name, const char *fmt,
    ...)
{
	char topic[80], payload[80];
	struct message_parts parts = { .retain = true };
	struct message *m;
	va_list ap;

	(void)snprintf(topic, sizeof(topic), "$SYS/broker/%s", name);
	va_start(ap, fmt);
	(void)vsnprintf(payload, sizeof(payload), fmt, ap);
	va_end(ap);
	parts.topic = slice_str(topic);
	parts.payload = slice_str(payload);
	m = message_new(&parts);
	(void)!retained_set(s->retained, m, 0);
	(void)spread_message(h, m, NULL, false);
	message_unref(&m);
}

static void WORKER_THREAD
say_loads(struct sys_topics *s, struct home *h)
{
	char name[64];

	for (size_t i = 0; i < countof(loads); i++)
		for (size_t j = 0; j < N_AVERAGES; j++) {
			(void)snprintf(name, sizeof(name), "load/%s/%s",
			    loads[i].name, averages[j].name);
			say(s, h, name, "%.2f", s->load[i][j]);
		}
}

static void WORKER_THREAD
say_all(struct sys_topics *s, struct home *h)
{
	say(s, h, "uptime", "%" PRIu64 " seconds",
	    (h->now_ms - s->started_ms) / 1000);
	say(s, h, "clients/maximum", "%" PRIu64, s->clients_maximum);
	for (size_t i = 0; i < countof(numbers); i++)
		say(s, h, numbers[i].name, "%" PRIu64,
		    number_at(&s->stats, numbers[i].place));
	say_loads(s, h);
}

/* What does not change. */
static void WORKER_THREAD
say_once(struct sys_topics *s, struct home *h)
{
	time_t now = (time_t)(h->wall_ms / 1000);
	struct tm tm;
	char text[32];

	say(s, h, "version", "mqtt-natsd version %s", PACKAGE_VERSION);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ",
	    gmtime_r(&now, &tm));
	say(s, h, "timestamp", "%s", text);
}

/*
 * Averages that forget: what was counted since the last time, made a rate per
 * minute, weighs the more the longer that was ago.
 */
static void
average(struct sys_topics *s, const struct stats *now, uint64_t elapsed_ms)
{
	double minutes = (double)elapsed_ms / 60000;

	for (size_t i = 0; i < countof(loads); i++) {
		uint64_t n = number_at(now, loads[i].place) -
		    number_at(&s->stats, loads[i].place);
		double rate = (double)n / minutes;

		for (size_t j = 0; j < N_AVERAGES; j++) {
			double keep = exp(-minutes / averages[j].minutes);

			s->load[i][j] = rate + keep * (s->load[i][j] - rate);
		}
	}
}

static void
take_reading(struct sys_topics *s, uint64_t now_ms)
{
	struct stats now;

	stats_read(s->broker, &now);
	if (now_ms > s->read_ms)
		average(s, &now, now_ms - s->read_ms);
	if (now.clients > s->clients_maximum)
		s->clients_maximum = now.clients;
	s->stats = now;
	s->read_ms = now_ms;
}

static void
arm(struct sys_topics *s, struct home *h)
{
	timer_arm(h->timers, &s->timer,
	    h->now_ms + s->broker->options->sys_interval_s * 1000ull);
}

static void WORKER_THREAD
on_due(struct timer *t, void *arg)
{
	struct sys_topics *s = container_of(t, struct sys_topics, timer);
	struct home *h = arg;

	take_reading(s, h->now_ms);
	say_all(s, h);
	arm(s, h);
}

struct sys_topics *
sys_topics_new(struct broker *b)
{
	struct sys_topics *s = xcalloc(1, sizeof(*s));
	struct home *h = b->homes[0];

	s->broker = b;
	s->retained = retained_new();
	s->started_ms = s->read_ms = h->now_ms;
	timer_init(&s->timer, on_due);
	take_reading(s, h->now_ms);
	say_once(s, h);
	say_all(s, h);
	arm(s, h);
	return s;
}

void
sys_topics_free(struct sys_topics **sp)
{
	struct sys_topics *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	retained_free(&s->retained);
	free(s);
}

struct retained *
sys_topics_retained(struct sys_topics *s)
{
	return s->retained;
}
