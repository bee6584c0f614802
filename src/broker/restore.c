/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore - what the store has kept comes back.
 *
 * One pass over each table: sessions, then what refers to them; messages,
 * then what refers to those. What refers to nothing that is there, such as a
 * message that was held for a session that has ended, goes.
 */
#include "broker/restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "broker/home.h"
#include "broker/lasting.h"
#include "broker/life.h"
#include "broker/promise.h"
#include "broker/publish.h"
#include "broker/registry.h"
#include "broker/shares.h"
#include "broker/sharing.h"
#include "mqtt/reader.h"
#include "store/record.h"
#include "store/retained.h"
#include "store/store.h"

/* Between lines about the progress. */
#define PROGRESS_MS    2000
/* Records between looks at the clock. */
#define PROGRESS_EVERY 4096u

/* A record that others refer to by its number. */
struct known {
	struct hash_node node;
	uint64_t id;
	struct session *session;
	struct message *message; /* one reference */
	struct home *home;       /* of the session */
	uint64_t left_ms;        /* of the session */
};

/* What a share's member had that is no more. */
struct orphan {
	STAILQ_ENTRY(orphan)
	entry;
	struct message *message; /* borrowed from what is known */
	uint64_t session;
	uint64_t place;
	struct slice share; /* behind it */
};

struct loading {
	struct broker *broker;
	struct restored *counts;
	struct hash sessions;
	struct hash messages;
	STAILQ_HEAD(, orphan) orphans;
	enum record_table table;
	unsigned next_home;
	size_t n;     /* records read */
	size_t total; /* records there are */
	uint64_t start_ms;
	uint64_t say_at_ms;
	uint64_t wall_ms;
};

/* --- what is known so far --- */

static struct slice
key_of(const uint64_t *id)
{
	return slice_of(id, sizeof(*id));
}

static bool
is_known(const struct hash_node *node, struct slice key)
{
	const struct known *k = container_of(node, const struct known, node);

	return slice_eq(key_of(&k->id), key);
}

static struct known *
find(const struct hash *h, uint64_t id)
{
	struct hash_node *node =
	    hash_find(h, key_of(&id), hash_key(key_of(&id)));

	return node != NULL ? container_of(node, struct known, node) : NULL;
}

static struct known *
know(struct hash *h, uint64_t id)
{
	struct known *k = xcalloc(1, sizeof(*k));

	k->id = id;
	hash_insert(h, &k->node, hash_key(key_of(&k->id)));
	return k;
}

static bool
forget_one(struct hash_node *node, void *arg)
{
	struct known *k = container_of(node, struct known, node);

	hash_remove(arg, node);
	message_unref(&k->message);
	free(k);
	return true;
}

static void
forget_all(struct hash *h)
{
	hash_each(h, forget_one, h);
	hash_fini(h);
}

static struct home *
next_home(struct loading *l)
{
	return l->broker->homes[l->next_home++ % l->broker->options->n_workers];
}

/* A record that has lost what it belongs to. */
static void ALONE
drop(struct loading *l, struct slice key, struct message *m)
{
	struct home *h = l->broker->homes[0];
	struct record_key k = { .len = (uint8_t)key.len };

	memcpy(k.bytes, key.ptr, key.len);
	batch_add(promise_batch(h), BATCH_DELETE, l->table, k, m);
	promise_changed(h);
}

/* --- sessions --- */

static int ALONE
on_session(void *arg, struct slice key, struct slice value)
{
	struct loading *l = arg;
	struct home *h = next_home(l);
	struct session_record r;
	struct session *s;
	struct known *k;
	uint64_t id;

	if (!record_key_read(key, &id, NULL) || !record_get_session(value, &r))
		return -EBADMSG;
	s = life_create_session(h, r.client_id);
	if (registry_claim(l->broker->registry, s) != 0)
		return -EBADMSG; /* two of one identifier */
	atomic_fetch_add(&h->stats.sessions, 1);
	s->version = r.version;
	s->expiry_s = r.expiry_s;
	s->keep = true;
	if (r.owner.ptr != NULL)
		s->owner = xmemdup0(r.owner.ptr, r.owner.len);
	/* Who it is towards NATS only its client can say. */
	if (l->broker->options->identity_user)
		s->link = SESSION_LINK_NONE;
	lasting_restore_session(s, id);
	store_skip_id(l->broker->store, id);
	k = know(&l->sessions, id);
	k->session = s;
	k->home = h;
	k->left_ms = r.left_ms;
	l->counts->sessions++;
	return 0;
}

