/* SPDX-License-Identifier: Apache-2.0 */
/* client - the protocol state of one Network Connection. */
#include "broker/client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client_auth.h"
#include "broker/connecting.h"
#include "broker/deliver.h"
#include "broker/home.h"
#include "broker/life.h"
#include "broker/limit.h"
#include "broker/limits.h"
#include "broker/presence.h"
#include "broker/promise.h"
#include "broker/rate.h"
#include "broker/topic_aliases.h"

/* Reason Strings are for people; keep them short of any packet limit. */
#define REASON_STRING_MAX  200
/* With what stands around them. */
#define REASON_STRING_ROOM 256
/* Bytes of a PINGRESP. */
#define PINGRESP_LEN       2u
/* An AUTH before we know who sends it. */
#define AUTH_MAX           8192

/* What a DISCONNECT has beside its properties, at most. */
#define DISCONNECT_ROOM 10

static void WORKER_THREAD
on_connect_timeout(struct timer *t, void *arg)
{
	struct client *c = container_of(t, struct client, timer);

	(void)arg;
	limit_strike_client(c, LIMIT_CONNECT_TIMEOUT);
	client_end(c, false, "no CONNECT in time");
}

static void
init(struct client *c, struct home *h, const struct client_rules *rules)
{
	unsigned timeout_ms = RULES_LIMIT(rules->limits.connect_timeout_ms,
	    h->broker->options->connect_timeout_ms);

	c->rules = rules;
	c->home = h;
	c->state = CLIENT_NEW;
	c->max_packet_size = UINT32_MAX;
	TAILQ_INIT(&c->feeds);
	timer_init(&c->timer, on_connect_timeout);
	timer_arm(h->timers, &c->timer, h->now_ms + timeout_ms);
	c->last_packet_ms = h->now_ms;
}

void
client_init(struct client *c, struct home *h, const struct client_rules *rules,
    const char *address)
{
	memset(c, 0, sizeof(*c));
	init(c, h, rules);
	c->address = xstrdup(address);
	c->number = atomic_fetch_add(&h->broker->next_connection, 1) + 1;
	home_count(h, sockets);
}

void
client_set_address(struct client *c, const char *address)
{
	free(c->address);
	c->address = xstrdup(address);
}

void
client_init_moved(struct client *c, struct home *h, struct client *from)
{
	memset(c, 0, sizeof(*c));
	init(c, h, from->rules);
	c->address = from->address;
	c->number = from->number;
	c->held = from->held;
	c->auth = from->auth;
	c->extras = from->extras;
	c->is_asked = from->is_asked;
	c->is_authenticated = from->is_authenticated;
	c->is_proven = from->is_proven;
	memset(from, 0, sizeof(*from));
}

void
client_start_moved(struct client *c)
{
	connecting_resume(c);
}

void
client_pack(struct client *c, struct client *to)
{
	to->rules = c->rules;
	to->address = c->address;
	to->number = c->number;
	to->held = c->held;
	/* An identity towards NATS stays behind: it is asked for again. */
	to->is_authenticated = c->is_authenticated && !c->has_link;
	to->is_proven = c->is_proven;
	to->is_asked = c->is_asked;
	to->auth = c->auth;
	to->extras = c->extras;
	c->address = NULL;
	c->auth = NULL;
	c->extras = NULL;
	memset(&c->held, 0, sizeof(c->held));
}

/* Few have a name of that kind: it stands behind the address. */
void
client_prove(struct client *c, const char *name)
{
	size_t address_size = strlen(c->address) + 1;
	size_t name_size;
	char *both;

	if (name == NULL || c->is_proven)
		return;
	name_size = strlen(name) + 1;
	both = xmalloc(address_size + name_size);
	memcpy(both, c->address, address_size);
	memcpy(both + address_size, name, name_size);
	free(c->address);
	c->address = both;
	c->is_proven = true;
	c->is_authenticated = true;
}

struct slice
client_proven_name(const struct client *c)
{
	if (!c->is_proven)
		return slice_of(NULL, 0);
	return slice_str(c->address + strlen(c->address) + 1);
}

static void WORKER_THREAD
give_back_link(struct client *c)
{
	struct bus_request r = { .type = BUS_FORGET, .link = c->link };

	if (c->has_link)
		home_request(c->home, &r);
	c->has_link = false;
}

uint64_t
client_take_stored_will(struct client *c)
{
	uint64_t id = c->extras != NULL ? c->extras->stored_will : 0;

	if (id != 0)
		c->extras->stored_will = 0;
	return id;
}

