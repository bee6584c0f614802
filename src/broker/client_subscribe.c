/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_subscribe - SUBSCRIBE and UNSUBSCRIBE.
 *
 * SUBACK means live: it is sent when the NATS server surely has what the
 * filters need, so a message that a service publishes right after it arrives.
 * While NATS is away the bus says so at once.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/deliver.h"
#include "broker/home.h"
#include "broker/lasting.h"
#include "broker/life.h"
#include "broker/limit.h"
#include "broker/promise.h"
#include "broker/rights.h"
#include "broker/subscribing.h"
#include "broker/sys_topics.h"
#include "broker/topics.h"
#include "mqtt/writer.h"
#include "store/retained.h"

/* A client that takes none may have asked for all of them so often. */
#define RETAINED_TIMES 4

/* A subscription that NATS is asked for, or has retained messages to send. */
struct wanted {
	char *filter;
	size_t at; /* its code in SUBACK */
	uint32_t id;
	uint8_t qos;
	bool no_local;
	bool retained;     /* its retained messages are to be sent */
	uint8_t n_asked;   /* of the bus: the filter, and its parent */
	uint8_t n_denied;  /* of those */
	uint8_t n_waiting; /* of those */
};

/* A SUBSCRIBE whose SUBACK waits for NATS. */
struct pending_subscribe {
	struct pending p;
	uint32_t epoch;    /* of the session, when it came */
	unsigned waiting;  /* answers of the bus */
	size_t next;       /* of `wanted`, to be answered */
	uint64_t promised; /* the number to wait for */
	struct buf codes;
	const char *why; /* the first filter was refused; constant */
	struct wanted *wanted;
	size_t n_wanted;
};

void
subscribing_free(struct pending *p)
{
	struct pending_subscribe *ps =
	    container_of(p, struct pending_subscribe, p);

	for (size_t i = 0; i < ps->n_wanted; i++)
		free(ps->wanted[i].filter);
	free(ps->wanted);
	buf_fini(&ps->codes);
	free(ps);
}

struct gathering {
	struct message **messages;
	size_t n;
	size_t cap;
	uint64_t not_from; /* this publisher; 0: from everybody */
};

/* Runs under a lock of the store: takes a reference, no more. */
static bool
gather(struct message *m, uint64_t order, void *arg)
{
	struct gathering *g = arg;

	(void)order;
	if (g->not_from != 0 && m->publisher == g->not_from)
		return true;
	if (g->n == g->cap) {
		g->cap = g->cap == 0 ? 8 : g->cap * 2;
		g->messages =
		    xrealloc(g->messages, g->cap * sizeof(*g->messages));
	}
	g->messages[g->n++] = message_ref(m);
	return true;
}

/* Leave out what the session may not have. */
static void WORKER_THREAD
hold_back(struct home *h, const struct session *s, struct gathering *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct message *m = g->messages[i];
		struct slice topic = message_topic(m);

		if (rights_may(h, s, topic, rights_key(h, topic), ACL_READ))
			g->messages[kept++] = m;
		else
			message_unref(&m);
	}
	g->n = kept;
}

/* v3.1.1 [MQTT-3.3.1-6]: with RETAIN set, [MQTT-3.3.1-8] */
static void WORKER_THREAD
send_retained(struct client *c, const struct wanted *w)
{
	struct home *h = c->home;
	struct retained *r = broker_retained(h->broker, c->session->owner);
	struct gathering g = { 0 };

	if (w->no_local) /* v5 [MQTT-3.8.3-3] */
		g.not_from = c->session->handle;
	retained_match(r, slice_str(w->filter), h->wall_ms, gather, &g);
	/* No wildcard stands for `$`: what matches is in one of them only. */
	if (h->broker->sys_topics != NULL && w->filter[0] == '$')
		retained_match(sys_topics_retained(h->broker->sys_topics),
		    slice_str(w->filter), h->wall_ms, gather, &g);
	hold_back(h, c->session, &g);
	if (g.n > 0)
		deliver_retained(c, g.messages, g.n, w->qos, w->id,
		    RETAINED_TIMES * retained_count(r) +
			h->broker->options->queue.max_queued_messages);
}

