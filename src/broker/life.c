/* SPDX-License-Identifier: Apache-2.0 */
/* life - how sessions begin and end on a home. */
#include "broker/life.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "broker/ask.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/deliver.h"
#include "broker/lasting.h"
#include "broker/login.h"
#include "broker/pending.h"
#include "broker/publish.h"
#include "broker/registry.h"
#include "broker/restore.h"
#include "broker/rights.h"
#include "broker/sharing.h"
#include "broker/subscribing.h"
#include "broker/topics.h"

/* A Will that waits, v5 3.1.3.2.2. */
struct will {
	struct timer timer;
	struct session *session;
	struct message *message;
	uint64_t stored_id; /* 0: not in the store */
	uint32_t expiry_s;
};

static void WORKER_THREAD
on_expiry(struct timer *t, void *arg)
{
	struct home *h = arg;
	struct session *s = container_of(t, struct session, expiry);

	log_info("session \"%.*s\" expired", s->client_id_len, s->client_id);
	home_count(h, expired_sessions);
	life_end_session(h, &s);
}

struct session *
life_create_session(struct home *h, struct slice client_id)
{
	struct session *s = session_new(client_id);

	timer_init(&s->expiry, on_expiry);
	s->handle = slots_add(&h->sessions, s);
	return s;
}

struct session *
life_find_session(struct home *h, struct slice client_id, bool *created,
    uint8_t *worker)
{
	struct registry *r = h->broker->registry;
	uint64_t handle = registry_find(r, client_id);
	struct session *s;

	*created = handle == 0;
	if (handle == 0) {
		s = life_create_session(h, client_id);
		handle = registry_claim(r, s);
		if (handle == 0) {
			atomic_fetch_add(&h->stats.sessions, 1);
			return s;
		}
		/* Another worker was faster. */
		slots_remove(&h->sessions, s->handle);
		session_free(&s);
	}
	*created = false;
	*worker = slots_tag(handle);
	if (*worker != h->id)
		return NULL;
	s = slots_get(&h->sessions, handle);
	assert(s != NULL); /* nobody else ends sessions of this home */
	return s;
}

void
life_enter_subscription(struct home *h, struct session *s,
    const struct subscription *sub)
{
	struct subscriber entry = { .session = s->handle,
		.id = sub->id,
		.qos = sub->qos,
		.no_local = sub->no_local,
		.retain_as_published = sub->retain_as_published,
		.lasts = s->stored_id != 0 };

	if (sharing_is_shared(sub))
		(void)sharing_join(h, s, sub);
	else
		index_add(h->broker->index,
		    slice_of(sub->filter, sub->filter_len), &entry);
}

static void WORKER_THREAD
request_subject(struct home *h, enum bus_request_type type, uint32_t link,
    struct slice subject, uint64_t token)
{
	struct bus_request r = { .type = (uint8_t)type,
		.link = link,
		.token = token,
		.subject = xmemdup0(subject.ptr, subject.len) };

	home_request(h, &r);
}

/* "x/#" wants the subject of x as well. */
static unsigned WORKER_THREAD
request_filter(struct home *h, enum bus_request_type type,
    const struct session *s, const struct subscription *sub, uint64_t token)
{
	size_t parent_len = 0;

	if (h->broker->bus == NULL || s->link == SESSION_LINK_NONE ||
	    !topics_subject_of_filter(h, slice_of(sub->filter, sub->filter_len),
		&parent_len))
		return 0;
	request_subject(h, type, s->link, buf_slice(&h->subject), token);
	if (parent_len == 0)
		return 1;
	request_subject(h, type, s->link,
	    slice_of(buf_ptr(&h->subject), parent_len), token);
	return 2;
}

static void WORKER_THREAD
request_member(struct home *h, enum bus_request_type type, uint32_t link,
    uint64_t share, struct slice subject, struct slice group, uint64_t token)
{
	struct bus_request r = { .type = (uint8_t)type,
		.link = link,
		.token = token,
		.group = bus_group_new(share, subject, group) };

	home_request(h, &r);
}

/* The same for a Shared Subscription: its group is a queue group. */
static unsigned WORKER_THREAD
request_group(struct home *h, enum bus_request_type type,
    const struct session *s, const struct subscription *sub, uint64_t share,
    uint64_t token)
{
	struct buf group = { 0 };
	size_t parent_len = 0;
	struct filter f;
	unsigned n = 0;

	if (h->broker->bus == NULL || s->link == SESSION_LINK_NONE ||
	    !filter_parse(slice_of(sub->filter, sub->filter_len), &f) ||
	    !topics_subject_of_filter(h, f.match, &parent_len))
		return 0;
	topics_queue_group(h, f.share, &group);
	request_member(h, type, s->link, share, buf_slice(&h->subject),
	    buf_slice(&group), token);
	n = 1;
	if (parent_len > 0) {
		request_member(h, type, s->link, share,
		    slice_of(buf_ptr(&h->subject), parent_len),
		    buf_slice(&group), token);
		n = 2;
	}
	buf_fini(&group);
	return n;
}

