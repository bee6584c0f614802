/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - one connection to NATS and what must outlive it.
 */
#include "config.h"

#include "nats/link.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/consumer.h"
#include "nats/credential.h"
#include "nats/device.h"
#include "nats/link_connect.h"
#include "nats/publish.h"
#include "nats/receive.h"

/* Between two attempts: doubled after each failure, and some chance. */
#define RETRY_MIN_MS      250u
#define RETRY_MAX_MS      2000u
/* A fence that takes longer is tried the other way, by PING. */
#define FENCE_PATIENCE_MS 300u
/* How long a cover may stay wider than it needs to be. */
#define NARROW_AFTER_MS   2000u
#define EPOCH_LEN         8
/* Bytes that are worth a write, whatever flush_interval says. */
#define GATHER_ENOUGH     (32 * 1024)

/* Waiting for a PONG, in the flusher's thread. */
struct flush_job {
	struct helper_job job;
	struct link *link; /* NULL: nobody waits any more */
	natsConnection *nc;
	/* What a lost link leaves to us, as we still use nc. */
	struct link_adapter *adapter;
	uint64_t fence;
	int timeout_ms;
	natsStatus status;
};

static void close_connection(struct link *l) NATS_THREAD;

/* --- fences ------------------------------------------------------------- */

static bool
fence_in_flight(const struct link *l)
{
	return l->fences_answered < l->fences_sent;
}

static uint64_t
liveness_ms(const struct link *l)
{
	unsigned s = l->bus->options->liveness_s;

	return 1000 * (uint64_t)(s > 0 ? s : 1);
}

static void
run_flush(struct helper_job *job)
{
	struct flush_job *f = container_of(job, struct flush_job, job);

	f->status = natsConnection_FlushTimeout(f->nc, f->timeout_ms);
}

static void
flush_job_free(struct flush_job *f)
{
	/* Only a link that is gone leaves these behind. */
	if (f->adapter != NULL) {
		natsConnection_Destroy(f->nc);
		link_adapter_free(&f->adapter);
	}
	free(f);
}

static void NATS_THREAD
on_flushed(struct mail *mail, void *owner)
{
	struct flush_job *f = container_of(mail, struct flush_job, job.mail);
	struct link *l = f->link;

	(void)owner;
	if (l != NULL) {
		l->flush = NULL;
		l->bus->n_flushing--;
		if (f->status == NATS_OK) /* the PONG was read: alive */
			link_on_fence(l, f->fence);
		link_touch(l);
	}
	flush_job_free(f);
}

static void
abandon_flush(struct helper_job *job)
{
	struct flush_job *f = container_of(job, struct flush_job, job);

	if (f->adapter != NULL)
		link_adapter_orphan(f->adapter);
	flush_job_free(f);
}

/* Have the fence in flight answered by a PONG. */
static void
start_flush(struct link *l)
{
	struct flush_job *f;
	struct bus *b = l->bus;

	if (l->flush != NULL)
		return;
	if (b->flusher == NULL &&
	    helper_start(&b->flusher, "nats-flush", &b->mailbox) < 0)
		return;
	f = xcalloc(1, sizeof(*f));
	f->job.mail.handle = on_flushed;
	f->job.run = run_flush;
	f->job.abandon = abandon_flush;
	f->link = l;
	f->nc = l->nc;
	f->fence = l->fences_sent;
	f->timeout_ms = (int)liveness_ms(l);
	l->flush = f;
	b->n_flushing++;
	helper_post(b->flusher, &f->job, l->device == NULL);
}

static bool
touch_flushing(struct hash_node *node, void *arg)
{
	struct link *l = container_of(node, struct link, by_id);

	(void)arg;
	if (l->flush != NULL && atomic_load(&l->adapter->want_write))
		link_touch(l);
	return true;
}

void
link_touch_flushing(struct bus *b)
{
	if (b->n_flushing > 0)
		hash_each(&b->links, touch_flushing, NULL);
}

struct owner_search {
	const natsConnection *nc;
	struct link *found;
};

static bool
has_connection(struct hash_node *node, void *arg)
{
	struct link *l = container_of(node, struct link, by_id);
	struct owner_search *search = arg;

	if (l->nc == search->nc)
		search->found = l;
	return search->found == NULL;
}

