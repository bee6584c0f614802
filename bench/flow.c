/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow - publishers and subscribers: cost, throughput, loss, order, latency.
 *
 * Topics are dealt out like cards: topic t belongs to publisher t mod pubs
 * and to subscriber t mod subs, and where there are fewer topics than
 * publishers or subscribers, those share. A publisher and one of its topics
 * are a lane; messages are numbered per lane.
 *
 * Closed loop: each publisher has at most `window` messages on the way. A
 * message has arrived when the lane's pacer, the first of its subscribers,
 * has it and when it is acknowledged, whichever of the two there is, or both.
 * With neither, a publisher asks with pings how far the server has come.
 * Open loop: messages leave on time, whatever the server does.
 *
 *   connect, subscribe | settle | warm-up | measured | drain | report
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "histogram.h"
#include "load.h"
#include "stencil.h"
#include "tally.h"

#define SECOND       1000000000u
#define SETTLE_NS    (SECOND / 4)
#define SETUP_MAX_NS ((uint64_t)60 * SECOND)
#define STALL_NS     ((uint64_t)2 * SECOND)
#define OUT_MAX      ((size_t)64 * 1024) /* unsent bytes of one publisher */
#define IDS          65536u
#define PINGS        4u /* on the way at a time, each a part of the window */

struct flow;

struct lane {
	uint32_t publisher;
	uint32_t pacer; /* number of a subscriber */
	uint32_t topic;
	uint32_t next; /* number of the next message */
	struct stencil stencil;
};

struct publisher {
	struct peer peer;
	struct flow *flow;
	struct lane *lanes;
	uint32_t n_lanes;
	uint32_t turn;
	uint64_t sent;
	uint64_t received; /* by the pacers */
	uint64_t acked;
	uint64_t seen; /* by the server: a PING after it was answered */
	uint64_t ping_marks[PINGS];
	uint32_t pings_sent;
	uint32_t pings_seen;
	uint32_t last_id;
	uint8_t *ids; /* a bit for each that is on the way */
};

struct subscriber {
	struct peer peer;
	struct flow *flow;
	struct tally *tallies; /* one for each lane */
};

struct snapshot {
	struct usage usage;
	uint64_t sent, delivered, acked;
};

struct flow {
	const struct options *o;
	struct peer_loop loop;
	struct publisher *publishers;
	struct subscriber *subscribers;
	struct lane *lanes;
	uint32_t n_lanes;
	uint32_t waiting; /* for that many peers to become ready */
	bool measuring;
	uint64_t sent, delivered, acked;
	uint64_t wanted; /* deliveries of all that was sent */
	uint64_t stray;  /* messages that are none of ours */
	uint64_t bad_acks;
	uint64_t stalls;
	uint64_t due; /* open loop: when the next message leaves */
	uint32_t next_publisher;
	struct tally_counts counts;
	struct histogram latency;
	struct histogram lag; /* of sending, behind the plan */
	struct snapshot begin, end;
};

/* Peers */

static void
on_closed(struct peer *p, const char *why)
{
	die("%s peer %u: %s", p->wire->scheme, p->number, why);
}

static void
publisher_on_ready(struct peer *p)
{
	struct publisher *me = container_of(p, struct publisher, peer);

	me->flow->waiting--;
}

static void
publisher_on_message(struct peer *p, const uint8_t *payload, size_t len)
{
	struct publisher *me = container_of(p, struct publisher, peer);

	(void)payload;
	(void)len;
	me->flow->stray++;
}

static void
publisher_on_acked(struct peer *p, uint32_t id)
{
	struct publisher *me = container_of(p, struct publisher, peer);
	uint8_t bit = (uint8_t)(1u << id % 8);

	if (id >= IDS || me->ids == NULL || (me->ids[id / 8] & bit) == 0) {
		me->flow->bad_acks++;
		return;
	}
	me->ids[id / 8] &= (uint8_t)~bit;
	if (me->acked < me->sent) /* it is ahead after a stall */
		me->acked++;
	me->flow->acked++;
}

static void
publisher_on_pong(struct peer *p)
{
	struct publisher *me = container_of(p, struct publisher, peer);

	me->seen = me->ping_marks[me->pings_seen++ % PINGS];
}