unsigned
life_join_nats(struct home *h, const struct session *s,
    const struct subscription *sub, uint64_t token)
{
	if (sharing_is_shared(sub))
		return request_group(h, BUS_JOIN_GROUP, s, sub,
		    sharing_join(h, s, sub), token);
	return request_filter(h, BUS_SUBSCRIBE, s, sub, token);
}

static void WORKER_THREAD
leave_share(struct home *h, const struct session *s,
    const struct subscription *sub)
{
	(void)request_group(h, BUS_LEAVE_GROUP, s, sub,
	    sharing_leave(h, s, sub), 0);
}

/* Under the NATS identity that it has now, or had until now. */
static void WORKER_THREAD
leave_nats(struct home *h, const struct session *s,
    const struct subscription *sub)
{
	if (sharing_is_shared(sub))
		leave_share(h, s, sub);
	else
		(void)request_filter(h, BUS_UNSUBSCRIBE, s, sub, 0);
}

void
life_leave_subscription(struct home *h, struct session *s,
    struct subscription **sub)
{
	if (sharing_is_shared(*sub)) {
		leave_share(h, s, *sub);
	} else {
		index_drop(h->broker->index,
		    slice_of((*sub)->filter, (*sub)->filter_len), s->handle);
		(void)request_filter(h, BUS_UNSUBSCRIBE, s, *sub, 0);
	}
	lasting_end_subscription(h, s, *sub);
	session_drop_subscription(s, sub);
}

void
life_set_link(struct home *h, struct session *s, uint32_t link)
{
	struct bus_request forget = { .type = BUS_FORGET, .link = s->link };
	struct subscription *sub;

	LIST_FOREACH(sub, &s->subscriptions, entry)
		if (link != s->link)
			leave_nats(h, s, sub);
	if (s->link != 0 && s->link != SESSION_LINK_NONE)
		home_request(h, &forget);
	if (link == s->link)
		return;
	s->link = link;
	LIST_FOREACH(sub, &s->subscriptions, entry)
		(void)life_join_nats(h, s, sub, 0);
}

static void
will_free(struct home *h, struct session *s)
{
	timer_cancel(h->timers, &s->will->timer);
	if (s->will->message != NULL)
		message_unref(&s->will->message);
	free(s->will);
	s->will = NULL;
}

/* v5 3.1.3.2.4: it lives from now on, not from the CONNECT. */
static void WORKER_THREAD
publish_now(struct home *h, struct session *s, struct message **m,
    uint32_t expiry_s, uint64_t stored_id)
{
	struct slice topic = message_topic(*m);

	/* It may have lost that right since it connected. */
	if (!rights_may(h, s, topic, rights_key(h, topic), ACL_WRITE)) {
		log_info("will of \"%.*s\" on \"%.*s\" not published: the ACL "
			 "does not allow it any more",
		    s->client_id_len, s->client_id, SLICE_ARG(topic));
		lasting_end_will(h, stored_id);
		message_unref(m);
		return;
	}
	/* Nobody else has seen the message yet. */
	if (expiry_s != MQTT_EXPIRY_NEVER)
		(*m)->expires_ms = h->wall_ms + expiry_s * 1000ull;
	publish_will(h, m, s->link, s->owner, stored_id);
}

static void WORKER_THREAD
will_due(struct home *h, struct session *s)
{
	publish_now(h, s, &s->will->message, s->will->expiry_s,
	    s->will->stored_id);
	will_free(h, s);
}

static void WORKER_THREAD
on_will(struct timer *t, void *arg)
{
	will_due(arg, container_of(t, struct will, timer)->session);
}

void
life_arm_will(struct home *h, struct session *s, const struct delayed_will *d)
{
	struct will *w = xcalloc(1, sizeof(*w));

	timer_init(&w->timer, on_will);
	w->session = s;
	w->message = d->message;
	w->expiry_s = d->expiry_s;
	w->stored_id = d->stored_id;
	s->will = w;
	timer_arm(h->timers, &w->timer, h->now_ms + d->delay_ms);
}

/*
 * v5 [MQTT-3.1.3-9]: after its delay or when the session ends, whichever is
 * first; not when the client has come back.
 */
