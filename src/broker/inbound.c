/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound - what comes from NATS, in the NATS thread: match it, hand it to
 * the workers, return.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "broker/answer.h"
#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/deliver.h"
#include "broker/home.h"
#include "broker/limit.h"
#include "broker/publish.h"
#include "broker/retained_request.h"
#include "broker/sharing.h"
#include "store/retained.h"
#include "store/store.h"

static void NATS_THREAD
on_shared(void *arg, uint32_t link, uint64_t share, struct message *m)
{
	sharing_on_message(arg, link, share, m);
}

/*
 * A message that worker 0 is to deal with: a delivery to nobody, so that the
 * bus's bounds hold for it. One worker for all of them keeps their order.
 */
static void NATS_THREAD
post_message(struct broker *b, struct message *m,
    void (*handle)(struct mail *, void *))
{
	static const struct subscriber nobody;
	struct delivery *d = delivery_new(m, 0, &nobody, 0);

	d->mail.handle = handle;
	bus_deliver(b->bus, 0, d);
}

static void WORKER_THREAD
handle_nothing(struct mail *mail, void *owner)
{
	(void)owner;
	delivery_free(container_of(mail, struct delivery, mail));
}

/*
 * At its limit the table keeps what it has. With a store, worker 0 gets to see
 * it too: while the disk cannot follow, that one takes no more, and so we are
 * stopped like by any slow worker.
 */
static void NATS_THREAD
retain(struct broker *b, struct message *m)
{
	bool is_full =
	    b->store != NULL && m->payload_len > 0 && store_is_full(b->store);

	if (is_full || !limit_retain(b, b->retained, m))
		atomic_fetch_add(&b->dropped_retained, 1);
	if (b->store != NULL)
		post_message(b, m, handle_nothing);
}

/* The end of the group of one worker that begins at i. */
static size_t
group_end(const struct matches *to, size_t i)
{
	uint8_t worker = slots_tag(to->items[i].session);

	while (i < to->n && slots_tag(to->items[i].session) == worker)
		i++;
	return i;
}

static unsigned
lasting_workers(const struct message *m, const struct matches *to)
{
	unsigned n = 0;
	size_t end;

	for (size_t i = 0; i < to->n; i = end) {
		end = group_end(to, i);
		n += deliver_is_lasting(m, &to->items[i], end - i);
	}
	return n;
}

static void NATS_THREAD
on_message(void *arg, uint32_t link, struct message *m)
{
	struct broker *b = arg;
	struct matches *to = &b->inbound;
	size_t end;

	if (m->retain && link == 0)
		retain(b, m);
	if (m->is_request)
		calls_add(b->calls, message_reply(m), clock_mono_ms());
	index_match(b->index, message_topic(m), to);
	answer_owe(m, lasting_workers(m, to));
	for (size_t i = 0; i < to->n; i = end) {
		end = group_end(to, i);
		bus_deliver(b->bus, slots_tag(to->items[i].session),
		    delivery_new(m, link, &to->items[i], end - i));
	}
}

static void WORKER_THREAD
handle_request(struct mail *mail, void *owner)
{
	struct delivery *d = container_of(mail, struct delivery, mail);

	retained_request_answer(owner, d->message);
	delivery_free(d);
}

static void NATS_THREAD
on_retained_request(void *arg, struct message *m)
{
	/* Building the answer may take a while: not in this thread. */
	post_message(arg, m, handle_request);
}

static void WORKER_THREAD
handle_set(struct mail *mail, void *owner)
{
	struct delivery *d = container_of(mail, struct delivery, mail);
	struct home *h = owner;
	struct message *m = d->message;
	struct publisher nobody = { 0 };
	/* By us, not by a device that it is delivered to. */
	bool is_answered = atomic_exchange(&m->answered, true);
	enum mqtt_reason reason;

	if (m->payload_len > 0 && promise_lacks_room(h)) {
		home_count(h, dropped_retained);
		delivery_free(d);
		return;
	}
	(void)publish_message(h, m, ACK_LOCAL, &nobody, &reason);
	if (m->reply_len > 0 && !is_answered)
		promise_answer(h, m, 0,
		    promise_is_kept(h) ? promise_all(h) : 0);
	delivery_free(d);
}

static void NATS_THREAD
on_retained_set(void *arg, struct message *m)
{
	post_message(arg, m, handle_set);
}

static void
drop_delivery(void *arg, void *delivery)
{
	(void)arg;
	delivery_free(delivery);
}

const struct bus_ops broker_bus_ops = {
	.on_message = on_message,
	.on_shared = on_shared,
	.on_retained_request = on_retained_request,
	.on_retained_set = on_retained_set,
	.drop_delivery = drop_delivery,
};
