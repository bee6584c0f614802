/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subject - the one place where Topic Name <-> NATS subject is decided.
 *
 * mqtt-nats-mapping(7) is the manual. One level is one token, in both modes,
 * so `+` and `*` agree. Encoding is total over legal topics and exact:
 * decoding gives the topic back. Pure; any thread.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"

enum mapping_mode {
	MAPPING_NATS, /* nats-server's own: `/` <-> `.`, `.` <-> `//` */
	MAPPING_SWAP  /* the predecessor's: `/` <-> `.` in both directions */
};

struct mapping {
	enum mapping_mode mode;
	/*
	 * Levels (without a trailing slash) that topics have and subjects have
	 * not: with "plant", topic plant/a <-> subject a; other topics stay on
	 * this node. Empty: none.
	 */
	struct slice topic_prefix;
	/* Tokens that subjects have and topics have not, no trailing dot. */
	struct slice subject_prefix;
};

enum subject_result {
	SUBJECT_OK,
	SUBJECT_OUTSIDE, /* outside of a prefix: legal, but nothing to map to */
	SUBJECT_BAD      /* has no legal image */
};

/* Append the subject of a valid topic. Never BAD for a valid topic. */
enum subject_result subject_from_topic(const struct mapping *m,
    struct slice topic, struct buf *out) MUST_CHECK;

/*
 * Append the subject of a valid filter (a `match`, without $share). For
 * "x/#" that is "x.>", and *parent_len is the length of "x", which NATS must
 * be asked for as well; 0 when there is no such parent.
 */
enum subject_result subject_from_filter(const struct mapping *m,
    struct slice filter, struct buf *out, size_t *parent_len) MUST_CHECK;

/*
 * Append the topic of a subject that a message came on. BAD: the subject has
 * no legal topic (`+` or `#`, an empty token, longer than 65535 bytes, an
 * unknown escape); nothing was appended.
 */
enum subject_result subject_to_topic(const struct mapping *m,
    struct slice subject, struct buf *out) MUST_CHECK;

/*
 * The same for a subscription: `*` becomes `+`, a final `>` becomes `#`. What
 * the filter matches is a little more than the subscription: "x/#" matches
 * "x", "x.>" does not.
 */
enum subject_result subject_to_filter(const struct mapping *m,
    struct slice subject, struct buf *out) MUST_CHECK;

/*
 * May this be sent to NATS as a publish subject (no byte <= 0x20, no 0x7f,
 * no empty token, no token that is `*` or `>`)? With `wildcards`, as a
 * subscription (then `*` and a last `>` are fine).
 */
bool subject_valid(struct slice subject, bool wildcards);

/* Does the NATS subscription `filter` match the literal `subject`? */
bool subject_match(struct slice filter, struct slice subject);

/*
 * Is it one that devices may not use: $JS, $KV, $O, $SRV, $MQTT, $NRG, $SYS
 * or _INBOX as first token? For filters too; a wildcard first token is not
 * reserved here, deliveries are checked one by one.
 */
bool subject_is_reserved(struct slice subject);