static void WORKER_THREAD
delay_will(struct client *c, struct session *s)
{
	struct home *h = c->home;
	struct delayed_will d = { .message = c->will,
		.expiry_s = c->will_expiry_s,
		.delay_ms = c->will_delay_s * 1000ull };
	struct lasting_will w = { .message = c->will,
		.session = s->stored_id,
		.due_ms = h->wall_ms + d.delay_ms,
		.expiry_s = d.expiry_s,
		.owner = s->owner };

	c->will = NULL;
	d.stored_id = lasting_will(h, client_take_stored_will(c), &w);
	life_arm_will(h, s, &d);
}

void
life_cancel_will(struct home *h, struct session *s)
{
	if (s->will == NULL)
		return;
	lasting_end_will(h, s->will->stored_id);
	will_free(h, s);
}

/*
 * Take the session apart; what is left to be told was told. v3.1.1
 * [MQTT-3.1.2-7]: retained messages stay
 */
static void WORKER_THREAD
unmake(struct home *h, struct session **sp)
{
	struct session *s = *sp;
	struct subscription *sub;

	assert(s->client == NULL);
	timer_cancel(h->timers, &s->expiry);
	while ((sub = LIST_FIRST(&s->subscriptions)) != NULL)
		life_leave_subscription(h, s, &sub);
	life_set_link(h, s, 0);
	rights_set_own(h, s, NULL);
	registry_release(h->broker->registry, s);
	slots_remove(&h->sessions, s->handle);
	atomic_fetch_sub(&h->stats.sessions, 1);
	home_count_queued(h, -(int)s->backlog.n, s->backlog_bytes);
	session_free(sp);
}

void
life_end_session(struct home *h, struct session **s)
{
	if ((*s)->will != NULL)
		will_due(h, *s);
	sharing_give_back(h, *s, true);
	lasting_end_session(h, *s);
	unmake(h, s);
}

void
life_drop_session(struct home *h, struct session **s)
{
	if ((*s)->will != NULL)
		will_free(h, *s);
	(*s)->client = NULL;
	(*s)->stored_id = 0; /* it is there when the process starts again */
	unmake(h, s);
}

/* v5 [MQTT-3.1.2-8] [MQTT-3.1.2-10], v3.1.1 [MQTT-3.1.2-8] [MQTT-3.1.2-10] */
static void WORKER_THREAD
send_will(struct client *c, struct session *s)
{
	/* When the session ends before that, it publishes the Will. */
	if (c->will_delay_s > 0 && s->keep)
		delay_will(c, s);
	else
		publish_now(c->home, s, &c->will, c->will_expiry_s,
		    client_take_stored_will(c));
}

static void WORKER_THREAD
discard_will(struct client *c)
{
	lasting_end_will(c->home, client_take_stored_will(c));
	message_unref(&c->will);
}

/*
 * v5 [MQTT-3.1.2-23] [MQTT-4.1.0-1] [MQTT-4.1.0-2], v3.1.1 [MQTT-4.1.0-1]
 * [MQTT-4.1.0-2]
 */
void
life_leave_session(struct client *c, bool with_will)
{
	struct home *h = c->home;
	struct session *s = c->session;

	c->session = NULL;
	s->client = NULL;
	receiving_disconnect(&s->receiving);
	if (c->will != NULL && with_will)
		send_will(c, s);
	else if (c->will != NULL)
		discard_will(c);
	if (!s->keep) {
		life_end_session(h, &s);
		return;
	}
	sharing_set_online(h, s, false);
	sharing_give_back(h, s, false);
	lasting_session(h, s, h->wall_ms);
	if (s->expiry_s != MQTT_EXPIRY_NEVER)
		timer_arm(h->timers, &s->expiry,
		    h->now_ms + s->expiry_s * 1000ull);
}

struct refusal {
	struct home *h;
	uint32_t link;
};

static void WORKER_THREAD
refuse_one(void *thing, void *arg)
{
	struct session *s = thing;
	const struct refusal *r = arg;

	if (s->client != NULL && s->link == r->link)
		client_close(s->client, MQTT_RC_NOT_AUTHORIZED,
		    "NATS no longer accepts its credentials");
}

void
life_refuse_link(struct home *h, uint32_t link)
{
	struct refusal r = { .h = h, .link = link };

	slots_each(&h->sessions, refuse_one, &r);
}

void
life_free_pending(struct pending *p)
{
	switch ((enum pending_kind)p->kind) {
	case PENDING_PUBLISH:
		free(p);
		break;
	case PENDING_WILL:
		publish_free_will(p);
		break;
	case PENDING_SUBSCRIBE:
		subscribing_free(p);
		break;
	case PENDING_LOGIN:
		free(container_of(p, struct pending_login, p));
		break;
	case PENDING_ASK:
		ask_free_pending(p);
		break;
	case PENDING_RESTORE:
		restore_free_pending(p);
		break;
	}
}
