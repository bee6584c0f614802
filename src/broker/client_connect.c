/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_connect - CONNECT: check, authenticate, find the session, CONNACK.
 *
 * The packet may be looked at three times: when it arrives, when it is known
 * who sends it, and on the worker where the session lives. The first looks
 * keep its bytes in `held`.
 */
#include <stdio.h>
#include <stdlib.h>

#include "auth/client_prefix.h"
#include "auth/grant.h"
#include "base/random.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/client_auth.h"
#include "broker/connack.h"
#include "broker/connecting.h"
#include "broker/deliver.h"
#include "broker/home.h"
#include "broker/lasting.h"
#include "broker/life.h"
#include "broker/presence.h"
#include "broker/promise.h"
#include "broker/rate.h"
#include "broker/registry.h"
#include "broker/rights.h"
#include "broker/sharing.h"
#include "mqtt/writer.h"

#define ASSIGNED_ID_LEN 22

/*
 * v5 [MQTT-3.1.4-2] [MQTT-3.1.4-6] [MQTT-3.2.2-7] [MQTT-4.13.2-1], v3.1.1
 * [MQTT-3.1.4-5] [MQTT-3.2.2-5] [MQTT-3.2.2-6]
 */
void
connecting_refuse(struct client *c, enum mqtt_reason reason, const char *why)
{
	uint8_t code = c->version == MQTT_V5
	    ? (uint8_t)reason
	    : (uint8_t)mqtt_reason_to_v3_connack(reason);
	const char *text = why != NULL ? why : mqtt_reason_text(reason);
	char line[160];

	/* v3.1.1 [MQTT-3.2.2-4]: Session Present is 0 */
	if (connack_fits(c, slice_of(NULL, 0))) {
		packet_encode_connack(&c->out, c->version, false, code,
		    client_reason_string(c, text, 0));
		home_count(c->home, answers_out);
	}
	home_count(c->home, refused_connects);
	(void)snprintf(line, sizeof(line), "CONNECT refused: %s", text);
	client_end(c, false, line);
}

/* Not a CONNECT that an answer could be made for in its own version. */
static void WORKER_THREAD
refuse_version(struct client *c, uint8_t version)
{
	/* v5 [MQTT-3.1.2-2], v3.1.1 [MQTT-3.1.2-2]. What a level that nobody
	 * has defined would understand is unknown: the older form is short. */
	c->version = version == MQTT_V5 ? MQTT_V5 : MQTT_V311;
	c->wants_problem_information = true;
	connecting_refuse(c, MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION, NULL);
}

/*
 * v3.1.1 [MQTT-3.1.4-1], v5 [MQTT-3.1.4-1]: not what it should be. Since 5.0
 * there are words for that; no Reason String, which it may not want.
 * v5 [MQTT-4.13.1-1], v3.1.1 [MQTT-3.2.2-6]
 */
static void WORKER_THREAD
refuse_malformed(struct client *c, uint8_t version, enum mqtt_reason reason)
{
	if (version != MQTT_V5) {
		client_end(c, false, "malformed CONNECT");
		return;
	}
	c->version = MQTT_V5;
	connecting_refuse(c, reason, NULL);
}

static bool
speaks(const struct client *c, uint8_t version)
{
	return (c->rules->protocols >> version & 1) != 0;
}

/* v5 [MQTT-3.1.3-5] [MQTT-3.1.3-8], v3.1.1 [MQTT-3.1.3-5] [MQTT-3.1.3-9] */
static enum mqtt_reason WORKER_THREAD
check_client_id(const struct client *c, const struct packet_connect *p,
    const char **why)
{
	if (p->client_id.len > c->home->broker->options->max_client_id_length) {
		limit_strike_client(c, LIMIT_MAX_CLIENT_ID_LENGTH);
		*why = "the Client Identifier is too long";
		return MQTT_RC_CLIENT_IDENTIFIER_NOT_VALID;
	}
	if (p->client_id.len > 0 || c->version == MQTT_V5)
		return MQTT_RC_SUCCESS;
	/* v3.1.1 [MQTT-3.1.3-8]; 3.1 has no empty ones */
	if (!p->clean_start || c->version == MQTT_V31) {
		*why = "an empty Client Identifier needs Clean Session";
		return MQTT_RC_CLIENT_IDENTIFIER_NOT_VALID;
	}
	return MQTT_RC_SUCCESS;
}

