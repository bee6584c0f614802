/* SPDX-License-Identifier: Apache-2.0 */
/* lasting - what of a session outlives the process. */
#include "broker/lasting.h"

#include "broker/broker.h"
#include "broker/home.h"
#include "broker/promise.h"
#include "broker/shares.h"
#include "mqtt/writer.h"
#include "store/record.h"

/* Where the first message of a session stands; before it there is room, too. */
#define FIRST_PLACE (1ull << 32)

static struct buf *WORKER_THREAD
values(struct home *h)
{
	return &promise_batch(h)->values;
}

static void WORKER_THREAD
change(struct home *h, enum batch_verb verb, enum record_table table,
    struct record_key key, struct message *m)
{
	batch_add(promise_batch(h), verb, table, key, m);
	promise_changed(h);
}

/* --- sessions --- */

void
lasting_restore_session(struct session *s, uint64_t stored_id)
{
	s->stored_id = stored_id;
	s->next_number = 1;
	s->first_place = FIRST_PLACE;
	s->next_place = FIRST_PLACE;
}

void
lasting_session(struct home *h, struct session *s, uint64_t left_ms)
{
	struct session_record r = { .client_id = session_client_id(s),
		.owner = slice_str(s->owner),
		.version = s->version,
		.expiry_s = s->expiry_s,
		.left_ms = left_ms };
	bool is_new = s->stored_id == 0;

	if (!promise_is_kept(h))
		return;
	if (!s->keep) {
		lasting_end_session(h, s);
		return;
	}
	if (is_new)
		lasting_restore_session(s, store_next_id(h->broker->store));
	record_put_session(values(h), &r);
	change(h, is_new ? BATCH_PUT : BATCH_SET, RECORD_SESSION,
	    record_key(s->stored_id), NULL);
}

static void WORKER_THREAD
end_all_outgoing(struct home *h, struct session *s, struct outbox *box)
{
	for (uint32_t i = 0; i < box->n; i++)
		lasting_end_outgoing(h, s, outbox_at(box, i));
}

void
lasting_restore_place(struct session *s, uint64_t place)
{
	if (place < s->first_place)
		s->first_place = place;
	if (place >= s->next_place)
		s->next_place = place + 1;
}

void
lasting_end_session(struct home *h, struct session *s)
{
	struct subscription *sub;

	if (s->stored_id == 0)
		return;
	LIST_FOREACH(sub, &s->subscriptions, entry)
		lasting_end_subscription(h, s, sub);
	end_all_outgoing(h, s, &s->inflight.box);
	end_all_outgoing(h, s, &s->backlog);
	for (uint32_t i = 0; i < s->receiving.n; i++)
		lasting_end_received(h, s, s->receiving.items[i].packet_id);
	change(h, BATCH_DELETE, RECORD_SESSION, record_key(s->stored_id), NULL);
	s->stored_id = 0;
}

/* --- subscriptions --- */

void
lasting_subscription(struct home *h, struct session *s,
    struct subscription *sub)
{
	struct subscription_record r = { .filter = slice_of(sub->filter,
					     sub->filter_len),
		.id = sub->id,
		.qos = sub->qos,
		.no_local = sub->no_local,
		.retain_as_published = sub->retain_as_published };

	if (s->stored_id == 0)
		return;
	if (sub->number == 0)
		sub->number = s->next_number++;
	record_put_subscription(values(h), &r);
	change(h, BATCH_SET, RECORD_SUBSCRIPTION,
	    record_key_pair(s->stored_id, sub->number), NULL);
}

void
lasting_end_subscription(struct home *h, const struct session *s,
    struct subscription *sub)
{
	if (s->stored_id == 0 || sub->number == 0)
		return;
	change(h, BATCH_DELETE, RECORD_SUBSCRIPTION,
	    record_key_pair(s->stored_id, sub->number), NULL);
	sub->number = 0;
}

/* --- messages to the client --- */

