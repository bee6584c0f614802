/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish - requests of the workers -> PUB and HPUB, and their settlement.
 *
 * One queue per link keeps the order of everything that could not go out at
 * once. An entry of the ack table has its place in that queue while it is
 * WAITING, so that what is published again after an outage goes out before
 * what is newer.
 */
#include "nats/publish.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "mqtt/property.h"
#include "nats/bus_thread.h"
#include "nats/intake.h"
#include "nats/link_fence.h"
#include "nats/receive.h"
#include "nats/reply.h"
#include "nats/side.h"

/* Bytes in cnats' buffer: stop there, and go on here. */
#define OUTPUT_HIGH   (512 * 1024)
#define OUTPUT_LOW    (128 * 1024)
/* Asking cnats how much that is costs a lock, so not each time. */
#define OUTPUT_STRIDE 32

/* Something that waits to be published. */
struct outgoing {
	TAILQ_ENTRY(outgoing)
	in_waiting;
	TAILQ_ENTRY(outgoing)
	in_droppable; /* when ack is NULL */
	struct message *message;
	struct ack *ack;
	uint8_t type;
};

enum sent {
	SENT,
	SENT_UNSENDABLE, /* no server takes it */
	SENT_NOT         /* the link is as good as lost; keep it */
};

/* --- one message onto the wire ------------------------------------------ */

/* By which a stream knows what it has. */
#define MESSAGE_ID "Nats-Msg-Id"

/* A message with headers on its way. */
struct headers {
	natsMsg *msg;
	natsStatus status;
	size_t size;
	bool has_message_id; /* the device's own */
};

static void
add_header(void *arg, const char *name, const char *value)
{
	struct headers *h = arg;

	h->size += header_size(name, value);
	h->has_message_id |= strcmp(name, MESSAGE_ID) == 0;
	if (h->status == NATS_OK)
		h->status = natsMsgHeader_Add(h->msg, name, value);
}

static bool
fits(const struct link *l, struct slice subject, size_t reply_len, size_t size)
{
	return subject.len + reply_len <= l->bus->options->max_control_line &&
	    (l->max_payload == 0 || size <= l->max_payload);
}

static enum sent
sent_of(natsStatus s)
{
	switch (s) {
	case NATS_OK:
		return SENT;
	case NATS_MAX_PAYLOAD:
	case NATS_INVALID_SUBJECT:
	case NATS_INVALID_ARG:
		return SENT_UNSENDABLE;
	default:
		return SENT_NOT;
	}
}

static enum sent
send_plain(struct link *l, struct slice subject, const char *reply,
    struct slice payload)
{
	size_t reply_len = reply != NULL ? strlen(reply) : 0;
	const char *to = (const char *)subject.ptr;
	natsStatus s;

	if (!subject_valid(subject, false) ||
	    !fits(l, subject, reply_len, payload.len))
		return SENT_UNSENDABLE;
	s = reply != NULL
	    ? natsConnection_PublishRequest(l->nc, to, reply, payload.ptr,
		  (int)payload.len)
	    : natsConnection_Publish(l->nc, to, payload.ptr, (int)payload.len);
	return sent_of(s);
}

/*
 * At QoS 2 a stream is to drop what is published again: the number of the
 * acknowledgement stays the same, and is never used for another message.
 * Packet Identifiers would be.
 */
static void
add_message_id(struct link *l, const struct ack *a, struct headers *h)
{
	struct buf id = { 0 };

	buf_printf(&id, "%s%" PRIu64, l->inbox, a->seq);
	buf_append_byte(&id, '\0');
	add_header(h, MESSAGE_ID, (const char *)buf_ptr(&id));
	buf_fini(&id);
}