/* Whose password, or proof, has been found good; empty: nobody's. */
static struct slice
proven_name(const struct client *c, const struct packet_connect *p)
{
	const struct grant *g = client_grant(c);

	if (g != NULL && g->user != NULL)
		return slice_str(g->user);
	if (c->is_proven)
		return client_proven_name(c);
	if (c->is_authenticated && c->auth != NULL)
		return client_auth_user(c->auth);
	return c->is_authenticated ? p->user_name : slice_of(NULL, 0);
}

static enum mqtt_reason WORKER_THREAD
check(struct client *c, const struct packet_connect *p, const char **why)
{
	const struct broker_options *o = c->home->broker->options;
	enum mqtt_reason rc = check_client_id(c, p, why);

	if (rc == MQTT_RC_SUCCESS)
		rc = connecting_check_will(c, p, why);
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	if (c->is_authenticated && !c->is_asked && p->has_user_name &&
	    !slice_eq(p->user_name, proven_name(c, p))) {
		*why = "the User Name is not the one that was proven";
		return MQTT_RC_BAD_USER_NAME_OR_PASSWORD;
	}
	if (c->rules->needs_proof && !c->is_proven) {
		*why = "its certificate has no name as identity_from wants it";
		return MQTT_RC_NOT_AUTHORIZED;
	}
	if (c->rules->proof_is_client_id && c->is_proven && !c->is_asked &&
	    !slice_eq(p->client_id, client_proven_name(c))) {
		*why = "the Client Identifier is not the name that was proven";
		return MQTT_RC_CLIENT_IDENTIFIER_NOT_VALID;
	}
	if (c->is_proven &&
	    properties_has(&p->properties, MQTT_PROP_AUTHENTICATION_METHOD)) {
		*why = "its certificate or key says who it is";
		return MQTT_RC_BAD_AUTHENTICATION_METHOD;
	}
	if (!c->rules->is_open && !c->is_authenticated &&
	    !connecting_will_ask(c, p)) {
		*why = "anonymous clients are not allowed";
		return MQTT_RC_NOT_AUTHORIZED;
	}
	if (o->refuse_when_down && !broker_nats_is_up(c->home->broker)) {
		*why = "NATS is away";
		return MQTT_RC_SERVER_UNAVAILABLE;
	}
	return MQTT_RC_SUCCESS;
}

static char *
string_of(bool has, struct slice s)
{
	return has ? xmemdup0(s.ptr, s.len) : NULL;
}

void
connecting_hold(struct client *c, const struct frame *f)
{
	if (buf_len(&c->held) > 0)
		return;
	buf_append_byte(&c->held, f->flags);
	buf_append_slice(&c->held, f->body);
}

static struct frame
held_frame(const struct client *c)
{
	struct slice s = buf_slice(&c->held);
	struct frame f = { .type = MQTT_CONNECT,
		.flags = s.ptr[0],
		.body = slice_skip(s, 1) };

	/* Its Remaining Length was in the shortest form, as v5 demands. */
	f.size = 1 + writer_varint_len((uint32_t)f.body.len) + f.body.len;
	return f;
}

void
connecting_drop(struct client *c)
{
	if (c->held.base != NULL)
		explicit_bzero(c->held.base, c->held.cap);
	buf_fini(&c->held);
}

void
connecting_resume(struct client *c)
{
	struct frame f = held_frame(c);

	client_on_connect(c, &f);
}

