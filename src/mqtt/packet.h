/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet - one struct per Control Packet, and the codec between them and the
 * wire.
 *
 * Decoding borrows: every slice points into the bytes that were decoded and
 * is valid as long as they are. In 3.1 and 3.1.1 `properties.set` is 0; see
 * struct properties for which of its members may be read.
 * Decoders check what one packet alone can show (lengths, reserved bits,
 * UTF-8, value ranges, legal properties); what depends on state (second
 * CONNECT, Topic Alias in range, ...) is the broker's. Pure.
 */
#pragma once

#include "mqtt/framer.h"
#include "mqtt/property.h"

struct packet_connect {
	uint8_t version;  /* as sent: 3, 4, 5, or another */
	bool bridge;      /* high bit of the level, mosquitto's bridges */
	bool clean_start; /* Clean Session in 3.x */
	bool has_will;
	bool will_retain;
	bool has_user_name;
	bool has_password;
	uint8_t will_qos;
	uint16_t keep_alive; /* seconds, 0: off */
	struct properties properties;
	struct slice client_id;
	struct properties will_properties;
	struct slice will_topic;
	struct slice will_payload;
	struct slice user_name;
	struct slice password;
};

struct packet_connack {
	bool session_present;
	/* v5 reason, or enum mqtt_v3_connack for 3.x */
	uint8_t code;
	struct properties properties;
};

struct packet_publish {
	uint8_t qos;
	bool dup;
	bool retain;
	uint16_t packet_id; /* 0 at QoS 0 */
	struct slice topic; /* may be empty in 5.0 with a Topic Alias */
	struct properties properties;
	struct slice payload;
};

/* PUBACK, PUBREC, PUBREL, PUBCOMP. */
struct packet_ack {
	uint16_t packet_id;
	enum mqtt_reason reason;
	struct properties properties;
};

/* The filters or topics of a SUBSCRIBE or UNSUBSCRIBE stay encoded. */
struct packet_subscribe {
	uint16_t packet_id;
	struct properties properties;
	size_t n;            /* filters, at least 1 */
	struct slice topics; /* walk with packet_next_filter */
};

struct packet_filter {
	struct slice filter;
	uint8_t qos;              /* below: SUBSCRIBE only */
	bool no_local;            /* v5 */
	bool retain_as_published; /* v5 */
	uint8_t retain_handling;  /* v5, enum mqtt_retain_handling */
};

/* SUBACK and UNSUBACK. */
struct packet_suback {
	uint16_t packet_id;
	struct properties properties;
	struct slice codes; /* one byte per filter; empty in a 3.x UNSUBACK */
};

/* DISCONNECT and AUTH. */
struct packet_disconnect {
	enum mqtt_reason reason;
	struct properties properties;
};

/*
 * Decode a CONNECT. MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION when the name is
 * "MQTT" or "MQIsdp" and the level is none of ours: out->version is set and
 * nothing else. A wrong name is MALFORMED_PACKET (the Server may close without
 * an answer).
 */
enum mqtt_reason packet_decode_connect(const struct frame *f,
    struct packet_connect *out) MUST_CHECK;
/* `version` is enum mqtt_version, what the CONNECT said. */
enum mqtt_reason packet_decode_connack(const struct frame *f, unsigned version,
    struct packet_connack *out) MUST_CHECK;
enum mqtt_reason packet_decode_publish(const struct frame *f, unsigned version,
    struct packet_publish *out) MUST_CHECK;
enum mqtt_reason packet_decode_ack(const struct frame *f, unsigned version,
    struct packet_ack *out) MUST_CHECK;
/* f->type says which of the two it is. */
enum mqtt_reason packet_decode_subscribe(const struct frame *f,
    unsigned version, struct packet_subscribe *out) MUST_CHECK;
/*
 * Take the next filter off the front of `*rest` (first: out->topics of a
 * decoded packet of this `type`); false at the end.
 */
bool packet_next_filter(struct slice *rest, unsigned type,
    struct packet_filter *out);
enum mqtt_reason packet_decode_suback(const struct frame *f, unsigned version,
    struct packet_suback *out) MUST_CHECK;
enum mqtt_reason packet_decode_disconnect(const struct frame *f,
    unsigned version, struct packet_disconnect *out) MUST_CHECK;
/* PINGREQ, PINGRESP: no body, no flags. */
enum mqtt_reason packet_decode_empty(const struct frame *f) MUST_CHECK;

/*
 * Encoders append one packet to `out`. `props` are encoded property bytes
 * without length prefix (made with property_put_*), ignored for 3.x.
 */
void packet_encode_connect(struct buf *out, const struct packet_connect *p,
    struct slice props, struct slice will_props);
void packet_encode_connack(struct buf *out, unsigned version,
    bool session_present, uint8_t code, struct slice props);
/*
 * The head of a PUBLISH, everything before the payload of `payload_len`
 * bytes that the caller appends. Returns the offset from the end of `out` as
 * it was before the call to the Packet Identifier, 0 at QoS 0, so that one
 * encoding serves many receivers.
 */
size_t packet_encode_publish(struct buf *out, unsigned version,
    const struct packet_publish *p, struct slice props, size_t payload_len);
/* Bytes that packet_encode_publish and the payload take. */
size_t packet_publish_size(unsigned version, uint8_t qos, size_t topic_len,
    size_t props_len, size_t payload_len);
/* PUBACK, PUBREC, PUBREL, PUBCOMP; shortest legal form. */
void packet_encode_ack(struct buf *out, unsigned version, unsigned type,
    uint16_t packet_id, enum mqtt_reason reason, struct slice props);
void packet_encode_subscribe(struct buf *out, unsigned version, unsigned type,
    uint16_t packet_id, const struct packet_filter *filters, size_t n,
    struct slice props);
/* SUBACK, UNSUBACK; codes are left out of a 3.x UNSUBACK. */
void packet_encode_suback(struct buf *out, unsigned version, unsigned type,
    uint16_t packet_id, struct slice codes, struct slice props);
/* DISCONNECT, AUTH; shortest legal form. */
void packet_encode_disconnect(struct buf *out, unsigned version, unsigned type,
    enum mqtt_reason reason, struct slice props);
void packet_encode_empty(struct buf *out, unsigned type);

/*
 * One line for the debug log, such as
 * "PUBLISH qos=1 packet_id=7 topic=a/b payload=12". Payloads and passwords
 * are never shown. Appends to `out`.
 */
void packet_print(struct buf *out, const struct frame *f, unsigned version);
