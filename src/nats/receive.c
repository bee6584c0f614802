/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive - every message from NATS: reply, retained request, or for devices.
 *
 * One cover can stand for many filters, so a message says nothing about which
 * of our subscriptions it matched, and is sorted by its subject alone.
 */
#include "config.h"

#include "nats/receive.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/consumer.h"
#include "nats/header_order.h"
#include "nats/intake.h"
#include "nats/publish.h"

/* A message from NATS, as far as it was looked at. */
struct arrival {
	struct link *link;
	natsMsg *msg;
	struct slice subject;
	struct slice reply;
	struct slice payload;
};

/* --- replies ------------------------------------------------------------ */

static bool
number_of(struct slice digits, uint64_t *out)
{
	uint64_t n = 0;

	if (digits.len == 0 || digits.len > 19)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(digits.ptr[i] - '0');
	}
	*out = n;
	return true;
}

static struct slice
inbox_of(const struct link *l)
{
	return slice_of(l->inbox, l->inbox_len);
}

static void NATS_THREAD
on_fence_token(struct link *l, struct slice token)
{
	uint64_t fence;

	if (token.len > 1 && token.ptr[0] == 'f' &&
	    number_of(slice_skip(token, 1), &fence))
		link_on_fence(l, fence);
}

/* "LINK.NUMBER": for a device whose user may have no inbox. */
static void NATS_THREAD
on_device_reply(struct bus *b, struct slice token, struct slice payload,
    bool none)
{
	const uint8_t *dot = memchr(token.ptr, '.', token.len);
	size_t len = dot != NULL ? (size_t)(dot - token.ptr) : 0;
	struct link *l;
	uint64_t id, seq;

	if (!number_of(slice_of(token.ptr, len), &id) ||
	    !number_of(slice_skip(token, len + 1), &seq))
		return;
	l = bus_find_link(b, (uint32_t)id);
	if (l != NULL)
		publish_on_reply(l, seq, payload, none);
}

/* A reply to what was published; false: `token` is for something else. */
static bool NATS_THREAD
on_publish_reply(struct link *l, struct slice token, struct slice payload,
    bool none)
{
	uint64_t seq;

	if (number_of(token, &seq))
		publish_on_reply(l, seq, payload, none);
	else if (token.len > 1 && token.ptr[0] == 'd')
		on_device_reply(l->bus, slice_skip(token, 1), payload, none);
	else
		return false;
	return true;
}

bool
receive_own_answer(struct bus *b, struct slice reply)
{
	struct slice inbox = inbox_of(b->own);

	return slice_starts(reply, inbox) &&
	    on_publish_reply(b->own, slice_skip(reply, inbox.len),
		slice_of(NULL, 0), false);
}

static void NATS_THREAD
on_reply(struct arrival *a)
{
	struct link *l = a->link;
	struct slice token = slice_skip(a->subject, l->inbox_len);
	bool none = a->payload.len == 0 && natsMsg_IsNoResponders(a->msg);
	uint64_t seq;

	if (on_publish_reply(l, token, a->payload, none))
		return;
	if (token.len > 1 && token.ptr[0] == 'c' &&
	    number_of(slice_skip(token, 1), &seq))
		consumer_on_answer(l->bus, seq, a->payload, none);
	else
		on_fence_token(l, token);
}

/* --- for devices -------------------------------------------------------- */

static void
read_headers(struct arrival *a, struct header_reading *h)
{
	struct header_field *fields;
	const char **keys = NULL;
	size_t n_fields = 0;
	int n = 0;

	if (natsMsgHeader_Keys(a->msg, &keys, &n) != NATS_OK)
		return;
	h->wall_ms = clock_wall_ms();
	fields = xcalloc((size_t)n, sizeof(*fields));
	for (int i = 0; i < n; i++) {
		struct header_field *f = &fields[n_fields];

		f->name = keys[i];
		if (natsMsgHeader_Values(a->msg, keys[i], &f->values, &f->n) ==
		    NATS_OK)
			n_fields++;
	}
	header_read_fields(h, fields, n_fields);
	for (size_t i = 0; i < n_fields; i++)
		free((void *)fields[i].values);
	free(fields);
	free((void *)keys);
}

