/* SPDX-License-Identifier: Apache-2.0 */
/* header - MQTT Properties <-> NATS headers. */
#include "nats/header.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <openssl/evp.h>

#include "base/utf8.h"
#include "mqtt/mqtt.h"
#include "mqtt/property.h"
#include "nats/header_order.h"
#include "topic/topic.h"

/* What begins so is not a device's to set, nor a device's to see. */
static const char *const RESERVED[] = { "Nats-", "Nmqtt-", "KV-", "Mqtt-" };
/* cnats shows the status line of a message as headers of these names. */
static const char *const STATUS[] = { "Status", "Description" };

static bool
is_passed(const char *name, const char *const *pass)
{
	for (; pass != NULL && *pass != NULL; pass++)
		if (strcasecmp(*pass, name) == 0)
			return true;
	return false;
}

static bool
is_users(const char *name, const char *const *pass)
{
	if (is_passed(name, pass))
		return true;
	for (size_t i = 0; i < countof(RESERVED); i++)
		if (strncasecmp(name, RESERVED[i], strlen(RESERVED[i])) == 0)
			return false;
	for (size_t i = 0; i < countof(STATUS); i++)
		if (strcasecmp(name, STATUS[i]) == 0)
			return false;
	return true;
}

static bool
is_legal_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] < 33 || name.ptr[i] > 126 || name.ptr[i] == ':')
			return false;
	return name.len > 0;
}

/* --- towards NATS ------------------------------------------------------- */

/* What the functions for single headers share. */
struct writing {
	header_emit_fn *emit;
	void *arg;
	const char *const *pass;
	struct buf name;
	struct buf value;
	struct buf order;  /* names of User Properties with a space before */
	struct slice last; /* of them */
	bool unsorted;
};

static const char *
string_in(struct buf *b, struct slice s)
{
	buf_reset(b);
	buf_append_slice(b, s);
	buf_append_byte(b, '\0');
	return (const char *)buf_ptr(b);
}

/* A line break would end the header. */
static const char *
value_in(struct buf *b, struct slice s)
{
	const char *value = string_in(b, s);

	for (char *c = (char *)b->base + b->start; *c != '\0'; c++)
		if (*c == '\r' || *c == '\n')
			*c = ' ';
	return value;
}

static void
write_text(struct writing *w, const char *name, struct slice value)
{
	w->emit(w->arg, name, value_in(&w->value, value));
}

static void
write_number(struct writing *w, const char *name, uint32_t number)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%" PRIu32, number);
	w->emit(w->arg, name, digits);
}

static void
write_base64(struct writing *w, const char *name, struct slice value)
{
	uint8_t *out;

	buf_reset(&w->value);
	out = buf_reserve(&w->value, value.len / 3 * 4 + 5);
	EVP_EncodeBlock(out, value.ptr, (int)value.len);
	w->emit(w->arg, name, (const char *)out);
}

static bool
is_before(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;

	return order < 0 || (order == 0 && a.len < b.len);
}

/* See header_order.h. */
static void
note_order(struct writing *w, struct slice name)
{
	w->unsorted |= is_before(name, w->last);
	w->last = name;
	if (buf_len(&w->order) > 0)
		buf_append_byte(&w->order, ' ');
	buf_append_slice(&w->order, name);
}

static void
write_order(struct writing *w)
{
	if (!w->unsorted)
		return;
	buf_append_byte(&w->order, '\0');
	w->emit(w->arg, HEADER_ORDER, (const char *)buf_ptr(&w->order));
}

static void
write_user(struct writing *w, struct slice name, struct slice value)
{
	const char *text;

	if (!is_legal_name(name))
		return;
	text = string_in(&w->name, name);
	if (!is_users(text, w->pass))
		return;
	note_order(w, name);
	w->emit(w->arg, text, value_in(&w->value, value));
}

static void
write_property(struct writing *w, const struct property *p)
{
	switch (p->id) {
	case MQTT_PROP_PAYLOAD_FORMAT_INDICATOR:
		write_number(w, "Mqtt-Payload-Format", p->number);
		break;
	case MQTT_PROP_CONTENT_TYPE:
		write_text(w, "Mqtt-Content-Type", p->value);
		break;
	case MQTT_PROP_RESPONSE_TOPIC:
		write_text(w, "Mqtt-Response-Topic", p->value);
		break;
	case MQTT_PROP_CORRELATION_DATA:
		write_base64(w, "Mqtt-Correlation", p->value);
		break;
	case MQTT_PROP_USER_PROPERTY:
		write_user(w, p->name, p->value);
		break;
	default:
		break;
	}
}

bool
header_is_plain(const struct message *m, bool duplicate)
{
	return m->qos == 0 && !m->retain && !duplicate && m->expires_ms == 0 &&
	    m->properties_len == 0 && m->client_id_len == 0;
}

void
header_each(const struct message *m, bool duplicate, uint64_t wall_ms,
    const char *const *pass, header_emit_fn *emit, void *arg)
{
	struct writing w = { .emit = emit, .arg = arg, .pass = pass };
	struct slice rest = message_properties(m);
	struct property p;

	if (m->qos > 0)
		write_number(&w, "Mqtt-Qos", m->qos);
	if (m->retain)
		write_number(&w, "Mqtt-Retain", 1);
	if (duplicate)
		write_number(&w, "Mqtt-Dup", 1);
	if (m->expires_ms > 0)
		write_number(&w, "Mqtt-Expiry",
		    message_expiry_left(m, wall_ms));
	if (m->client_id_len > 0)
		write_text(&w, "Mqtt-Client", message_client_id(m));
	while (property_next(&rest, &p))
		write_property(&w, &p);
	write_order(&w);
	buf_fini(&w.order);
	buf_fini(&w.name);
	buf_fini(&w.value);
}

