/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/header.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/xalloc.h"
#include "mqtt/property.h"

#define WALL_MS 1000000u

static const char *const PASS[] = { "Nats-Msg-Id", "traceparent", NULL };

/* Headers as they would stand on the wire, sorted by nobody. */
static struct buf text;
static size_t n_headers;

static void
emit(void *arg, const char *name, const char *value)
{
	(void)arg;
	buf_printf(&text, "%s: %s\n", name, value);
	n_headers++;
}

static const char *
headers_of(struct message_parts *parts, bool duplicate)
{
	struct message *m = message_new(parts);

	buf_reset(&text);
	n_headers = 0;
	header_each(m, duplicate, WALL_MS, PASS, emit, NULL);
	cr_expect(header_is_plain(m, duplicate) == (n_headers == 0));
	buf_append_byte(&text, '\0');
	message_unref(&m);
	return (const char *)buf_ptr(&text);
}

static void
fini(void)
{
	buf_fini(&text);
}

TestSuite(header, .fini = fini);

Test(header, is_left_out_where_there_is_nothing_to_say)
{
	struct message_parts parts = { .subject = SLICE("a") };

	cr_expect_str_eq(headers_of(&parts, false), "");
}

Test(header, says_what_the_fixed_header_says)
{
	struct message_parts parts = { .qos = 2, .retain = true };

	cr_expect_str_eq(headers_of(&parts, true),
	    "Mqtt-Qos: 2\nMqtt-Retain: 1\nMqtt-Dup: 1\n");
}

Test(header, counts_the_expiry_down)
{
	struct message_parts parts = { .expires_ms = WALL_MS + 2500 };

	cr_expect_str_eq(headers_of(&parts, false), "Mqtt-Expiry: 3\n");
}

Test(header, carries_every_property)
{
	struct buf p = { 0 };
	struct message_parts parts = { 0 };

	property_put_byte(&p, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1);
	property_put_slice(&p, MQTT_PROP_CONTENT_TYPE, SLICE("text/plain"));
	property_put_slice(&p, MQTT_PROP_RESPONSE_TOPIC, SLICE("r/t"));
	property_put_slice(&p, MQTT_PROP_CORRELATION_DATA,
	    SLICE("\x00\xff\x10"));
	property_put_user(&p, SLICE("colour"), SLICE("red"));
	property_put_user(&p, SLICE("colour"), SLICE("blue"));
	parts.properties = buf_slice(&p);
	cr_expect_str_eq(headers_of(&parts, false),
	    "Mqtt-Payload-Format: 1\nMqtt-Content-Type: text/plain\n"
	    "Mqtt-Response-Topic: r/t\nMqtt-Correlation: AP8Q\n"
	    "colour: red\ncolour: blue\n");
	buf_fini(&p);
}

static const struct {
	const char *name;
	const char *value;
	const char *want;
} USERS[] = {
	{ "a", "b", "a: b\n" },
	{ "a", "", "a: \n" },
	{ "a", "x\r\nEvil: 1", "a: x  Evil: 1\n" },
	{ "", "b", "" },
	{ "a b", "c", "" },
	{ "a:b", "c", "" },
	{ "a\r\nb", "c", "" },
	{ "gr\xc3\xbcn", "c", "" },
	{ "Nats-Rollup", "all", "" },
	{ "nats-rollup", "all", "" },
	{ "Nmqtt-Pub", "x", "" },
	{ "KV-Operation", "DEL", "" },
	{ "Mqtt-Qos", "2", "" },
	{ "Status", "503", "" },
	{ "Nats-Msg-Id", "7", "Nats-Msg-Id: 7\n" },
	{ "traceparent", "00-1", "traceparent: 00-1\n" },
};

Test(header, lets_only_harmless_user_properties_through)
{
	for (size_t i = 0; i < sizeof(USERS) / sizeof(USERS[0]); i++) {
		struct buf p = { 0 };
		struct message_parts parts = { 0 };
		struct message *m;

		property_put_user(&p, slice_str(USERS[i].name),
		    slice_str(USERS[i].value));
		parts.properties = buf_slice(&p);
		m = message_new(&parts);
		buf_reset(&text);
		header_each(m, false, WALL_MS, PASS, emit, NULL);
		buf_append_byte(&text, '\0');
		cr_expect_str_eq((const char *)buf_ptr(&text), USERS[i].want);
		message_unref(&m);
		buf_fini(&p);
	}
}

static void
read_pairs(struct header_reading *r, const char *const *pairs)
{
	header_read_start(r, WALL_MS, PASS);
	for (; *pairs != NULL; pairs += 2)
		header_read(r, pairs[0], pairs[1]);
}

#define READ(r, ...) read_pairs(r, (const char *const[]){ __VA_ARGS__, NULL })

