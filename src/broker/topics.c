/* SPDX-License-Identifier: Apache-2.0 */
/* topics - what clients may publish and subscribe to. */
#include "broker/topics.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/memo_hash.h"
#include "topic/subject.h"
#include "topic/token.h"
#include "topic/topic.h"

/* The longest reply subject that nats/ makes up. */
#define REPLY_MAX   128
/* Room for headers beside the payload. */
#define HEADER_ROOM 256

/* Topics of the server itself: never from clients, never to NATS. */
static bool
is_sys(struct slice topic)
{
	return slice_eq(topic, SLICE("$SYS")) ||
	    slice_starts(topic, SLICE("$SYS/"));
}

static enum mqtt_reason
check_nats_limits(struct home *h, size_t payload_len, const char **why)
{
	const struct broker *b = h->broker;
	size_t max_payload;

	if (b->bus == NULL)
		return MQTT_RC_SUCCESS;
	if (buf_len(&h->subject) + REPLY_MAX > b->options->max_control_line) {
		*why = "the topic is too long for NATS";
		return MQTT_RC_TOPIC_NAME_INVALID;
	}
	max_payload = atomic_load(&bus_stats(b->bus)->max_payload);
	if (max_payload > 0 && payload_len + HEADER_ROOM > max_payload) {
		*why = "the payload is larger than NATS takes";
		return MQTT_RC_PACKET_TOO_LARGE;
	}
	return MQTT_RC_SUCCESS;
}

/* What does not change while the process runs; the subject in h->subject. */
static enum mqtt_reason WORKER_THREAD
check_topic(struct home *h, struct slice topic, const char **why)
{
	const struct broker_options *o = h->broker->options;

	buf_reset(&h->subject);
	if (topic_levels(topic) > o->max_topic_levels) {
		*why = "the topic has too many levels";
		return MQTT_RC_TOPIC_NAME_INVALID;
	}
	if (is_sys(topic)) {
		*why = "$SYS is the server's own";
		return MQTT_RC_NOT_AUTHORIZED;
	}
	switch (subject_from_topic(&o->mapping, topic, &h->subject)) {
	case SUBJECT_OUTSIDE:
		return MQTT_RC_SUCCESS;
	case SUBJECT_BAD:
		*why = "the topic has no NATS subject";
		return MQTT_RC_TOPIC_NAME_INVALID;
	case SUBJECT_OK:
		break;
	}
	if (subject_is_reserved(buf_slice(&h->subject))) {
		*why = "the topic is reserved by NATS";
		return MQTT_RC_NOT_AUTHORIZED;
	}
	/* Control characters that the mapping has no escape for. */
	if (!subject_valid(buf_slice(&h->subject), false)) {
		*why = "the topic cannot be a NATS subject";
		return MQTT_RC_TOPIC_NAME_INVALID;
	}
	return MQTT_RC_SUCCESS;
}

/*
 * Devices publish to the same topics again and again: a small table by a
 * cheap hash remembers the outcome for the topics seen last. Who finds two
 * topics for one place makes them miss, no more.
 */
#define N_MEMOS        512
#define MEMO_TOPIC_MAX 128

struct topic_memo {
	char *bytes; /* topic, then subject; NULL: free */
	const char *why;
	uint16_t topic_len;
	uint16_t subject_len;
	enum mqtt_reason reason;
};

void
topics_forget(struct home *h)
{
	for (size_t i = 0; h->topic_memos != NULL && i < N_MEMOS; i++)
		free(h->topic_memos[i].bytes);
	free(h->topic_memos);
	h->topic_memos = NULL;
}

static struct topic_memo *WORKER_THREAD
memo_of(struct home *h, struct slice topic)
{
	if (h->topic_memos == NULL)
		h->topic_memos = xcalloc(N_MEMOS, sizeof(*h->topic_memos));
	return &h->topic_memos[memo_hash(topic) % N_MEMOS];
}

static void WORKER_THREAD
memorise(struct home *h, struct topic_memo *memo, struct slice topic,
    enum mqtt_reason reason, const char *why)
{
	size_t subject_len = buf_len(&h->subject);

	free(memo->bytes);
	memo->bytes = xmalloc(topic.len + subject_len + 1);
	memcpy(memo->bytes, topic.ptr, topic.len);
	if (subject_len > 0)
		memcpy(memo->bytes + topic.len, buf_ptr(&h->subject),
		    subject_len);
	memo->topic_len = (uint16_t)topic.len;
	memo->subject_len = (uint16_t)subject_len;
	memo->reason = reason;
	memo->why = why;
}

