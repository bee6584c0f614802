/* SPDX-License-Identifier: Apache-2.0 */
/* consumer - where a JetStream push consumer delivers to. */
#include "nats/consumer.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/intake.h"
#include "nats/receive.h"

/* How long JetStream may take; then the message's own subject has to do. */
#define ANSWER_MS     2000u
/* Messages of one consumer that wait for the answer; JetStream repeats what
 * is dropped. */
#define HELD_MAX      4096u
/* Consumers remembered; beyond, nothing more is asked. */
#define CONSUMERS_MAX 65536u

struct held {
	STAILQ_ENTRY(held) entry;
	natsMsg *msg;
};

struct consumer {
	struct hash_node node; /* in bus.consumers */
	struct bus *bus;
	uint32_t link;
	uint64_t question; /* 0: answered */
	uint64_t sequence; /* of its newest message */
	struct timer patience;
	STAILQ_HEAD(, held) held; /* until it is answered */
	unsigned n_held;
	char *subject; /* NULL: not known */
	size_t key_len;
	char key[]; /* link number, stream, consumer */
};

/* --- the acknowledgement subject ---------------------------------------- */

#define TOKENS_MAX 16
#define TOKENS_V1  9
#define TOKENS_V2  11

static size_t
split(struct slice s, struct slice tokens[TOKENS_MAX])
{
	size_t n = 0;

	while (n < TOKENS_MAX) {
		const uint8_t *dot =
		    s.len > 0 ? memchr(s.ptr, '.', s.len) : NULL;
		size_t len = dot != NULL ? (size_t)(dot - s.ptr) : s.len;

		tokens[n++] = slice_of(s.ptr, len);
		if (dot == NULL)
			break;
		s = slice_skip(s, len + 1);
	}
	return n;
}

static uint64_t
number(struct slice digits)
{
	uint64_t n = 0;

	for (size_t i = 0; i < digits.len && i < 19; i++)
		n = n * 10 + (uint64_t)(digits.ptr[i] - '0');
	return n;
}

bool
consumer_parse(struct slice reply, struct consumer_ack *out)
{
	struct slice tokens[TOKENS_MAX];
	const struct slice *t = tokens;
	size_t n;

	if (!slice_starts(reply, SLICE("$JS.ACK.")))
		return false;
	n = split(reply, tokens);
	*out = (struct consumer_ack){ 0 };
	if (n >= TOKENS_V2) {
		if (!slice_eq(t[2], SLICE("_")))
			out->domain = t[2];
		t += 2;
	} else if (n != TOKENS_V1) {
		return false;
	}
	out->stream = t[2];
	out->consumer = t[3];
	out->sequence = number(t[6]);
	return out->stream.len > 0 && out->consumer.len > 0;
}

/* --- remembering -------------------------------------------------------- */

static bool
is_key(const struct hash_node *node, struct slice key)
{
	const struct consumer *c = container_of(node, struct consumer, node);

	return slice_eq(slice_of(c->key, c->key_len), key);
}

static void
make_key(struct buf *out, uint32_t link, const struct consumer_ack *ack)
{
	buf_reset(out);
	buf_printf(out, "%" PRIu32 ".", link);
	buf_append_slice(out, ack->stream);
	buf_append_byte(out, '.');
	buf_append_slice(out, ack->consumer);
}

/* Hand over what waits, to the subject that is known now. */
static void
release(struct consumer *c)
{
	struct held *h;
	struct link *l = bus_find_link(c->bus, c->link);

	timer_cancel(c->bus->wheel, &c->patience);
	c->question = 0;
	while ((h = STAILQ_FIRST(&c->held)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->held, entry);
		if (l != NULL)
			receive_held(l, h->msg, slice_str(c->subject));
		else
			intake_free(h->msg);
		free(h);
	}
	c->n_held = 0;
}

static void
on_patience(struct timer *t, void *arg)
{
	struct consumer *c = container_of(t, struct consumer, patience);

	(void)arg;
	log_debug("no word from JetStream about consumer %s", c->key);
	release(c);
}

static struct consumer *
consumer_new(struct bus *b, uint32_t link, struct slice key)
{
	struct consumer *c = xcalloc(1, sizeof(*c) + key.len + 1);

	c->bus = b;
	c->link = link;
	c->key_len = key.len;
	memcpy(c->key, key.ptr, key.len);
	STAILQ_INIT(&c->held);
	timer_init(&c->patience, on_patience);
	if (b->consumers.match == NULL)
		hash_init(&b->consumers, is_key);
	hash_insert(&b->consumers, &c->node, hash_key(key));
	return c;
}