static uint8_t
failure_code(const struct session *s, enum mqtt_reason rc)
{
	return s->version == MQTT_V5 ? (uint8_t)rc : MQTT_V3_SUBACK_FAILURE;
}

/*
 * The identity of the device has no right to any of it. v5 [MQTT-3.9.3-1]
 * says so in the code of this filter.
 */
static void WORKER_THREAD
refuse_denied(struct home *h, struct session *s, struct pending_subscribe *ps,
    const struct wanted *w)
{
	struct subscription *sub =
	    session_find_subscription(s, slice_str(w->filter));

	buf_set(&ps->codes, w->at, failure_code(s, MQTT_RC_NOT_AUTHORIZED));
	if (ps->why == NULL)
		ps->why = "NATS does not permit it";
	if (sub != NULL)
		life_leave_subscription(h, s, &sub);
}

static bool
is_denied(const struct wanted *w)
{
	return w->n_asked > 0 && w->n_denied == w->n_asked;
}

static bool
answer_fits(const struct client *c, size_t n_codes, size_t props_len)
{
	size_t rest =
	    2 + writer_varint_len((uint32_t)props_len) + props_len + n_codes;

	return c->version != MQTT_V5 ||
	    1 + writer_varint_len((uint32_t)rest) + rest <= c->max_packet_size;
}

/*
 * SUBACK or UNSUBACK. One that the client does not take is not sent, and as it
 * would wait for it for ever, that is the end: v5 [MQTT-3.1.2-24]. False then.
 */
static bool WORKER_THREAD
answer(struct client *c, unsigned type, uint16_t packet_id, struct slice codes,
    const char *why)
{
	struct slice props = client_reason_string(c, why, codes.len);

	if (!answer_fits(c, codes.len, props.len)) {
		client_close(c, MQTT_RC_PACKET_TOO_LARGE, mqtt_type_name(type));
		return false;
	}
	packet_encode_suback(&c->out, c->version, type, packet_id, codes,
	    props);
	home_count(c->home, answers_out);
	client_touch(c);
	return true;
}

/* The subscriptions, and with a session that lasts what is retained now. */
static uint64_t WORKER_THREAD
promised(struct client *c, const struct pending_subscribe *ps)
{
	struct home *h = c->home;
	const struct session *s = c->session;
	bool wants_any = false;

	for (size_t i = 0; i < ps->n_wanted; i++)
		wants_any |= ps->wanted[i].retained && ps->wanted[i].qos > 0;
	if (s->stored_id == 0 || !wants_any ||
	    retained_count(broker_retained(h->broker, s->owner)) == 0)
		return ps->promised;
	return promise_all(h);
}

/*
 * v5 [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6], v3.1.1
 * [MQTT-3.9.3-1]
 */
static void WORKER_THREAD
finish(struct home *h, struct pending_subscribe *ps)
{
	struct session *s = slots_get(&h->sessions, ps->p.session);
	struct client *c = s != NULL ? s->client : NULL;
	bool is_answered = false;

	for (size_t i = 0; s != NULL && i < ps->n_wanted; i++)
		if (is_denied(&ps->wanted[i]))
			refuse_denied(h, s, ps, &ps->wanted[i]);
	if (c != NULL && s->epoch == ps->epoch) {
		promise_gate(c, promised(c, ps));
		/* v3.1.1 [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] */
		is_answered = answer(c, MQTT_SUBACK, ps->p.packet_id,
		    buf_slice(&ps->codes), ps->why);
	}
	for (size_t i = 0; is_answered && i < ps->n_wanted; i++)
		if (ps->wanted[i].retained && !is_denied(&ps->wanted[i]))
			send_retained(c, &ps->wanted[i]);
	pending_remove(h, &ps->p);
	subscribing_free(&ps->p);
}

void
subscribe_settled(struct home *h, struct pending *p, enum bus_result result)
{
	struct pending_subscribe *ps =
	    container_of(p, struct pending_subscribe, p);
	struct wanted *w;

	/* Answers come in the order of the questions. */
	while (ps->wanted[ps->next].n_waiting == 0)
		ps->next++;
	w = &ps->wanted[ps->next];
	w->n_waiting--;
	w->n_denied += result == BUS_DENIED;
	if (--ps->waiting == 0)
		finish(h, ps);
}

