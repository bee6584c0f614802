/* SPDX-License-Identifier: Apache-2.0 */
/* presence - how many clients of each user are online. */
#include "broker/presence.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"

struct user {
	struct hash_node node;
	unsigned n;
	char name[];
};

struct presence {
	pthread_mutex_t lock;
	struct hash users; /* [l] */
};

static bool
match(const struct hash_node *node, struct slice key)
{
	const struct user *u = container_of(node, struct user, node);

	return slice_eq(slice_str(u->name), key);
}

struct presence *
presence_new(void)
{
	struct presence *p = xcalloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	hash_init(&p->users, match);
	return p;
}

static bool
free_user(struct hash_node *node, void *arg)
{
	hash_remove(arg, node);
	free(container_of(node, struct user, node));
	return true;
}

void
presence_free(struct presence **pp)
{
	struct presence *p = *pp;

	*pp = NULL;
	hash_each(&p->users, free_user, &p->users);
	hash_fini(&p->users);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static struct user *
find(struct presence *p, struct slice name)
{
	struct hash_node *n = hash_find(&p->users, name, hash_key(name));

	return n != NULL ? container_of(n, struct user, node) : NULL;
}

static struct user *
add(struct presence *p, struct slice name)
{
	struct user *u = xcalloc(1, sizeof(*u) + name.len + 1);

	memcpy(u->name, name.ptr, name.len);
	hash_insert(&p->users, &u->node, hash_key(name));
	return u;
}

bool
presence_enter(struct presence *p, const char *user, unsigned max)
{
	struct slice name = slice_str(user);
	struct user *u;
	bool is_in = false;

	pthread_mutex_lock(&p->lock);
	u = find(p, name);
	if (u == NULL)
		u = add(p, name);
	if (u->n < max) {
		u->n++;
		is_in = true;
	}
	pthread_mutex_unlock(&p->lock);
	return is_in;
}

void
presence_leave(struct presence *p, const char *user)
{
	struct user *u;

	pthread_mutex_lock(&p->lock);
	u = find(p, slice_str(user));
	assert(u != NULL && u->n > 0);
	if (--u->n == 0) {
		hash_remove(&p->users, &u->node);
		free(u);
	}
	pthread_mutex_unlock(&p->lock);
}
