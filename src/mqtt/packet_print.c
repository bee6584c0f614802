/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet_print - a Control Packet in one line, for the debug log. Pure.
 *
 * Decodes the packet anew, so that nothing is kept for a log that is mostly
 * off. A packet that does not decode is shown by its size and what is wrong
 * with it. Lines are bounded: long strings are cut, long lists counted.
 */
#include "mqtt/packet.h"

#include "base/attr.h"

#define TEXT_MAX 128 /* bytes of a string that are shown */
#define LIST_MAX 16  /* filters, codes or properties that are shown */

/* Append text, cut between characters. */
static void
put_text(struct buf *out, struct slice s)
{
	size_t n = s.len;

	if (n > TEXT_MAX) {
		for (n = TEXT_MAX; n > 0 && (s.ptr[n] & 0xC0) == 0x80; n--)
			;
	}
	buf_append(out, s.ptr, n);
	if (n < s.len)
		buf_append_str(out, "...");
}

static void
put_field(struct buf *out, const char *name, struct slice s)
{
	buf_printf(out, " %s=", name);
	put_text(out, s);
}

static void
put_property(struct buf *out, const struct property *p)
{
	const char *name = property_name(p->id);

	switch (p->id) {
	case MQTT_PROP_USER_PROPERTY:
		put_field(out, name, p->name);
		buf_append_byte(out, ':');
		put_text(out, p->value);
		break;
	case MQTT_PROP_CORRELATION_DATA:
	case MQTT_PROP_AUTHENTICATION_DATA: /* may be a password */
		buf_printf(out, " %s=(%zu bytes)", name, p->value.len);
		break;
	default:
		if (p->value.ptr != NULL) /* a string, even if empty */
			put_field(out, name, p->value);
		else
			buf_printf(out, " %s=%u", name, (unsigned)p->number);
	}
}

/* " { Topic Alias=3 Content Type=text/plain }", or nothing. */
static void
put_properties(struct buf *out, const struct properties *props)
{
	struct slice rest = props->raw;
	struct property p;
	size_t n;

	if (rest.len == 0)
		return;
	buf_append_str(out, " {");
	for (n = 0; n < LIST_MAX && property_next(&rest, &p); n++)
		put_property(out, &p);
	if (rest.len > 0)
		buf_append_str(out, " ...");
	buf_append_str(out, " }");
}

static void
put_reason(struct buf *out, enum mqtt_reason reason)
{
	buf_printf(out, " reason=0x%02x", (unsigned)reason);
	if (reason != MQTT_RC_SUCCESS)
		buf_printf(out, " (%s)", mqtt_reason_text(reason));
}

static enum mqtt_reason
print_connect(struct buf *out, const struct frame *f, unsigned version)
{
	struct packet_connect p;
	enum mqtt_reason rc = packet_decode_connect(f, &p);

	(void)version; /* says it itself */
	if (rc != MQTT_RC_SUCCESS)
		return rc;
	put_field(out, "client_id", p.client_id);
	buf_printf(out, " version=%u%s clean_start=%d keep_alive=%u", p.version,
	    p.bridge ? " bridge" : "", p.clean_start, p.keep_alive);
	if (p.has_user_name)
		put_field(out, "user_name", p.user_name);
	if (p.has_password)
		buf_append_str(out, " password=***");
	put_properties(out, &p.properties);
	if (!p.has_will)
		return rc;
	buf_printf(out, " will_qos=%u will_retain=%d", p.will_qos,
	    p.will_retain);
	put_field(out, "will_topic", p.will_topic);
	buf_printf(out, " will_payload=%zu", p.will_payload.len);
	put_properties(out, &p.will_properties);
	return rc;
}

static enum mqtt_reason
print_connack(struct buf *out, const struct frame *f, unsigned version)
{
	struct packet_connack p;
	enum mqtt_reason rc = packet_decode_connack(f, version, &p);

	if (rc != MQTT_RC_SUCCESS)
		return rc;
	buf_printf(out, " session_present=%d", p.session_present);
	if (version == MQTT_V5)
		put_reason(out, (enum mqtt_reason)p.code);
	else
		buf_printf(out, " code=%u", p.code);
	put_properties(out, &p.properties);
	return rc;
}

static enum mqtt_reason
print_publish(struct buf *out, const struct frame *f, unsigned version)
{
	struct packet_publish p;
	enum mqtt_reason rc = packet_decode_publish(f, version, &p);

	if (rc != MQTT_RC_SUCCESS)
		return rc;
	buf_printf(out, " qos=%u", p.qos);
	if (p.dup)
		buf_append_str(out, " dup");
	if (p.retain)
		buf_append_str(out, " retain");
	if (p.qos > 0)
		buf_printf(out, " packet_id=%u", p.packet_id);
	put_field(out, "topic", p.topic);
	buf_printf(out, " payload=%zu", p.payload.len);
	put_properties(out, &p.properties);
	return rc;
}

