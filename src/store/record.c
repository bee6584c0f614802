/* SPDX-License-Identifier: Apache-2.0 */
/* record - what the store keeps, as bytes. */
#include "store/record.h"

#include <assert.h>

#include "base/siphash.h"
#include "mqtt/reader.h"
#include "mqtt/writer.h"

#define CHECK_LEN 4u

/* Of messages. */
#define MESSAGE_QOS     0x03u
#define MESSAGE_RETAIN  0x04u
#define MESSAGE_NATS    0x08u
#define MESSAGE_REQUEST 0x10u
#define MESSAGE_EXPIRES 0x20u

/* Of subscriptions and queued messages. */
#define FLAG_QOS      0x03u
#define FLAG_NO_LOCAL 0x04u
#define FLAG_RETAIN   0x08u
#define FLAG_RELEASED 0x10u
#define FLAG_SHARE    0x20u

/* Of the time when a Will is due: it counts from when the client goes. */
#define DUE_PRESENT (1ull << 63)

static const char *const names[RECORD_TABLES] = {
	[RECORD_META] = "meta",
	[RECORD_SESSION] = "session",
	[RECORD_SUBSCRIPTION] = "subscription",
	[RECORD_MESSAGE] = "message",
	[RECORD_QUEUED] = "queued",
	[RECORD_RECEIVED] = "received",
	[RECORD_RETAINED] = "retained",
	[RECORD_WILL] = "will",
};

const char *
record_table_name(enum record_table table)
{
	return names[table];
}

static void
put_u64(struct buf *b, uint64_t v)
{
	writer_u32(b, (uint32_t)(v >> 32));
	writer_u32(b, (uint32_t)v);
}

static uint64_t
get_u64(struct reader *r)
{
	uint64_t high = reader_u32(r);

	return high << 32 | reader_u32(r);
}

/* --- keys --- */

static void
key_append(struct record_key *key, uint64_t v)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		key->bytes[key->len++] = (uint8_t)(v >> shift);
}

struct record_key
record_key(uint64_t id)
{
	struct record_key key = { 0 };

	key_append(&key, id);
	return key;
}

struct record_key
record_key_pair(uint64_t id, uint64_t second)
{
	struct record_key key = { 0 };

	key_append(&key, id);
	key_append(&key, second);
	return key;
}

struct record_key
record_key_name(const char *name)
{
	struct record_key key = { .len = (uint8_t)strlen(name) };

	assert(strlen(name) <= RECORD_KEY_MAX);
	memcpy(key.bytes, name, key.len);
	return key;
}

struct slice
record_key_slice(const struct record_key *key)
{
	return slice_of(key->bytes, key->len);
}

bool
record_key_read(struct slice key, uint64_t *id, uint64_t *second)
{
	struct reader r = reader_of(key);

	*id = get_u64(&r);
	if (second != NULL)
		*second = get_u64(&r);
	return !r.bad && reader_left(&r) == 0;
}

/* --- the check --- */

static uint32_t
check_of(struct slice key, struct slice value)
{
	/* No secret: it finds what a disk has done, not what a person has. */
	static const struct siphash_key fixed = { 0x6d71747420697320ull,
		0x6f6e206469736b21ull };
	struct siphash_key with_key = { fixed.k0 ^ siphash13(&fixed, key),
		fixed.k1 };
	uint64_t hash = siphash13(&with_key, value);

	return (uint32_t)(hash ^ hash >> 32);
}

void
record_seal(struct buf *value, size_t start, struct slice key)
{
	struct slice s = slice_skip(buf_slice(value), start);

	writer_u32(value, check_of(key, s));
}

bool
record_unseal(struct slice key, struct slice *value)
{
	struct slice content = *value;
	struct reader r;

	if (content.len < CHECK_LEN)
		return false;
	content.len -= CHECK_LEN;
	r = reader_of(slice_skip(*value, content.len));
	if (reader_u32(&r) != check_of(key, content))
		return false;
	*value = content;
	return true;
}

/* --- parts --- */

/* A string that may be none: its length and one, then its bytes. */
static void
put_optional(struct buf *b, struct slice s)
{
	writer_u32(b, s.ptr != NULL ? (uint32_t)s.len + 1 : 0);
	buf_append_slice(b, s);
}

static struct slice
get_optional(struct reader *r)
{
	uint32_t n = reader_u32(r);

	if (n == 0)
		return (struct slice){ 0 };
	return reader_bytes(r, n - 1);
}

static bool
is_whole(const struct reader *r)
{
	return !r->bad && reader_left(r) == 0;
}

/* --- sessions --- */

void
record_put_session(struct buf *out, const struct session_record *r)
{
	writer_u8(out, r->version);
	writer_u32(out, r->expiry_s);
	put_u64(out, r->left_ms);
	writer_string(out, r->client_id);
	put_optional(out, r->owner);
}

bool
record_get_session(struct slice value, struct session_record *out)
{
	struct reader r = reader_of(value);

	out->version = reader_u8(&r);
	out->expiry_s = reader_u32(&r);
	out->left_ms = get_u64(&r);
	out->client_id = reader_binary(&r);
	out->owner = get_optional(&r);
	return is_whole(&r) && out->client_id.len > 0;
}

/* --- subscriptions --- */

void
record_put_subscription(struct buf *out, const struct subscription_record *r)
{
	writer_u8(out,
	    (uint8_t)(r->qos | (r->no_local ? FLAG_NO_LOCAL : 0) |
		(r->retain_as_published ? FLAG_RETAIN : 0)));
	writer_u32(out, r->id);
	buf_append_slice(out, r->filter);
}