static uint8_t
inbound_qos(const struct bus_options *o, struct slice subject)
{
	uint8_t qos = 0;

	for (size_t i = 0; i < o->n_inbound_qos; i++)
		if (o->inbound_qos[i].qos > qos &&
		    subject_match(slice_str(o->inbound_qos[i].subject),
			subject))
			qos = o->inbound_qos[i].qos;
	return qos;
}

static bool
is_request(const struct bus_options *o, struct slice subject)
{
	const char *const *row = o->request_subjects;

	for (; row != NULL && *row != NULL; row++)
		if (subject_match(slice_str(*row), subject))
			return true;
	return false;
}

/*
 * The reply subject of a message that says QoS 0 is somebody's response
 * topic; an empty answer to that would be taken for the response.
 */
static bool
wants_answer(const struct arrival *a, const struct header_reading *h)
{
	return a->reply.len > 0 && (!h->has_qos || h->qos > 0);
}

static struct log_limit unmapped_limit;

static bool
map_topic(struct bus *b, struct slice subject)
{
	unsigned long held;

	buf_reset(&b->topic);
	if (subject_to_topic(&b->options->mapping, subject, &b->topic) ==
	    SUBJECT_OK)
		return true;
	atomic_fetch_add(&b->stats.dropped_unmapped, 1);
	if (log_limit_pass(&unmapped_limit, &held))
		log_debug("NATS subject without a topic: %.*s (%lu more)",
		    SLICE_ARG(subject), held);
	return false;
}

/* A call: the device is to answer to the topic of the reply subject. */
static void
add_response_topic(struct arrival *a, struct header_reading *h)
{
	struct bus *b = a->link->bus;

	buf_reset(&b->subject);
	if (subject_to_topic(&b->options->mapping, a->reply, &b->subject) !=
	    SUBJECT_OK)
		return;
	buf_append_byte(&b->subject, '\0');
	header_read(h, "Mqtt-Response-Topic",
	    (const char *)buf_ptr(&b->subject));
}

/* The message as devices may see it, or NULL when they may not. */
static struct message *
message_from(struct arrival *a, struct slice subject)
{
	struct bus *b = a->link->bus;
	const struct bus_options *o = b->options;
	struct header_reading *h = &b->header;
	struct message_parts parts = {
		.subject = subject,
		.payload = a->payload,
		.from_nats = true,
	};
	uint8_t at_least;

	if (!map_topic(b, subject))
		return NULL;
	header_read_start(h, 0, o->pass_headers);
	read_headers(a, h);
	parts.topic = buf_slice(&b->topic);
	parts.is_request = a->reply.len > 0 && is_request(o, subject);
	if (parts.is_request)
		add_response_topic(a, h);
	if (parts.is_request || wants_answer(a, h))
		parts.reply = a->reply;
	parts.qos = h->has_qos ? h->qos : a->reply.len > 0;
	at_least = inbound_qos(o, subject);
	if (parts.qos < at_least)
		parts.qos = at_least;
	parts.retain = h->retain;
	parts.properties = buf_slice(&h->properties);
	parts.expires_ms = h->expires_ms;
	return message_new(&parts);
}

static void
on_delivery(struct arrival *a)
{
	struct bus *b = a->link->bus;
	struct message *m = message_from(a, a->subject);

	if (m == NULL)
		return;
	b->ops->on_message(b->arg, a->link->id, m);
	message_unref(&m);
}

/* --- retained messages -------------------------------------------------- */

static void
on_retained_request(struct arrival *a)
{
	struct bus *b = a->link->bus;
	struct message_parts parts = {
		.subject = a->subject,
		.reply = a->reply,
		.payload = a->payload,
		.from_nats = true,
	};
	struct message *m = message_new(&parts);

	b->ops->on_retained_request(b->arg, m);
	message_unref(&m);
}

static void
on_retained_set(struct arrival *a, struct slice subject)
{
	struct bus *b = a->link->bus;
	struct message *m;

	if (subject_is_reserved(subject))
		return;
	m = message_from(a, subject);
	if (m == NULL)
		return;
	/* Nobody else has it yet. */
	m->retain = true;
	b->ops->on_retained_set(b->arg, m);
	message_unref(&m);
}

/* What follows `prefix` and a dot; nothing when it is something else. */
static struct slice
behind(struct slice subject, const char *prefix)
{
	struct slice p = slice_str(prefix);

	if (p.len == 0 || !slice_starts(subject, p) ||
	    subject.len < p.len + 2 || subject.ptr[p.len] != '.')
		return slice_of(NULL, 0);
	return slice_skip(subject, p.len + 1);
}

