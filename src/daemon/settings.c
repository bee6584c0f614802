/* SPDX-License-Identifier: Apache-2.0 */
/* settings - a configuration in the words of the layers that it is for. */
#include "daemon/settings.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "daemon/config.h"

/* What "auto" stands for, but on loopback. */
#define AUTO_MESSAGE_RATE 1000
#define AUTO_BYTE_RATE    (4u << 20)

/* For all; each listener has its own besides. */
static unsigned
most_topic_levels(const struct config *c)
{
	unsigned most = c->limits.max_topic_levels;

	for (size_t i = 0; i < c->n_listeners; i++)
		if (c->listeners[i].max_topic_levels > most)
			most = c->listeners[i].max_topic_levels;
	return most;
}

static void
fill_broker_options(struct settings *s)
{
	const struct config *c = s->config;

	s->ack_rules = xcalloc(c->n_ack_rows + 1, sizeof(*s->ack_rules));
	for (size_t i = 0; i < c->n_ack_rows; i++)
		s->ack_rules[i] =
		    (struct ack_rule){ .filter = c->ack_rows[i].filter,
			    .policy = c->ack_rows[i].policy };
	s->broker = (struct broker_options){
		.n_workers = c->server.workers,
		.mapping = { .mode = c->mapping.mode,
		    .topic_prefix = slice_str(c->mapping.topic_prefix),
		    .subject_prefix = slice_str(c->mapping.subject_prefix) },
		.ack = c->qos.ack,
		.ack_rules = s->ack_rules,
		.n_ack_rules = c->n_ack_rows,
		.receive_maximum = c->qos.receive_maximum,
		.max_inflight = c->qos.max_inflight,
		.topic_alias_maximum_out = c->limits.topic_alias_maximum_out,
		.max_packet_size = c->limits.max_packet_size,
		.max_connect_size = c->limits.max_connect_size,
		.queue = { .max_queued_messages = c->limits.max_queued_messages,
		    .max_queued_bytes = c->limits.max_queued_bytes },
		.session_expiry_max_s = c->limits.session_expiry_max_s,
		.keepalive_max_s = c->limits.keepalive_max_s,
		.connect_timeout_ms = c->limits.connect_timeout_ms,
		.max_output_bytes = c->limits.max_output_bytes,
		.max_control_line = c->nats.max_control_line,
		.max_topic_levels = most_topic_levels(c),
		.max_lag_ms = c->limits.max_lag_ms,
		.max_behind_bytes = c->limits.max_behind_bytes,
		.max_queued_messages_total =
		    c->limits.max_queued_messages_total,
		.max_queued_bytes_total = c->limits.max_queued_bytes_total,
		.max_retained_bytes = c->limits.max_retained_bytes,
		.max_client_id_length = c->limits.max_client_id_length,
		.max_subscriptions = c->limits.max_subscriptions,
		.max_sessions = c->limits.max_sessions,
		.max_retained = c->limits.max_retained,
		.max_logins = c->limits.max_logins,
		.server_reference = c->server.server_reference,
		.response_information = c->server.response_information,
		.sys_interval_s = c->server.sys_interval_s,
		.client_id_prefix = *c->auth.client_id_prefix != '\0'
		    ? c->auth.client_id_prefix
		    : NULL,
		.auth_subject = *c->auth.request_subject != '\0'
		    ? c->auth.request_subject
		    : NULL,
		.auth_timeout_ms = c->auth.request_timeout_ms,
		.auth_cache_s = c->auth.request_cache_s,
		.users = c->auth.users,
		.tokens = c->auth.tokens,
		.acl = c->auth.acl,
		.queue_qos0 = c->limits.queue_qos0,
		.check_payload_format = c->limits.check_payload_format,
		.tolerate_receive_maximum =
		    c->qos.receive_maximum_exceeded == EXCEEDED_WARN,
		.v3_refuse_close = c->limits.v3_refuse == V3_REFUSE_CLOSE,
		.identity_user = c->nats.identity == IDENTITY_USER,
		.refuse_when_down = c->nats.when_down == WHEN_DOWN_REFUSE,
		.send_client_id = c->nats.send_client_id,
	};
}

/* A listener's own, or that of [limits]. */
static unsigned
own(unsigned limit, unsigned inherited)
{
	return limit == CONFIG_INHERIT ? inherited : limit;
}

/* The same, settled: what "auto" comes to on this listener. */
static unsigned
own_rate(const struct config_listener *l, unsigned limit, unsigned inherited,
    unsigned otherwise)
{
	unsigned rate = own(limit, inherited);

	if (rate != CONFIG_AUTO)
		return rate;
	return config_is_loopback(l) ? 0 : otherwise;
}

