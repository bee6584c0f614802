/* SPDX-License-Identifier: Apache-2.0 */
/* limit - limits that have struck. */
#include "broker/limit.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "broker/broker.h"
#include "broker/client.h"
#include "broker/home.h"
#include "store/message.h"
#include "store/retained.h"
#include "topic/topic.h"

static const char *const names[LIMIT_COUNT] = {
	[LIMIT_MAX_CONNECTIONS] = "max_connections",
	[LIMIT_MAX_CONNECTIONS_PER_ADDRESS] = "max_connections_per_address",
	[LIMIT_MAX_CONNECTIONS_PER_USER] = "max_connections_per_user",
	[LIMIT_CONNECT_RATE] = "connect_rate",
	[LIMIT_CONNECT_RATE_PER_ADDRESS] = "connect_rate_per_address",
	[LIMIT_MAX_LAG] = "max_lag",
	[LIMIT_CONNECT_TIMEOUT] = "connect_timeout",
	[LIMIT_MAX_CONNECT_SIZE] = "max_connect_size",
	[LIMIT_MAX_PACKET_SIZE] = "max_packet_size",
	[LIMIT_MAX_CLIENT_ID_LENGTH] = "max_client_id_length",
	[LIMIT_MAX_LOGINS] = "max_logins",
	[LIMIT_MAX_SESSIONS] = "max_sessions",
	[LIMIT_MAX_TOPIC_LENGTH] = "max_topic_length",
	[LIMIT_MAX_TOPIC_LEVELS] = "max_topic_levels",
	[LIMIT_MAX_SUBSCRIPTIONS] = "max_subscriptions",
	[LIMIT_RECEIVE_MAXIMUM] = "receive_maximum",
	[LIMIT_MESSAGE_RATE] = "message_rate",
	[LIMIT_BYTE_RATE] = "byte_rate",
	[LIMIT_MAX_OUTPUT_BYTES] = "max_output_bytes",
	[LIMIT_MAX_BEHIND_BYTES] = "max_behind_bytes",
	[LIMIT_MAX_QUEUED] = "max_queued",
	[LIMIT_MAX_QUEUED_TOTAL] = "max_queued_total",
	[LIMIT_MAX_RETAINED] = "max_retained",
	[LIMIT_MAX_RETAINED_BYTES] = "max_retained_bytes",
};

const char *
limit_name(enum limit which)
{
	assert(which < LIMIT_COUNT);
	return names[which];
}

uint64_t
limit_struck(const struct limits *l, enum limit which)
{
	return atomic_load_explicit(&l->of[which].struck, memory_order_relaxed);
}

/* Counts; true when there is to be a line. */
static bool
strikes(struct limits *l, enum limit which, unsigned long *held)
{
	atomic_fetch_add_explicit(&l->of[which].struck, 1,
	    memory_order_relaxed);
	return log_enabled(LOG_WARNING) &&
	    log_limit_pass(&l->of[which].log, held);
}

static void
say(enum limit which, const char *whom, unsigned long held)
{
	log_warning("limit %s: %s (%lu more since the last line)", names[which],
	    whom, held);
}

void
limit_strike(struct limits *l, enum limit which, const char *fmt, ...)
{
	unsigned long held;
	char whom[256];
	va_list ap;

	if (!strikes(l, which, &held))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(whom, sizeof(whom), fmt, ap);
	va_end(ap);
	say(which, whom, held);
}

void
limit_strike_client(const struct client *c, enum limit which)
{
	struct limits *l = &c->home->broker->limits;
	unsigned long held;
	char whom[512];

	if (!strikes(l, which, &held))
		return;
	if (c->session != NULL)
		(void)snprintf(whom, sizeof(whom), "c%u \"%.*s\" %s", c->number,
		    c->session->client_id_len, c->session->client_id,
		    c->address);
	else
		(void)snprintf(whom, sizeof(whom), "c%u %s", c->number,
		    c->address);
	say(which, whom, held);
}

void
limit_strike_session(struct limits *l, enum limit which,
    const struct session *s)
{
	unsigned long held;
	char whom[512];

	if (!strikes(l, which, &held))
		return;
	(void)snprintf(whom, sizeof(whom), "session \"%.*s\"", s->client_id_len,
	    s->client_id);
	say(which, whom, held);
}

enum mqtt_reason
limit_check_topic(const struct client *c, struct slice topic, const char **why)
{
	const struct rules_limits *l = &c->rules->limits;

	if (l->max_topic_length != 0 && topic.len > l->max_topic_length) {
		limit_strike_client(c, LIMIT_MAX_TOPIC_LENGTH);
		*why = "the topic is too long";
		return MQTT_RC_TOPIC_NAME_INVALID;
	}
	/* So short, it cannot have so many. */
	if (topic.len < l->max_topic_levels || l->max_topic_levels == 0 ||
	    topic_levels(topic) <= l->max_topic_levels)
		return MQTT_RC_SUCCESS;
	limit_strike_client(c, LIMIT_MAX_TOPIC_LEVELS);
	*why = "the topic has too many levels";
	return MQTT_RC_TOPIC_NAME_INVALID;
}

bool
limit_all_queued(const struct home *h, const struct session *s, size_t size)
{
	const struct broker *b = h->broker;
	const struct broker_options *o = b->options;
	uint64_t messages = 1, bytes = size;

	if (o->max_queued_messages_total == 0 && o->max_queued_bytes_total == 0)
		return false;
	for (unsigned i = 0; i < o->n_workers; i++) {
		const struct home_stats *stats = &b->homes[i]->stats;

		messages +=
		    atomic_load_explicit(&stats->queued, memory_order_relaxed);
		bytes += atomic_load_explicit(&stats->queued_bytes,
		    memory_order_relaxed);
	}
	if ((o->max_queued_messages_total == 0 ||
		messages <= o->max_queued_messages_total) &&
	    (o->max_queued_bytes_total == 0 ||
		bytes <= o->max_queued_bytes_total))
		return false;
	limit_strike_session(&h->broker->limits, LIMIT_MAX_QUEUED_TOTAL, s);
	return true;
}

bool
limit_retain(struct broker *b, struct retained *r, struct message *m)
{
	const struct broker_options *o = b->options;
	size_t max = o->max_retained_bytes;

	if (max != 0 && m->payload_len > 0 &&
	    retained_bytes(r) + message_size(m) > max) {
		limit_strike(&b->limits, LIMIT_MAX_RETAINED_BYTES,
		    "a message is not retained");
		return false;
	}
	if (retained_set(r, m, o->max_retained))
		return true;
	limit_strike(&b->limits, LIMIT_MAX_RETAINED,
	    "a message is not retained");
	return false;
}