static enum mqtt_reason
print_ack(struct buf *out, const struct frame *f, unsigned version)
{
	struct packet_ack p;
	enum mqtt_reason rc = packet_decode_ack(f, version, &p);

	if (rc != MQTT_RC_SUCCESS)
		return rc;
	buf_printf(out, " packet_id=%u", p.packet_id);
	if (version == MQTT_V5)
		put_reason(out, p.reason);
	put_properties(out, &p.properties);
	return rc;
}

static void
put_filter(struct buf *out, unsigned type, unsigned version,
    const struct packet_filter *f)
{
	put_field(out, "filter", f->filter);
	if (type != MQTT_SUBSCRIBE)
		return;
	buf_printf(out, " qos=%u", f->qos);
	if (version == MQTT_V5)
		buf_printf(out, " nl=%d rap=%d rh=%u", f->no_local,
		    f->retain_as_published, f->retain_handling);
}

static enum mqtt_reason
print_subscribe(struct buf *out, const struct frame *f, unsigned version)
{
	struct packet_subscribe p;
	struct packet_filter filter;
	enum mqtt_reason rc = packet_decode_subscribe(f, version, &p);
	struct slice rest;
	size_t n;

	if (rc != MQTT_RC_SUCCESS)
		return rc;
	rest = p.topics;
	buf_printf(out, " packet_id=%u", p.packet_id);
	for (n = 0; n < LIST_MAX && packet_next_filter(&rest, f->type, &filter);
	     n++)
		put_filter(out, f->type, version, &filter);
	if (p.n > n)
		buf_printf(out, " and %zu more", p.n - n);
	put_properties(out, &p.properties);
	return rc;
}

static enum mqtt_reason
print_suback(struct buf *out, const struct frame *f, unsigned version)
{
	struct packet_suback p;
	enum mqtt_reason rc = packet_decode_suback(f, version, &p);
	size_t i;

	if (rc != MQTT_RC_SUCCESS)
		return rc;
	buf_printf(out, " packet_id=%u", p.packet_id);
	if (p.codes.len > 0)
		buf_append_str(out, " codes=");
	for (i = 0; i < p.codes.len && i < LIST_MAX; i++)
		buf_printf(out, "%s0x%02x", i > 0 ? "," : "", p.codes.ptr[i]);
	if (p.codes.len > i)
		buf_printf(out, " and %zu more", p.codes.len - i);
	put_properties(out, &p.properties);
	return rc;
}

static enum mqtt_reason
print_disconnect(struct buf *out, const struct frame *f, unsigned version)
{
	struct packet_disconnect p;
	enum mqtt_reason rc = packet_decode_disconnect(f, version, &p);

	if (rc != MQTT_RC_SUCCESS)
		return rc;
	if (version == MQTT_V5)
		put_reason(out, p.reason);
	put_properties(out, &p.properties);
	return rc;
}

static enum mqtt_reason
print_empty(struct buf *out, const struct frame *f, unsigned version)
{
	(void)out;
	(void)version;
	return packet_decode_empty(f);
}

static enum mqtt_reason
print_unknown(struct buf *out, const struct frame *f, unsigned version)
{
	(void)out;
	(void)f;
	(void)version;
	return MQTT_RC_MALFORMED_PACKET;
}

void
packet_print(struct buf *out, const struct frame *f, unsigned version)
{
	static enum mqtt_reason (*const print[])(struct buf * out,
	    const struct frame *f, unsigned version) = {
		[0] = print_unknown,
		[MQTT_CONNECT] = print_connect,
		[MQTT_CONNACK] = print_connack,
		[MQTT_PUBLISH] = print_publish,
		[MQTT_PUBACK] = print_ack,
		[MQTT_PUBREC] = print_ack,
		[MQTT_PUBREL] = print_ack,
		[MQTT_PUBCOMP] = print_ack,
		[MQTT_SUBSCRIBE] = print_subscribe,
		[MQTT_SUBACK] = print_suback,
		[MQTT_UNSUBSCRIBE] = print_subscribe,
		[MQTT_UNSUBACK] = print_suback,
		[MQTT_PINGREQ] = print_empty,
		[MQTT_PINGRESP] = print_empty,
		[MQTT_DISCONNECT] = print_disconnect,
		[MQTT_AUTH] = print_disconnect,
	};
	enum mqtt_reason rc;

	buf_append_str(out, mqtt_type_name(f->type));
	rc = print[f->type < countof(print) ? f->type : 0](out, f, version);
	if (rc != MQTT_RC_SUCCESS)
		buf_printf(out, " size=%zu: %s", f->size, mqtt_reason_text(rc));
}
