/* SPDX-License-Identifier: Apache-2.0 */
#include "store/record.h"

#include <criterion/criterion.h>

#include "base/buf.h"

#define KEY SLICE("key")

static struct message *
full_message(void)
{
	struct message_parts parts = { .topic = SLICE("a/b"),
		.subject = SLICE("a.b"),
		.reply = SLICE("_INBOX.1"),
		.client_id = SLICE("pump"),
		.properties = SLICE("\x01\x01"),
		.payload = SLICE("pay\0load"),
		.qos = 2,
		.retain = true,
		.from_nats = true,
		.is_request = true,
		.expires_ms = 0x123456789abcull };

	return message_new(&parts);
}

Test(record, keys_sort_like_their_numbers)
{
	uint64_t numbers[] = { 0, 1, 255, 256, 1ull << 32, UINT64_MAX };

	for (size_t i = 1; i < countof(numbers); i++) {
		struct record_key a = record_key_pair(numbers[i - 1], 9);
		struct record_key b = record_key_pair(numbers[i], 0);

		cr_expect_lt(memcmp(a.bytes, b.bytes, a.len), 0);
	}
}

Test(record, keys_are_read_back)
{
	struct record_key one = record_key(77);
	struct record_key two = record_key_pair(1ull << 40, 5);
	uint64_t id, second;

	cr_assert(record_key_read(record_key_slice(&one), &id, NULL));
	cr_expect_eq(id, 77);
	cr_assert(record_key_read(record_key_slice(&two), &id, &second));
	cr_expect_eq(id, 1ull << 40);
	cr_expect_eq(second, 5);
	cr_expect_not(record_key_read(record_key_slice(&one), &id, &second));
	cr_expect_not(record_key_read(record_key_slice(&two), &id, NULL));
}