static enum sent
send_with_headers(struct link *l, const struct message *m, const struct ack *a,
    bool duplicate, const char *reply)
{
	struct slice subject = message_subject(m);
	struct slice payload = message_payload(m);
	size_t reply_len = reply != NULL ? strlen(reply) : 0;
	struct headers h = { .size = HEADER_OVERHEAD + payload.len };
	enum sent sent = SENT_UNSENDABLE;

	if (!subject_valid(subject, false))
		return SENT_UNSENDABLE;
	h.status = natsMsg_Create(&h.msg, (const char *)subject.ptr, reply,
	    (const char *)payload.ptr, (int)payload.len);
	if (h.status != NATS_OK)
		return SENT_UNSENDABLE;
	header_each(m, duplicate, clock_wall_ms(),
	    l->bus->options->pass_headers, add_header, &h);
	if (m->qos == 2 && a != NULL && !h.has_message_id)
		add_message_id(l, a, &h);
	if (h.status == NATS_OK && fits(l, subject, reply_len, h.size))
		sent = sent_of(natsConnection_PublishMsg(l->nc, h.msg));
	intake_free(h.msg);
	return sent;
}

/*
 * The reply subject of a QoS 0 message with a Response Topic; NULL: none. A
 * device must not make a service answer to a subject that is not for devices.
 */
static const char *
response_subject(struct link *l, const struct message *m)
{
	struct slice rest = message_properties(m);
	struct buf *b = &l->bus->subject;
	struct property p;

	while (property_next(&rest, &p)) {
		if (p.id != MQTT_PROP_RESPONSE_TOPIC)
			continue;
		buf_reset(b);
		if (subject_from_topic(&l->bus->options->mapping, p.value, b) !=
			SUBJECT_OK ||
		    !subject_valid(buf_slice(b), false) ||
		    subject_is_reserved(buf_slice(b)))
			return NULL;
		buf_append_byte(b, '\0');
		return (const char *)buf_ptr(b);
	}
	return NULL;
}

static const char *
ack_reply(struct link *l, const struct ack *a)
{
	struct buf *b = &l->bus->subject;

	buf_reset(b);
	if (l->inbox_denied && l != l->bus->own)
		buf_printf(b, "%sd%" PRIu32 ".%" PRIu64, l->bus->own->inbox,
		    l->id, a->seq);
	else
		buf_printf(b, "%s%" PRIu64, l->inbox, a->seq);
	buf_append_byte(b, '\0');
	return (const char *)buf_ptr(b);
}

static bool
is_question(const struct ack *a)
{
	return a != NULL && (a->flags & BUS_ASK) != 0;
}

static enum sent
send_publish(struct link *l, const struct message *m, const struct ack *a)
{
	bool duplicate = a != NULL && a->n_sent > 0;
	const char *reply = NULL;

	/* The server's word needs no reply: a fence follows. */
	if (a != NULL && a->policy != ACK_SERVER)
		reply = ack_reply(l, a);
	if (is_question(a))
		return send_plain(l, message_subject(m), reply,
		    message_payload(m));
	else if (m->properties_len > 0 && m->qos == 0)
		reply = response_subject(l, m);
	if (header_is_plain(m, duplicate))
		return send_plain(l, message_subject(m), reply,
		    message_payload(m));
	return send_with_headers(l, m, a, duplicate, reply);
}

static enum sent NATS_THREAD
send_any(struct link *l, uint8_t type, const struct message *m,
    const struct ack *a)
{
	switch (type) {
	case BUS_PUBLISH:
		return send_publish(l, m, a);
	case BUS_ANSWER:
		if (receive_own_answer(l->bus, message_reply(m)))
			return SENT;
		return send_plain(l, message_reply(m), NULL, slice_of(NULL, 0));
	default:
		assert(type == BUS_SEND);
		return send_plain(l, message_subject(m), NULL,
		    message_payload(m));
	}
}

static void
arm_expire(struct link *l)
{
	uint64_t deadline = ack_deadline(&l->acks);

	if (deadline != ACK_NEVER &&
	    (!timer_is_armed(&l->expire) || deadline < l->expire.deadline))
		timer_arm(l->bus->wheel, &l->expire, deadline);
}

/* --- settling ----------------------------------------------------------- */