static int ALONE
on_subscription(void *arg, struct slice key, struct slice value)
{
	struct loading *l = arg;
	struct subscription_record r;
	struct subscription *sub;
	struct known *k;
	uint64_t id, number;

	if (!record_key_read(key, &id, &number) ||
	    !record_get_subscription(value, &r))
		return -EBADMSG;
	k = find(&l->sessions, id);
	if (k == NULL ||
	    session_find_subscription(k->session, r.filter) != NULL) {
		drop(l, key, NULL);
		return 0;
	}
	sub = session_add_subscription(k->session, r.filter);
	sub->id = r.id;
	sub->qos = r.qos & 3;
	sub->no_local = r.no_local;
	sub->retain_as_published = r.retain_as_published;
	sub->number = (uint32_t)number;
	if (number >= k->session->next_number)
		k->session->next_number = (uint32_t)number + 1;
	life_enter_subscription(k->home, k->session, sub);
	l->counts->subscriptions++;
	return 0;
}

static int ALONE
on_received(void *arg, struct slice key, struct slice value)
{
	struct loading *l = arg;
	struct received_record r;
	struct known *k;
	uint64_t id, packet_id;

	if (!record_key_read(key, &id, &packet_id) ||
	    !record_get_received(value, &r))
		return -EBADMSG;
	k = find(&l->sessions, id);
	if (k == NULL)
		drop(l, key, NULL);
	else
		receiving_restore(&k->session->receiving, (uint16_t)packet_id,
		    r.held);
	return 0;
}

/* --- messages --- */

static int ALONE
on_message(void *arg, struct slice key, struct slice value)
{
	struct loading *l = arg;
	struct message *m;
	uint64_t id;

	if (!record_key_read(key, &id, NULL))
		return -EBADMSG;
	m = record_get_message(value);
	if (m == NULL)
		return -EBADMSG;
	m->stored_id = id;
	know(&l->messages, id)->message = m;
	return 0;
}

static void
take_ids(struct outgoing *o, struct slice ids)
{
	struct reader r = reader_of(ids);
	uint32_t n = (uint32_t)(ids.len / 4);

	if (n == 0)
		return;
	o->subscription_id = reader_u32(&r);
	if (n == 1)
		return;
	o->more_ids = xcalloc(n, sizeof(*o->more_ids));
	o->more_ids[0] = n - 1;
	for (uint32_t i = 1; i < n; i++)
		o->more_ids[i] = reader_u32(&r);
}

static void
put_outgoing(struct home *h, struct session *s, struct outgoing *o)
{
	static const struct session_limits none = { UINT32_MAX, UINT32_MAX };
	bool is_sent = o->packet_id != 0 &&
	    inflight_find(&s->inflight, o->packet_id) == NULL;

	lasting_restore_place(s, o->place);
	if (is_sent)
		inflight_restore(&s->inflight, o);
	else if (session_queue(s, o, &none))
		home_count_queued(h, 1, message_size(o->message));
	else
		outgoing_fini(o);
}

static void
add_orphan(struct loading *l, uint64_t session, uint64_t place,
    struct message *m, struct slice share)
{
	struct orphan *o = xmalloc(sizeof(*o) + share.len);

	*o =
	    (struct orphan){ .message = m, .session = session, .place = place };
	memcpy(o + 1, share.ptr, share.len);
	o->share = slice_of(o + 1, share.len);
	STAILQ_INSERT_TAIL(&l->orphans, o, entry);
}

/* When all members are there, with all that they have. */
static void ALONE
give_away_orphans(struct loading *l)
{
	struct orphan *o;

	while ((o = STAILQ_FIRST(&l->orphans)) != NULL) {
		struct record_key key = record_key_pair(o->session, o->place);

		STAILQ_REMOVE_HEAD(&l->orphans, entry);
		l->table = RECORD_QUEUED;
		if (!sharing_adopt(l->broker, o->share, o->message, o->session,
			o->place))
			drop(l, record_key_slice(&key), o->message);
		free(o);
	}
}

