/* SPDX-License-Identifier: Apache-2.0 */
/* fake_bus - nats/bus.h in memory. */
#include "fake/fake_bus.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/queue.h"
#include "base/xalloc.h"

struct kept_request {
	STAILQ_ENTRY(kept_request) entry;
	struct bus_request request;
};
STAILQ_HEAD(request_list, kept_request);

struct kept_event {
	STAILQ_ENTRY(kept_event) entry;
	struct bus_event event;
};
STAILQ_HEAD(event_list, kept_event);

struct lane {
	struct request_list put;   /* not flushed yet */
	struct request_list shown; /* flushed */
	struct event_list events;
	size_t n_shown;
	atomic_size_t room; /* set by a test while its worker runs */
};

struct bus {
	const struct bus_ops *ops;
	void *arg;
	struct bus_stats stats;
	struct lane *lanes;
	unsigned n_workers;
	struct kept_request *last; /* taken last */
	struct buf line;
	bool answers_subscribe;
};

void
bus_login_free(struct bus_login **login)
{
	if (*login == NULL)
		return;
	free((*login)->user);
	free((*login)->password);
	free(*login);
	*login = NULL;
}

static void
drop_request(struct kept_request *k)
{
	bus_request_fini(&k->request);
	free(k);
}

static void
drop_requests(struct request_list *list)
{
	struct kept_request *k;

	while ((k = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, entry);
		drop_request(k);
	}
}

static void
drop_event(struct bus *b, struct kept_event *k)
{
	if (k->event.type == BUS_DELIVERY)
		b->ops->drop_delivery(b->arg, k->event.delivery);
	else if (k->event.type == BUS_SETTLED)
		free(k->event.text);
	free(k);
}

struct bus *
fake_bus_new(unsigned n_workers, const struct bus_ops *ops, void *arg)
{
	struct bus *b = xcalloc(1, sizeof(*b));

	b->ops = ops;
	b->arg = arg;
	b->n_workers = n_workers;
	b->lanes = xcalloc(n_workers, sizeof(*b->lanes));
	for (unsigned i = 0; i < n_workers; i++) {
		STAILQ_INIT(&b->lanes[i].put);
		STAILQ_INIT(&b->lanes[i].shown);
		STAILQ_INIT(&b->lanes[i].events);
		atomic_store(&b->lanes[i].room, SIZE_MAX);
	}
	b->answers_subscribe = true;
	atomic_store(&b->stats.up, true);
	return b;
}

void
fake_bus_free(struct bus **bp)
{
	struct bus *b = *bp;
	struct kept_event *k;

	*bp = NULL;
	for (unsigned i = 0; i < b->n_workers; i++) {
		struct lane *l = &b->lanes[i];

		drop_requests(&l->put);
		drop_requests(&l->shown);
		while ((k = STAILQ_FIRST(&l->events)) != NULL) {
			STAILQ_REMOVE_HEAD(&l->events, entry);
			drop_event(b, k);
		}
	}
	if (b->last != NULL)
		drop_request(b->last);
	free(b->lanes);
	buf_fini(&b->line);
	free(b);
}

/* --- what the workers call ---------------------------------------------- */

bool
bus_put(struct bus *b, unsigned worker, const struct bus_request *r)
{
	struct lane *l = &b->lanes[worker];
	struct kept_request *k;

	if (atomic_load(&l->room) == 0)
		return false;
	if (atomic_load(&l->room) != SIZE_MAX)
		atomic_fetch_sub(&l->room, 1);
	k = xcalloc(1, sizeof(*k));
	k->request = *r;
	STAILQ_INSERT_TAIL(&l->put, k, entry);
	return true;
}

static void
answer_subscribe(struct bus *b, unsigned worker, uint64_t token)
{
	struct bus_event e = { .type = BUS_SUBSCRIBED, .token = token };

	fake_bus_event(b, worker, &e);
}

void
bus_flush(struct bus *b, unsigned worker)
{
	struct lane *l = &b->lanes[worker];
	struct kept_request *k;

	STAILQ_FOREACH(k, &l->put, entry) {
		l->n_shown++;
		if ((k->request.type == BUS_SUBSCRIBE ||
			k->request.type == BUS_JOIN_GROUP) &&
		    b->answers_subscribe)
			answer_subscribe(b, worker, k->request.token);
	}
	STAILQ_CONCAT(&l->shown, &l->put);
}

size_t
bus_room(struct bus *b, unsigned worker)
{
	return atomic_load(&b->lanes[worker].room);
}

bool
bus_next_event(struct bus *b, unsigned worker, struct bus_event *out)
{
	struct lane *l = &b->lanes[worker];
	struct kept_event *k = STAILQ_FIRST(&l->events);

	if (k == NULL)
		return false;
	STAILQ_REMOVE_HEAD(&l->events, entry);
	*out = k->event;
	free(k);
	return true;
}

bool
bus_has_event(struct bus *b, unsigned worker)
{
	return !STAILQ_EMPTY(&b->lanes[worker].events);
}

const struct bus_stats *
bus_stats(const struct bus *b)
{
	return &b->stats;
}

void
bus_deliver(struct bus *b, unsigned worker, void *delivery)
{
	struct bus_event e = { .type = BUS_DELIVERY, .delivery = delivery };

	fake_bus_event(b, worker, &e);
}

/* --- what the test calls ------------------------------------------------ */

const struct bus_request *
fake_bus_take(struct bus *b, unsigned worker)
{
	struct lane *l = &b->lanes[worker];
	struct kept_request *k = STAILQ_FIRST(&l->shown);

	if (k == NULL)
		return NULL;
	if (b->last != NULL)
		drop_request(b->last);
	STAILQ_REMOVE_HEAD(&l->shown, entry);
	l->n_shown--;
	b->last = k;
	return &k->request;
}

