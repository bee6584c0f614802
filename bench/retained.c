/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retained - many retained messages: memory and CPU for each, and how long
 * a subscriber waits for some of them.
 *
 * The topics are RUN-GROUP/MEMBER/TAG with ten members in a group and ten
 * messages with the same tag, in groups that lie apart. So ten are found by a
 * literal prefix, ten by leading wildcards, which is hard, and all by #. The
 * server should be fresh, since # finds what other runs have left as well.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "load.h"
#include "stencil.h"

#define SECOND       1000000000u
#define GROUP        10u
#define TRIES        11
#define FETCH_MAX_NS ((uint64_t)15 * SECOND)

struct retained {
	const struct options *o;
	struct peer_loop loop;
	struct peer publisher;
	uint32_t sent, acked;
	bool ready;
};

/* One client that asks for what is retained. */
struct fetch {
	struct peer peer;
	uint32_t received, wanted;
	uint64_t done_ns;
	bool ready;
};

static struct retained *the_run;

static void
on_closed(struct peer *p, const char *why)
{
	die("peer %u: %s", p->number, why);
}

static void
on_nothing(struct peer *p)
{
	(void)p;
}

static void
publisher_on_ready(struct peer *p)
{
	(void)p;
	the_run->ready = true;
}

static void
publisher_on_message(struct peer *p, const uint8_t *payload, size_t len)
{
	(void)payload;
	(void)len;
	peer_fail(p, "message for a publisher");
}

static void
publisher_on_acked(struct peer *p, uint32_t id)
{
	(void)p;
	(void)id;
	the_run->acked++;
}

static void
fetch_on_ready(struct peer *p)
{
	container_of(p, struct fetch, peer)->ready = true;
}

static void
fetch_on_message(struct peer *p, const uint8_t *payload, size_t len)
{
	struct fetch *f = container_of(p, struct fetch, peer);

	(void)payload;
	(void)len;
	if (++f->received == f->wanted)
		f->done_ns = p->loop->now_ns;
}

static void
fetch_on_acked(struct peer *p, uint32_t id)
{
	(void)id;
	peer_fail(p, "acknowledgement that nobody asked for");
}

static const struct peer_events publisher_events = {
	.ready = publisher_on_ready,
	.subscribed = on_nothing,
	.message = publisher_on_message,
	.acked = publisher_on_acked,
	.pong = on_nothing,
	.closed = on_closed,
};

static const struct peer_events fetch_events = {
	.ready = fetch_on_ready,
	.subscribed = on_nothing,
	.message = fetch_on_message,
	.acked = fetch_on_acked,
	.pong = on_nothing,
	.closed = on_closed,
};

static void
run_turn(struct retained *r)
{
	peer_loop_flush(&r->loop);
	peer_loop_turn(&r->loop, SECOND / 10);
}

static void
run_publish(struct retained *r, uint32_t i)
{
	uint32_t tags = r->o->messages / GROUP;
	char *topic = xasprintf("%u-%u/%u/t%u", run_number(), i / GROUP,
	    i % GROUP, i % tags);
	struct stencil s = { .topic = topic,
		.size = r->o->size,
		.qos = 1,
		.retain = true };
	struct stamp stamp = { .seq = i };

	r->publisher.wire->compose(r->publisher.wire, &s);
	stencil_use(&s, &r->publisher.out, i % 65535 + 1, &stamp);
	peer_dirty(&r->publisher);
	buf_fini(&s.bytes);
	free(topic);
}

static void
run_fill(struct retained *r, uint32_t wanted)
{
	while (r->acked < wanted) {
		while (r->sent < wanted && r->sent - r->acked < r->o->window)
			run_publish(r, r->sent++);
		run_turn(r);
	}
}

static void
run_rest(struct retained *r)
{
	uint64_t end = now_ns() + SECOND;

	while (now_ns() < end)
		run_turn(r);
}