static int ALONE
on_queued(void *arg, struct slice key, struct slice value)
{
	struct loading *l = arg;
	struct queued_record r;
	struct outgoing o = { 0 };
	struct known *s, *m;
	uint64_t id;

	if (!record_key_read(key, &id, &o.place) ||
	    !record_get_queued(value, &r))
		return -EBADMSG;
	m = find(&l->messages, r.message);
	if (m == NULL)
		return -EBADMSG;
	m->message->stored_refs++;
	s = find(&l->sessions, id);
	/* Whose share it was, nobody knows where users have their own. */
	if (l->broker->options->identity_user)
		r.share = (struct slice){ 0 };
	if (s == NULL && r.share.ptr != NULL) {
		add_orphan(l, id, o.place, m->message, r.share);
		return 0;
	}
	if (s == NULL) {
		drop(l, key, m->message);
		return 0;
	}
	if (r.share.ptr != NULL)
		o.share = shares_find(l->broker->shares, 0, r.share);
	o.message = message_ref(m->message);
	o.packet_id = r.packet_id;
	o.qos = r.qos & 3;
	o.retain = r.retain;
	o.state = r.released ? OUTGOING_RELEASED : OUTGOING_SENT;
	take_ids(&o, r.ids);
	put_outgoing(s->home, s->session, &o);
	l->counts->messages++;
	return 0;
}

static int ALONE
on_retained(void *arg, struct slice key, struct slice value)
{
	struct loading *l = arg;
	struct retained_record r;
	struct slice rest;
	struct message *m;
	uint64_t order;
	char *owner;

	if (!record_key_read(key, &order, NULL) ||
	    !record_get_retained(value, &r, &rest))
		return -EBADMSG;
	m = record_get_message(rest);
	if (m == NULL)
		return -EBADMSG;
	store_skip_id(l->broker->store, order);
	if (message_is_expired(m, l->wall_ms)) {
		drop(l, key, NULL);
	} else {
		owner = r.owner.ptr != NULL ? xmemdup0(r.owner.ptr, r.owner.len)
					    : NULL;
		retained_restore(broker_retained(l->broker, owner), m, order);
		free(owner);
		l->counts->retained++;
	}
	message_unref(&m);
	return 0;
}

/* --- Wills --- */

/*
 * Its client was there when the process ended, and left with it: the delay
 * counts from now on, and once.
 */
static uint64_t ALONE
keep_waiting(struct loading *l, struct known *k, uint64_t id,
    const struct will_record *r, struct message *m)
{
	struct lasting_will w = { .message = m,
		.session = r->session,
		.due_ms = l->wall_ms + r->due_ms,
		.expiry_s = r->expiry_s,
		.owner = k->session->owner };

	(void)lasting_will(k->home, id, &w);
	return r->due_ms;
}

static void ALONE
take_will(struct loading *l, uint64_t id, const struct will_record *r,
    struct message *m)
{
	struct known *k =
	    r->session != 0 ? find(&l->sessions, r->session) : NULL;
	struct delayed_will d = { .message = m,
		.stored_id = id,
		.expiry_s = r->expiry_s };
	uint32_t link =
	    l->broker->options->identity_user ? SESSION_LINK_NONE : 0;
	char *owner;

	if (k != NULL && k->session->will == NULL) {
		if (r->present)
			d.delay_ms = keep_waiting(l, k, id, r, m);
		else if (r->due_ms > l->wall_ms)
			d.delay_ms = r->due_ms - l->wall_ms;
		life_arm_will(k->home, k->session, &d);
		return;
	}
	if (r->expiry_s != MQTT_EXPIRY_NEVER)
		m->expires_ms = l->wall_ms + r->expiry_s * 1000ull;
	owner =
	    r->owner.ptr != NULL ? xmemdup0(r->owner.ptr, r->owner.len) : NULL;
	publish_will(next_home(l), &m, link, owner, id);
	free(owner);
}

static int ALONE
on_will(void *arg, struct slice key, struct slice value)
{
	struct loading *l = arg;
	struct will_record r;
	struct slice rest;
	struct message *m;
	uint64_t id;

	if (!record_key_read(key, &id, NULL) ||
	    !record_get_will(value, &r, &rest))
		return -EBADMSG;
	m = record_get_message(rest);
	if (m == NULL)
		return -EBADMSG;
	store_skip_id(l->broker->store, id);
	take_will(l, id, &r, m);
	l->counts->wills++;
	return 0;
}

/* --- all of it --- */

typedef int record_fn(void *arg, struct slice key, struct slice value);