/* v5: what the client asks of us; 3.x leaves the defaults. */
static void
take_limits(struct client *c, const struct packet_connect *p)
{
	const struct broker_options *o = c->home->broker->options;
	const struct properties *props = &p->properties;

	c->send_max = (uint16_t)RULES_LIMIT(c->rules->limits.max_inflight,
	    o->max_inflight);
	c->max_packet_size = UINT32_MAX;
	c->wants_problem_information = true;
	if (properties_has(props, MQTT_PROP_RECEIVE_MAXIMUM) &&
	    props->receive_maximum < c->send_max)
		c->send_max = props->receive_maximum; /* v5 [MQTT-3.3.4-9] */
	c->alias_max = 0;
	if (properties_has(props, MQTT_PROP_TOPIC_ALIAS_MAXIMUM))
		c->alias_max = props->topic_alias_maximum;
	if (c->alias_max > o->topic_alias_maximum_out)
		c->alias_max = (uint16_t)o->topic_alias_maximum_out;
	if (properties_has(props, MQTT_PROP_MAXIMUM_PACKET_SIZE))
		c->max_packet_size = props->maximum_packet_size;
	if (properties_has(props, MQTT_PROP_REQUEST_PROBLEM_INFORMATION))
		c->wants_problem_information =
		    props->request_problem_information != 0;
}

/* v5 [MQTT-3.1.2-21] [MQTT-3.2.2-22] */
static void WORKER_THREAD
take_keep_alive(struct client *c, const struct packet_connect *p)
{
	unsigned max = c->home->broker->options->keepalive_max_s;

	c->keep_alive_s = p->keep_alive;
	if (max > 0 && (p->keep_alive == 0 || p->keep_alive > max))
		c->keep_alive_s = (uint16_t)max;
	client_arm_keep_alive(c);
}

/* v5 [MQTT-3.1.2-23] [MQTT-4.1.0-1], v3.1.1 [MQTT-3.1.2-4] [MQTT-4.1.0-1] */
static uint32_t
wanted_expiry(const struct client *c, const struct packet_connect *p)
{
	uint32_t max = c->home->broker->options->session_expiry_max_s;
	uint32_t expiry = 0;

	/* 3.x: Clean Session 0 keeps it as long as we do */
	if (c->version != MQTT_V5)
		return p->clean_start ? 0 : max;
	if (properties_has(&p->properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL))
		expiry = p->properties.session_expiry_interval;
	return expiry < max ? expiry : max;
}

/* v3.1.1 [MQTT-3.1.4-2]: the one that is here goes. v5 [MQTT-3.1.4-3] */
static void WORKER_THREAD
take_over(struct client *c, struct session *s)
{
	struct client *old = s->client;

	client_log(old, LOG_NOTICE, "taken over by c%u %s", c->number,
	    c->address);
	client_close(old, MQTT_RC_SESSION_TAKEN_OVER, NULL);
}

static bool
belongs_to(const struct session *s, struct slice user)
{
	return s->owner == NULL || slice_eq(slice_str(s->owner), user);
}

/* The node has all the sessions that it may have, and not this one. */
static bool
has_no_room_for(const struct client *c, struct slice client_id)
{
	const struct broker *b = c->home->broker;

	return registry_len(b->registry) >= b->options->max_sessions &&
	    registry_find(b->registry, client_id) == 0;
}

/*
 * The session for this client, fresh or resumed; NULL when it is not to be
 * had here, and then the client moves or was refused.
 *
 * Whenever a session ends here another worker may give the identifier to a
 * new one, so look again until there is nothing to end.
 *
 * v5 [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.1.4-4] [MQTT-3.2.2-2]
 * [MQTT-3.2.2-3], v3.1.1 [MQTT-3.1.2-4] [MQTT-3.1.4-3] [MQTT-3.2.2-1]
 */
static struct session *WORKER_THREAD
open_session(struct client *c, const struct packet_connect *p,
    struct slice client_id, bool *present)
{
	struct home *h = c->home;
	struct session *s;
	bool created;