static void
on_inbox_denied(struct link *l)
{
	l->inbox_denied = true;
	l->fence_by_ping = true;
	if (fence_in_flight(l))
		start_flush(l);
}

void
link_on_denied(struct bus *b, const natsConnection *nc, struct slice subject)
{
	struct owner_search search = { .nc = nc };
	struct link *l;

	hash_each(&b->links, has_connection, &search);
	l = search.found;
	if (l == NULL)
		return;
	if (slice_starts(subject, slice_of(l->inbox, l->inbox_len)))
		on_inbox_denied(l);
	else
		cover_deny(l->cover, subject);
}

static void
arm_watch(struct link *l)
{
	uint64_t wait = liveness_ms(l) / 4;

	if (fence_in_flight(l) && wait > FENCE_PATIENCE_MS)
		wait = FENCE_PATIENCE_MS;
	timer_arm(l->bus->wheel, &l->watch, l->bus->now_ms + wait);
}

static void
send_fence(struct link *l)
{
	struct buf *b = &l->bus->subject;

	l->fence_wanted = false;
	l->fence_since_ms = l->bus->now_ms;
	l->fences_sent++;
	arm_watch(l);
	if (l->fence_by_ping) {
		start_flush(l);
		return;
	}
	buf_reset(b);
	buf_printf(b, "%sf%" PRIu64, l->inbox, l->fences_sent);
	buf_append_byte(b, '\0');
	/* When this fails the link is lost, which is noticed at once. */
	(void)natsConnection_PublishRequest(l->nc, l->fence_subject,
	    (const char *)buf_ptr(b), NULL, 0);
}

uint64_t
link_want_fence(struct link *l)
{
	l->fence_wanted = true;
	link_touch(l);
	return l->fences_sent + 1;
}

static void NATS_THREAD
answer_subscribed(struct link *l, uint64_t fence)
{
	struct subscribed *s;

	while (
	    (s = STAILQ_FIRST(&l->subscribed)) != NULL && s->fence <= fence) {
		struct bus_event e = {
			.type = BUS_SUBSCRIBED,
			.link = l->id,
			.token = s->token,
		};

		STAILQ_REMOVE_HEAD(&l->subscribed, entry);
		bus_post(l->bus, s->worker, &e);
		free(s);
	}
}

/* --- up and down -------------------------------------------------------- */

static void NATS_THREAD
tell_workers(struct link *l, enum bus_result result)
{
	struct bus_event e = {
		.type = BUS_LINK,
		.result = (uint8_t)result,
		.link = l->id,
	};

	for (unsigned w = 0; w < l->bus->options->n_workers; w++)
		bus_post(l->bus, w, &e);
}

static void
server_name(struct link *l, char *out, size_t size)
{
	char url[256] = "";
	char *bare;

	(void)natsConnection_GetConnectedUrl(l->nc, url, sizeof(url));
	bare = credential_bare_url(url);
	snprintf(out, size, "%s", bare);
	free(bare);
}

/*
 * The other servers of the cluster, for later connections: what cnats has
 * learned it forgets with each of them.
 */
static void
learn_servers(struct link *l)
{
	struct buf list = { 0 };
	char **urls = NULL;
	int n = 0;

	if (natsConnection_GetDiscoveredServers(l->nc, &urls, &n) != NATS_OK)
		return;
	for (int i = 0; i < n; i++) {
		buf_printf(&list, "%s%s", i > 0 ? "," : "", urls[i]);
		free(urls[i]);
	}
	free((void *)urls);
	if (buf_len(&list) > 0) {
		free(l->bus->more_urls);
		l->bus->more_urls = xmemdup0(buf_ptr(&list), buf_len(&list));
	}
	buf_fini(&list);
}

static void NATS_THREAD
own_link_up(struct link *l)
{
	struct bus *b = l->bus;
	char id[128] = "?";
	char name[sizeof(b->server_name)];

	(void)natsConnection_GetConnectedServerId(l->nc, id, sizeof(id));
	server_name(l, name, sizeof(name));
	log_notice("connected to NATS server %s at %s", id, name);
	pthread_mutex_lock(&b->name_lock);
	snprintf(b->server_name, sizeof(b->server_name), "%s", name);
	pthread_mutex_unlock(&b->name_lock);
	learn_servers(l);
	atomic_store(&b->stats.up, true);
	tell_workers(l, BUS_OK);
}

