/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics - what clients may publish and subscribe to, apart from ACLs: names
 * that are ours, names that are NATS's, limits of NATS.
 */
#pragma once

#include "base/thread.h"
#include "broker/home.h"
#include "mqtt/property.h"
#include "mqtt/reason.h"
#include "topic/filter.h"

/*
 * The subject of a topic that a client publishes `payload_len` bytes to, in
 * h->subject; empty when the topic stays on this node. SUCCESS, or why the
 * publish is refused; *why says it in words.
 */
enum mqtt_reason
topics_check_publish(struct home *h, struct slice topic, size_t payload_len,
    const char **why) WORKER_THREAD
MUST_CHECK;

/* Is the payload what its properties say it is? */
enum mqtt_reason
topics_check_payload(struct home *h, const struct properties *props,
    struct slice payload, const char **why) WORKER_THREAD
MUST_CHECK;

/*
 * Is h->subject one that is reserved by NATS, but was given to a device as
 * Response Topic, and may be answered to?
 */
bool topics_is_answer(struct home *h) WORKER_THREAD;

/* Free what h->topic_memos holds. */
void topics_forget(struct home *h);

/* May a client subscribe to it? SUCCESS, or why not. */
enum mqtt_reason
topics_check_filter(struct home *h, const struct filter *f,
    const char **why) WORKER_THREAD
MUST_CHECK;

/* Append the NATS queue group of a ShareName: the token of such a level. */
void topics_queue_group(struct home *h, struct slice share,
    struct buf *out) WORKER_THREAD;

/*
 * The NATS subscription of a filter, in h->subject. False when the filter
 * has none. *parent_len as in subject_from_filter.
 */
bool
topics_subject_of_filter(struct home *h, struct slice filter,
    size_t *parent_len) WORKER_THREAD
MUST_CHECK;