static const char *
policy_name(unsigned policy)
{
	static const char *const names[] = {
		[ACK_REPLY] = "reply",
		[ACK_STREAM] = "stream",
		[ACK_SERVER] = "server",
		[ACK_LOCAL] = "local",
	};

	return names[policy];
}

static void
print_publish(struct buf *out, const struct bus_request *r)
{
	const struct message *m = r->message;

	buf_printf(out, "PUBLISH %.*s qos=%u", SLICE_ARG(message_subject(m)),
	    m->qos);
	if (m->qos > 0)
		buf_printf(out, " ack=%s", policy_name(r->policy));
	buf_printf(out, " payload=%.*s", SLICE_ARG(message_payload(m)));
	if (m->retain)
		buf_append_str(out, " retain");
	if (m->from_nats)
		buf_append_str(out, " from=nats");
	if (r->link != 0)
		buf_printf(out, " link=%u", r->link);
	if (r->flags & BUS_ONCE)
		buf_append_str(out, " once");
	if (r->flags & BUS_UNTIL_SETTLED)
		buf_append_str(out, " until_settled");
}

static const char *
or_dash(const char *s)
{
	return s != NULL ? s : "-";
}

static void
print_link(struct buf *out, uint32_t link)
{
	if (link != 0)
		buf_printf(out, " link=%u", link);
}

static void
print_request(struct buf *out, const struct bus_request *r)
{
	switch ((enum bus_request_type)r->type) {
	case BUS_PUBLISH:
		print_publish(out, r);
		return;
	case BUS_ANSWER:
		buf_printf(out, "ANSWER %.*s",
		    SLICE_ARG(message_reply(r->message)));
		print_link(out, r->link);
		return;
	case BUS_SEND:
		buf_printf(out, "SEND %.*s payload=%.*s",
		    SLICE_ARG(message_subject(r->message)),
		    SLICE_ARG(message_payload(r->message)));
		return;
	case BUS_SUBSCRIBE:
		buf_printf(out, "SUBSCRIBE %s", r->subject);
		print_link(out, r->link);
		return;
	case BUS_UNSUBSCRIBE:
		buf_printf(out, "UNSUBSCRIBE %s", r->subject);
		print_link(out, r->link);
		return;
	case BUS_JOIN_GROUP:
	case BUS_LEAVE_GROUP:
		buf_printf(out, "%s %s group=%s",
		    r->type == BUS_JOIN_GROUP ? "JOIN" : "LEAVE",
		    r->group->subject, r->group->group);
		print_link(out, r->link);
		return;
	case BUS_IDENTIFY:
		buf_printf(out, "IDENTIFY %s %s", or_dash(r->login->user),
		    or_dash(r->login->password));
		return;
	case BUS_FORGET:
		buf_printf(out, "FORGET link=%u", r->link);
		return;
	}
}

const char *
fake_bus_read(struct bus *b, unsigned worker)
{
	const struct bus_request *r = fake_bus_take(b, worker);

	buf_reset(&b->line);
	if (r != NULL)
		print_request(&b->line, r);
	buf_append_byte(&b->line, 0);
	return (const char *)buf_ptr(&b->line);
}

uint64_t
fake_bus_token(const struct bus *b)
{
	assert(b->last != NULL);
	return b->last->request.token;
}

size_t
fake_bus_n_requests(const struct bus *b, unsigned worker)
{
	return b->lanes[worker].n_shown;
}

void
fake_bus_skip(struct bus *b, unsigned worker)
{
	while (fake_bus_take(b, worker) != NULL)
		;
}

void
fake_bus_set_room(struct bus *b, unsigned worker, size_t n)
{
	atomic_store(&b->lanes[worker].room, n);
}

void
fake_bus_set_subscribes(struct bus *b, bool answers)
{
	b->answers_subscribe = answers;
}

void
fake_bus_set_up(struct bus *b, bool up)
{
	atomic_store(&b->stats.up, up);
}

void
fake_bus_set_max_payload(struct bus *b, size_t n)
{
	atomic_store(&b->stats.max_payload, n);
}

void
fake_bus_event(struct bus *b, unsigned worker, const struct bus_event *e)
{
	struct kept_event *k = xcalloc(1, sizeof(*k));

	k->event = *e;
	STAILQ_INSERT_TAIL(&b->lanes[worker].events, k, entry);
}

void
fake_bus_settle(struct bus *b, unsigned worker, uint64_t token,
    enum bus_result result, const char *text)
{
	struct bus_event e = { .type = BUS_SETTLED,
		.result = (uint8_t)result,
		.token = token,
		.text = text != NULL ? xstrdup(text) : NULL };

	fake_bus_event(b, worker, &e);
}

void
fake_bus_identify(struct bus *b, unsigned worker, uint64_t token,
    enum bus_result result, uint32_t link)
{
	struct bus_event e = { .type = BUS_IDENTIFIED,
		.result = (uint8_t)result,
		.link = link,
		.token = token };

	fake_bus_event(b, worker, &e);
}

void
fake_bus_message(struct bus *b, uint32_t link, struct message *m)
{
	b->ops->on_message(b->arg, link, m);
	message_unref(&m);
}

void
fake_bus_retained_request(struct bus *b, struct message *m)
{
	b->ops->on_retained_request(b->arg, m);
	message_unref(&m);
}

void
fake_bus_retained_set(struct bus *b, struct message *m)
{
	b->ops->on_retained_set(b->arg, m);
	message_unref(&m);
}