static void
subscriber_on_ready(struct peer *p)
{
	struct subscriber *me = container_of(p, struct subscriber, peer);

	me->flow->waiting--;
}

static void
subscriber_on_subscribed(struct peer *p)
{
	struct subscriber *me = container_of(p, struct subscriber, peer);

	me->flow->waiting--;
}

static void
subscriber_on_message(struct peer *p, const uint8_t *payload, size_t len)
{
	struct subscriber *me = container_of(p, struct subscriber, peer);
	struct flow *f = me->flow;
	struct stamp stamp;
	struct lane *lane;
	uint32_t moved;

	if (len < sizeof(stamp)) {
		f->stray++;
		return;
	}
	memcpy(&stamp, payload, sizeof(stamp));
	if (stamp.lane >= f->n_lanes) {
		f->stray++;
		return;
	}
	f->delivered++;
	lane = &f->lanes[stamp.lane];
	moved = tally_note(&me->tallies[stamp.lane], stamp.seq, &f->counts);
	if (lane->pacer == p->number)
		f->publishers[lane->publisher].received += moved;
	if (f->measuring && f->o->rate > 0)
		histogram_add(&f->latency, p->loop->now_ns - stamp.sent_ns);
}

static void
on_unexpected(struct peer *p)
{
	peer_fail(p, "answer that nobody asked for");
}

static void
subscriber_on_acked(struct peer *p, uint32_t id)
{
	(void)id;
	on_unexpected(p);
}

static const struct peer_events publisher_events = {
	.ready = publisher_on_ready,
	.subscribed = on_unexpected,
	.message = publisher_on_message,
	.acked = publisher_on_acked,
	.pong = publisher_on_pong,
	.closed = on_closed,
};

static const struct peer_events subscriber_events = {
	.ready = subscriber_on_ready,
	.subscribed = subscriber_on_subscribed,
	.message = subscriber_on_message,
	.acked = subscriber_on_acked,
	.pong = on_unexpected,
	.closed = on_closed,
};

/* Setting up */

static char *
topic_name(uint32_t topic)
{
	return xasprintf("bench/%u/%u/v", run_number(), topic);
}

static char *
filter_name(enum filter_form form, uint32_t topic)
{
	switch (form) {
	case FILTER_PLUS:
		return xasprintf("bench/%u/%u/+", run_number(), topic);
	case FILTER_ALL:
		return xasprintf("bench/%u/#", run_number());
	default:
		return topic_name(topic);
	}
}

/* How many of `n` things, numbered from 0, are `first` modulo `step`. */
static uint32_t
share_of(uint32_t n, uint32_t first, uint32_t step)
{
	return first >= n ? 0 : (n - first + step - 1) / step;
}

static void
lane_init(struct lane *lane, struct flow *f, uint32_t publisher, uint32_t topic)
{
	char *name = topic_name(topic);

	lane->publisher = publisher;
	lane->topic = topic;
	lane->pacer = f->o->subs > 0 ? topic % f->o->subs : 0;
	lane->stencil = (struct stencil){ .topic = name,
		.publisher = f->o->subs + publisher,
		.size = f->o->size,
		.qos = f->o->qos };
	f->o->from.wire->compose(f->o->from.wire, &lane->stencil);
	lane->stencil.topic = NULL;
	free(name);
}

/* Lanes of one publisher lie side by side. */
static void
lanes_init(struct flow *f)
{
	const struct options *o = f->o;
	uint32_t topics = o->topics, n = 0;

	f->n_lanes = topics >= o->pubs ? topics : o->pubs;
	f->lanes = xcalloc(f->n_lanes, sizeof(*f->lanes));
	for (uint32_t i = 0; i < o->pubs; i++) {
		struct publisher *p = &f->publishers[i];
		p->lanes = &f->lanes[n];
		p->n_lanes =
		    topics >= o->pubs ? share_of(topics, i, o->pubs) : 1;
		for (uint32_t k = 0; k < p->n_lanes; k++)
			lane_init(&p->lanes[k], f, i,
			    topics >= o->pubs ? i + k * o->pubs : i % topics);
		n += p->n_lanes;
	}
}

