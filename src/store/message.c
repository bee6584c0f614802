/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - an immutable, counted Application Message in one allocation.
 *
 * The parts lie behind the header one after the other, in the order of the
 * picture in message.h, so that each is found by adding up the lengths of
 * those before it.
 */
#include "store/message.h"

#include <assert.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/xalloc.h"

static_assert(sizeof(struct message) == offsetof(struct message, bytes),
    "the parts begin right behind the header");

static uint8_t *
put(uint8_t *at, struct slice part)
{
	if (part.len > 0)
		memcpy(at, part.ptr, part.len);
	return at + part.len;
}

static uint8_t *
put_string(uint8_t *at, struct slice part)
{
	at = put(at, part);
	*at = '\0';
	return at + 1;
}

struct message *
message_new(const struct message_parts *parts)
{
	struct message *m;
	uint8_t *end;

	assert(parts->topic.len <= UINT16_MAX);
	assert(parts->subject.len <= UINT16_MAX);
	assert(parts->reply.len <= UINT16_MAX);
	assert(parts->client_id.len <= UINT16_MAX);
	assert(parts->properties.len <= UINT32_MAX);
	assert(parts->payload.len <= UINT32_MAX);
	m = xmalloc(sizeof(*m) + parts->topic.len + 1 + parts->subject.len + 1 +
	    parts->reply.len + 1 + parts->client_id.len + 1 +
	    parts->properties.len + parts->payload.len);
	atomic_init(&m->refs, 1);
	atomic_init(&m->answered, false);
	m->qos = parts->qos;
	m->retain = parts->retain;
	m->from_nats = parts->from_nats;
	m->is_request = parts->is_request;
	m->is_secret = parts->is_secret;
	m->topic_len = (uint16_t)parts->topic.len;
	m->subject_len = (uint16_t)parts->subject.len;
	m->reply_len = (uint16_t)parts->reply.len;
	m->client_id_len = (uint16_t)parts->client_id.len;
	m->properties_len = (uint32_t)parts->properties.len;
	m->payload_len = (uint32_t)parts->payload.len;
	m->publisher = parts->publisher;
	m->expires_ms = parts->expires_ms;
	atomic_init(&m->owed, 0);
	m->stored_refs = 0;
	m->stored_id = 0;
	end = put_string(m->bytes, parts->topic);
	end = put_string(end, parts->subject);
	end = put_string(end, parts->reply);
	end = put_string(end, parts->client_id);
	end = put(end, parts->properties);
	put(end, parts->payload);
	return m;
}

struct message *
message_ref(struct message *m)
{
	unsigned before;

	/* The caller has a reference, so nothing needs to be ordered. */
	before = atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	assert(before > 0 && before < UINT_MAX);
	return m;
}

static const uint8_t *
subject_at(const struct message *m)
{
	return m->bytes + m->topic_len + 1;
}

static const uint8_t *
reply_at(const struct message *m)
{
	return subject_at(m) + m->subject_len + 1;
}

static const uint8_t *
client_id_at(const struct message *m)
{
	return reply_at(m) + m->reply_len + 1;
}

static const uint8_t *
properties_at(const struct message *m)
{
	return client_id_at(m) + m->client_id_len + 1;
}

static const uint8_t *
payload_at(const struct message *m)
{
	return properties_at(m) + m->properties_len;
}

struct slice
message_topic(const struct message *m)
{
	return slice_of(m->bytes, m->topic_len);
}

struct slice
message_subject(const struct message *m)
{
	return slice_of(subject_at(m), m->subject_len);
}

struct slice
message_reply(const struct message *m)
{
	return slice_of(reply_at(m), m->reply_len);
}

struct slice
message_client_id(const struct message *m)
{
	return slice_of(client_id_at(m), m->client_id_len);
}

struct slice
message_properties(const struct message *m)
{
	return slice_of(properties_at(m), m->properties_len);
}

struct slice
message_payload(const struct message *m)
{
	return slice_of(payload_at(m), m->payload_len);
}

size_t
message_size(const struct message *m)
{
	return (size_t)(payload_at(m) - (const uint8_t *)m) + m->payload_len;
}

bool
message_is_expired(const struct message *m, uint64_t wall_ms)
{
	return m->expires_ms != 0 && m->expires_ms <= wall_ms;
}

uint32_t
message_expiry_left(const struct message *m, uint64_t wall_ms)
{
	uint64_t left;

	if (m->expires_ms <= wall_ms)
		return 0;
	left = (m->expires_ms - wall_ms - 1) / 1000 + 1;
	return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}

void
message_unref(struct message **m)
{
	struct message *gone = *m;
	unsigned before;

	if (gone == NULL)
		return;
	*m = NULL;
	/* Released to, and acquired by, whoever drops the last one. */
	before =
	    atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before != 1)
		return;
	if (gone->is_secret)
		explicit_bzero((void *)(uintptr_t)payload_at(gone),
		    gone->payload_len);
	free(gone);
}
