/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - one connection to NATS and what must outlive it.
 */
#include "config.h"

#include "nats/link.h"

#include <assert.h>
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
#include "nats/intake.h"
#include "nats/link_connect.h"
#include "nats/link_denial.h"
#include "nats/link_fence.h"
#include "nats/link_subscription.h"
#include "nats/publish.h"
#include "nats/side.h"
#include "nats/turnover.h"

/* Between two attempts: doubled after each failure, and some chance. */
#define RETRY_MIN_MS      250u
#define RETRY_MAX_MS      2000u
/* A fence that takes longer is tried the other way, by PING. */
#define FENCE_PATIENCE_MS 300u
#define EPOCH_LEN         8
/* Bytes that are worth a write, whatever flush_interval says. */
#define GATHER_ENOUGH     (32 * 1024)

static void close_connection(struct link *l) NATS_THREAD;

static uint64_t
liveness_ms(const struct link *l)
{
	unsigned s = l->bus->options->liveness_s;

	return 1000 * (uint64_t)(s > 0 ? s : 1);
}

static void
arm_watch(struct link *l)
{
	uint64_t wait = liveness_ms(l) / 4;

	if (link_fence_in_flight(l) && wait > FENCE_PATIENCE_MS)
		wait = FENCE_PATIENCE_MS;
	timer_arm(l->bus->wheel, &l->watch, l->bus->now_ms + wait);
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
	if (l->main == NULL && l->device == NULL)
		own_link_up(l);
	else if (l->main == NULL)
		device_on_up(l);
	else
		publish_doubted(l->main);
	publish_waiting(l);
}

void
link_settle_fence(struct link *l, uint64_t fence)
{
	struct ack *a;

	if (l->state == LINK_SYNCING)
		go_up(l);
	link_subscriptions_on_fence(l, fence);
	while ((a = ack_behind(&l->acks, fence)) != NULL)
		publish_settle(l, a, BUS_OK, NULL);
	link_touch(l);
}

void
link_on_fence(struct link *l, uint64_t fence)
{
	if (fence <= l->fences_answered || fence > l->fences_sent)
		return;
	l->fences_answered = fence;
	take_max_payload(l);
	if (!link_denial_defers(l, fence))
		link_settle_fence(l, fence);
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
	link_subscriptions_down(l);
	retry_later(l);
	if (l->main != NULL)
		return;
	if (l->device != NULL) {
		device_on_down(l);
	} else if (was_up) {
		atomic_store(&l->bus->stats.up, false);
		tell_workers(l, BUS_DOWN);
	}
}

/* --- the connection ----------------------------------------------------- */

static void NATS_THREAD
on_socket(void *arg, bool was_read)
{
	struct link *l = arg;

	turnover_settle(l);
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
	link_subscriptions_close(l);
	consumer_forget_link(l);
	natsSubscription_Destroy(l->inbox_subscription);
	l->inbox_subscription = NULL;
	/* Behind these, which leave bytes to be written. */
	if (!link_adapter_is_gone(l->adapter))
		shut(l);
	if (link_is_flushing(l)) {
		natsConnection_Close(l->nc);
		link_leave_flush(l);
	} else {
		natsConnection_Destroy(l->nc);
		link_adapter_free(&l->adapter);
	}
	l->adapter = NULL;
	l->nc = NULL;
	link_denial_reset(l);
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
	intake_start(l, l->nc);
	link_adapter_start(l->adapter, b->base, l->nc, on_socket, l);
	link_adapter_read(l->adapter, b->reading);
	snprintf(inbox, sizeof(inbox), "%s>", l->inbox);
	l->inbox_subscription = intake_subscribe(l, inbox);
	link_subscriptions_open(l);
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
	    l->main != NULL, l->device != NULL ? device_login(l->device) : NULL,
	    b->more_urls, on_connect);
	j->job.done = &b->mailbox;
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
	if (l->main != NULL)
		link_subscriptions_down(l);
	else if (l->device != NULL)
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
	if (!link_fence_in_flight(l)) {
		if (now - l->alive_ms >= liveness_ms(l) / 2)
			link_send_fence(l);
	} else if (now - l->fence_since_ms >= 2 * liveness_ms(l)) {
		link_abort(l, "it does not answer PING");
		return;
	} else if (now - l->fence_since_ms >= FENCE_PATIENCE_MS) {
		link_fence_by_ping(l);
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
	if (l->fence_wanted && !link_fence_in_flight(l)) {
		link_send_fence(l);
		arm_watch(l);
	}
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
link_new(struct bus *b, uint32_t id, struct device *device, struct link *main)
{
	struct link *l = xcalloc(1, sizeof(*l));
	struct slice key;

	l->bus = b;
	l->id = id;
	l->device = device;
	l->main = main;
	l->state = LINK_DOWN;
	TAILQ_INIT(&l->waiting);
	TAILQ_INIT(&l->droppable);
	ack_table_init(&l->acks, b->options->ack_timeout_ms,
	    b->options->ack_attempts);
	timer_init(&l->retry, on_retry);
	timer_init(&l->watch, on_watch);
	timer_init(&l->expire, on_expire);
	link_subscriptions_init(l);
	link_denial_init(l);
	make_names(l);
	l->gate = intake_gate_new(l);
	key = slice_of(&l->id, sizeof(l->id));
	hash_insert(&b->links, &l->by_id, hash_key(key));
	return l;
}

void
link_free(struct link **l)
{
	struct link *dead = *l;
	struct bus *b;

	if (dead == NULL)
		return;
	b = dead->bus;
	side_free(dead);
	close_connection(dead);
	publish_drop(dead);
	timer_cancel(b->wheel, &dead->retry);
	link_subscriptions_fini(dead);
	if (dead->is_dirty)
		TAILQ_REMOVE(&b->dirty, dead, by_dirt);
	if (dead->is_gathering)
		TAILQ_REMOVE(&b->gathering, dead, by_gathering);
	hash_remove(&b->links, &dead->by_id);
	ack_table_fini(&dead->acks);
	free(dead->fence_subject);
	free(dead->inbox);
	free(dead->complaint);
	free(dead);
	*l = NULL;
}