/* v5 [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] */
static bool
wants_retained(uint8_t handling, bool is_new)
{
	return handling == MQTT_RETAIN_SEND ||
	    (handling == MQTT_RETAIN_SEND_IF_NEW && is_new);
}

static void
remember(struct pending_subscribe *ps, const struct subscription *sub,
    bool retained, unsigned n_asked)
{
	struct wanted *w;

	if (!retained && n_asked == 0)
		return;
	ps->waiting += n_asked;
	ps->wanted =
	    xrealloc(ps->wanted, (ps->n_wanted + 1) * sizeof(*ps->wanted));
	w = &ps->wanted[ps->n_wanted++];
	*w = (struct wanted){ .filter = xmemdup0(sub->filter, sub->filter_len),
		.at = buf_len(&ps->codes),
		.id = sub->id,
		.qos = sub->qos,
		.no_local = sub->no_local,
		.retained = retained,
		.n_asked = (uint8_t)n_asked,
		.n_waiting = (uint8_t)n_asked };
}

/* It has all the subscriptions that it may have, and this would be new. */
static bool
has_enough(const struct client *c, struct slice filter)
{
	const struct session *s = c->session;
	unsigned max = RULES_LIMIT(c->rules->limits.max_subscriptions,
	    c->home->broker->options->max_subscriptions);

	return s->n_subscriptions >= max &&
	    session_find_subscription(s, filter) == NULL;
}

static enum mqtt_reason WORKER_THREAD
check_filter(struct client *c, struct slice full, struct filter *out,
    const char **why)
{
	enum mqtt_reason rc;

	*why = NULL;
	if (!filter_parse(full, out))
		return MQTT_RC_TOPIC_FILTER_INVALID;
	rc = limit_check_topic(c, out->match, why);
	if (rc == MQTT_RC_TOPIC_NAME_INVALID)
		rc = MQTT_RC_TOPIC_FILTER_INVALID;
	if (rc == MQTT_RC_SUCCESS)
		rc = rules_check_filter(c->rules, full, why);
	if (rc == MQTT_RC_SUCCESS)
		rc = topics_check_filter(c->home, out, why);
	if (rc == MQTT_RC_SUCCESS && has_enough(c, full)) {
		limit_strike_client(c, LIMIT_MAX_SUBSCRIPTIONS);
		rc = MQTT_RC_QUOTA_EXCEEDED;
	}
	if (rc == MQTT_RC_SUCCESS &&
	    !rights_may_subscribe(c->home, c->session, out->match)) {
		*why = "the ACL file allows none of it";
		rc = MQTT_RC_NOT_AUTHORIZED;
	}
	if (rc != MQTT_RC_SUCCESS)
		client_log(c, LOG_DEBUG, "subscribe to \"%.*s\" refused: %s",
		    SLICE_ARG(full),
		    *why != NULL ? *why : mqtt_reason_text(rc));
	return rc;
}

/* v5 [MQTT-3.2.2-10]: any QoS may be asked for. */
static uint8_t
lesser(unsigned a, unsigned b)
{
	return (uint8_t)(a < b ? a : b);
}

/*
 * Subscribe to one filter; the code for SUBACK. v5 [MQTT-3.8.4-3]
 * [MQTT-3.8.4-4] [MQTT-3.8.4-7], v3.1.1 [MQTT-3.8.3-2]
 */