static void
unqueue(struct link *l, struct outgoing *o)
{
	TAILQ_REMOVE(&l->waiting, o, in_waiting);
	if (o->ack != NULL) {
		o->ack->queued = NULL;
	} else {
		TAILQ_REMOVE(&l->droppable, o, in_droppable);
		l->droppable_bytes -= message_size(o->message);
	}
}

static void
outgoing_free(struct outgoing *o)
{
	message_unref(&o->message);
	free(o);
}

static void
discard(struct link *l, struct outgoing *o)
{
	unqueue(l, o);
	outgoing_free(o);
}

static void
forget(struct link *l, struct ack *a)
{
	if (a->queued != NULL)
		discard(l, a->queued);
	ack_end(&l->acks, &a);
	atomic_fetch_sub(&l->bus->stats.outstanding, 1);
}

void
publish_settle(struct link *l, struct ack *a, enum bus_result result,
    char *text)
{
	struct bus_event e = {
		.type = BUS_SETTLED,
		.result = (uint8_t)result,
		.link = l->id,
		.token = a->token,
		.text = text,
	};

	bus_post(l->bus, a->worker, &e);
	forget(l, a);
}

/*
 * "No responders" of a stream can be that of another leader, and of our own
 * groups that of a moment when NATS did not know of them: publish again when
 * it does, or soon.
 */
static bool
is_to_be_doubted(struct link *l, struct ack *a)
{
	bool is_group = a->policy == ACK_REPLY &&
	    side_has_group(l, message_subject(a->message));

	if (a->policy != ACK_STREAM && !is_group)
		return false;
	if (is_group && side_is_coming(l)) {
		a->doubted = true;
		return true;
	}
	if (a->state != ACK_SENT ||
	    !ack_again_soon(&l->acks, a, l->bus->now_ms))
		return false;
	arm_expire(l);
	return true;
}

static void NATS_THREAD
settle_question(struct link *l, struct ack *a, struct slice body,
    bool no_responders)
{
	if (no_responders)
		publish_settle(l, a, BUS_NO_RESPONDERS, NULL);
	else if (body.len > BUS_REPLY_MAX)
		publish_settle(l, a, BUS_REFUSED, NULL);
	else
		publish_settle(l, a, BUS_OK, xmemdup0(body.ptr, body.len));
}

void
publish_on_reply(struct link *l, uint64_t seq, struct slice body,
    bool no_responders)
{
	struct ack *a = ack_find(&l->acks, seq);
	enum bus_result result;
	char *text;

	if (is_question(a)) {
		settle_question(l, a, body, no_responders);
		return;
	}

	/* A second reply, or one to what was settled otherwise. */
	if (a == NULL || a->policy == ACK_SERVER)
		return;
	if (no_responders && is_to_be_doubted(l, a))
		return;
	if (reply_settles(a->policy, body, no_responders, &result, &text))
		publish_settle(l, a, result, text);
}

/* --- sending and waiting ------------------------------------------------ */

static void
watch_output(struct link *l)
{
	if (++l->n_unasked < OUTPUT_STRIDE)
		return;
	l->n_unasked = 0;
	if (!l->is_congested && natsConnection_Buffered(l->nc) > OUTPUT_HIGH) {
		l->is_congested = true;
		l->bus->n_congested++;
	}
}

static void
mark_sent(struct link *l, struct ack *a)
{
	if (a->n_sent > 0)
		atomic_fetch_add(&l->bus->stats.republished, 1);
	if (a->policy == ACK_SERVER) {
		ack_fenced(&l->acks, a, link_want_fence(l));
		return;
	}
	ack_sent(&l->acks, a, l->bus->now_ms);
	arm_expire(l);
}

static struct log_limit unsendable_limit;

static void NATS_THREAD
refuse(struct link *l, const struct message *m, struct ack *a)
{
	unsigned long held;

	atomic_fetch_add(&l->bus->stats.unsendable, 1);
	if (log_limit_pass(&unsendable_limit, &held))
		log_debug("not sent to NATS, too large or no subject: "
			  "%.200s (%lu more)",
		    (const char *)message_subject(m).ptr, held);
	if (a != NULL)
		publish_settle(l, a, BUS_UNSENDABLE, NULL);
}

