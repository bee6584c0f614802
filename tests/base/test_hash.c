/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/attr.h"
#include "base/fixed_random.h"
#include "base/thread.h"
#include "base/xalloc.h"

struct thing {
	struct hash_node node;
	char key[16];
	unsigned n_seen;
};

static const struct thing *
thing_of(const struct hash_node *node)
{
	return container_of(node, const struct thing, node);
}

static bool
match(const struct hash_node *node, struct slice key)
{
	return slice_eq(slice_str(thing_of(node)->key), key);
}

static void
name_thing(struct thing *t, size_t number)
{
	*t = (struct thing){ 0 };
	snprintf(t->key, sizeof(t->key), "key-%zu", number);
}

static void
insert(struct hash *h, struct thing *t)
{
	hash_insert(h, &t->node, hash_key(slice_str(t->key)));
}

static struct hash_node *
find(const struct hash *h, const char *key)
{
	return hash_find(h, slice_str(key), hash_key(slice_str(key)));
}

static bool
count_visit(struct hash_node *node, void *arg)
{
	size_t *n = arg;

	container_of(node, struct thing, node)->n_seen++;
	++*n;
	return true;
}

Test(hash, empty_table_has_nothing_and_no_memory)
{
	struct hash h;
	size_t n = 0;

	hash_init(&h, match);
	cr_expect(eq(ptr, find(&h, "key-1"), NULL));
	hash_each(&h, count_visit, &n);
	cr_expect(eq(sz, n, 0));
	cr_expect(eq(ptr, h.buckets, NULL));
	hash_fini(&h);
}

Test(hash, can_be_used_again_after_fini)
{
	struct thing t;
	struct hash h;

	name_thing(&t, 1);
	hash_init(&h, match);
	insert(&h, &t);
	hash_fini(&h);
	cr_expect(eq(sz, h.n, 0));
	cr_expect(eq(ptr, find(&h, "key-1"), NULL));
	insert(&h, &t);
	cr_expect(eq(ptr, find(&h, "key-1"), &t.node));
	hash_fini(&h);
}

/* Three keys that collide to the last bit, taken out from the middle. */
Test(hash, full_collisions_are_told_apart_by_key)
{
	struct thing t[3];
	struct hash h;
	size_t i;

	hash_init(&h, match);
	for (i = 0; i < 3; i++) {
		name_thing(&t[i], i);
		hash_insert(&h, &t[i].node, 42);
	}
	for (i = 0; i < 3; i++)
		cr_expect(eq(ptr, hash_find(&h, slice_str(t[i].key), 42),
			      &t[i].node),
		    "thing %zu", i);
	hash_remove(&h, &t[1].node);
	cr_expect(eq(ptr, hash_find(&h, SLICE("key-0"), 42), &t[0].node));
	cr_expect(eq(ptr, hash_find(&h, SLICE("key-1"), 42), NULL));
	cr_expect(eq(ptr, hash_find(&h, SLICE("key-2"), 42), &t[2].node));
	hash_fini(&h);
}

Test(hash, grows_with_what_it_holds)
{
	struct thing *t = xcalloc(10000, sizeof(*t));
	struct hash h;
	size_t i;

	hash_init(&h, match);
	for (i = 0; i < 10000; i++) {
		name_thing(&t[i], i);
		insert(&h, &t[i]);
		cr_assert(le(sz, h.n, h.mask + 1), "after %zu", i);
	}
	for (i = 0; i < 10000; i++)
		cr_assert(eq(ptr, find(&h, t[i].key), &t[i].node), "%zu", i);
	hash_fini(&h);
	free(t);
}

Test(hash, removing_what_is_not_there_aborts, .signal = SIGABRT)
{
	struct thing a, b;
	struct hash h;

	name_thing(&a, 1);
	name_thing(&b, 2);
	hash_init(&h, match);
	insert(&h, &a);
	hash_remove(&h, &b.node);
}

struct model {
	struct hash hash;
	struct thing things[400];
	bool present[400];
	size_t n;
};

static void
compare(struct model *m, unsigned step)
{
	size_t i, n = 0;

	cr_assert(eq(sz, m->hash.n, m->n), "step %u", step);
	for (i = 0; i < countof(m->things); i++)
		m->things[i].n_seen = 0;
	hash_each(&m->hash, count_visit, &n);
	cr_assert(eq(sz, n, m->n), "step %u", step);
	for (i = 0; i < countof(m->things); i++) {
		struct hash_node *node = find(&m->hash, m->things[i].key);

		cr_assert(m->present[i] == (node != NULL), "step %u", step);
		cr_assert(node == NULL || node == &m->things[i].node);
		cr_assert(eq(u32, m->things[i].n_seen, m->present[i]),
		    "step %u: visited once if there", step);
	}
}

Test(hash, agrees_with_a_naive_model)
{
	struct model *m = xcalloc(1, sizeof(*m));
	struct fixed_random r;
	unsigned step;
	size_t i;

	fixed_random_init(&r, 1);
	hash_init(&m->hash, match);
	for (i = 0; i < countof(m->things); i++)
		name_thing(&m->things[i], i);
	for (step = 0; step < 20000; step++) {
		i = fixed_random_below(&r, countof(m->things));
		if (m->present[i]) {
			hash_remove(&m->hash, &m->things[i].node);
			m->n--;
		} else {
			insert(&m->hash, &m->things[i]);
			m->n++;
		}
		m->present[i] = !m->present[i];
		if (step % 200 == 0)
			compare(m, step);
	}
	hash_fini(&m->hash);
	free(m);
}

static bool
remove_and_free(struct hash_node *node, void *arg)
{
	struct hash *h = arg;

	hash_remove(h, node);
	free(container_of(node, struct thing, node));
	return true;
}

Test(hash, each_may_free_what_it_is_given)
{
	struct thing *t;
	struct hash h;
	size_t i;

	hash_init(&h, match);
	for (i = 0; i < 1000; i++) {
		t = xcalloc(1, sizeof(*t));
		name_thing(t, i);
		insert(&h, t);
	}
	hash_each(&h, remove_and_free, &h);
	cr_expect(eq(sz, h.n, 0));
	hash_fini(&h);
}

static bool
stop_at_third(struct hash_node *node UNUSED, void *arg)
{
	unsigned *n = arg;

	return ++*n < 3;
}

Test(hash, each_stops_when_told)
{
	struct thing t[10];
	struct hash h;
	unsigned n = 0;
	size_t i;

	hash_init(&h, match);
	for (i = 0; i < countof(t); i++) {
		name_thing(&t[i], i);
		insert(&h, &t[i]);
	}
	hash_each(&h, stop_at_third, &n);
	cr_expect(eq(u32, n, 3));
	hash_fini(&h);
}

static void *
hash_some_key(void *arg)
{
	uint64_t *out = arg;

	*out = hash_key(SLICE("sensors/1"));
	return NULL;
}

/* The first keys of the process, so that the secret is made in a race. */
Test(hash, key_has_the_same_hash_in_every_thread)
{
	uint64_t hashes[4];
	pthread_t threads[4];
	size_t i;

	for (i = 0; i < countof(threads); i++)
		cr_assert(eq(int,
		    thread_start(&threads[i], hash_some_key, &hashes[i]), 0));
	for (i = 0; i < countof(threads); i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < countof(threads); i++)
		cr_expect(eq(u64, hashes[i], hash_key(SLICE("sensors/1"))));
	cr_expect(ne(u64, hashes[0], hash_key(SLICE("sensors/2"))));
}