static void
take_max_payload(struct link *l)
{
	int64_t max = natsConnection_GetMaxPayload(l->nc);

	l->max_payload = max > 0 ? (size_t)max : 0;
	if (l->id == 0)
		atomic_store(&l->bus->stats.max_payload, l->max_payload);
}

static void NATS_THREAD
go_up(struct link *l)
{
	if (l->was_up)
		atomic_fetch_add(&l->bus->stats.reconnects, 1);
	l->was_up = true;
	l->state = LINK_UP;
	l->n_failed = 0;
	free(l->complaint);
	l->complaint = NULL;
	if (l->device == NULL)
		own_link_up(l);
	else
		device_on_up(l);
	publish_waiting(l);
}

static void end_leaving(struct link *l, uint64_t fence);

void
link_on_fence(struct link *l, uint64_t fence)
{
	struct ack *a;

	if (fence <= l->fences_answered || fence > l->fences_sent)
		return;
	l->fences_answered = fence;
	take_max_payload(l);
	if (l->state == LINK_SYNCING)
		go_up(l);
	answer_subscribed(l, fence);
	end_leaving(l, fence);
	while ((a = ack_behind(&l->acks, fence)) != NULL)
		publish_settle(l, a, BUS_OK, NULL);
	link_touch(l);
}

static void
retry_later(struct link *l)
{
	uint64_t wait = RETRY_MIN_MS;

	for (unsigned i = 1; i < l->n_failed && wait < RETRY_MAX_MS; i++)
		wait *= 2;
	if (l->n_failed == 0)
		wait = 0;
	wait += random_u64() % RETRY_MIN_MS;
	l->n_failed++;
	l->state = LINK_DOWN;
	timer_arm(l->bus->wheel, &l->retry, l->bus->now_ms + wait);
}

/* Say why once; the same reason again is no news. */
static void
complain(struct link *l, const char *what, const char *why)
{
	if (l->complaint != NULL && strcmp(l->complaint, why) == 0)
		return;
	free(l->complaint);
	l->complaint = xstrdup(why);
	if (l->device == NULL)
		log_warning("%s: %s", what, why);
	else
		log_info("NATS user \"%s\": %s: %s", device_name(l->device),
		    what, why);
}

static void NATS_THREAD
go_down(struct link *l, const char *why)
{
	bool was_up = l->state == LINK_UP;
	char what[sizeof(l->bus->server_name) + 32];

	/* Nobody else writes the name. */
	snprintf(what, sizeof(what), "%s %s",
	    was_up ? "lost NATS server" : "cannot use NATS server",
	    l->bus->server_name);
	complain(l, what, why);
	close_connection(l);
	publish_rewind(l);
	answer_subscribed(l, UINT64_MAX);
	retry_later(l);
	if (l->device != NULL) {
		device_on_down(l);
	} else if (was_up) {
		atomic_store(&l->bus->stats.up, false);
		tell_workers(l, BUS_DOWN);
	}
}

/* --- the connection ----------------------------------------------------- */

static void
count_subscriptions(struct link *l, int change)
{
	atomic_fetch_add(&l->bus->stats.subscriptions, (unsigned)change);
}

static void *
join(void *arg, const char *subject)
{
	struct link *l = arg;
	natsSubscription *sub;

	if (l->nc == NULL)
		return NULL;
	sub = receive_subscribe(l, subject);
	if (sub != NULL)
		count_subscriptions(l, 1);
	return sub;
}

/* A subscription that is over when the server knows those in its place. */
struct leaving {
	STAILQ_ENTRY(leaving) entry;
	natsSubscription *subscription;
	uint64_t fence;
};

static void
end_subscription(struct link *l, natsSubscription *sub)
{
	count_subscriptions(l, -1);
	/* Harmless when the connection is closed. */
	(void)natsSubscription_Unsubscribe(sub);
	natsSubscription_Destroy(sub);
}

/*
 * cnats drops messages of a subscription that it has ended, so one that was
 * replaced stays until all that came by it alone must have arrived.
 */