/* Publish now; false: the link does not take it, keep it. */
static bool NATS_THREAD
send_now(struct link *l, uint8_t type, const struct message *m, struct ack *a)
{
	size_t payload_len = type == BUS_ANSWER ? 0 : m->payload_len;

	switch (send_any(l, type, m, a)) {
	case SENT:
		break;
	case SENT_UNSENDABLE:
		refuse(l, m, a);
		return true;
	case SENT_NOT:
		return false;
	}
	atomic_fetch_add(&l->bus->stats.out_msgs, 1);
	atomic_fetch_add(&l->bus->stats.out_bytes, payload_len);
	if (a != NULL)
		mark_sent(l, a);
	watch_output(l);
	return true;
}

static void
drop_oldest(struct link *l)
{
	while (l->droppable_bytes > l->bus->options->pending_bytes) {
		discard(l, TAILQ_FIRST(&l->droppable));
		atomic_fetch_add(&l->bus->stats.dropped_pending, 1);
	}
}

static struct outgoing *
outgoing_new(uint8_t type, struct message *m, struct ack *a)
{
	struct outgoing *o = xcalloc(1, sizeof(*o));

	o->type = type;
	o->message = message_ref(m);
	o->ack = a;
	if (a != NULL)
		a->queued = o;
	return o;
}

static void
keep(struct link *l, uint8_t type, struct message *m, struct ack *a)
{
	struct outgoing *o = outgoing_new(type, m, a);

	TAILQ_INSERT_TAIL(&l->waiting, o, in_waiting);
	if (a != NULL)
		return;
	TAILQ_INSERT_TAIL(&l->droppable, o, in_droppable);
	l->droppable_bytes += message_size(m);
	drop_oldest(l);
}

static bool
wants_ack(const struct bus_request *r)
{
	return r->type == BUS_PUBLISH && r->message->qos > 0 &&
	    r->policy != ACK_LOCAL;
}

/* Publishers that come and go leave their messages behind, so bound them. */
static bool
is_too_much(const struct link *l)
{
	size_t max = l->bus->options->unsettled_bytes;

	return max > 0 && l->acks.bytes > max;
}

void
publish_request(struct link *l, unsigned worker, const struct bus_request *r)
{
	struct message *m = r->message;
	struct ack *a = NULL;

	if (wants_ack(r)) {
		a = ack_begin(&l->acks, worker, r);
		atomic_fetch_add(&l->bus->stats.outstanding, 1);
	}
	if (l->state == LINK_REFUSED) {
		if (a != NULL)
			publish_settle(l, a, BUS_REFUSED, NULL);
	} else if (a != NULL && is_too_much(l)) {
		publish_settle(l, a, BUS_REFUSED,
		    xstrdup("too much waits for an answer from NATS"));
	} else if (!is_question(a) && !TAILQ_EMPTY(&l->waiting)) {
		keep(l, r->type, m, a);
	} else if (!link_is_writable(l) || !send_now(l, r->type, m, a)) {
		if (is_question(a))
			publish_settle(l, a, BUS_DOWN, NULL);
		else
			keep(l, r->type, m, a);
	}
	link_touch(l);
	message_unref(&m);
}

/* Its time is over: nobody is to get it any more. v5 [MQTT-3.3.2-5] */
static bool NATS_THREAD
expire_waiting(struct link *l, struct outgoing *o, uint64_t wall_ms)
{
	if (o->type != BUS_PUBLISH || !message_is_expired(o->message, wall_ms))
		return false;
	if (o->ack != NULL)
		publish_settle(l, o->ack, BUS_TIMEOUT, NULL);
	else
		discard(l, o);
	return true;
}