	if (has_no_room_for(c, client_id)) {
		limit_strike_client(c, LIMIT_MAX_SESSIONS);
		connecting_refuse(c, MQTT_RC_QUOTA_EXCEEDED,
		    "the node has too many sessions");
		return NULL;
	}
	while ((s = life_find_session(h, client_id, &created, &c->move_to)) !=
	    NULL) {
		*present = !created; /* v3.1.1 [MQTT-3.2.2-2] [MQTT-3.2.2-3] */
		if (created)
			return s;
		if (!belongs_to(s, proven_name(c, p))) {
			connecting_refuse(c, MQTT_RC_NOT_AUTHORIZED,
			    "the Client Identifier belongs to another user");
			return NULL;
		}
		if (s->client != NULL)
			take_over(c, s);
		else if (p->clean_start)
			/* v3.1.1 [MQTT-3.1.2-6], v5 [MQTT-3.1.2-4] */
			life_end_session(h, &s);
		else
			return s;
	}
	c->is_moving = true;
	return NULL;
}

/* Those who look up subscriptions see in them whether it lasts. */
static void WORKER_THREAD
make_lasting(struct home *h, struct session *s)
{
	bool did_last = s->stored_id != 0;
	struct subscription *sub;

	lasting_session(h, s, 0);
	if (did_last == (s->stored_id != 0))
		return;
	LIST_FOREACH(sub, &s->subscriptions, entry)
		life_enter_subscription(h, s, sub);
}

static void WORKER_THREAD
attach(struct client *c, struct session *s, const struct packet_connect *p)
{
	const struct grant *g = client_grant(c);
	struct home *h = c->home;

	c->session = s;
	s->client = c;
	s->version = c->version;
	s->epoch++;
	s->expiry_s = wanted_expiry(c, p);
	s->keep = s->expiry_s > 0;
	timer_cancel(h->timers, &s->expiry);
	life_cancel_will(h, s);
	if (c->has_link) {
		life_set_link(h, s, c->link);
		c->has_link = false;
	}
	if (c->is_authenticated) {
		struct slice user = proven_name(c, p);

		if (s->owner == NULL)
			rights_forget(h);
		free(s->owner);
		s->owner = string_of(c->is_proven || c->auth != NULL ||
			p->has_user_name || user.len > 0,
		    user);
	}
	rights_set_own(h, s, g != NULL ? g->acl : NULL);
	sharing_set_online(h, s, true);
	make_lasting(h, s);
}

/* One more of its user; false: that would be too many. */
static bool WORKER_THREAD
enter_presence(struct client *c)
{
	const struct broker *b = c->home->broker;
	unsigned max = c->rules->limits.max_connections_per_user;

	if (max == 0 || !c->is_authenticated || c->session->owner == NULL)
		return true;
	c->is_present = presence_enter(b->presence, c->session->owner, max);
	if (!c->is_present)
		limit_strike_client(c, LIMIT_MAX_CONNECTIONS_PER_USER);
	return c->is_present;
}

/*
 * v5 [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.0-2], v3.1.1 [MQTT-3.1.4-4]
 * [MQTT-3.2.0-1]
 */
static void WORKER_THREAD
go_online(struct client *c, const struct packet_connect *p,
    struct slice client_id, bool assigned)
{
	struct home *h = c->home;
	uint64_t before = h->promises.changes;
	bool present = false;
	struct session *s = open_session(c, p, client_id, &present);
	struct slice props;

	if (s == NULL)
		return;
	attach(c, s, p);
	/* That it is there, or that the one before is not. */
	if (h->promises.changes != before)
		promise_gate(c, promise_newest(h));
	c->state = CLIENT_ONLINE;
	atomic_fetch_add(&h->stats.clients, 1);
	if (!enter_presence(c)) {
		connecting_refuse(c, MQTT_RC_QUOTA_EXCEEDED,
		    "its user has too many clients");
		return;
	}
	take_keep_alive(c, p);
	connecting_take_will(c, p);
	client_start_grant(c);
	rate_start(c);
	props = connack_properties(c, p, assigned);
	if (!connack_fits(c, props)) {
		connecting_refuse(c, MQTT_RC_PACKET_TOO_LARGE, NULL);
		return;
	}
	home_count(h, connects);
	packet_encode_connack(&c->out, c->version, present, 0, props);
	home_count(h, answers_out);
	if (c->is_proven)
		client_log(c, LOG_INFO, "as user \"%.*s\", proven",
		    SLICE_ARG(client_proven_name(c)));
	client_log(c, LOG_INFO, "connected: MQTT %s, keep alive %u s%s%s",
	    c->version == MQTT_V5         ? "5.0"
		: c->version == MQTT_V311 ? "3.1.1"
					  : "3.1",
	    c->keep_alive_s, s->keep ? ", session kept" : "",
	    present ? ", session resumed" : "");
	if (c->auth != NULL)
		client_auth_settle(c->auth);
	client_touch(c);
	deliver_resume(c);
	connecting_drop(c);
}

