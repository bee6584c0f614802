/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound - what comes from NATS, in the NATS thread: match it, hand it to
 * the workers, return.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/deliver.h"
#include "broker/home.h"
#include "broker/publish.h"
#include "broker/retained_request.h"
#include "store/retained.h"

static void NATS_THREAD
on_message(void *arg, uint32_t link, struct message *m)
{
	struct broker *b = arg;
	struct matches *to = &b->inbound;
	size_t end;

	/* At its limit the store keeps what it has. */
	if (m->retain && link == 0 &&
	    !retained_set(b->retained, m, b->options->max_retained))
		atomic_fetch_add(&b->dropped_retained, 1);
	index_match(b->index, message_topic(m), to);
	for (size_t i = 0; i < to->n; i = end) {
		uint8_t worker = slots_tag(to->items[i].session);

		for (end = i + 1; end < to->n &&
		     slots_tag(to->items[end].session) == worker;)
			end++;
		bus_deliver(b->bus, worker,
		    delivery_new(m, link, &to->items[i], end - i));
	}
}

/* A message that a worker is to deal with. */
struct message_mail {
	struct mail mail;
	struct message *message;
};

static void
post_message(struct broker *b, struct message *m,
    void (*handle)(struct mail *, void *))
{
	struct message_mail *letter = xcalloc(1, sizeof(*letter));

	letter->mail.handle = handle;
	letter->message = message_ref(m);
	mailbox_post(&b->homes[0]->mailbox, &letter->mail);
}

static void WORKER_THREAD
handle_request(struct mail *mail, void *owner)
{
	struct message_mail *letter =
	    container_of(mail, struct message_mail, mail);

	retained_request_answer(owner, letter->message);
	message_unref(&letter->message);
	free(letter);
}

static void
on_retained_request(void *arg, struct message *m)
{
	/* Building the answer may take a while: not in this thread. */
	post_message(arg, m, handle_request);
}

static void WORKER_THREAD
handle_set(struct mail *mail, void *owner)
{
	struct message_mail *letter =
	    container_of(mail, struct message_mail, mail);
	struct home *h = owner;
	struct message *m = letter->message;
	struct publisher nobody = { 0 };
	struct bus_request answer = { .type = BUS_ANSWER };
	enum mqtt_reason reason;

	(void)publish_message(h, m, ACK_LOCAL, &nobody, &reason);
	if (m->reply_len > 0) {
		answer.message = message_ref(m);
		home_request(h, &answer);
	}
	message_unref(&letter->message);
	free(letter);
}

static void
on_retained_set(void *arg, struct message *m)
{
	/* One worker for all of them keeps their order. */
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
	.on_retained_request = on_retained_request,
	.on_retained_set = on_retained_set,
	.drop_delivery = drop_delivery,
};