Test(header, is_read_back)
{
	struct header_reading r = { 0 };

	READ(&r, "Mqtt-Qos", "2", "Mqtt-Retain", "1", "Mqtt-Expiry", "5",
	    "Mqtt-Dup", "1");
	cr_expect(r.has_qos && r.qos == 2);
	cr_expect(r.retain);
	cr_expect(r.expires_ms == WALL_MS + 5000);
	cr_expect(buf_len(&r.properties) == 0);
	buf_fini(&r.properties);
}

Test(header, ignores_values_that_make_no_sense)
{
	struct header_reading r = { 0 };

	READ(&r, "Mqtt-Qos", "3", "Mqtt-Retain", "yes", "Mqtt-Expiry", "-1",
	    "Mqtt-Expiry", "99999999999", "Mqtt-Payload-Format", "2",
	    "Mqtt-Response-Topic", "a/+", "Mqtt-Response-Topic", "",
	    "Mqtt-Correlation", "not base64", "Mqtt-Correlation", "AP8",
	    "Mqtt-Content-Type", "\xff", "user", "\xff", "Nats-Stream", "S",
	    "Status", "503", "Description", "No Messages");
	cr_expect(!r.has_qos && r.qos == 0 && !r.retain && r.expires_ms == 0);
	cr_expect(buf_len(&r.properties) == 0);
	buf_fini(&r.properties);
}

Test(header, gives_each_property_once)
{
	struct header_reading r = { 0 };
	struct properties p;

	READ(&r, "Mqtt-Content-Type", "a", "Mqtt-Content-Type", "b",
	    "Mqtt-Correlation", "AAAA", "Mqtt-Correlation", "AAAB",
	    "Mqtt-Payload-Format", "1", "Mqtt-Payload-Format", "0",
	    "Mqtt-Response-Topic", "x", "Mqtt-Response-Topic", "y");
	cr_expect(properties_decode(buf_slice(&r.properties), 3, &p) ==
	    MQTT_RC_SUCCESS);
	cr_expect(slice_eq(p.content_type, SLICE("a")));
	cr_expect(slice_eq(p.response_topic, SLICE("x")));
	buf_fini(&r.properties);
}

Test(header, is_used_again_from_the_start)
{
	struct header_reading r = { 0 };

	READ(&r, "Mqtt-Qos", "2", "Mqtt-Content-Type", "a", "x", "y");
	READ(&r, "Mqtt-Content-Type", "b");
	cr_expect(!r.has_qos);
	cr_expect(buf_len(&r.properties) == 4);
	buf_fini(&r.properties);
}

/* --- there and back ----------------------------------------------------- */

static struct header_reading reading;

static void
read_back(void *arg, const char *name, const char *value)
{
	(void)arg;
	header_read(&reading, name, value);
}

static unsigned long long seed = 0x9e3779b97f4a7c15ull;

static unsigned
rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static struct slice
random_bytes_of(uint8_t *out, size_t max, const char *alphabet)
{
	size_t n = 1 + rnd((unsigned)max - 1);

	for (size_t i = 0; i < n; i++)
		out[i] = alphabet != NULL
		    ? (uint8_t)alphabet[rnd((unsigned)strlen(alphabet))]
		    : (uint8_t)rnd(256);
	return slice_of(out, n);
}

Test(header, gives_the_properties_back)
{
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t a[64], b[64];
		struct buf p = { 0 };
		struct message_parts parts = { .qos = (uint8_t)rnd(3),
			.retain = rnd(2) };
		struct message *m;

		if (rnd(2))
			property_put_byte(&p,
			    MQTT_PROP_PAYLOAD_FORMAT_INDICATOR,
			    (uint8_t)rnd(2));
		if (rnd(2))
			property_put_slice(&p, MQTT_PROP_CORRELATION_DATA,
			    random_bytes_of(a, sizeof(a), NULL));
		if (rnd(2))
			property_put_slice(&p, MQTT_PROP_CONTENT_TYPE,
			    random_bytes_of(a, sizeof(a), "ab/ ;\"\\:"));
		for (unsigned n = rnd(4); n > 0; n--)
			property_put_user(&p,
			    random_bytes_of(a, sizeof(a), "abcXYZ-_!#"),
			    random_bytes_of(b, sizeof(b), "ab: =;\"'\\"));
		parts.properties = buf_slice(&p);
		m = message_new(&parts);
		header_read_start(&reading, WALL_MS, PASS);
		header_each(m, false, WALL_MS, PASS, read_back, NULL);
		cr_assert(slice_eq(buf_slice(&reading.properties),
		    message_properties(m)));
		cr_assert(reading.retain == m->retain);
		cr_assert(reading.qos == m->qos);
		message_unref(&m);
		buf_fini(&p);
	}
	buf_fini(&reading.properties);
}
