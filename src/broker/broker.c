/* SPDX-License-Identifier: Apache-2.0 */
/* broker - what an MQTT Server does, for the whole node. */
#include "broker/broker.h"

#include <assert.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/home.h"
#include "broker/index.h"
#include "broker/registry.h"
#include "store/retained.h"
#include "topic/filter.h"

struct broker *
broker_new(const struct broker_options *options)
{
	struct broker *b = xcalloc(1, sizeof(*b));

	b->options = options;
	b->index = index_new();
	b->registry = registry_new();
	b->retained = retained_new();
	b->homes = xcalloc(options->n_workers, sizeof(*b->homes));
	for (unsigned i = 0; i < options->n_workers; i++) {
		b->homes[i] = home_new(b, i);
		if (b->homes[i] == NULL)
			broker_free(&b);
		if (b == NULL)
			return NULL;
	}
	return b;
}

void
broker_free(struct broker **bp)
{
	struct broker *b = *bp;

	*bp = NULL;
	for (unsigned i = 0; i < b->options->n_workers; i++)
		if (b->homes[i] != NULL)
			home_free(&b->homes[i]);
	free(b->homes);
	retained_free(&b->retained);
	registry_free(&b->registry);
	index_free(&b->index);
	matches_fini(&b->inbound);
	free(b);
}

bool
broker_nats_is_up(const struct broker *b)
{
	return b->bus != NULL && atomic_load(&bus_stats(b->bus)->up);
}

enum ack_policy
broker_ack_policy(const struct broker *b, struct slice topic)
{
	const struct broker_options *o = b->options;

	for (size_t i = 0; i < o->n_ack_rules; i++)
		if (filter_match(slice_str(o->ack_rules[i].filter), topic))
			return o->ack_rules[i].policy;
	return o->ack;
}
