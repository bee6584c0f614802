/* SPDX-License-Identifier: Apache-2.0 */
/* generate - legal packets at random. */
#include "mqtt/generate.h"

#include <assert.h>

#include "base/attr.h"
#include "mqtt/spec_property.h"

/* xorshift64: enough for tests, and the same on every machine. */
static uint64_t
next(struct generator *g)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return g->state;
}

void
generator_init(struct generator *g, uint64_t seed)
{
	g->state = seed * 2 + 1;
	g->used = 0;
}

uint32_t
generate_below(struct generator *g, uint32_t n)
{
	return (uint32_t)((next(g) >> 11) % n);
}

static bool
chance(struct generator *g, uint32_t one_in)
{
	return generate_below(g, one_in) == 0;
}

static uint8_t *
pool_take(struct generator *g, size_t n)
{
	uint8_t *p = g->pool + g->used;

	assert(n <= sizeof(g->pool) - g->used);
	g->used += n;
	return p;
}

/* Mostly short; now and then long, so that lengths take three bytes. */
static size_t
a_length(struct generator *g)
{
	if (chance(g, 200))
		return generate_below(g, 20000);
	return generate_below(g, chance(g, 4) ? 300 : 12);
}

static struct slice
bytes(struct generator *g)
{
	size_t n = a_length(g), i;
	uint8_t *p = pool_take(g, n);

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)next(g);
	return slice_of(p, n);
}