static bool WORKER_THREAD
may_have_will(struct client *c, const struct packet_connect *p)
{
	const struct grant *g = client_grant(c);

	return !p->has_will ||
	    rights_may_publish_as(c->home, g != NULL ? g->acl : NULL,
		proven_name(c, p), p->client_id, p->will_topic);
}

/*
 * What the identifier must begin with, in the home's scratch. Sessions are
 * their users' anyway; this keeps the names apart before there is one.
 */
static enum mqtt_reason WORKER_THREAD
check_prefix(struct client *c, const struct packet_connect *p, const char **why)
{
	struct home *h = c->home;
	const char *text = h->broker->options->client_id_prefix;

	buf_reset(&h->scratch);
	if (text == NULL)
		return MQTT_RC_SUCCESS;
	*why = "the Client Identifier must begin with the prefix of its user";
	if (!client_prefix_expand(text, proven_name(c, p), &h->scratch))
		return MQTT_RC_NOT_AUTHORIZED;
	if (p->client_id.len > 0 &&
	    !slice_starts(p->client_id, buf_slice(&h->scratch)))
		return MQTT_RC_CLIENT_IDENTIFIER_NOT_VALID;
	return MQTT_RC_SUCCESS;
}

/* v5 [MQTT-3.1.3-6] [MQTT-3.1.3-7], v3.1.1 [MQTT-3.1.3-6] [MQTT-3.1.3-7] */
static void WORKER_THREAD
go_online_as(struct client *c, const struct packet_connect *p)
{
	char name[ASSIGNED_ID_LEN + 1];
	struct buf id = { 0 };

	random_name(name, ASSIGNED_ID_LEN);
	buf_append_slice(&id, buf_slice(&c->home->scratch));
	buf_append_str(&id, name);
	go_online(c, p, buf_slice(&id), true);
	buf_fini(&id);
}

void
client_on_connect(struct client *c, const struct frame *f)
{
	struct packet_connect p;
	enum mqtt_reason rc = packet_decode_connect(f, &p);
	const char *why = NULL;
	bool is_assigned;

	c->rules = rules_newest(c->rules);
	if (rc == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION) {
		refuse_version(c, p.version);
		return;
	}
	if (rc != MQTT_RC_SUCCESS) {
		refuse_malformed(c, p.version, rc);
		return;
	}
	if (!speaks(c, p.version)) {
		refuse_version(c, p.version);
		return;
	}
	c->version = p.version;
	is_assigned = p.client_id.len == 0;
	if (is_assigned && c->is_proven && c->rules->proof_is_client_id)
		p.client_id = client_proven_name(c);
	if (client_grant(c) != NULL && client_grant(c)->client_id != NULL)
		p.client_id = slice_str(client_grant(c)->client_id);
	take_limits(c, &p);
	rc = check(c, &p, &why);
	if (rc != MQTT_RC_SUCCESS) {
		connecting_refuse(c, rc, why);
		return;
	}
	if (connecting_login(c, f, &p))
		return;
	if (!may_have_will(c, &p)) {
		connecting_refuse(c, MQTT_RC_NOT_AUTHORIZED,
		    "the ACL file does not allow its Will");
		return;
	}
	rc = check_prefix(c, &p, &why);
	if (rc != MQTT_RC_SUCCESS) {
		connecting_refuse(c, rc, why);
		return;
	}
	if (p.client_id.len == 0) {
		go_online_as(c, &p);
		return;
	}
	go_online(c, &p, p.client_id, is_assigned);
	if (c->is_moving)
		connecting_hold(c, f);
}