static void
leave(void *arg, const char *subject, void *handle, bool replaced)
{
	struct link *l = arg;
	struct leaving *late;

	(void)subject;
	if (handle == NULL)
		return;
	if (!replaced) {
		end_subscription(l, handle);
		return;
	}
	late = xcalloc(1, sizeof(*late));
	late->subscription = handle;
	late->fence = link_want_fence(l);
	STAILQ_INSERT_TAIL(&l->leaving, late, entry);
}

/* Those behind an answered fence; UINT64_MAX: all. */
static void
end_leaving(struct link *l, uint64_t fence)
{
	struct leaving *late;

	while ((late = STAILQ_FIRST(&l->leaving)) != NULL &&
	    late->fence <= fence) {
		STAILQ_REMOVE_HEAD(&l->leaving, entry);
		end_subscription(l, late->subscription);
		free(late);
	}
}

static const struct cover_ops COVER_OPS = { .join = join, .leave = leave };

static void
on_socket(void *arg, bool was_read)
{
	struct link *l = arg;

	/* The turn's own time is from before the loop slept. */
	l->bus->now_ms = clock_mono_ms();
	if (was_read)
		l->alive_ms = l->bus->now_ms;
	link_touch(l);
}

/* Bytes that cannot go out would make cnats wait half a second for them. */
static void NATS_THREAD
shut(struct link *l)
{
	(void)shutdown(atomic_load(&l->adapter->fd), SHUT_RDWR);
	if (atomic_load(&l->adapter->want_write))
		link_adapter_flush(l->adapter);
}

static void NATS_THREAD
close_connection(struct link *l)
{
	struct bus *b = l->bus;

	if (l->nc == NULL)
		return;
	timer_cancel(b->wheel, &l->watch);
	cover_leave_all(l->cover);
	end_leaving(l, UINT64_MAX);
	consumer_forget_link(l);
	natsSubscription_Destroy(l->inbox_subscription);
	l->inbox_subscription = NULL;
	/* Behind these, which leave bytes to be written. */
	if (!link_adapter_is_gone(l->adapter))
		shut(l);
	if (l->flush != NULL) {
		natsConnection_Close(l->nc);
		l->flush->adapter = l->adapter;
		l->flush->link = NULL;
		l->flush = NULL;
		b->n_flushing--;
	} else {
		natsConnection_Destroy(l->nc);
		link_adapter_free(&l->adapter);
	}
	l->adapter = NULL;
	l->nc = NULL;
	l->fences_answered = l->fences_sent;
	l->fence_wanted = false;
	publish_check_output(l);
	atomic_fetch_sub(&b->stats.links, 1);
}

void
link_abort(struct link *l, const char *why)
{
	assert(l->nc != NULL);
	go_down(l, why);
}

static void NATS_THREAD
open_connection(struct link *l, struct connect_job *j)
{
	struct bus *b = l->bus;
	char inbox[512];

	l->nc = j->nc;
	l->adapter = j->adapter;
	j->nc = NULL;
	j->adapter = NULL;
	l->state = LINK_SYNCING;
	l->fence_by_ping = false;
	l->inbox_denied = false;
	l->alive_ms = b->now_ms;
	atomic_fetch_add(&b->stats.links, 1);
	take_max_payload(l);
	receive_start(l, l->nc);
	link_adapter_start(l->adapter, b->base, l->nc, on_socket, l);
	link_adapter_read(l->adapter, b->reading);
	snprintf(inbox, sizeof(inbox), "%s>", l->inbox);
	l->inbox_subscription = receive_subscribe(l, inbox);
	cover_join_all(l->cover);
	l->fence_wanted = true;
	arm_watch(l);
	link_touch(l);
}

static void NATS_THREAD
on_connect(struct mail *mail, void *owner)
{
	struct connect_job *j =
	    container_of(mail, struct connect_job, job.mail);
	struct link *l = bus_find_link(owner, j->link);

	if (l != NULL)
		link_on_connect(l, j);
	connect_job_free(&j);
}