Test(record, a_seal_is_broken_by_any_changed_bit)
{
	struct buf b = { 0 };
	struct slice value;

	buf_append_str(&b, "before");
	buf_append_str(&b, "value");
	record_seal(&b, 6, KEY);
	value = slice_skip(buf_slice(&b), 6);
	cr_assert(record_unseal(KEY, &value));
	cr_expect(slice_eq(value, SLICE("value")));
	value = slice_skip(buf_slice(&b), 6);
	cr_expect_not(record_unseal(SLICE("kez"), &value));
	for (size_t bit = 6 * 8; bit < buf_len(&b) * 8; bit++) {
		b.base[b.start + bit / 8] ^= (uint8_t)(1u << bit % 8);
		value = slice_skip(buf_slice(&b), 6);
		cr_expect_not(record_unseal(KEY, &value), "bit %zu", bit);
		b.base[b.start + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	value = SLICE("abc");
	cr_expect_not(record_unseal(KEY, &value));
	buf_fini(&b);
}

Test(record, sessions_are_read_back)
{
	struct session_record in = { .client_id = SLICE("pump"),
		.owner = SLICE("anna"),
		.version = 5,
		.expiry_s = UINT32_MAX,
		.left_ms = 1ull << 41 };
	struct session_record out;
	struct buf b = { 0 };

	record_put_session(&b, &in);
	cr_assert(record_get_session(buf_slice(&b), &out));
	cr_expect(slice_eq(out.client_id, in.client_id));
	cr_expect(slice_eq(out.owner, in.owner));
	cr_expect_eq(out.version, 5);
	cr_expect_eq(out.expiry_s, UINT32_MAX);
	cr_expect_eq(out.left_ms, 1ull << 41);
	buf_fini(&b);
}

Test(record, no_owner_is_not_an_empty_one)
{
	struct session_record in = { .client_id = SLICE("c") };
	struct session_record out;
	struct buf b = { 0 };

	record_put_session(&b, &in);
	cr_assert(record_get_session(buf_slice(&b), &out));
	cr_expect_null(out.owner.ptr);
	buf_reset(&b);
	in.owner = SLICE("");
	record_put_session(&b, &in);
	cr_assert(record_get_session(buf_slice(&b), &out));
	cr_expect_not_null(out.owner.ptr);
	buf_fini(&b);
}

Test(record, subscriptions_are_read_back)
{
	struct subscription_record in = { .filter = SLICE("a/+/#"),
		.id = 268435455,
		.qos = 2,
		.no_local = true,
		.retain_as_published = true };
	struct subscription_record out;
	struct buf b = { 0 };

	record_put_subscription(&b, &in);
	cr_assert(record_get_subscription(buf_slice(&b), &out));
	cr_expect(slice_eq(out.filter, in.filter));
	cr_expect_eq(out.id, in.id);
	cr_expect_eq(out.qos, 2);
	cr_expect(out.no_local && out.retain_as_published);
	buf_fini(&b);
}

Test(record, queued_messages_are_read_back)
{
	struct queued_record in = { .packet_id = 65535,
		.qos = 2,
		.retain = true,
		.released = true,
		.ids = SLICE("\0\0\0\1\0\0\0\2") };
	struct queued_record out;
	struct buf b = { 0 };

	record_put_message_id(&b, 99);
	record_put_queued(&b, &in);
	cr_assert(record_get_queued(buf_slice(&b), &out));
	cr_expect_eq(out.message, 99);
	cr_expect_eq(out.packet_id, 65535);
	cr_expect_eq(out.qos, 2);
	cr_expect(out.retain && out.released);
	cr_expect_null(out.share.ptr);
	cr_expect(slice_eq(out.ids, in.ids));
	buf_reset(&b);
	in.share = SLICE("$share/g/a");
	record_put_message_id(&b, 99);
	record_put_queued(&b, &in);
	cr_assert(record_get_queued(buf_slice(&b), &out));
	cr_expect(slice_eq(out.share, in.share));
	cr_expect(slice_eq(out.ids, in.ids));
	buf_fini(&b);
}

Test(record, messages_are_read_back)
{
	struct message *in = full_message();
	struct message *out;
	struct buf b = { 0 };

	record_put_message(&b, in);
	out = record_get_message(buf_slice(&b));
	cr_assert_not_null(out);
	cr_expect(slice_eq(message_topic(out), message_topic(in)));
	cr_expect(slice_eq(message_subject(out), message_subject(in)));
	cr_expect(slice_eq(message_reply(out), message_reply(in)));
	cr_expect(slice_eq(message_client_id(out), message_client_id(in)));
	cr_expect(slice_eq(message_properties(out), message_properties(in)));
	cr_expect(slice_eq(message_payload(out), message_payload(in)));
	cr_expect_eq(out->qos, 2);
	cr_expect(out->retain && out->from_nats && out->is_request);
	cr_expect_eq(out->expires_ms, in->expires_ms);
	cr_expect(atomic_load(&out->answered));
	message_unref(&in);
	message_unref(&out);
	buf_fini(&b);
}

Test(record, retained_messages_and_wills_are_read_back)
{
	struct retained_record retained = { .owner = SLICE("anna") };
	struct will_record will = { .session = 3,
		.due_ms = 4,
		.expiry_s = 5,
		.owner = SLICE("bert") };
	struct retained_record r;
	struct will_record w;
	struct slice rest;
	struct buf b = { 0 };

	record_put_retained(&b, &retained);
	buf_append_str(&b, "message");
	cr_assert(record_get_retained(buf_slice(&b), &r, &rest));
	cr_expect(slice_eq(r.owner, retained.owner));
	cr_expect(slice_eq(rest, SLICE("message")));
	buf_reset(&b);
	record_put_will(&b, &will);
	buf_append_str(&b, "message");
	cr_assert(record_get_will(buf_slice(&b), &w, &rest));
	cr_expect_eq(w.session, 3);
	cr_expect_eq(w.due_ms, 4);
	cr_expect_eq(w.expiry_s, 5);
	cr_expect(slice_eq(w.owner, will.owner));
	cr_expect(slice_eq(rest, SLICE("message")));
	buf_fini(&b);
}

/* Whatever is cut off: no, or something else, and never beyond the end. */
Test(record, what_is_cut_short_is_not_read)
{
	struct message *m = full_message();
	struct buf b = { 0 };
	struct session_record s;
	struct subscription_record sub;
	struct queued_record q;
	struct received_record r;

	record_put_message(&b, m);
	for (size_t len = 0; len < 40; len++) {
		struct slice cut = slice_of(buf_ptr(&b), len);
		struct message *got = record_get_message(cut);

		cr_expect_null(got, "%zu bytes", len);
		(void)!record_get_session(cut, &s);
		(void)!record_get_subscription(cut, &sub);
		(void)!record_get_queued(cut, &q);
		(void)!record_get_received(cut, &r);
	}
	message_unref(&m);
	buf_fini(&b);
}

Test(record, nonsense_is_not_read)
{
	struct queued_record q;
	struct received_record r;
	struct session_record s;

	/* released, but not at QoS 2; QoS 3; half an identifier */
	cr_expect_not(record_get_queued(SLICE("\0\0\0\0\0\0\0\1\x11\0\1"), &q));
	cr_expect_not(record_get_queued(SLICE("\0\0\0\0\0\0\0\1\3\0\1"), &q));
	cr_expect_not(
	    record_get_queued(SLICE("\0\0\0\0\0\0\0\1\1\0\1\0\0"), &q));
	cr_expect_not(record_get_received(SLICE("\2"), &r));
	cr_expect_not(record_get_received(SLICE("\1\1"), &r));
	cr_expect_not(
	    record_get_session(SLICE("\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
		&s));
}