struct client_extras *
client_extras(struct client *c)
{
	if (c->extras == NULL)
		c->extras = xcalloc(1, sizeof(*c->extras));
	return c->extras;
}

static void WORKER_THREAD
free_extras(struct client *c)
{
	struct client_extras *a = c->extras;

	if (a == NULL)
		return;
	for (size_t i = 0; a->taken != NULL && i < TOPIC_ALIAS_MAX; i++)
		free(a->taken[i]);
	free(a->taken);
	topic_aliases_free(&a->given);
	client_free_grant(c);
	rate_stop(c);
	free(a);
}

void
client_fini(struct client *c)
{
	struct home *h = c->home;

	assert(c->session == NULL);
	timer_cancel(h->timers, &c->timer);
	if (c->is_dirty)
		TAILQ_REMOVE(&h->dirty, c, entry);
	if (c->is_stalled)
		TAILQ_REMOVE(&h->stalled, c, entry);
	login_forget(c);
	give_back_link(c);
	if (c->will != NULL)
		message_unref(&c->will);
	free_extras(c);
	free(c->address);
	promise_forget(c);
	buf_fini(&c->out);
	client_auth_free(&c->auth);
	connecting_drop(c);
}

void
client_touch(struct client *c)
{
	if (c->is_dirty)
		return;
	if (c->is_stalled)
		TAILQ_REMOVE(&c->home->stalled, c, entry);
	c->is_stalled = false;
	c->is_dirty = true;
	TAILQ_INSERT_TAIL(&c->home->dirty, c, entry);
}

static void
stall(struct client *c)
{
	if (c->is_dirty || c->is_stalled)
		return;
	c->is_stalled = true;
	TAILQ_INSERT_TAIL(&c->home->stalled, c, entry);
}

bool
client_may_read(struct client *c)
{
	const struct broker_options *o = c->home->broker->options;

	if (c->is_moving || c->state == CLIENT_LOGIN ||
	    c->state == CLIENT_CLOSING)
		return false;
	if (c->home->congested) {
		stall(c);
		return false;
	}
	/* A client that does not read its answers need not ask more. */
	if (buf_len(&c->out) >
	    RULES_LIMIT(c->rules->limits.max_output_bytes, o->max_output_bytes))
		return false;
	if (c->is_rated && rate_is_spent(c))
		return false;
	/* 3.x knows no Receive Maximum: not reading is what it understands,
	 * and who has shown that it knows none. Identifiers that only wait
	 * for PUBREL do not count. */
	return c->session == NULL ||
	    (c->version == MQTT_V5 && !c->has_exceeded) ||
	    c->session->receiving.n_waiting < o->receive_maximum;
}

size_t
client_max_packet(const struct client *c)
{
	const struct broker_options *o = c->home->broker->options;
	const struct rules_limits *l = &c->rules->limits;
	size_t max = RULES_LIMIT(l->max_packet_size, o->max_packet_size);

	if (c->state == CLIENT_NEW) {
		size_t first =
		    RULES_LIMIT(l->max_connect_size, o->max_connect_size);

		return max < first ? max : first;
	}
	return c->state == CLIENT_AUTH && max > AUTH_MAX ? AUTH_MAX : max;
}

void
client_log(const struct client *c, enum log_level level, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (c->session != NULL)
		log_write(level, "c%u \"%.*s\" %s: %s", c->number,
		    c->session->client_id_len, c->session->client_id,
		    c->address, text);
	else
		log_write(level, "c%u %s: %s", c->number, c->address, text);
}

static void WORKER_THREAD
on_keep_alive(struct timer *t, void *arg)
{
	struct client *c = container_of(t, struct client, timer);
	struct home *h = arg;
	/* v3.1.1 [MQTT-3.1.2-24], v5 [MQTT-3.1.2-22] */
	uint64_t due = c->last_packet_ms + c->keep_alive_s * 1500ull;

	/* While we do not read, its silence is ours. */
	if (c->is_paused)
		due = h->now_ms + c->keep_alive_s * 1500ull;
	if (h->now_ms < due)
		timer_arm(h->timers, t, due);
	else
		client_close(c, MQTT_RC_KEEP_ALIVE_TIMEOUT, NULL);
}

void
client_arm_keep_alive(struct client *c)
{
	struct home *h = c->home;

	timer_cancel(h->timers, &c->timer);
	if (c->keep_alive_s == 0)
		return;
	timer_init(&c->timer, on_keep_alive);
	timer_arm(h->timers, &c->timer, h->now_ms + c->keep_alive_s * 1500ull);
}