void
link_connect(struct link *l)
{
	struct bus *b = l->bus;
	struct connect_job *j;

	assert(l->state == LINK_DOWN && l->nc == NULL);
	timer_cancel(b->wheel, &l->retry);
	j = connect_job_new(b->options, &b->stats, &b->waker, l->id,
	    l->device != NULL ? device_login(l->device) : NULL, b->more_urls,
	    on_connect);
	l->state = LINK_CONNECTING;
	helper_post(b->connector, &j->job, l->device == NULL);
}

bool
link_is_away(const struct link *l)
{
	return l->n_failed > 0;
}

void
link_on_connect(struct link *l, struct connect_job *j)
{
	if (l->state != LINK_CONNECTING)
		return;
	if (j->outcome == CONNECT_OK) {
		open_connection(l, j);
		return;
	}
	complain(l, "cannot connect to NATS", j->text);
	retry_later(l);
	if (l->device != NULL)
		device_on_failed(l, j->outcome == CONNECT_REFUSED);
}

/* --- timers ------------------------------------------------------------- */

/*
 * Attempts can take a second each, one after the other: while the daemon's
 * own link is away, those of devices do not stand in its way.
 */
static void
on_retry(struct timer *t, void *arg)
{
	struct link *l = container_of(t, struct link, retry);
	struct bus *b = arg;

	if (l->device != NULL && link_is_away(b->own))
		timer_arm(b->wheel, &l->retry,
		    b->now_ms + RETRY_MIN_MS + random_u64() % RETRY_MIN_MS);
	else
		link_connect(l);
}

static void NATS_THREAD
on_expire(struct timer *t, void *arg)
{
	(void)arg;
	publish_expire(container_of(t, struct link, expire));
}

static void
on_narrow(struct timer *t, void *arg)
{
	struct link *l = container_of(t, struct link, narrow);

	(void)arg;
	cover_narrow(l->cover);
	link_touch(l);
}

static void NATS_THREAD
on_watch(struct timer *t, void *arg)
{
	struct link *l = container_of(t, struct link, watch);
	uint64_t now = l->bus->now_ms;

	(void)arg;
	if (!l->bus->reading) {
		/* We do not listen, so it cannot be heard. */
		l->alive_ms = now;
		l->fence_since_ms = now;
	}
	if (now - l->alive_ms >= liveness_ms(l)) {
		link_abort(l, "it does not answer");
		return;
	}
	if (!fence_in_flight(l)) {
		if (now - l->alive_ms >= liveness_ms(l) / 2)
			send_fence(l);
	} else if (now - l->fence_since_ms >= 2 * liveness_ms(l)) {
		link_abort(l, "it does not answer PING");
		return;
	} else if (now - l->fence_since_ms >= FENCE_PATIENCE_MS) {
		l->fence_by_ping = true;
		start_flush(l);
	}
	arm_watch(l);
	link_touch(l);
}

/* --- the turn ----------------------------------------------------------- */

void
link_touch(struct link *l)
{
	if (l->is_dirty)
		return;
	l->is_dirty = true;
	TAILQ_INSERT_TAIL(&l->bus->dirty, l, by_dirt);
}

bool
link_is_writable(const struct link *l)
{
	return l->state == LINK_UP && !l->is_congested;
}

static void NATS_THREAD
write_out(struct link *l)
{
	uint64_t gather = l->bus->options->flush_interval_us;
	uint64_t now, since;

	if (gather > 0) {
		now = clock_mono_us();
		since = now - l->flushed_us;
		if (since < gather &&
		    natsConnection_Buffered(l->nc) < GATHER_ENOUGH) {
			bus_gather(l->bus, l, (unsigned)(gather - since));
			return;
		}
		l->flushed_us = now;
	}
	link_adapter_flush(l->adapter);
}

static void NATS_THREAD
lose_connection(struct link *l)
{
	const char *why = NULL;
	natsStatus s = natsConnection_GetLastError(l->nc, &why);
	char *copy = xstrdup(s != NATS_OK && why != NULL && *why != '\0'
		? why
		: "connection closed");

	go_down(l, copy);
	free(copy);
}

void
link_turn(struct link *l)
{
	if (l->nc == NULL)
		return;
	publish_check_output(l);
	publish_waiting(l);
	if (l->fence_wanted && !fence_in_flight(l))
		send_fence(l);
	if (atomic_load(&l->adapter->want_write)) {
		write_out(l);
		/* All may be written at once: nothing else would tell. */
		publish_check_output(l);
	}
	if (link_adapter_is_gone(l->adapter))
		lose_connection(l);
}

