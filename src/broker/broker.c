/* SPDX-License-Identifier: Apache-2.0 */
/* broker - what an MQTT Server does, for the whole node. */
#include "broker/broker.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "broker/calls.h"
#include "broker/grant_cache.h"
#include "broker/home.h"
#include "broker/index.h"
#include "broker/presence.h"
#include "broker/registry.h"
#include "broker/shares.h"
#include "broker/sys_topics.h"
#include "store/retained.h"
#include "topic/filter.h"

/*
 * The longest that one password may take, and more: libcrypto must not be in
 * use when the process ends.
 */
#define HELPER_END_MS 60000

/* The retained store of one user. */
struct owned {
	struct hash_node node;
	struct retained *retained;
	char owner[];
};

static bool
is_owned_by(const struct hash_node *node, struct slice key)
{
	const struct owned *o = container_of(node, const struct owned, node);

	return slice_eq(slice_str(o->owner), key);
}

struct retained *
broker_retained(struct broker *b, const char *owner)
{
	struct slice key = slice_str(owner);
	struct hash_node *node;
	struct owned *o;

	if (owner == NULL || !b->options->identity_user)
		return b->retained;
	pthread_mutex_lock(&b->owned_lock);
	node = hash_find(&b->owned, key, hash_key(key));
	if (node != NULL) {
		o = container_of(node, struct owned, node);
	} else {
		o = xcalloc(1, sizeof(*o) + key.len + 1);
		memcpy(o->owner, key.ptr, key.len);
		o->retained = retained_new();
		if (b->store != NULL)
			retained_keep(o->retained, b->store, o->owner);
		hash_insert(&b->owned, &o->node, hash_key(key));
	}
	pthread_mutex_unlock(&b->owned_lock);
	return o->retained;
}

struct stores {
	struct retained **items;
	size_t n;
};

static bool
collect_owned(struct hash_node *node, void *arg)
{
	struct stores *s = arg;

	s->items[s->n++] = container_of(node, struct owned, node)->retained;
	return true;
}

void
broker_expire_retained(struct broker *b, uint64_t wall_ms)
{
	struct stores s = { 0 };

	(void)retained_expire(b->retained, wall_ms);
	/* A store lives as long as the broker: no need to hold two locks. */
	pthread_mutex_lock(&b->owned_lock);
	s.items = xcalloc(b->owned.n + 1, sizeof(struct retained *));
	hash_each(&b->owned, collect_owned, &s);
	pthread_mutex_unlock(&b->owned_lock);
	for (size_t i = 0; i < s.n; i++)
		(void)retained_expire(s.items[i], wall_ms);
	free(s.items);
}

static bool
free_owned(struct hash_node *node, void *arg)
{
	struct hash *owned = arg;
	struct owned *o = container_of(node, struct owned, node);

	hash_remove(owned, node);
	retained_free(&o->retained);
	free(o);
	return true;
}

struct broker *
broker_new(const struct broker_options *options)
{
	struct broker *b = xcalloc(1, sizeof(*b));

	b->options = options;
	b->index = index_new();
	b->registry = registry_new();
	b->retained = retained_new();
	b->calls = calls_new();
	b->shares = shares_new();
	b->presence = presence_new();
	b->grants = grant_cache_new();
	pthread_mutex_init(&b->owned_lock, NULL);
	hash_init(&b->owned, is_owned_by);
	b->homes = xcalloc(options->n_workers, sizeof(*b->homes));
	for (unsigned i = 0; i < options->n_workers; i++) {
		b->homes[i] = home_new(b, i);
		if (b->homes[i] == NULL)
			broker_free(&b);
		if (b == NULL)
			return NULL;
	}
	/* Where NATS judges what a device may have, it cannot judge these. */
	if (options->sys_interval_s > 0 && !options->identity_user)
		b->sys_topics = sys_topics_new(b);
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
	sys_topics_free(&b->sys_topics);
	retained_free(&b->retained);
	presence_free(&b->presence);
	grant_cache_free(&b->grants);
	hash_each(&b->owned, free_owned, &b->owned);
	hash_fini(&b->owned);
	pthread_mutex_destroy(&b->owned_lock);
	registry_free(&b->registry);
	index_free(&b->index);
	calls_free(&b->calls);
	shares_free(&b->shares);
	matches_fini(&b->inbound);
	free(b);
}

int
broker_start(struct broker *b)
{
	return helper_start(&b->helper, "helper");
}

void
broker_stop(struct broker *b)
{
	(void)helper_stop(&b->helper, clock_mono_ms() + HELPER_END_MS);
}

void
broker_help(struct broker *b, struct helper_job *job)
{
	if (b->helper != NULL) {
		helper_post(b->helper, job, false);
		return;
	}
	job->run(job);
	mailbox_post(job->done, &job->mail);
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
