/* SPDX-License-Identifier: Apache-2.0 */
/* any_packet - dispatch by packet type over the codec. */
#include "mqtt/any_packet.h"

#include <stdlib.h>

#include "base/xalloc.h"

enum mqtt_reason
any_packet_decode(const struct frame *f, unsigned version,
    struct any_packet *out)
{
	enum mqtt_reason rc;

	out->type = f->type;
	out->version = version;
	switch (f->type) {
	case MQTT_CONNECT:
		rc = packet_decode_connect(f, &out->connect);
		out->version = out->connect.version;
		return rc;
	case MQTT_CONNACK:
		return packet_decode_connack(f, version, &out->connack);
	case MQTT_PUBLISH:
		return packet_decode_publish(f, version, &out->publish);
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP:
		return packet_decode_ack(f, version, &out->ack);
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
		return packet_decode_subscribe(f, version, &out->subscribe);
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		return packet_decode_suback(f, version, &out->suback);
	case MQTT_PINGREQ:
	case MQTT_PINGRESP:
		return packet_decode_empty(f);
	case MQTT_DISCONNECT:
	case MQTT_AUTH:
		return packet_decode_disconnect(f, version, &out->disconnect);
	default:
		return MQTT_RC_MALFORMED_PACKET;
	}
}

static void
encode_subscribe(const struct any_packet *p, struct buf *out)
{
	const struct packet_subscribe *s = &p->subscribe;
	struct packet_filter *filters = xcalloc(s->n + 1, sizeof(*filters));
	struct slice rest = s->topics;
	size_t n = 0;

	while (n < s->n && packet_next_filter(&rest, p->type, filters + n))
		n++;
	packet_encode_subscribe(out, p->version, p->type, s->packet_id, filters,
	    n, s->properties.raw);
	free(filters);
}

void
any_packet_encode(const struct any_packet *p, struct buf *out)
{
	switch (p->type) {
	case MQTT_CONNECT:
		packet_encode_connect(out, &p->connect,
		    p->connect.properties.raw, p->connect.will_properties.raw);
		break;
	case MQTT_CONNACK:
		packet_encode_connack(out, p->version,
		    p->connack.session_present, p->connack.code,
		    p->connack.properties.raw);
		break;
	case MQTT_PUBLISH:
		packet_encode_publish(out, p->version, &p->publish,
		    p->publish.properties.raw, p->publish.payload.len);
		buf_append_slice(out, p->publish.payload);
		break;
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
		encode_subscribe(p, out);
		break;
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		packet_encode_suback(out, p->version, p->type,
		    p->suback.packet_id, p->suback.codes,
		    p->suback.properties.raw);
		break;
	case MQTT_PINGREQ:
	case MQTT_PINGRESP:
		packet_encode_empty(out, p->type);
		break;
	case MQTT_DISCONNECT:
	case MQTT_AUTH:
		packet_encode_disconnect(out, p->version, p->type,
		    p->disconnect.reason, p->disconnect.properties.raw);
		break;
	default:
		packet_encode_ack(out, p->version, p->type, p->ack.packet_id,
		    p->ack.reason, p->ack.properties.raw);
	}
}