/* Milliseconds from the SUBSCRIBE to the last of `wanted` messages. */
static double
fetch_one(struct retained *r, const char *filter, uint32_t wanted)
{
	static uint32_t number = 1;
	struct fetch *f = xcalloc(1, sizeof(*f));
	uint64_t start;
	double ms;

	f->wanted = wanted;
	peer_open(&f->peer, &r->loop, &r->o->from, &fetch_events, number++);
	while (!f->ready)
		run_turn(r);
	start = now_ns();
	f->peer.wire->subscribe(&f->peer, &filter, 1, 0);
	while (f->done_ns == 0 && now_ns() - start < FETCH_MAX_NS)
		run_turn(r);
	peer_close(&f->peer);
	ms = f->done_ns == 0 ? -1 : (double)(f->done_ns - start) / 1e6;
	free(f);
	return ms;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median over groups, or tags, that lie apart. */
static double
fetch_groups(struct retained *r, bool by_tag)
{
	double ms[TRIES];
	uint32_t groups = r->o->messages / GROUP;

	for (uint32_t i = 0; i < TRIES; i++) {
		uint32_t group = (uint32_t)((uint64_t)groups * i / TRIES);
		char *filter = by_tag
		    ? xasprintf("+/+/t%u", group)
		    : xasprintf("%u-%u/#", run_number(), group);
		ms[i] = fetch_one(r, filter, GROUP);
		free(filter);
	}
	qsort(ms, TRIES, sizeof(ms[0]), compare_doubles);
	return ms[TRIES / 2];
}

static double
fetch_all(struct retained *r)
{
	return fetch_one(r, "#", r->o->messages);
}

static void
retained_report(struct retained *r, const struct usage *begin,
    const struct usage *end, const struct usage *rest)
{
	const struct options *o = r->o;
	double work = o->messages - o->messages / 10;
	double seconds = (double)(end->at_ns - begin->at_ns) / 1e9;

	printf("{\"mode\":\"retained\",\"seconds\":%.3f,\"work\":%.0f,"
	       "\"rate\":%.0f,\"cpu_us\":{",
	    seconds, work, work / seconds);
	for (size_t i = 0; i < o->n_processes; i++)
		printf("%s\"%s\":%.4f", i > 0 ? "," : "", o->processes[i].name,
		    (double)(end->cpu_ns[i] - begin->cpu_ns[i]) / 1e3 / work);
	printf("},\"bytes\":{");
	for (size_t i = 0; i < o->n_processes; i++)
		printf("%s\"%s\":%.1f", i > 0 ? "," : "", o->processes[i].name,
		    ((double)rest->rss[i] - (double)begin->rss[i]) / work);
	printf("},\"others\":%.3f,", usage_others(begin, end, o->n_processes));
	printf("\"fetch_ms\":{\"prefix\":%.3f,", fetch_groups(r, false));
	printf("\"plus\":%.3f,", fetch_groups(r, true));
	printf("\"all\":%.3f}}\n", fetch_all(r));
}

/* The first tenth warms up; it is there to be fetched but not measured. */
void
retained_run(const struct options *o)
{
	struct retained r = { .o = o };
	struct usage begin, end, rest;

	if (o->messages < GROUP * TRIES)
		die("messages is at least %u", GROUP * TRIES);
	the_run = &r;
	peer_loop_init(&r.loop);
	r.publisher.inbox = true;
	peer_open(&r.publisher, &r.loop, &o->from, &publisher_events, 0);
	while (!r.ready)
		run_turn(&r);
	run_fill(&r, o->messages / 10);
	run_rest(&r);
	usage_sample(&begin, o->processes, o->n_processes);
	run_fill(&r, o->messages);
	usage_sample_cpu(&end, o->processes, o->n_processes);
	run_rest(&r);
	usage_sample(&rest, o->processes, o->n_processes);
	retained_report(&r, &begin, &end, &rest);
	peer_close(&r.publisher);
	peer_loop_fini(&r.loop);
}