void
publish_waiting(struct link *l)
{
	uint64_t wall_ms = TAILQ_EMPTY(&l->waiting) ? 0 : clock_wall_ms();
	struct outgoing *o;

	while ((o = TAILQ_FIRST(&l->waiting)) != NULL && link_is_writable(l)) {
		struct ack *a = o->ack;

		if (expire_waiting(l, o, wall_ms))
			continue;
		/* Out of the queue first: sending may end the ack. */
		unqueue(l, o);
		if (!send_now(l, o->type, o->message, a)) {
			TAILQ_INSERT_HEAD(&l->waiting, o, in_waiting);
			if (a != NULL) {
				a->queued = o;
			} else {
				TAILQ_INSERT_HEAD(&l->droppable, o,
				    in_droppable);
				l->droppable_bytes += message_size(o->message);
			}
			return;
		}
		outgoing_free(o);
	}
}

void
publish_rewind(struct link *l)
{
	struct outgoing_list first = TAILQ_HEAD_INITIALIZER(first);
	struct ack *a, *next;

	ack_wait_all(&l->acks);
	timer_cancel(l->bus->wheel, &l->expire);
	TAILQ_FOREACH_SAFE(a, &l->acks.all, by_seq, next)
		if (is_question(a))
			publish_settle(l, a, BUS_DOWN, NULL);
	TAILQ_FOREACH(a, &l->acks.all, by_seq) {
		struct outgoing *o;

		if (a->queued != NULL && a->n_sent == 0)
			continue;
		if (a->queued != NULL)
			discard(l, a->queued);
		o = outgoing_new(BUS_PUBLISH, a->message, a);
		TAILQ_INSERT_TAIL(&first, o, in_waiting);
	}
	TAILQ_CONCAT(&first, &l->waiting, in_waiting);
	TAILQ_CONCAT(&l->waiting, &first, in_waiting);
}

void
publish_on_denied(struct link *l, struct slice subject, const char *text)
{
	struct ack *a, *next;

	TAILQ_FOREACH_SAFE(a, &l->acks.all, by_seq, next)
		if (a->n_sent > 0 &&
		    slice_eq(message_subject(a->message), subject))
			publish_settle(l, a, BUS_DENIED, xstrdup(text));
	arm_expire(l);
}

void
publish_expire(struct link *l)
{
	struct ack *a;

	while ((a = ack_overdue(&l->acks, l->bus->now_ms)) != NULL) {
		if (ack_is_exhausted(&l->acks, a))
			publish_settle(l, a, BUS_TIMEOUT, NULL);
		else
			keep(l, BUS_PUBLISH, a->message, a);
	}
	arm_expire(l);
	link_touch(l);
}

void
publish_doubted(struct link *l)
{
	struct ack *a;

	TAILQ_FOREACH(a, &l->acks.all, by_seq) {
		if (!a->doubted || a->state != ACK_SENT)
			continue;
		a->doubted = false;
		ack_wait(&l->acks, a);
		keep(l, BUS_PUBLISH, a->message, a);
	}
	arm_expire(l);
	link_touch(l);
}

void
publish_give_up(struct link *l, enum bus_result result)
{
	struct ack *a;

	while ((a = TAILQ_FIRST(&l->acks.all)) != NULL)
		publish_settle(l, a, result, NULL);
	while (!TAILQ_EMPTY(&l->waiting))
		discard(l, TAILQ_FIRST(&l->waiting));
	timer_cancel(l->bus->wheel, &l->expire);
}

void
publish_drop(struct link *l)
{
	struct ack *a;

	while ((a = TAILQ_FIRST(&l->acks.all)) != NULL)
		forget(l, a);
	while (!TAILQ_EMPTY(&l->waiting))
		discard(l, TAILQ_FIRST(&l->waiting));
	timer_cancel(l->bus->wheel, &l->expire);
}

void
publish_check_output(struct link *l)
{
	if (l->is_congested &&
	    (l->nc == NULL || natsConnection_Buffered(l->nc) < OUTPUT_LOW)) {
		l->is_congested = false;
		l->bus->n_congested--;
		/* For what waits. */
		link_touch(l);
	}
}