static void
subscriber_subscribe(struct subscriber *s)
{
	const struct options *o = s->flow->o;
	uint32_t topics = o->topics, number = s->peer.number;
	uint32_t n = topics >= o->subs ? share_of(topics, number, o->subs) : 1;
	char **filters;

	if (o->filter == FILTER_ALL)
		n = 1;
	filters = xcalloc(n, sizeof(*filters));
	for (uint32_t i = 0; i < n; i++)
		filters[i] =
		    filter_name(o->filter, (number + i * o->subs) % topics);
	for (uint32_t i = 0; i < n; i += o->batch) {
		uint32_t left = n - i < o->batch ? n - i : o->batch;
		s->peer.wire->subscribe(&s->peer,
		    (const char *const *)filters + i, left, o->sub_qos);
		s->flow->waiting++;
	}
	for (uint32_t i = 0; i < n; i++)
		free(filters[i]);
	free(filters);
}

static void
flow_wait(struct flow *f, const char *what)
{
	uint64_t limit = now_ns() + SETUP_MAX_NS;

	while (f->waiting > 0) {
		peer_loop_flush(&f->loop);
		peer_loop_turn(&f->loop, SECOND / 10);
		if (now_ns() > limit)
			die("%u peers wait for %s", f->waiting, what);
	}
}

static void
flow_connect_subscribers(struct flow *f)
{
	const struct options *o = f->o;

	f->subscribers = xcalloc(o->subs + 1, sizeof(*f->subscribers));
	for (uint32_t i = 0; i < o->subs; i++) {
		struct subscriber *s = &f->subscribers[i];
		s->flow = f;
		s->tallies = xcalloc(f->n_lanes, sizeof(*s->tallies));
		s->peer.answers = o->answer;
		f->waiting++;
		peer_open(&s->peer, &f->loop, &o->to, &subscriber_events, i);
		if (f->waiting >= o->parallel)
			flow_wait(f, "CONNACK");
	}
	flow_wait(f, "CONNACK");
	for (uint32_t i = 0; i < o->subs; i++)
		subscriber_subscribe(&f->subscribers[i]);
	flow_wait(f, "SUBACK");
}

/* Numbers go on behind those of the subscribers: ids must differ. */
static void
flow_connect_publishers(struct flow *f)
{
	const struct options *o = f->o;

	for (uint32_t i = 0; i < o->pubs; i++) {
		struct publisher *p = &f->publishers[i];
		p->flow = f;
		p->peer.inbox = o->qos > 0;
		if (o->qos > 0)
			p->ids = xcalloc(IDS / 8, 1);
		f->waiting++;
		peer_open(&p->peer, &f->loop, &o->from, &publisher_events,
		    o->subs + i);
		if (f->waiting >= o->parallel)
			flow_wait(f, "CONNACK");
	}
	flow_wait(f, "CONNACK");
}

/* Publishing */

static uint32_t
publisher_next_id(struct publisher *p)
{
	uint32_t id = p->last_id;

	do {
		id = id + 1 == IDS ? 1 : id + 1;
	} while (p->ids[id / 8] & 1u << id % 8);
	p->ids[id / 8] |= (uint8_t)(1u << id % 8);
	p->last_id = id;
	return id;
}

static struct lane *
publisher_next_lane(struct publisher *p)
{
	if (p->n_lanes == 1)
		return p->lanes;
	if (p->flow->o->shuffle)
		p->turn = (uint32_t)((uint64_t)random() % p->n_lanes);
	else if (++p->turn >= p->n_lanes)
		p->turn = 0;
	return &p->lanes[p->turn];
}

static uint64_t
lane_audience(const struct flow *f, const struct lane *lane)
{
	const struct options *o = f->o;

	if (o->subs == 0)
		return 0;
	if (o->filter == FILTER_ALL)
		return o->subs;
	return o->topics >= o->subs ? 1
				    : share_of(o->subs, lane->topic, o->topics);
}

static void
publisher_send(struct publisher *p, uint64_t now)
{
	struct lane *lane = publisher_next_lane(p);
	struct stamp stamp = { .lane = (uint32_t)(lane - p->flow->lanes),
		.seq = lane->next++,
		.sent_ns = now };
	uint32_t id = p->ids != NULL ? publisher_next_id(p) : 0;

	stencil_use(&lane->stencil, &p->peer.out, id, &stamp);
	peer_dirty(&p->peer);
	p->sent++;
	p->flow->sent++;
	p->flow->wanted += lane_audience(p->flow, lane);
}