static enum mqtt_reason WORKER_THREAD
recall_topic(struct home *h, struct slice topic, const char **why)
{
	struct topic_memo *memo;
	enum mqtt_reason reason;

	if (topic.len > MEMO_TOPIC_MAX)
		return check_topic(h, topic, why);
	memo = memo_of(h, topic);
	if (memo->bytes != NULL &&
	    slice_eq(slice_of(memo->bytes, memo->topic_len), topic)) {
		buf_reset(&h->subject);
		buf_append(&h->subject, memo->bytes + memo->topic_len,
		    memo->subject_len);
		*why = memo->why;
		return memo->reason;
	}
	*why = NULL;
	reason = check_topic(h, topic, why);
	memorise(h, memo, topic, reason, *why);
	return reason;
}

bool
topics_is_answer(struct home *h)
{
	struct slice subject = buf_slice(&h->subject);

	return subject_is_reserved(subject) &&
	    calls_has(h->broker->calls, subject, h->now_ms);
}

enum mqtt_reason
topics_check_publish(struct home *h, struct slice topic, size_t payload_len,
    const char **why)
{
	enum mqtt_reason reason = recall_topic(h, topic, why);

	if (reason == MQTT_RC_NOT_AUTHORIZED && topics_is_answer(h))
		reason = MQTT_RC_SUCCESS;
	if (reason != MQTT_RC_SUCCESS || buf_len(&h->subject) == 0)
		return reason;
	return check_nats_limits(h, payload_len, why);
}

enum mqtt_reason
topics_check_payload(struct home *h, const struct properties *props,
    struct slice payload, const char **why)
{
	if (h->broker->options->check_payload_format &&
	    properties_has(props, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR) &&
	    props->payload_format_indicator == 1 && !utf8_is_text(payload)) {
		*why = "the payload is not UTF-8";
		return MQTT_RC_PAYLOAD_FORMAT_INVALID;
	}
	return MQTT_RC_SUCCESS;
}

bool
topics_subject_of_filter(struct home *h, struct slice filter,
    size_t *parent_len)
{
	buf_reset(&h->subject);
	return !is_sys(filter) &&
	    subject_from_filter(&h->broker->options->mapping, filter,
		&h->subject, parent_len) == SUBJECT_OK;
}

void
topics_queue_group(struct home *h, struct slice share, struct buf *out)
{
	uint8_t *at = buf_reserve(out, TOKEN_ROOM(share.len));

	buf_commit(out,
	    (size_t)(token_encode(h->broker->options->mapping.mode, share, at) -
		at));
}

static bool WORKER_THREAD
is_queue_group(struct home *h, struct slice share)
{
	struct buf group = { 0 };
	bool is;

	topics_queue_group(h, share, &group);
	is = subject_valid(buf_slice(&group), false) &&
	    buf_len(&group) + buf_len(&h->subject) + REPLY_MAX <=
		h->broker->options->max_control_line;
	buf_fini(&group);
	return is;
}

enum mqtt_reason
topics_check_filter(struct home *h, const struct filter *f, const char **why)
{
	size_t parent_len;

	if (topic_levels(f->match) > h->broker->options->max_topic_levels) {
		*why = "the filter has too many levels";
		return MQTT_RC_TOPIC_FILTER_INVALID;
	}
	if (!topics_subject_of_filter(h, f->match, &parent_len))
		return MQTT_RC_SUCCESS;
	if (subject_is_reserved(buf_slice(&h->subject))) {
		*why = "the filter is reserved by NATS";
		return MQTT_RC_NOT_AUTHORIZED;
	}
	if (!subject_valid(buf_slice(&h->subject), true)) {
		*why = "the filter cannot be a NATS subscription";
		return MQTT_RC_TOPIC_FILTER_INVALID;
	}
	if (f->is_shared && !is_queue_group(h, f->share)) {
		*why = "the group cannot be a NATS queue group";
		return MQTT_RC_TOPIC_FILTER_INVALID;
	}
	if (h->broker->bus != NULL &&
	    buf_len(&h->subject) + REPLY_MAX >
		h->broker->options->max_control_line) {
		*why = "the filter is too long for NATS";
		return MQTT_RC_TOPIC_FILTER_INVALID;
	}
	return MQTT_RC_SUCCESS;
}