void
link_drain(struct link *l)
{
	l->drain_fence = link_want_fence(l);
}

bool
link_is_drained(const struct link *l)
{
	return l->state != LINK_UP ||
	    (TAILQ_EMPTY(&l->waiting) && l->fences_answered >= l->drain_fence);
}

/* --- subscriptions ------------------------------------------------------ */

static bool
subscription_fits(const struct link *l, struct slice subject)
{
	return subject_valid(subject, true) &&
	    subject.len <= l->bus->options->max_control_line;
}

void
link_subscribe(struct link *l, unsigned worker, uint64_t token,
    struct slice subject)
{
	struct subscribed *s = xcalloc(1, sizeof(*s));

	if (subscription_fits(l, subject))
		cover_add(l->cover, subject);
	else
		atomic_fetch_add(&l->bus->stats.unsendable, 1);
	s->worker = worker;
	s->token = token;
	if (l->nc != NULL)
		s->fence = link_want_fence(l);
	STAILQ_INSERT_TAIL(&l->subscribed, s, entry);
	if (l->nc == NULL)
		answer_subscribed(l, 0);
}

void
link_unsubscribe(struct link *l, struct slice subject)
{
	if (!subscription_fits(l, subject))
		return;
	cover_drop(l->cover, subject);
	if (cover_is_loose(l->cover) && !timer_is_armed(&l->narrow))
		timer_arm(l->bus->wheel, &l->narrow,
		    l->bus->now_ms + NARROW_AFTER_MS);
	link_touch(l);
}

/* --- life --------------------------------------------------------------- */

static void
make_names(struct link *l)
{
	const char *node = l->bus->options->node_name;
	char epoch[EPOCH_LEN + 1];

	random_name(epoch, EPOCH_LEN);
	l->fence_subject = xasprintf("_MQ.%s.%s", node, epoch);
	l->inbox = xasprintf("%s.", l->fence_subject);
	l->inbox_len = strlen(l->inbox);
}

struct link *
link_new(struct bus *b, uint32_t id, struct device *device)
{
	struct link *l = xcalloc(1, sizeof(*l));
	struct slice key;

	l->bus = b;
	l->id = id;
	l->device = device;
	l->state = LINK_DOWN;
	STAILQ_INIT(&l->subscribed);
	STAILQ_INIT(&l->leaving);
	TAILQ_INIT(&l->waiting);
	TAILQ_INIT(&l->droppable);
	l->cover = cover_new(&COVER_OPS, l);
	ack_table_init(&l->acks, b->options->ack_timeout_ms,
	    b->options->ack_attempts);
	timer_init(&l->retry, on_retry);
	timer_init(&l->watch, on_watch);
	timer_init(&l->expire, on_expire);
	timer_init(&l->narrow, on_narrow);
	make_names(l);
	l->gate = receive_gate_new(b, id);
	key = slice_of(&l->id, sizeof(l->id));
	hash_insert(&b->links, &l->by_id, hash_key(key));
	return l;
}

void
link_free(struct link **l)
{
	struct link *dead = *l;
	struct subscribed *s;
	struct bus *b;

	if (dead == NULL)
		return;
	b = dead->bus;
	close_connection(dead);
	publish_drop(dead);
	while ((s = STAILQ_FIRST(&dead->subscribed)) != NULL) {
		STAILQ_REMOVE_HEAD(&dead->subscribed, entry);
		free(s);
	}
	timer_cancel(b->wheel, &dead->retry);
	timer_cancel(b->wheel, &dead->narrow);
	if (dead->is_dirty)
		TAILQ_REMOVE(&b->dirty, dead, by_dirt);
	if (dead->is_gathering)
		TAILQ_REMOVE(&b->gathering, dead, by_gathering);
	hash_remove(&b->links, &dead->by_id);
	ack_table_fini(&dead->acks);
	cover_free(&dead->cover);
	free(dead->fence_subject);
	free(dead->inbox);
	free(dead->complaint);
	free(dead);
	*l = NULL;
}