/* Is it for the node itself? Then it was handled. */
static bool
is_own(struct arrival *a)
{
	const struct bus_options *o = a->link->bus->options;
	struct slice set;

	if (a->link->id != 0)
		return false;
	if (o->retained_request_subject != NULL &&
	    o->retained_request_subject[0] != '\0' &&
	    slice_eq(a->subject, slice_str(o->retained_request_subject))) {
		on_retained_request(a);
		return true;
	}
	set = behind(a->subject, o->retained_set_subject);
	if (set.len > 0)
		on_retained_set(a, set);
	return set.len > 0;
}

/* --- sorting ------------------------------------------------------------ */

static struct slice
first_token(struct slice subject)
{
	const uint8_t *dot = memchr(subject.ptr, '.', subject.len);

	return slice_of(subject.ptr,
	    dot != NULL ? (size_t)(dot - subject.ptr) : subject.len);
}

/*
 * A wide subscription brings inboxes and NATS' own subjects along; they are
 * for devices only where somebody has asked for them by name. `_MQ` is ours
 * and other nodes', and never for devices.
 */
static bool
is_hidden(const struct arrival *a)
{
	if (a->subject.ptr[0] != '$' && a->subject.ptr[0] != '_')
		return false;
	if (slice_eq(first_token(a->subject), SLICE("_MQ")))
		return true;
	return subject_is_reserved(a->subject) &&
	    !cover_wants_reserved(a->link->cover, first_token(a->subject));
}

/* By the subject that it came on. */
static void
sort_delivered(struct arrival *a)
{
	if (is_hidden(a) || is_own(a))
		return;
	/* The server's word on a request that we have sent for a device. */
	if (a->payload.len == 0 && natsMsg_IsNoResponders(a->msg))
		return;
	on_delivery(a);
}

/* False when the message was taken and is not to be freed. */
static bool NATS_THREAD
sort(struct arrival *a)
{
	struct link *l = a->link;

	if (slice_starts(a->subject, inbox_of(l))) {
		on_reply(a);
		return true;
	}
	/* With echo the fence comes back itself where all is subscribed. */
	if (slice_eq(a->subject, slice_str(l->fence_subject))) {
		if (slice_starts(a->reply, inbox_of(l)))
			on_fence_token(l, slice_skip(a->reply, l->inbox_len));
		return true;
	}
	if (a->reply.len > 0 && a->reply.ptr[0] == '$' &&
	    consumer_look_up(l, a->reply, a->msg, &a->subject) == CONSUMER_HELD)
		return false;
	sort_delivered(a);
	return true;
}

static struct arrival
arrival_of(struct link *l, natsMsg *msg)
{
	return (struct arrival){
		.link = l,
		.msg = msg,
		.subject = slice_str(natsMsg_GetSubject(msg)),
		.reply = slice_str(natsMsg_GetReply(msg)),
		.payload = slice_of(natsMsg_GetData(msg),
		    (size_t)natsMsg_GetDataLength(msg)),
	};
}

bool
receive_message(struct link *l, natsMsg *msg)
{
	struct bus_stats *stats = &l->bus->stats;
	struct arrival a = arrival_of(l, msg);

	atomic_fetch_add(&stats->in_msgs, 1);
	atomic_fetch_add(&stats->in_bytes, a.payload.len);
	return a.subject.len == 0 || sort(&a);
}

void
receive_shared(struct link *l, natsMsg *msg, uint64_t share)
{
	struct bus *b = l->bus;
	struct arrival a = arrival_of(l, msg);
	struct message *m;

	atomic_fetch_add(&b->stats.in_msgs, 1);
	atomic_fetch_add(&b->stats.in_bytes, a.payload.len);
	/* The group may have a wildcard where these begin. */
	if (a.subject.len == 0 || subject_is_reserved(a.subject) ||
	    slice_eq(first_token(a.subject), SLICE("_MQ")))
		return;
	m = message_from(&a, a.subject);
	if (m == NULL)
		return;
	b->ops->on_shared(b->arg, l->main->id, share, m);
	message_unref(&m);
}

void
receive_held(struct link *l, natsMsg *msg, struct slice subject)
{
	struct arrival a = arrival_of(l, msg);

	if (subject.len > 0)
		a.subject = subject;
	sort_delivered(&a);
	intake_free(msg);
}