static const struct pass {
	enum record_table table;
	record_fn *fn;
} passes[] = {
	{ RECORD_SESSION, on_session },
	{ RECORD_SUBSCRIPTION, on_subscription },
	{ RECORD_RECEIVED, on_received },
	{ RECORD_MESSAGE, on_message },
	{ RECORD_QUEUED, on_queued },
	{ RECORD_RETAINED, on_retained },
	/* When everybody who wants them is there. */
	{ RECORD_WILL, on_will },
};

static void
say_progress(struct loading *l)
{
	uint64_t now_ms;

	if (++l->n % PROGRESS_EVERY != 0)
		return;
	now_ms = clock_mono_ms();
	if (now_ms < l->say_at_ms)
		return;
	l->say_at_ms = now_ms + PROGRESS_MS;
	log_notice("store: loading: %zu of %zu records, %zu %%, %.1f s", l->n,
	    l->total, l->n * 100 / (l->total > 0 ? l->total : 1),
	    (double)(now_ms - l->start_ms) / 1000);
}

struct one_pass {
	struct loading *loading;
	record_fn *fn;
};

static int ALONE
on_record(void *arg, struct slice key, struct slice value)
{
	struct one_pass *p = arg;

	say_progress(p->loading);
	return p->fn(p->loading, key, value);
}

static int ALONE
load_all(struct loading *l)
{
	int error = 0;

	for (size_t i = 0; i < countof(passes); i++)
		l->total += store_count(l->broker->store, passes[i].table);
	for (size_t i = 0; error == 0 && i < countof(passes); i++) {
		struct one_pass p = { l, passes[i].fn };

		l->table = passes[i].table;
		error = store_each(l->broker->store, l->table, on_record, &p);
	}
	return error;
}

/* One whose client was there when the process ended has left with it. */
static bool ALONE
start_expiry(struct hash_node *node, void *arg)
{
	struct loading *l = arg;
	struct known *k = container_of(node, struct known, node);
	struct session *s = k->session;
	uint64_t due_ms;

	if (k->left_ms == 0) {
		k->left_ms = l->wall_ms;
		lasting_session(k->home, s, k->left_ms);
	}
	if (s->expiry_s == MQTT_EXPIRY_NEVER)
		return true;
	due_ms = k->left_ms + s->expiry_s * 1000ull;
	if (due_ms > l->wall_ms) {
		timer_arm(k->home->timers, &s->expiry,
		    k->home->now_ms + due_ms - l->wall_ms);
		return true;
	}
	life_end_session(k->home, &s);
	l->counts->expired++;
	l->counts->sessions--;
	return true;
}

static bool ALONE
drop_unwanted(struct hash_node *node, void *arg)
{
	struct loading *l = arg;
	struct known *k = container_of(node, struct known, node);
	struct record_key key = record_key(k->id);

	if (k->message->stored_refs > 0)
		return true;
	l->table = RECORD_MESSAGE;
	k->message->stored_id = 0;
	drop(l, record_key_slice(&key), NULL);
	return true;
}

int
restore_load(struct broker *b, struct store *s, struct restored *out)
{
	struct loading l = { .broker = b,
		.counts = out,
		.start_ms = clock_mono_ms(),
		.wall_ms = clock_wall_ms() };
	struct orphan *o;
	int error;

	b->store = s;
	retained_keep(b->retained, s, NULL);
	l.say_at_ms = l.start_ms + PROGRESS_MS;
	hash_init(&l.sessions, is_known);
	hash_init(&l.messages, is_known);
	STAILQ_INIT(&l.orphans);
	for (unsigned i = 0; i < b->options->n_workers; i++)
		home_tick(b->homes[i]);
	error = load_all(&l);
	if (error == 0) {
		give_away_orphans(&l);
		hash_each(&l.messages, drop_unwanted, &l);
		hash_each(&l.sessions, start_expiry, &l);
		restore_flush(b);
	}
	while ((o = STAILQ_FIRST(&l.orphans)) != NULL) {
		STAILQ_REMOVE_HEAD(&l.orphans, entry);
		free(o);
	}
	forget_all(&l.sessions);
	forget_all(&l.messages);
	return error;
}

void
restore_flush(struct broker *b)
{
	for (unsigned i = 0; i < b->options->n_workers; i++)
		promise_flush(b->homes[i]);
}