/* How many of this publisher's messages have arrived: see the top. */
static uint64_t
publisher_arrived(const struct publisher *p)
{
	const struct options *o = p->flow->o;
	bool by_ack = o->qos > 0;
	bool by_pacer = o->subs > 0 && !o->pace_on_ack;

	if (by_ack && by_pacer)
		return p->acked < p->received ? p->acked : p->received;
	if (by_ack)
		return p->acked;
	return by_pacer ? p->received : p->seen;
}

static bool
publisher_paced_by_ping(const struct publisher *p)
{
	return p->flow->o->subs == 0 && p->flow->o->qos == 0;
}

static void
publisher_ping(struct publisher *p)
{
	p->ping_marks[p->pings_sent++ % PINGS] = p->sent;
	p->peer.wire->ping(&p->peer);
}

static void
publisher_fill(struct publisher *p, uint64_t now)
{
	uint64_t limit = publisher_arrived(p) + p->flow->o->window;
	uint64_t part = p->flow->o->window / PINGS + 1;
	bool pings = publisher_paced_by_ping(p);

	while (p->sent < limit && buf_len(&p->peer.out) < OUT_MAX) {
		publisher_send(p, now);
		if (pings && p->sent % part == 0)
			publisher_ping(p);
	}
}

static void
flow_publish_closed(struct flow *f)
{
	uint64_t now = now_ns();

	for (uint32_t i = 0; i < f->o->pubs; i++)
		publisher_fill(&f->publishers[i], now);
}

/* Send what is due; returns how long nothing will be. */
static uint64_t
flow_publish_open(struct flow *f)
{
	uint64_t now = now_ns();
	uint64_t step = (uint64_t)(SECOND / f->o->rate);

	if (f->due == 0)
		f->due = now;
	for (; f->due <= now; f->due += step) {
		if (f->measuring)
			histogram_add(&f->lag, now - f->due);
		publisher_send(&f->publishers[f->next_publisher], now);
		if (++f->next_publisher == f->o->pubs)
			f->next_publisher = 0;
	}
	return f->due - now;
}

/*
 * A lost message of QoS 0 would keep its place in the window for ever. When
 * nothing has arrived for long, all is taken as arrived; the report has the
 * number of times.
 */
static void
flow_unstall(struct flow *f)
{
	f->stalls++;
	for (uint32_t i = 0; i < f->o->pubs; i++) {
		struct publisher *p = &f->publishers[i];
		p->received = p->acked = p->seen = p->sent;
	}
}

static void
flow_run_until(struct flow *f, uint64_t end)
{
	uint64_t now, pause, last = 0, moved_at = now_ns();

	while ((now = now_ns()) < end) {
		pause = end - now;
		if (f->o->rate > 0) {
			uint64_t next = flow_publish_open(f);
			pause = next < pause ? next : pause;
		} else {
			flow_publish_closed(f);
		}
		peer_loop_flush(&f->loop);
		peer_loop_turn(&f->loop, pause < STALL_NS ? pause : STALL_NS);
		if (f->sent + f->delivered != last) {
			last = f->sent + f->delivered;
			moved_at = now;
		} else if (now - moved_at > STALL_NS) {
			flow_unstall(f);
			moved_at = now;
		}
	}
}

static bool
flow_is_drained(const struct flow *f)
{
	return f->counts.unique >= f->wanted &&
	    (f->o->qos == 0 || f->acked >= f->sent);
}

static void
flow_drain(struct flow *f)
{
	uint64_t last = 0, moved_at = now_ns();

	while (!flow_is_drained(f) && now_ns() - moved_at < STALL_NS) {
		peer_loop_flush(&f->loop);
		peer_loop_turn(&f->loop, SECOND / 10);
		if (f->delivered + f->acked != last) {
			last = f->delivered + f->acked;
			moved_at = now_ns();
		}
	}
	/* Duplicates come late: give them a moment. */
	peer_loop_flush(&f->loop);
	for (int i = 0; i < 10; i++)
		peer_loop_turn(&f->loop, SECOND / 100);
}