/*
 * v5 [MQTT-3.2.2-20] [MQTT-3.4.2-3] [MQTT-3.5.2-3] [MQTT-3.6.2-2]
 * [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-2] [MQTT-3.11.2-1]
 * [MQTT-3.11.2-2] [MQTT-3.15.2-2] [MQTT-3.15.2-3]: and never a User Property
 */
struct slice
client_reason_string(struct client *c, const char *why, size_t len)
{
	struct buf *scratch = &c->home->scratch;
	struct slice text = slice_str(why);

	buf_reset(scratch);
	/* v5 [MQTT-3.1.2-29]; not beyond what it takes: [MQTT-3.2.2-19]
	 * [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.9.2-1] [MQTT-3.14.2-3] */
	if (why == NULL || c->version != MQTT_V5 ||
	    !c->wants_problem_information ||
	    c->max_packet_size < REASON_STRING_ROOM + len)
		return buf_slice(scratch);
	if (text.len > REASON_STRING_MAX || !utf8_valid(text))
		return buf_slice(scratch);
	property_put_slice(scratch, MQTT_PROP_REASON_STRING, text);
	return buf_slice(scratch);
}

/*
 * v5 [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-4.13.2-1], v3.1.1 [MQTT-3.2.2-5]:
 * what has been said is the last
 */
void
client_end(struct client *c, bool with_will, const char *why)
{
	if (c->state == CLIENT_CLOSING)
		return;
	client_log(c, LOG_INFO, "disconnected: %s", why);
	if (c->state == CLIENT_ONLINE)
		atomic_fetch_sub(&c->home->stats.clients, 1);
	if (c->is_present)
		presence_leave(c->home->broker->presence, c->session->owner);
	c->is_present = false;
	c->state = CLIENT_CLOSING;
	timer_cancel(c->home->timers, &c->timer);
	login_forget(c);
	deliver_forget(c);
	if (c->session != NULL)
		life_leave_session(c, with_will);
	client_touch(c);
}

/*
 * v5 [MQTT-3.14.0-1] [MQTT-3.14.2-2] [MQTT-3.14.2-4]: after CONNACK only,
 * without properties of a session or user
 */
static void WORKER_THREAD
send_disconnect(struct client *c, enum mqtt_reason reason, const char *text)
{
	packet_encode_disconnect(&c->out, c->version, MQTT_DISCONNECT, reason,
	    client_reason_string(c, text, 0));
	home_count(c->home, answers_out);
}

void
client_close(struct client *c, enum mqtt_reason reason, const char *why)
{
	char text[REASON_STRING_MAX];

	if (c->state == CLIENT_CLOSING)
		return;
	(void)snprintf(text, sizeof(text), "%s%s%s", mqtt_reason_text(reason),
	    why != NULL ? ": " : "", why != NULL ? why : "");
	/* v5 [MQTT-4.13.1-1]; 3.x has no DISCONNECT from the server */
	if (c->version == MQTT_V5 && c->state == CLIENT_ONLINE)
		send_disconnect(c, reason, text);
	client_end(c, reason != MQTT_RC_SUCCESS, text);
}

/* False: there is no room for it in a packet of this client. */
static bool WORKER_THREAD
send_reference(struct client *c, struct slice reference)
{
	struct buf *props = &c->home->scratch;

	(void)client_reason_string(c, "the server shuts down", reference.len);
	property_put_slice(props, MQTT_PROP_SERVER_REFERENCE, reference);
	if (buf_len(props) + DISCONNECT_ROOM > c->max_packet_size)
		return false; /* v5 [MQTT-3.1.2-24] */
	packet_encode_disconnect(&c->out, c->version, MQTT_DISCONNECT,
	    MQTT_RC_USE_ANOTHER_SERVER, buf_slice(props));
	home_count(c->home, answers_out);
	return true;
}

void
client_send_away(struct client *c)
{
	struct slice reference =
	    slice_str(c->home->broker->options->server_reference);

	if (reference.len > 0 && c->version == MQTT_V5 &&
	    c->state == CLIENT_ONLINE && send_reference(c, reference))
		client_end(c, true, "sent to another server");
	else
		client_close(c, MQTT_RC_SERVER_SHUTTING_DOWN, NULL);
}

void
client_on_bad_frame(struct client *c, enum mqtt_reason reason)
{
	if (reason == MQTT_RC_PACKET_TOO_LARGE)
		limit_strike_client(c,
		    c->state == CLIENT_NEW ? LIMIT_MAX_CONNECT_SIZE
					   : LIMIT_MAX_PACKET_SIZE);
	client_close(c, reason, NULL);
}

void
client_on_hangup(struct client *c, const char *why)
{
	client_end(c, true, why);
}

