/* SPDX-License-Identifier: Apache-2.0 */
/* stats - what the counters of the node come to. */
#include "broker/stats.h"

#include <string.h>

#include "broker/broker.h"
#include "broker/home.h"
#include "broker/shares.h"
#include "store/retained.h"

static uint64_t
of(const atomic_ullong *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
add_home(struct stats *out, const struct home_stats *s)
{
	out->clients += atomic_load(&s->clients);
	out->sessions += atomic_load(&s->sessions);
	out->queued += of(&s->queued);
	out->queued_bytes += of(&s->queued_bytes);
	out->sockets += of(&s->sockets);
	out->connects += of(&s->connects) + of(&s->refused_connects);
	out->expired += of(&s->expired_sessions);
	out->packets_in += of(&s->packets_in);
	out->packets_out += of(&s->answers_out) + of(&s->messages_out);
	out->publishes_in += of(&s->messages_in);
	out->publishes_out += of(&s->messages_out);
	out->publishes_dropped += of(&s->dropped_slow) + of(&s->dropped_queue);
	out->publish_bytes_in += of(&s->publish_bytes_in);
	out->publish_bytes_out += of(&s->publish_bytes_out);
	out->bytes_in += of(&s->bytes_in);
	out->bytes_out += of(&s->bytes_out);
}

void
stats_read(const struct broker *b, struct stats *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < b->options->n_workers; i++)
		add_home(out, &b->homes[i]->stats);
	/* A client that comes or goes meanwhile may be in one of them only. */
	if (out->sessions > out->clients)
		out->clients_away = out->sessions - out->clients;
	out->shared_subscriptions = shares_members(b->shares);
	out->subscriptions =
	    index_subscriptions(b->index) + out->shared_subscriptions;
	out->retained = retained_count(b->retained);
	out->retained_bytes = retained_bytes(b->retained);
	out->stored = out->retained + out->queued;
	out->stored_bytes = out->retained_bytes + out->queued_bytes;
}