static void
flow_settle(struct flow *f)
{
	uint64_t end = now_ns() + SETTLE_NS;

	for (uint64_t now = now_ns(); now < end; now = now_ns())
		peer_loop_turn(&f->loop, end - now);
}

/* Reporting */

static void
flow_snapshot(struct flow *f, struct snapshot *s)
{
	usage_sample_cpu(&s->usage, f->o->processes, f->o->n_processes);
	s->sent = f->sent;
	s->delivered = f->delivered;
	s->acked = f->acked;
}

/* What the cost is divided by: the last thing that happens to a message. */
static uint64_t
flow_work(const struct flow *f)
{
	if (f->o->subs > 0)
		return f->end.delivered - f->begin.delivered;
	if (f->o->qos > 0)
		return f->end.acked - f->begin.acked;
	return f->end.sent - f->begin.sent;
}

static void
print_cpu(const struct flow *f, double work)
{
	printf("\"cpu_us\":{");
	for (size_t i = 0; i < f->o->n_processes; i++)
		printf("%s\"%s\":%.4f", i > 0 ? "," : "",
		    f->o->processes[i].name,
		    (double)(f->end.usage.cpu_ns[i] -
			f->begin.usage.cpu_ns[i]) /
			1e3 / work);
	printf("},\"others\":%.3f,\"load_cpu_us\":%.4f,",
	    usage_others(&f->begin.usage, &f->end.usage, f->o->n_processes),
	    (double)(f->end.usage.own_cpu_ns - f->begin.usage.own_cpu_ns) /
		1e3 / work);
}

static void
print_latency(const struct flow *f)
{
	static const struct {
		const char *name;
		double part;
	} rows[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 },
		{ "p999", 0.999 } };

	printf("\"latency_us\":{");
	for (size_t i = 0; i < countof(rows); i++)
		printf("\"%s\":%.1f,", rows[i].name,
		    (double)histogram_percentile(&f->latency, rows[i].part) /
			1e3);
	printf("\"max\":%.1f},\"lag_us\":{\"p50\":%.1f,\"p99\":%.1f},",
	    (double)f->latency.max / 1e3,
	    (double)histogram_percentile(&f->lag, 0.5) / 1e3,
	    (double)histogram_percentile(&f->lag, 0.99) / 1e3);
}

static void
flow_report(const struct flow *f)
{
	double seconds =
	    (double)(f->end.usage.at_ns - f->begin.usage.at_ns) / 1e9;
	double work = (double)flow_work(f);
	uint64_t lost =
	    f->wanted > f->counts.unique ? f->wanted - f->counts.unique : 0;

	printf("{\"mode\":\"flow\",\"seconds\":%.3f,\"work\":%.0f,"
	       "\"rate\":%.0f,",
	    seconds, work, work / seconds);
	print_cpu(f, work > 0 ? work : 1);
	if (f->o->rate > 0)
		print_latency(f);
	printf("\"sent\":%" PRIu64 ",\"wanted\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"duplicate\":%" PRIu64 ",\"late\":%" PRIu64
	       ",\"unacked\":%" PRIu64 ",\"bad_acks\":%" PRIu64
	       ",\"stray\":%" PRIu64 ",\"stalls\":%" PRIu64 "}\n",
	    f->sent, f->wanted, lost, f->counts.duplicate, f->counts.late,
	    f->o->qos > 0 ? f->sent - f->acked : 0, f->bad_acks, f->stray,
	    f->stalls);
}

void
flow_run(const struct options *o)
{
	struct flow *f = xcalloc(1, sizeof(*f));
	uint64_t start;

	if (o->size < sizeof(struct stamp))
		die("size is at least %zu", sizeof(struct stamp));
	f->o = o;
	peer_loop_init(&f->loop);
	f->publishers = xcalloc(o->pubs, sizeof(*f->publishers));
	lanes_init(f);
	flow_connect_subscribers(f);
	flow_connect_publishers(f);
	flow_settle(f);

	start = now_ns() + (uint64_t)(o->warmup * SECOND);
	flow_run_until(f, start);
	flow_snapshot(f, &f->begin);
	f->measuring = true;
	flow_run_until(f, start + (uint64_t)(o->seconds * SECOND));
	flow_snapshot(f, &f->end);
	f->measuring = false;
	flow_drain(f);
	flow_report(f);
}