static struct rules_limits
listener_limits(const struct config *c, const struct config_listener *l)
{
	return (struct rules_limits){
		.connect_timeout_ms = l->connect_timeout_ms,
		.max_subscriptions = l->max_subscriptions,
		.max_inflight = l->max_inflight,
		.max_connect_size = l->max_connect_size,
		.max_packet_size = l->max_packet_size,
		.max_output_bytes = l->max_output_bytes,
		.max_behind_bytes = l->max_behind_bytes,
		.queue = { .max_queued_messages = l->max_queued_messages,
		    .max_queued_bytes = (uint32_t)l->max_queued_bytes },
		.max_topic_length = RULES_LIMIT(l->max_topic_length,
		    c->limits.max_topic_length),
		.max_topic_levels = RULES_LIMIT(l->max_topic_levels,
		    c->limits.max_topic_levels),
		.max_connections_per_user = own(l->max_connections_per_user,
		    c->limits.max_connections_per_user),
		.message_rate = own_rate(l, l->message_rate,
		    c->limits.message_rate, AUTO_MESSAGE_RATE),
		.byte_rate = own_rate(l, l->byte_rate, c->limits.byte_rate,
		    AUTO_BYTE_RATE),
		.refuse_rate = own(l->rate_exceeded, c->limits.rate_exceeded) ==
		    RATE_REFUSE,
		.max_connections_per_address =
		    own(l->max_connections_per_address,
			c->limits.max_connections_per_address),
		.connect_rate_per_address = own(l->connect_rate_per_address,
		    c->limits.connect_rate_per_address),
		.connect_rate = own(l->connect_rate, c->limits.connect_rate),
	};
}

static struct client_rules
listener_rules(const struct config *c, const struct config_listener *l)
{
	return (struct client_rules){
		.listener = l->name,
		.protocols = l->protocols,
		.is_open = config_admits_anonymous(c, l),
		.needs_proof = l->require_client_cert &&
		    l->identity_from != TLS_IDENTITY_NONE,
		.proof_is_client_id = l->identity_is_client_id,
		.max_qos = l->max_qos,
		.retain_available = l->retain_available,
		.wildcard_available = l->wildcard_available,
		.subscription_ids_available = l->subscription_ids_available,
		.shared_available = l->shared_available,
		.limits = listener_limits(c, l),
	};
}

static struct door_rules
listener_door(const struct config_listener *l)
{
	struct door_rules r = { .proxy_protocol = l->proxy_protocol,
		.trusts_local = l->proxy_protocol && l->address[0] == '/' };

	networks_init(&r.allow, l->allow_networks);
	networks_init(&r.deny, l->deny_networks);
	networks_init(&r.proxies, l->proxy_networks);
	return r;
}

/* What takes a restart stays as it is: threads count on it. */
static void
keep(struct broker_options *o, const struct broker_options *running)
{
	o->n_workers = running->n_workers;
	o->mapping = running->mapping;
	o->receive_maximum = running->receive_maximum;
	o->max_control_line = running->max_control_line;
	o->sys_interval_s = running->sys_interval_s;
	o->identity_user = running->identity_user;
	o->send_client_id = running->send_client_id;
}

struct settings *
settings_new(struct config *c, struct settings *older)
{
	struct settings *s = xcalloc(1, sizeof(*s));

	s->older = older;
	s->config = c;
	fill_broker_options(s);
	if (older != NULL)
		keep(&s->broker, &older->broker);
	s->rules = xcalloc(c->n_listeners, sizeof(*s->rules));
	for (size_t i = 0; i < c->n_listeners; i++)
		s->rules[i] = listener_rules(c, &c->listeners[i]);
	s->doors = xcalloc(c->n_listeners, sizeof(*s->doors));
	for (size_t i = 0; i < c->n_listeners; i++)
		s->doors[i] = listener_door(&c->listeners[i]);
	s->ws = xcalloc(c->n_listeners, sizeof(*s->ws));
	for (size_t i = 0; i < c->n_listeners; i++)
		s->ws[i] = (struct ws_rules){ .path = c->listeners[i].ws_path,
			.origins = c->listeners[i].ws_origins };
	return s;
}

static void
free_doors(struct settings *s)
{
	for (size_t i = 0; i < s->config->n_listeners; i++) {
		networks_fini(&s->doors[i].allow);
		networks_fini(&s->doors[i].deny);
		networks_fini(&s->doors[i].proxies);
	}
	free(s->doors);
}

static void
free_one(struct settings **sp, bool with_config)
{
	struct settings *s = *sp;

	*sp = s->older;
	free_doors(s);
	free(s->ws);
	free(s->ack_rules);
	free(s->rules);
	if (with_config)
		config_free(&s->config);
	free(s);
}

void
settings_undo(struct settings **newest)
{
	free_one(newest, true);
}

void
settings_free(struct settings **newest)
{
	while (*newest != NULL)
		free_one(newest, (*newest)->older != NULL);
}