void
client_on_drained(struct client *c)
{
	if (c->state != CLIENT_ONLINE)
		return;
	deliver_pump(c);
	if (c->extras != NULL && buf_len(&c->out) == 0)
		c->extras->behind_bytes = 0;
}

static void WORKER_THREAD
on_pingreq(struct client *c, const struct frame *f)
{
	enum mqtt_reason rc = packet_decode_empty(f);

	if (rc != MQTT_RC_SUCCESS) {
		client_close(c, rc, "PINGREQ");
		return;
	}
	/* v3.1.1 [MQTT-3.12.4-1], v5 [MQTT-3.12.4-1] */
	packet_encode_empty(&c->out, MQTT_PINGRESP);
	promise_overtake(c, PINGRESP_LEN);
	home_count(c->home, answers_out);
	client_touch(c);
}

/* v5 [MQTT-4.13.1-1], v3.1.1 [MQTT-4.8.0-1] */
static void WORKER_THREAD
on_unexpected(struct client *c, const struct frame *f)
{
	char why[64];

	(void)snprintf(why, sizeof(why), "unexpected %s",
	    mqtt_type_name(f->type));
	client_close(c, MQTT_RC_PROTOCOL_ERROR, why);
}

typedef void packet_fn(struct client *, const struct frame *);

static packet_fn *const online[16] = {
	[MQTT_PUBLISH] = client_on_publish,
	[MQTT_PUBACK] = client_on_ack,
	[MQTT_PUBREC] = client_on_ack,
	[MQTT_PUBREL] = client_on_ack,
	[MQTT_PUBCOMP] = client_on_ack,
	[MQTT_SUBSCRIBE] = client_on_subscribe,
	[MQTT_UNSUBSCRIBE] = client_on_unsubscribe,
	[MQTT_PINGREQ] = on_pingreq,
	[MQTT_DISCONNECT] = client_on_disconnect,
	[MQTT_AUTH] = client_on_auth,
};

static void
log_packet(const struct client *c, const struct frame *f)
{
	struct buf line = { 0 };

	packet_print(&line, f, c->version != 0 ? c->version : MQTT_V311);
	client_log(c, LOG_DEBUG, "< %.*s", SLICE_ARG(buf_slice(&line)));
	buf_fini(&line);
}

/* v5 [MQTT-3.1.0-1] [MQTT-3.1.0-2] */
void
client_on_packet(struct client *c, const struct frame *f)
{
	if (log_enabled(LOG_DEBUG))
		log_packet(c, f);
	c->last_packet_ms = c->home->now_ms;
	home_count(c->home, packets_in);
	if (c->state == CLIENT_NEW) {
		/* v3.1.1 [MQTT-3.1.0-1] */
		if (f->type == MQTT_CONNECT)
			client_on_connect(c, f);
		else
			client_end(c, false, "first packet is no CONNECT");
		return;
	}
	if (c->state == CLIENT_AUTH) {
		client_auth_on_packet(c, f);
		return;
	}
	assert(c->state == CLIENT_ONLINE);
	/* v3.1.1 [MQTT-3.1.0-2]: no second CONNECT */
	if (online[f->type & 15] == NULL)
		on_unexpected(c, f);
	else
		online[f->type & 15](c, f);
}

/*
 * v5 [MQTT-3.1.2-10] [MQTT-3.14.4-2], v3.1.1 [MQTT-3.1.2-10] [MQTT-3.14.4-1]
 * [MQTT-3.14.4-2]: nothing is read or said any more
 */
void
client_on_disconnect(struct client *c, const struct frame *f)
{
	struct packet_disconnect p;
	enum mqtt_reason rc = packet_decode_disconnect(f, c->version, &p);
	struct session *s = c->session;

	if (rc != MQTT_RC_SUCCESS) {
		client_close(c, rc, "DISCONNECT");
		return;
	}
	if (properties_has(&p.properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL)) {
		uint32_t max = c->home->broker->options->session_expiry_max_s;
		uint32_t expiry = p.properties.session_expiry_interval;

		/* v5 3.14.2.2.2: none cannot become some */
		if (!s->keep && expiry > 0) {
			client_close(c, MQTT_RC_PROTOCOL_ERROR,
			    "Session Expiry Interval was 0");
			return;
		}
		s->expiry_s = expiry < max ? expiry : max;
		s->keep = s->expiry_s > 0;
	}
	/* v3.1.1 [MQTT-3.14.4-3], v5 [MQTT-3.14.4-3]: the Will is gone */
	client_end(c, p.reason != MQTT_RC_NORMAL_DISCONNECTION, "by client");
}
