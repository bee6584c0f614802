/* SPDX-License-Identifier: Apache-2.0 */
/* crowd - many clients that connect and then wait to be told something. */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/xalloc.h"

#define SECOND            1000000000u
#define STUCK_NS          ((uint64_t)30 * SECOND)
#define SPARE_DESCRIPTORS 64

/* All callbacks find the one crowd that a run has. */
static struct crowd *the_crowd;

/* `n` filters of client `number`, from its `first` one, in one SUBSCRIBE. */
static void
client_subscribe(struct peer *p, unsigned first, unsigned n)
{
	const char *last = the_crowd->o->filter == FILTER_PLUS ? "+" : "v";
	char **filters = xcalloc(n, sizeof(*filters));

	for (unsigned i = 0; i < n; i++)
		filters[i] = xasprintf("bench/%u/c%u-%u/%s", run_number(),
		    p->number, first + i, last);
	p->wire->subscribe(p, (const char *const *)filters, n,
	    the_crowd->o->sub_qos);
	for (unsigned i = 0; i < n; i++)
		free(filters[i]);
	free(filters);
}

static void
client_subscribe_all(struct peer *p)
{
	const struct options *o = the_crowd->o;

	for (unsigned i = 0; i < o->filters; i += o->batch) {
		unsigned left = o->filters - i;
		client_subscribe(p, i, left < o->batch ? left : o->batch);
		the_crowd->unacked_filters++;
	}
}

static void
on_ready(struct peer *p)
{
	if (the_crowd->subscribe_at_once && the_crowd->o->filters > 0)
		client_subscribe_all(p);
	else
		the_crowd->ready++;
}

static void
on_subscribed(struct peer *p)
{
	(void)p;
	the_crowd->unacked_filters--;
	if (the_crowd->subscribe_at_once)
		the_crowd->ready++;
}

static void
on_message(struct peer *p, const uint8_t *payload, size_t len)
{
	(void)payload;
	(void)len;
	peer_fail(p, "message that nobody sent");
}

static void
on_acked(struct peer *p, uint32_t id)
{
	(void)id;
	peer_fail(p, "acknowledgement that nobody asked for");
}

static void
on_pong(struct peer *p)
{
	(void)p;
	the_crowd->pongs++;
}

static void
on_closed(struct peer *p, const char *why)
{
	if (the_crowd->closed++ == 0)
		fprintf(stderr, "load: client %u: %s\n", p->number, why);
}

static const struct peer_events crowd_events = {
	.ready = on_ready,
	.subscribed = on_subscribed,
	.message = on_message,
	.acked = on_acked,
	.pong = on_pong,
	.closed = on_closed,
};

bool
crowd_init(struct crowd *c, const struct options *o, unsigned size)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur < (rlim_t)size + SPARE_DESCRIPTORS) {
		printf("{\"skipped\":\"%u connections need more than the %lu "
		       "descriptors allowed\"}\n",
		    size, (unsigned long)limit.rlim_cur);
		return false;
	}
	*c = (struct crowd){ .o = o, .size = size };
	peer_loop_init(&c->loop);
	c->peers = xcalloc(size, sizeof(*c->peers));
	the_crowd = c;
	return true;
}

void
crowd_fini(struct crowd *c)
{
	for (unsigned i = 0; i < c->opened; i++)
		peer_close(&c->peers[i]);
	free(c->peers);
	peer_loop_fini(&c->loop);
	the_crowd = NULL;
}

static void
crowd_turn(struct crowd *c, uint64_t timeout_ns)
{
	peer_loop_flush(&c->loop);
	peer_loop_turn(&c->loop, timeout_ns);
}

void
crowd_connect(struct crowd *c, unsigned n)
{
	uint64_t limit = now_ns() + STUCK_NS + (uint64_t)n * (SECOND / 500);

	while (c->ready + c->closed < n) {
		while (c->opened < n &&
		    c->opened - c->ready - c->closed < c->o->parallel) {
			peer_open(&c->peers[c->opened], &c->loop, &c->o->from,
			    &crowd_events, c->opened);
			c->opened++;
		}
		crowd_turn(c, SECOND / 10);
		if (now_ns() > limit)
			die("only %u of %u clients are connected", c->ready, n);
	}
}

void
crowd_subscribe(struct crowd *c)
{
	for (unsigned i = 0; i < c->opened; i++) {
		client_subscribe_all(&c->peers[i]);
		/* A bounded number under way, as with connections. */
		while (c->unacked_filters >= c->o->parallel)
			crowd_turn(c, SECOND / 10);
	}
	while (c->unacked_filters > 0 && c->closed == 0)
		crowd_turn(c, SECOND / 10);
}

void
crowd_settle(struct crowd *c, double seconds)
{
	uint64_t end = now_ns() + (uint64_t)(seconds * SECOND);

	for (uint64_t now = now_ns(); now < end; now = now_ns())
		crowd_turn(c, end - now);
}

unsigned
crowd_ping(struct crowd *c)
{
	uint64_t limit = now_ns() + STUCK_NS;

	c->pongs = 0;
	for (unsigned i = 0; i < c->opened; i++)
		if (c->peers[i].fd >= 0)
			c->peers[i].wire->ping(&c->peers[i]);
	while (c->pongs + c->closed < c->opened && now_ns() < limit)
		crowd_turn(c, SECOND / 10);
	return c->pongs;
}

void
crowd_print_costs(const struct crowd *c, const char *mode, double work,
    const struct usage *begin, const struct usage *end,
    const struct usage *rest)
{
	const struct options *o = c->o;
	double seconds = (double)(end->at_ns - begin->at_ns) / 1e9;

	printf("{\"mode\":\"%s\",\"seconds\":%.3f,\"work\":%.0f,"
	       "\"rate\":%.0f,\"cpu_us\":{",
	    mode, seconds, work, work / seconds);
	for (size_t i = 0; i < o->n_processes; i++)
		printf("%s\"%s\":%.4f", i > 0 ? "," : "", o->processes[i].name,
		    (double)(end->cpu_ns[i] - begin->cpu_ns[i]) / 1e3 / work);
	printf("},\"bytes\":{");
	for (size_t i = 0; i < o->n_processes; i++)
		printf("%s\"%s\":%.1f", i > 0 ? "," : "", o->processes[i].name,
		    ((double)rest->rss[i] - (double)begin->rss[i]) / work);
	printf("},\"others\":%.3f,\"load_cpu_us\":%.4f",
	    usage_others(begin, end, o->n_processes),
	    (double)(end->own_cpu_ns - begin->own_cpu_ns) / 1e3 / work);
}