static uint8_t WORKER_THREAD
subscribe(struct client *c, struct pending_subscribe *ps,
    const struct packet_filter *pf, uint32_t id)
{
	struct home *h = c->home;
	struct session *s = c->session;
	struct subscription *sub;
	struct filter filter;
	const char *why;
	enum mqtt_reason rc = check_filter(c, pf->filter, &filter, &why);
	bool is_new;

	if (rc != MQTT_RC_SUCCESS && ps->why == NULL)
		ps->why = why != NULL ? why : mqtt_reason_text(rc);
	if (rc != MQTT_RC_SUCCESS)
		return failure_code(s, rc);
	sub = session_find_subscription(s, pf->filter);
	is_new = sub == NULL;
	if (is_new) /* else v3.1.1 [MQTT-3.8.4-3]: replaced */
		sub = session_add_subscription(s, pf->filter);
	sub->id = id;
	sub->qos = lesser(pf->qos, c->rules->max_qos);
	sub->no_local = pf->no_local;
	sub->retain_as_published = pf->retain_as_published;
	life_enter_subscription(h, s, sub);
	lasting_subscription(h, s, sub);
	/* v5 3.3.1.3: none for a group */
	remember(ps, sub,
	    c->rules->retain_available && !filter.is_shared &&
		wants_retained(pf->retain_handling, is_new),
	    is_new ? life_join_nats(h, s, sub, ps->p.token) : 0);
	return sub->qos;
}

void
client_on_subscribe(struct client *c, const struct frame *f)
{
	struct packet_subscribe p;
	struct packet_filter pf;
	struct pending_subscribe *ps;
	enum mqtt_reason rc = packet_decode_subscribe(f, c->version, &p);
	const char *why = "SUBSCRIBE";
	uint32_t id = 0;

	if (rc == MQTT_RC_SUCCESS && c->version == MQTT_V5)
		rc = rules_check_subscribe(c->rules, &p, &why);
	if (rc != MQTT_RC_SUCCESS) {
		client_close(c, rc, why);
		return;
	}
	if (properties_has(&p.properties, MQTT_PROP_SUBSCRIPTION_IDENTIFIER))
		id = p.properties.subscription_identifier;
	ps = xcalloc(1, sizeof(*ps));
	ps->p.kind = PENDING_SUBSCRIBE;
	ps->p.session = c->session->handle;
	ps->p.packet_id = p.packet_id;
	ps->epoch = c->session->epoch;
	pending_add(c->home, &ps->p);
	/* v3.1.1 [MQTT-3.8.4-4]: as if each filter came by itself */
	while (packet_next_filter(&p.topics, MQTT_SUBSCRIBE, &pf))
		buf_append_byte(&ps->codes, subscribe(c, ps, &pf, id));
	if (c->session->stored_id != 0)
		ps->promised = promise_newest(c->home);
	if (ps->waiting == 0)
		finish(c->home, ps);
}

/*
 * v5 [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-3], v3.1.1 [MQTT-3.10.4-3]:
 * what is in flight goes on
 */
static uint8_t WORKER_THREAD
unsubscribe(struct client *c, struct slice filter)
{
	struct subscription *sub =
	    session_find_subscription(c->session, filter);
	struct filter parts;

	if (sub == NULL)
		return filter_parse(filter, &parts)
		    ? MQTT_RC_NO_SUBSCRIPTION_EXISTED
		    : MQTT_RC_TOPIC_FILTER_INVALID;
	/* v3.1.1 [MQTT-3.10.4-1] [MQTT-3.10.4-2] */
	life_leave_subscription(c->home, c->session, &sub);
	return MQTT_RC_SUCCESS;
}

/* v5 [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] */
void
client_on_unsubscribe(struct client *c, const struct frame *f)
{
	struct packet_subscribe p;
	struct packet_filter pf;
	struct buf codes = { 0 };
	const char *why = NULL;
	uint8_t code;
	enum mqtt_reason rc = packet_decode_subscribe(f, c->version, &p);

	if (rc != MQTT_RC_SUCCESS) {
		client_close(c, rc, "UNSUBSCRIBE");
		return;
	}
	while (packet_next_filter(&p.topics, MQTT_UNSUBSCRIBE, &pf)) {
		code = unsubscribe(c, pf.filter);
		if (code >= MQTT_RC_UNSPECIFIED_ERROR)
			why = mqtt_reason_text(code);
		buf_append_byte(&codes, code);
	}
	if (c->session->stored_id != 0)
		promise_gate(c, promise_newest(c->home));
	/* v3.1.1 [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] */
	(void)answer(c, MQTT_UNSUBACK, p.packet_id, buf_slice(&codes), why);
	buf_fini(&codes);
}