bool
record_get_subscription(struct slice value, struct subscription_record *out)
{
	struct reader r = reader_of(value);
	uint8_t flags = reader_u8(&r);

	out->qos = flags & FLAG_QOS;
	out->no_local = (flags & FLAG_NO_LOCAL) != 0;
	out->retain_as_published = (flags & FLAG_RETAIN) != 0;
	out->id = reader_u32(&r);
	out->filter = reader_rest(&r);
	return !r.bad && out->filter.len > 0 && out->qos < 3;
}

/* --- what a session has not finished with --- */

void
record_put_message_id(struct buf *out, uint64_t message)
{
	put_u64(out, message);
}

void
record_put_queued(struct buf *out, const struct queued_record *r)
{
	writer_u8(out,
	    (uint8_t)(r->qos | (r->retain ? FLAG_RETAIN : 0) |
		(r->released ? FLAG_RELEASED : 0) |
		(r->share.ptr != NULL ? FLAG_SHARE : 0)));
	writer_u16(out, r->packet_id);
	if (r->share.ptr != NULL)
		writer_string(out, r->share);
	buf_append_slice(out, r->ids);
}

bool
record_get_queued(struct slice value, struct queued_record *out)
{
	struct reader r = reader_of(value);
	uint8_t flags;

	out->message = get_u64(&r);
	flags = reader_u8(&r);
	out->qos = flags & FLAG_QOS;
	out->retain = (flags & FLAG_RETAIN) != 0;
	out->released = (flags & FLAG_RELEASED) != 0;
	out->packet_id = reader_u16(&r);
	out->share =
	    (flags & FLAG_SHARE) != 0 ? reader_binary(&r) : (struct slice){ 0 };
	out->ids = reader_rest(&r);
	return !r.bad && out->ids.len % 4 == 0 && out->qos < 3 &&
	    (!out->released || (out->qos == 2 && out->packet_id != 0));
}

void
record_put_received(struct buf *out, const struct received_record *r)
{
	writer_u8(out, r->held);
}

bool
record_get_received(struct slice value, struct received_record *out)
{
	struct reader r = reader_of(value);
	uint8_t held = reader_u8(&r);

	out->held = held != 0;
	return is_whole(&r) && held <= 1;
}

/* --- retained messages and Wills --- */

void
record_put_retained(struct buf *out, const struct retained_record *r)
{
	put_optional(out, r->owner);
}

bool
record_get_retained(struct slice value, struct retained_record *out,
    struct slice *message)
{
	struct reader r = reader_of(value);

	out->owner = get_optional(&r);
	*message = reader_rest(&r);
	return !r.bad;
}

void
record_put_will(struct buf *out, const struct will_record *r)
{
	put_u64(out, r->session);
	put_u64(out, r->due_ms | (r->present ? DUE_PRESENT : 0));
	writer_u32(out, r->expiry_s);
	put_optional(out, r->owner);
}

bool
record_get_will(struct slice value, struct will_record *out,
    struct slice *message)
{
	struct reader r = reader_of(value);

	out->session = get_u64(&r);
	out->due_ms = get_u64(&r);
	out->present = (out->due_ms & DUE_PRESENT) != 0;
	out->due_ms &= ~DUE_PRESENT;
	out->expiry_s = reader_u32(&r);
	out->owner = get_optional(&r);
	*message = reader_rest(&r);
	return !r.bad;
}

/* --- messages --- */

static uint8_t
message_flags(const struct message *m)
{
	return (uint8_t)(m->qos | (m->retain ? MESSAGE_RETAIN : 0) |
	    (m->from_nats ? MESSAGE_NATS : 0) |
	    (m->is_request ? MESSAGE_REQUEST : 0) |
	    (m->expires_ms != 0 ? MESSAGE_EXPIRES : 0));
}

void
record_put_message(struct buf *out, const struct message *m)
{
	writer_u8(out, message_flags(m));
	if (m->expires_ms != 0)
		put_u64(out, m->expires_ms);
	writer_string(out, message_topic(m));
	writer_string(out, message_subject(m));
	writer_string(out, message_reply(m));
	writer_string(out, message_client_id(m));
	writer_u32(out, m->properties_len);
	buf_append_slice(out, message_properties(m));
	buf_append_slice(out, message_payload(m));
}

struct message *
record_get_message(struct slice value)
{
	struct reader r = reader_of(value);
	struct message_parts parts = { 0 };
	uint8_t flags = reader_u8(&r);
	struct message *m;

	parts.qos = flags & MESSAGE_QOS;
	parts.retain = (flags & MESSAGE_RETAIN) != 0;
	parts.from_nats = (flags & MESSAGE_NATS) != 0;
	parts.is_request = (flags & MESSAGE_REQUEST) != 0;
	if ((flags & MESSAGE_EXPIRES) != 0)
		parts.expires_ms = get_u64(&r);
	parts.topic = reader_binary(&r);
	parts.subject = reader_binary(&r);
	parts.reply = reader_binary(&r);
	parts.client_id = reader_binary(&r);
	parts.properties = reader_bytes(&r, reader_u32(&r));
	parts.payload = reader_rest(&r);
	if (r.bad || parts.topic.len == 0 || parts.qos > 2 ||
	    parts.payload.len > UINT32_MAX)
		return NULL;
	m = message_new(&parts);
	atomic_store(&m->answered, true);
	return m;
}