size_t
header_size(const char *name, const char *value)
{
	return strlen(name) + strlen(value) + sizeof(": \r\n") - 1;
}

/* --- from NATS ---------------------------------------------------------- */

static bool
read_number(const char *value, unsigned long max, unsigned long *out)
{
	unsigned long number;
	char *end;

	if (*value < '0' || *value > '9')
		return false;
	errno = 0;
	number = strtoul(value, &end, 10);
	if (*end != '\0' || errno != 0 || number > max)
		return false;
	*out = number;
	return true;
}

static void
read_qos(struct header_reading *r, const char *value)
{
	unsigned long qos;

	if (!read_number(value, 2, &qos))
		return;
	r->qos = (uint8_t)qos;
	r->has_qos = true;
}

static void
read_retain(struct header_reading *r, const char *value)
{
	r->retain = strcmp(value, "1") == 0;
}

static void
read_expiry(struct header_reading *r, const char *value)
{
	unsigned long seconds;

	if (read_number(value, UINT32_MAX, &seconds))
		r->expires_ms = r->wall_ms + 1000 * (uint64_t)seconds;
}

/* v5 [MQTT-3.3.2-3] and the like: such a property stands once only. */
static bool
is_first(struct header_reading *r, enum mqtt_property id)
{
	bool first = (r->seen >> id & 1) == 0;

	r->seen |= UINT64_C(1) << id;
	return first;
}

static bool
is_text(struct slice s)
{
	return s.len <= MQTT_STRING_MAX && utf8_valid(s);
}

static void
read_payload_format(struct header_reading *r, const char *value)
{
	unsigned long format;

	if (read_number(value, 1, &format) &&
	    is_first(r, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR))
		property_put_byte(&r->properties,
		    MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, (uint8_t)format);
}

static void
read_content_type(struct header_reading *r, const char *value)
{
	struct slice text = slice_str(value);

	if (is_text(text) && is_first(r, MQTT_PROP_CONTENT_TYPE))
		property_put_slice(&r->properties, MQTT_PROP_CONTENT_TYPE,
		    text);
}

static void
read_response_topic(struct header_reading *r, const char *value)
{
	struct slice topic = slice_str(value);

	/* v5 [MQTT-3.3.2-14]: no wildcards in a Response Topic. */
	if (is_text(topic) && topic_valid(topic) &&
	    is_first(r, MQTT_PROP_RESPONSE_TOPIC))
		property_put_slice(&r->properties, MQTT_PROP_RESPONSE_TOPIC,
		    topic);
}

static bool
is_base64(struct slice s)
{
	size_t padding = 0;

	if (s.len % 4 != 0)
		return false;
	while (
	    padding < 2 && padding < s.len && s.ptr[s.len - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < s.len - padding; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
			   "yz0123456789+/",
			s.ptr[i]) == NULL)
			return false;
	return true;
}

static void
read_correlation(struct header_reading *r, const char *value)
{
	struct slice text = slice_str(value);
	struct buf bytes = { 0 };
	size_t len = text.len / 4 * 3;

	if (!is_base64(text) || len > MQTT_STRING_MAX ||
	    !is_first(r, MQTT_PROP_CORRELATION_DATA))
		return;
	EVP_DecodeBlock(buf_reserve(&bytes, len + 1), text.ptr, (int)text.len);
	for (size_t i = text.len; i > 0 && text.ptr[i - 1] == '='; i--)
		len--;
	buf_commit(&bytes, len);
	property_put_slice(&r->properties, MQTT_PROP_CORRELATION_DATA,
	    buf_slice(&bytes));
	buf_fini(&bytes);
}

static void
read_user(struct header_reading *r, const char *name, const char *value)
{
	struct slice n = slice_str(name), v = slice_str(value);

	if (is_users(name, r->pass) && is_text(n) && is_text(v))
		property_put_user(&r->properties, n, v);
}

static const struct {
	const char *name;
	void (*read)(struct header_reading *r, const char *value);
} OURS[] = {
	{ "Mqtt-Qos", read_qos },
	{ "Mqtt-Retain", read_retain },
	{ "Mqtt-Expiry", read_expiry },
	{ "Mqtt-Payload-Format", read_payload_format },
	{ "Mqtt-Content-Type", read_content_type },
	{ "Mqtt-Response-Topic", read_response_topic },
	{ "Mqtt-Correlation", read_correlation },
};

void
header_read_start(struct header_reading *r, uint64_t wall_ms,
    const char *const *pass)
{
	r->pass = pass;
	r->wall_ms = wall_ms;
	r->expires_ms = 0;
	r->seen = 0;
	r->qos = 0;
	r->has_qos = false;
	r->retain = false;
	buf_reset(&r->properties);
}

void
header_read(struct header_reading *r, const char *name, const char *value)
{
	for (size_t i = 0; i < countof(OURS); i++) {
		if (strcasecmp(OURS[i].name, name) == 0) {
			OURS[i].read(r, value);
			return;
		}
	}
	read_user(r, name, value);
}