static void WORKER_THREAD
put_outgoing(struct home *h, const struct session *s, const struct outgoing *o,
    enum batch_verb verb)
{
	struct buf *out = values(h);
	struct buf share = { 0 };
	struct queued_record r = { .packet_id = o->packet_id,
		.qos = o->qos,
		.retain = o->retain,
		.released = o->state == OUTGOING_RELEASED };

	if (o->share != 0)
		shares_filter(h->broker->shares, o->share, &share);
	if (buf_len(&share) > 0)
		r.share = buf_slice(&share);
	record_put_queued(out, &r);
	buf_fini(&share);
	if (o->subscription_id != 0)
		writer_u32(out, o->subscription_id);
	for (uint32_t i = 1; o->more_ids != NULL && i <= o->more_ids[0]; i++)
		writer_u32(out, o->more_ids[i]);
	change(h, verb, RECORD_QUEUED, record_key_pair(s->stored_id, o->place),
	    o->message);
}

void
lasting_outgoing(struct home *h, struct session *s, struct outgoing *o)
{
	bool is_new = o->place == 0;

	if (s->stored_id == 0 || o->qos == 0)
		return;
	if (is_new)
		o->place = s->next_place++;
	put_outgoing(h, s, o, is_new ? BATCH_PUT : BATCH_SET);
}

void
lasting_outgoing_first(struct home *h, struct session *s, struct outgoing *o)
{
	if (s->stored_id == 0 || o->qos == 0)
		return;
	o->place = --s->first_place;
	put_outgoing(h, s, o, BATCH_PUT);
}

void
lasting_end_outgoing(struct home *h, const struct session *s,
    struct outgoing *o)
{
	if (s->stored_id == 0 || o->place == 0)
		return;
	change(h, BATCH_DELETE, RECORD_QUEUED,
	    record_key_pair(s->stored_id, o->place), o->message);
	o->place = 0;
}

uint64_t
lasting_hand_over(struct home *h, const struct session *s, struct outgoing *o)
{
	uint64_t place = o->place;

	if (s->stored_id == 0 || place == 0)
		return 0;
	/* Before what the other home does. */
	promise_flush(h);
	o->place = 0;
	return place;
}

void
lasting_end_handed_over(struct home *h, uint64_t session, uint64_t place,
    struct message *m)
{
	if (place != 0)
		change(h, BATCH_DELETE, RECORD_QUEUED,
		    record_key_pair(session, place), m);
}

/* --- messages from the client --- */

void
lasting_received(struct home *h, const struct session *s,
    const struct received *e)
{
	struct received_record r = { .held = e->state == RECEIVING_HELD };

	if (s->stored_id == 0 || e->qos != 2)
		return;
	record_put_received(values(h), &r);
	change(h, BATCH_SET, RECORD_RECEIVED,
	    record_key_pair(s->stored_id, e->packet_id), NULL);
}

void
lasting_end_received(struct home *h, const struct session *s,
    uint16_t packet_id)
{
	if (s->stored_id != 0)
		change(h, BATCH_DELETE, RECORD_RECEIVED,
		    record_key_pair(s->stored_id, packet_id), NULL);
}

/* --- Wills --- */

uint64_t
lasting_will(struct home *h, uint64_t id, const struct lasting_will *w)
{
	struct will_record r = { .session = w->session,
		.present = w->present,
		.due_ms = w->due_ms,
		.expiry_s = w->expiry_s,
		.owner = slice_str(w->owner) };
	bool is_new = id == 0;

	if (!promise_is_kept(h))
		return 0;
	if (is_new)
		id = store_next_id(h->broker->store);
	record_put_will(values(h), &r);
	change(h, is_new ? BATCH_PUT : BATCH_SET, RECORD_WILL, record_key(id),
	    w->message);
	return id;
}

void
lasting_end_will(struct home *h, uint64_t id)
{
	if (id != 0)
		change(h, BATCH_DELETE, RECORD_WILL, record_key(id), NULL);
}
