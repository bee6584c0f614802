/* SPDX-License-Identifier: Apache-2.0 */
/* retained_request - NATS services ask for retained messages. */
#include "broker/retained_request.h"

#include <assert.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "store/retained.h"
#include "topic/filter.h"
#include "topic/subject.h"

/* max_payload of a nats-server that has not said otherwise. */
#define MAX_PAYLOAD 1048576u

struct found {
	struct message *message; /* one reference */
	uint64_t order;
};

struct findings {
	struct found *items;
	size_t n;
	size_t cap;
	struct slice subscription; /* of NATS, that is looked for */
};

/* Runs under a lock of the store: takes a reference, no more. */
static bool
find(struct message *m, uint64_t order, void *arg)
{
	struct findings *f = arg;

	/* "x.>" leaves x out, which the filter "x/#" does not. */
	if (!subject_match(f->subscription, message_subject(m)))
		return true;
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? 16 : f->cap * 2;
		f->items = xrealloc(f->items, f->cap * sizeof(*f->items));
	}
	f->items[f->n++] =
	    (struct found){ .message = message_ref(m), .order = order };
	return true;
}

static void
find_all(struct home *h, struct slice subscription, struct findings *f)
{
	struct broker *b = h->broker;
	struct filter filter;

	f->subscription = subscription;
	buf_reset(&h->scratch);
	if (!subject_valid(subscription, true) ||
	    subject_to_filter(&b->options->mapping, subscription,
		&h->scratch) != SUBJECT_OK ||
	    !filter_parse(buf_slice(&h->scratch), &filter))
		return;
	retained_match(b->retained, filter.full, h->wall_ms, find, f);
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = slice_skip(s, 1);
	while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]) != NULL)
		s.len--;
	return s;
}

static int
by_order(const void *a, const void *b)
{
	uint64_t oa = ((const struct found *)a)->order;
	uint64_t ob = ((const struct found *)b)->order;

	return oa < ob ? -1 : oa > ob;
}

/* In their order, and each once, though several subscriptions match it. */
static void
tidy(struct findings *f)
{
	size_t n = 0;

	if (f->n > 0)
		qsort(f->items, f->n, sizeof(*f->items), by_order);
	for (size_t i = 0; i < f->n; i++)
		if (n > 0 && f->items[n - 1].order == f->items[i].order)
			message_unref(&f->items[i].message);
		else
			f->items[n++] = f->items[i];
	f->n = n;
}

static void
find_requested(struct home *h, struct slice request, struct findings *f)
{
	size_t n_tidy = 0;

	while (request.len > 0) {
		const uint8_t *comma = memchr(request.ptr, ',', request.len);
		size_t len =
		    comma != NULL ? (size_t)(comma - request.ptr) : request.len;

		find_all(h, trim(slice_of(request.ptr, len)), f);
		request = slice_skip(request, comma != NULL ? len + 1 : len);
		/* Many that match the same must not pile up. */
		if (f->n < 2 * n_tidy)
			continue;
		tidy(f);
		n_tidy = f->n;
	}
	tidy(f);
}

static bool
is_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
			return false;
	return true;
}

static json_t *
payload_base64(struct slice payload)
{
	size_t size = (payload.len + 2) / 3 * 4 + 1;
	char *text = xmalloc(size);
	int len = EVP_EncodeBlock((unsigned char *)text, payload.ptr,
	    (int)payload.len);
	json_t *value = json_stringn(text, (size_t)len);

	free(text);
	return value;
}

/* One entry of the list, on the heap. */
static char *
entry_json(const struct message *m)
{
	struct slice subject = message_subject(m);
	struct slice payload = message_payload(m);
	json_t *entry = json_object();
	char *text;

	json_object_set_new(entry, "subject",
	    json_stringn((const char *)subject.ptr, subject.len));
	if (is_printable(payload))
		json_object_set_new(entry, "payload",
		    json_stringn((const char *)payload.ptr, payload.len));
	else
		json_object_set_new(entry, "payloadEnc",
		    payload_base64(payload));
	text = json_dumps(entry, JSON_COMPACT);
	json_decref(entry);
	assert(text != NULL);
	return text;
}

static void WORKER_THREAD
send(struct home *h, const struct message *request, struct slice payload)
{
	struct bus_request r = { .type = BUS_SEND };
	struct message_parts parts = { .subject = message_reply(request),
		.payload = payload };

	r.message = message_new(&parts);
	home_request(h, &r);
}

static size_t
max_payload(const struct broker *b)
{
	size_t max = atomic_load(&bus_stats(b->bus)->max_payload);

	return max > 0 ? max : MAX_PAYLOAD;
}

/* The list that is being made. */
struct answer {
	struct home *home;
	const struct message *request;
	size_t max; /* bytes of one message */
	struct buf list;
	bool is_several; /* messages, the last one empty */
};

static void WORKER_THREAD
send_list(struct answer *a)
{
	buf_append_byte(&a->list, ']');
	send(a->home, a->request, buf_slice(&a->list));
	buf_reset(&a->list);
	buf_append_byte(&a->list, '[');
}

static void WORKER_THREAD
add_entry(struct answer *a, const struct message *m)
{
	struct slice subject = message_subject(m);
	char *entry = entry_json(m);
	size_t len = strlen(entry);

	if (len + 2 > a->max) {
		log_warning("retained request: \"%.*s\" left out: larger than "
			    "NATS takes",
		    SLICE_ARG(subject));
		free(entry);
		return;
	}
	if (buf_len(&a->list) > 1 && buf_len(&a->list) + len + 2 > a->max) {
		send_list(a);
		a->is_several = true;
	}
	if (buf_len(&a->list) > 1)
		buf_append_byte(&a->list, ',');
	buf_append(&a->list, entry, len);
	free(entry);
}

/* Send what was found in as few messages as hold it. */
static void WORKER_THREAD
send_all(struct home *h, const struct message *request,
    const struct findings *f)
{
	struct answer a = { .home = h,
		.request = request,
		.max = max_payload(h->broker) };

	buf_append_byte(&a.list, '[');
	for (size_t i = 0; i < f->n; i++)
		add_entry(&a, f->items[i].message);
	send_list(&a);
	if (a.is_several)
		send(h, request, (struct slice){ 0 });
	buf_fini(&a.list);
}

void
retained_request_answer(struct home *h, struct message *m)
{
	struct findings f = { 0 };

	if (m->reply_len == 0 || h->broker->bus == NULL)
		return;
	find_requested(h, message_payload(m), &f);
	send_all(h, m, &f);
	for (size_t i = 0; i < f.n; i++)
		message_unref(&f.items[i].message);
	free(f.items);
}