static void
consumer_free(struct consumer *c)
{
	struct held *h;

	timer_cancel(c->bus->wheel, &c->patience);
	hash_remove(&c->bus->consumers, &c->node);
	while ((h = STAILQ_FIRST(&c->held)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->held, entry);
		intake_free(h->msg);
		free(h);
	}
	free(c->subject);
	free(c);
}

/* --- asking ------------------------------------------------------------- */

/*
 * Devices need no rights on JetStream's API: the daemon's own link asks.
 */
static void
ask(struct consumer *c, const struct consumer_ack *ack)
{
	struct bus *b = c->bus;
	struct link *own = b->own;
	char *reply, *subject;

	c->question = ++b->last_question;
	timer_arm(b->wheel, &c->patience, b->now_ms + ANSWER_MS);
	if (own->nc == NULL)
		return;
	reply = xasprintf("%sc%" PRIu64, own->inbox, c->question);
	subject = xasprintf("$JS.%.*s%sAPI.CONSUMER.INFO.%.*s.%.*s",
	    SLICE_ARG(ack->domain), ack->domain.len > 0 ? "." : "",
	    SLICE_ARG(ack->stream), SLICE_ARG(ack->consumer));
	(void)natsConnection_PublishRequest(own->nc, subject, reply, "", 0);
	link_touch(own);
	free(subject);
	free(reply);
}

static void
hold(struct consumer *c, natsMsg *msg)
{
	struct held *h;

	if (c->n_held >= HELD_MAX) {
		intake_free(msg);
		return;
	}
	h = xcalloc(1, sizeof(*h));
	h->msg = msg;
	STAILQ_INSERT_TAIL(&c->held, h, entry);
	c->n_held++;
}

enum consumer_verdict
consumer_look_up(struct link *l, struct slice reply, natsMsg *msg,
    struct slice *subject)
{
	struct bus *b = l->bus;
	struct consumer_ack ack;
	struct hash_node *node;
	struct consumer *c;
	bool is_old;

	if (!consumer_parse(reply, &ack))
		return CONSUMER_NONE;
	make_key(&b->subject, l->id, &ack);
	node = hash_find(&b->consumers, buf_slice(&b->subject),
	    hash_key(buf_slice(&b->subject)));
	if (node == NULL && b->consumers.n >= CONSUMERS_MAX)
		return CONSUMER_NONE;
	c = node != NULL ? container_of(node, struct consumer, node)
			 : consumer_new(b, l->id, buf_slice(&b->subject));
	/* Its sequence began again: another one that has its name. */
	is_old = node != NULL && ack.sequence > c->sequence;
	c->sequence = ack.sequence;
	if (c->question == 0 && !is_old)
		ask(c, &ack);
	if (c->question != 0) {
		hold(c, msg);
		return CONSUMER_HELD;
	}
	if (c->subject == NULL)
		return CONSUMER_NONE;
	*subject = slice_str(c->subject);
	return CONSUMER_KNOWN;
}

struct asked {
	uint64_t question;
	struct consumer *found;
};

static bool
is_asked(struct hash_node *node, void *arg)
{
	struct asked *a = arg;
	struct consumer *c = container_of(node, struct consumer, node);

	if (c->question == a->question)
		a->found = c;
	return a->found == NULL;
}

static char *
deliver_subject(struct slice body)
{
	json_t *info = json_loadb((const char *)body.ptr, body.len, 0, NULL);
	json_t *config = json_object_get(info, "config");
	const char *subject =
	    json_string_value(json_object_get(config, "deliver_subject"));
	char *copy = NULL;

	if (subject != NULL && subject_valid(slice_str(subject), false))
		copy = xstrdup(subject);
	json_decref(info);
	return copy;
}

void
consumer_on_answer(struct bus *b, uint64_t n, struct slice body, bool none)
{
	struct asked a = { .question = n };

	if (n == 0)
		return;
	hash_each(&b->consumers, is_asked, &a);
	if (a.found == NULL)
		return;
	free(a.found->subject);
	a.found->subject = none ? NULL : deliver_subject(body);
	release(a.found);
}

static bool
forget(struct hash_node *node, void *arg)
{
	struct consumer *c = container_of(node, struct consumer, node);
	const struct link *l = arg;

	if (c->link == l->id)
		consumer_free(c);
	return true;
}

void
consumer_forget_link(struct link *l)
{
	hash_each(&l->bus->consumers, forget, l);
	if (l->bus->consumers.n == 0 && l->bus->consumers.buckets != NULL)
		hash_fini(&l->bus->consumers);
}