#define SAME_NUMBER(id, member)                                                \
	(!properties_has(a, MQTT_PROP_##id) || a->member == b->member)
#define SAME_SLICE(id, member)                                                 \
	(!properties_has(a, MQTT_PROP_##id) || slice_eq(a->member, b->member))

static bool
same_numbers(const struct properties *a, const struct properties *b)
{
	return SAME_NUMBER(PAYLOAD_FORMAT_INDICATOR,
		   payload_format_indicator) &&
	    SAME_NUMBER(MESSAGE_EXPIRY_INTERVAL, message_expiry_interval) &&
	    SAME_NUMBER(SUBSCRIPTION_IDENTIFIER, subscription_identifier) &&
	    SAME_NUMBER(SESSION_EXPIRY_INTERVAL, session_expiry_interval) &&
	    SAME_NUMBER(SERVER_KEEP_ALIVE, server_keep_alive) &&
	    SAME_NUMBER(REQUEST_PROBLEM_INFORMATION,
		request_problem_information) &&
	    SAME_NUMBER(WILL_DELAY_INTERVAL, will_delay_interval) &&
	    SAME_NUMBER(REQUEST_RESPONSE_INFORMATION,
		request_response_information) &&
	    SAME_NUMBER(RECEIVE_MAXIMUM, receive_maximum) &&
	    SAME_NUMBER(TOPIC_ALIAS_MAXIMUM, topic_alias_maximum) &&
	    SAME_NUMBER(TOPIC_ALIAS, topic_alias) &&
	    SAME_NUMBER(MAXIMUM_QOS, maximum_qos) &&
	    SAME_NUMBER(RETAIN_AVAILABLE, retain_available) &&
	    SAME_NUMBER(MAXIMUM_PACKET_SIZE, maximum_packet_size) &&
	    SAME_NUMBER(WILDCARD_SUBSCRIPTION_AVAILABLE,
		wildcard_subscription_available) &&
	    SAME_NUMBER(SUBSCRIPTION_IDENTIFIER_AVAILABLE,
		subscription_identifier_available) &&
	    SAME_NUMBER(SHARED_SUBSCRIPTION_AVAILABLE,
		shared_subscription_available);
}

static bool
same_slices(const struct properties *a, const struct properties *b)
{
	return SAME_SLICE(CONTENT_TYPE, content_type) &&
	    SAME_SLICE(RESPONSE_TOPIC, response_topic) &&
	    SAME_SLICE(CORRELATION_DATA, correlation_data) &&
	    SAME_SLICE(ASSIGNED_CLIENT_IDENTIFIER,
		assigned_client_identifier) &&
	    SAME_SLICE(AUTHENTICATION_METHOD, authentication_method) &&
	    SAME_SLICE(AUTHENTICATION_DATA, authentication_data) &&
	    SAME_SLICE(RESPONSE_INFORMATION, response_information) &&
	    SAME_SLICE(SERVER_REFERENCE, server_reference) &&
	    SAME_SLICE(REASON_STRING, reason_string);
}

bool
any_properties_eq(const struct properties *a, const struct properties *b)
{
	return a->set == b->set && a->n_user == b->n_user &&
	    slice_eq(a->raw, b->raw) && same_numbers(a, b) && same_slices(a, b);
}

static bool
connect_eq(const struct packet_connect *a, const struct packet_connect *b)
{
	return a->version == b->version && a->bridge == b->bridge &&
	    a->clean_start == b->clean_start && a->has_will == b->has_will &&
	    a->will_retain == b->will_retain && a->will_qos == b->will_qos &&
	    a->has_user_name == b->has_user_name &&
	    a->has_password == b->has_password &&
	    a->keep_alive == b->keep_alive &&
	    any_properties_eq(&a->properties, &b->properties) &&
	    slice_eq(a->client_id, b->client_id) &&
	    any_properties_eq(&a->will_properties, &b->will_properties) &&
	    slice_eq(a->will_topic, b->will_topic) &&
	    slice_eq(a->will_payload, b->will_payload) &&
	    slice_eq(a->user_name, b->user_name) &&
	    slice_eq(a->password, b->password);
}

static bool
publish_eq(const struct packet_publish *a, const struct packet_publish *b)
{
	return a->qos == b->qos && a->retain == b->retain &&
	    /* 3.1 lets DUP through at QoS 0, we never send it */
	    (a->dup == b->dup || a->qos == 0) && a->packet_id == b->packet_id &&
	    slice_eq(a->topic, b->topic) &&
	    any_properties_eq(&a->properties, &b->properties) &&
	    slice_eq(a->payload, b->payload);
}

bool
any_packet_eq(const struct any_packet *a, const struct any_packet *b)
{
	if (a->type != b->type || a->version != b->version)
		return false;
	switch (a->type) {
	case MQTT_CONNECT:
		return connect_eq(&a->connect, &b->connect);
	case MQTT_CONNACK:
		return a->connack.session_present ==
		    b->connack.session_present &&
		    a->connack.code == b->connack.code &&
		    any_properties_eq(&a->connack.properties,
			&b->connack.properties);
	case MQTT_PUBLISH:
		return publish_eq(&a->publish, &b->publish);
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
		return a->subscribe.packet_id == b->subscribe.packet_id &&
		    a->subscribe.n == b->subscribe.n &&
		    slice_eq(a->subscribe.topics, b->subscribe.topics) &&
		    any_properties_eq(&a->subscribe.properties,
			&b->subscribe.properties);
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		return a->suback.packet_id == b->suback.packet_id &&
		    slice_eq(a->suback.codes, b->suback.codes) &&
		    any_properties_eq(&a->suback.properties,
			&b->suback.properties);
	case MQTT_PINGREQ:
	case MQTT_PINGRESP:
		return true;
	case MQTT_DISCONNECT:
	case MQTT_AUTH:
		return a->disconnect.reason == b->disconnect.reason &&
		    any_properties_eq(&a->disconnect.properties,
			&b->disconnect.properties);
	default:
		return a->ack.packet_id == b->ack.packet_id &&
		    a->ack.reason == b->ack.reason &&
		    any_properties_eq(&a->ack.properties, &b->ack.properties);
	}
}

static const char *
decode_again(const struct any_packet *p, struct slice wire)
{
	struct any_packet again;
	struct frame f;
	enum mqtt_reason rc;

	if (framer_next(wire, SIZE_MAX, &f, &rc) != FRAMER_PACKET)
		return "what was encoded is no packet";
	if (f.size != wire.len)
		return "what was encoded has another size";
	rc = any_packet_decode(&f, p->version, &again);
	if (rc != MQTT_RC_SUCCESS)
		return mqtt_reason_text(rc);
	return any_packet_eq(p, &again) ? NULL : "decodes to something else";
}

const char *
any_packet_round_trip(const struct any_packet *p)
{
	struct buf out = { 0 };
	const char *wrong;

	any_packet_encode(p, &out);
	wrong = decode_again(p, buf_slice(&out));
	buf_fini(&out);
	return wrong;
}