/* Legal as a topic, a filter or any other text; `min` bytes or more. */
static struct slice
text(struct generator *g, size_t min)
{
	static const char *const parts[] = { "a", "b/", "/", " ", "\x01",
		"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
		"\xef\xbb\xbf", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf", "$", "temperature" };
	size_t n = a_length(g), len = 0, part_len;
	uint8_t *p = pool_take(g, n + min + 16);
	const char *part;

	while (len < n || len < min) {
		part = parts[generate_below(g, countof(parts))];
		part_len = strlen(part);
		memcpy(p + len, part, part_len);
		len += part_len;
	}
	return slice_of(p, len);
}

static uint32_t
number(struct generator *g, uint32_t min, uint32_t max)
{
	switch (generate_below(g, 4)) {
	case 0:
		return min;
	case 1:
		return max;
	default:
		return max - min == UINT32_MAX
		    ? (uint32_t)next(g)
		    : min + generate_below(g, max - min + 1);
	}
}

/* Where the slice of this property goes; NULL for what is no slice. */
static struct slice *
slice_member(struct properties *p, unsigned id)
{
	switch (id) {
	case MQTT_PROP_CONTENT_TYPE:
		return &p->content_type;
	case MQTT_PROP_RESPONSE_TOPIC:
		return &p->response_topic;
	case MQTT_PROP_CORRELATION_DATA:
		return &p->correlation_data;
	case MQTT_PROP_ASSIGNED_CLIENT_IDENTIFIER:
		return &p->assigned_client_identifier;
	case MQTT_PROP_AUTHENTICATION_METHOD:
		return &p->authentication_method;
	case MQTT_PROP_AUTHENTICATION_DATA:
		return &p->authentication_data;
	case MQTT_PROP_RESPONSE_INFORMATION:
		return &p->response_information;
	case MQTT_PROP_SERVER_REFERENCE:
		return &p->server_reference;
	case MQTT_PROP_REASON_STRING:
		return &p->reason_string;
	default:
		return NULL;
	}
}

static uint8_t *
byte_member(struct properties *p, unsigned id)
{
	switch (id) {
	case MQTT_PROP_PAYLOAD_FORMAT_INDICATOR:
		return &p->payload_format_indicator;
	case MQTT_PROP_REQUEST_PROBLEM_INFORMATION:
		return &p->request_problem_information;
	case MQTT_PROP_REQUEST_RESPONSE_INFORMATION:
		return &p->request_response_information;
	case MQTT_PROP_MAXIMUM_QOS:
		return &p->maximum_qos;
	case MQTT_PROP_RETAIN_AVAILABLE:
		return &p->retain_available;
	case MQTT_PROP_WILDCARD_SUBSCRIPTION_AVAILABLE:
		return &p->wildcard_subscription_available;
	case MQTT_PROP_SUBSCRIPTION_IDENTIFIER_AVAILABLE:
		return &p->subscription_identifier_available;
	default:
		return &p->shared_subscription_available;
	}
}

static uint16_t *
u16_member(struct properties *p, unsigned id)
{
	switch (id) {
	case MQTT_PROP_SERVER_KEEP_ALIVE:
		return &p->server_keep_alive;
	case MQTT_PROP_RECEIVE_MAXIMUM:
		return &p->receive_maximum;
	case MQTT_PROP_TOPIC_ALIAS_MAXIMUM:
		return &p->topic_alias_maximum;
	default:
		return &p->topic_alias;
	}
}

static uint32_t *
u32_member(struct properties *p, unsigned id)
{
	switch (id) {
	case MQTT_PROP_MESSAGE_EXPIRY_INTERVAL:
		return &p->message_expiry_interval;
	case MQTT_PROP_SESSION_EXPIRY_INTERVAL:
		return &p->session_expiry_interval;
	case MQTT_PROP_WILL_DELAY_INTERVAL:
		return &p->will_delay_interval;
	default:
		return &p->maximum_packet_size;
	}
}

static void
add_slice(struct generator *g, const struct spec_property *s, struct buf *b,
    struct properties *p)
{
	struct slice v = s->type == 'd' ? bytes(g) : text(g, 1);

	*slice_member(p, s->id) = v;
	property_put_slice(b, (enum mqtt_property)s->id, v);
}

static void
add_number(struct generator *g, const struct spec_property *s, struct buf *b,
    struct properties *p)
{
	enum mqtt_property id = (enum mqtt_property)s->id;
	uint32_t v = number(g, s->min, s->max);

	if (s->type == '1') {
		*byte_member(p, s->id) = (uint8_t)v;
		property_put_byte(b, id, (uint8_t)v);
	} else if (s->type == '2') {
		*u16_member(p, s->id) = (uint16_t)v;
		property_put_u16(b, id, (uint16_t)v);
	} else if (s->type == '4') {
		*u32_member(p, s->id) = v;
		property_put_u32(b, id, v);
	} else {
		p->subscription_identifier = v;
		property_put_varint(b, id, v);
	}
}

static void
add_user(struct generator *g, struct buf *b, struct properties *p)
{
	for (; p->n_user < 1 + generate_below(g, 4); p->n_user++)
		property_put_user(b, text(g, 0), text(g, 0));
}

/* Is this property to stand in the packet? */
static bool
wanted(struct generator *g, const struct spec_property *s, unsigned type,
    const struct properties *p)
{
	bool want = chance(g, 3);

	if (strchr(s->packets, spec_letter(type)) == NULL)
		return false;
	if (s->id == MQTT_PROP_AUTHENTICATION_METHOD)
		return want || type == MQTT_AUTH;
	if (s->id == MQTT_PROP_AUTHENTICATION_DATA)
		return want &&
		    properties_has(p, MQTT_PROP_AUTHENTICATION_METHOD);
	return want;
}

static struct properties
some_properties(struct generator *g, unsigned type, unsigned version)
{
	const struct spec_property *s = spec_properties;
	struct properties p = { 0 };
	struct buf b = { 0 };
	uint8_t *raw;

	if (version != MQTT_V5 || chance(g, 4))
		s += n_spec_properties;
	for (; s < spec_properties + n_spec_properties; s++) {
		if (!wanted(g, s, type, &p))
			continue;
		p.set |= UINT64_C(1) << s->id;
		if (s->type == 'p')
			add_user(g, &b, &p);
		else if (slice_member(&p, s->id) != NULL)
			add_slice(g, s, &b, &p);
		else
			add_number(g, s, &b, &p);
	}
	raw = pool_take(g, buf_len(&b));
	if (buf_len(&b) > 0)
		memcpy(raw, buf_ptr(&b), buf_len(&b));
	p.raw = slice_of(raw, buf_len(&b));
	buf_fini(&b);
	return p;
}

static uint16_t
packet_id(struct generator *g)
{
	return (uint16_t)number(g, 1, 65535);
}

/* Any that this packet may carry; half of them 0. */
static enum mqtt_reason
reason_for(struct generator *g, unsigned type)
{
	unsigned code = 0;

	if (chance(g, 2))
		return MQTT_RC_SUCCESS;
	do
		code = generate_below(g, 256);
	while (!mqtt_reason_legal(code, type));
	return (enum mqtt_reason)code;
}

static void
connect(struct generator *g, unsigned version, struct packet_connect *c)
{
	c->version = (uint8_t)version;
	c->bridge = version != MQTT_V5 && chance(g, 3);
	c->clean_start = chance(g, 2);
	c->keep_alive = (uint16_t)number(g, 0, 65535);
	c->properties = some_properties(g, MQTT_CONNECT, version);
	c->client_id = text(g, 0);
	c->has_will = chance(g, 2);
	if (c->has_will) {
		c->will_retain = chance(g, 2);
		c->will_qos = (uint8_t)generate_below(g, 3);
		c->will_properties =
		    some_properties(g, MQTT_WILL_PROPERTIES, version);
		c->will_topic = text(g, 1);
		c->will_payload = bytes(g);
	}
	c->has_user_name = chance(g, 2);
	if (c->has_user_name)
		c->user_name = text(g, 0);
	c->has_password =
	    (c->has_user_name || version == MQTT_V5) && chance(g, 2);
	if (c->has_password)
		c->password = bytes(g);
}

static void
connack(struct generator *g, unsigned version, struct packet_connack *c)
{
	c->code = version == MQTT_V5
	    ? (uint8_t)reason_for(g, MQTT_CONNACK)
	    : (uint8_t)generate_below(g, MQTT_V3_NOT_AUTHORIZED + 1);
	c->session_present =
	    c->code == 0 && version != MQTT_V31 && chance(g, 2);
	c->properties = some_properties(g, MQTT_CONNACK, version);
}

static void
publish(struct generator *g, unsigned version, struct packet_publish *p)
{
	p->qos = (uint8_t)generate_below(g, 3);
	p->dup = p->qos > 0 && chance(g, 2);
	p->retain = chance(g, 2);
	p->packet_id = p->qos > 0 ? packet_id(g) : 0;
	p->properties = some_properties(g, MQTT_PUBLISH, version);
	p->topic = properties_has(&p->properties, MQTT_PROP_TOPIC_ALIAS) &&
		chance(g, 2)
	    ? slice_of(NULL, 0)
	    : text(g, 1);
	p->payload = bytes(g);
}

/* Subscription Options or the Requested QoS, as they stand on the wire. */
static uint8_t
some_options(struct generator *g, unsigned version)
{
	uint32_t options = generate_below(g, 3);

	if (version == MQTT_V5)
		options |=
		    generate_below(g, 3) << 4 | generate_below(g, 4) << 2;
	return (uint8_t)options;
}

static void
subscribe(struct generator *g, unsigned type, unsigned version,
    struct packet_subscribe *s)
{
	struct buf b = { 0 };
	struct slice filter;
	uint8_t head[2], *p;

	s->packet_id = packet_id(g);
	s->properties = some_properties(g, type, version);
	do {
		filter = text(g, 1);
		head[0] = (uint8_t)(filter.len >> 8);
		head[1] = (uint8_t)filter.len;
		buf_append(&b, head, 2);
		buf_append_slice(&b, filter);
		if (type == MQTT_SUBSCRIBE)
			buf_append_byte(&b, some_options(g, version));
		s->n++;
	} while (!chance(g, 3));
	p = pool_take(g, buf_len(&b));
	memcpy(p, buf_ptr(&b), buf_len(&b));
	s->topics = slice_of(p, buf_len(&b));
	buf_fini(&b);
}

static void
suback(struct generator *g, unsigned type, unsigned version,
    struct packet_suback *s)
{
	static const uint8_t v3_codes[] = { 0, 1, 2, 0x80 };
	size_t n = 1 + generate_below(g, 20), i;
	uint8_t *p = pool_take(g, n);

	s->packet_id = packet_id(g);
	s->properties = some_properties(g, type, version);
	for (i = 0; i < n; i++)
		p[i] = version == MQTT_V5 ? (uint8_t)reason_for(g, type)
					  : v3_codes[generate_below(g, 4)];
	s->codes = version != MQTT_V5 && type == MQTT_UNSUBACK
	    ? slice_of(NULL, 0)
	    : slice_of(p, n);
}

static void
disconnect(struct generator *g, unsigned type, unsigned version,
    struct packet_disconnect *d)
{
	d->properties = some_properties(g, type, version);
	/* an AUTH without properties is one without anything */
	if (version == MQTT_V5 &&
	    (type == MQTT_DISCONNECT || d->properties.raw.len > 0))
		d->reason = reason_for(g, type);
}

void
generate_packet(struct generator *g, unsigned type, unsigned version,
    struct any_packet *out)
{
	g->used = 0;
	*out = (struct any_packet){ .type = type, .version = version };
	switch (type) {
	case MQTT_CONNECT:
		connect(g, version, &out->connect);
		break;
	case MQTT_CONNACK:
		connack(g, version, &out->connack);
		break;
	case MQTT_PUBLISH:
		publish(g, version, &out->publish);
		break;
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
		subscribe(g, type, version, &out->subscribe);
		break;
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		suback(g, type, version, &out->suback);
		break;
	case MQTT_PINGREQ:
	case MQTT_PINGRESP:
		break;
	case MQTT_DISCONNECT:
	case MQTT_AUTH:
		disconnect(g, type, version, &out->disconnect);
		break;
	default:
		out->ack.packet_id = packet_id(g);
		if (version == MQTT_V5)
			out->ack.reason = reason_for(g, type);
		out->ack.properties = some_properties(g, type, version);
	}
}
