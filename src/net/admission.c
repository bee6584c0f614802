/* SPDX-License-Identifier: Apache-2.0 */
/* admission - connections per address, and how fast they come. */
#include "net/admission.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/queue.h"
#include "base/xalloc.h"

/* Addresses that are known at a time. */
#define MAX_ENTRIES 1000000u
/* Those without connections that are looked at for each that comes. */
#define SWEEP       4
/* After that long without one an address has been quiet. */
#define QUIET_MS    3000

struct key {
	uint8_t bytes[8]; /* of IPv4: four, and zeros */
	uint8_t family;
};

struct entry {
	struct hash_node node;
	TAILQ_ENTRY(entry)
	idle; /* without connections, the quietest first */
	struct admission_bucket bucket;
	struct key key;
	unsigned n_conns;
};

struct admission {
	pthread_mutex_t lock;
	struct hash entries;      /* [l] */
	TAILQ_HEAD(, entry) idle; /* [l] */
};

static struct slice
key_slice(const struct key *k)
{
	return slice_of((const uint8_t *)k, sizeof(*k));
}

static bool
match(const struct hash_node *node, struct slice key)
{
	const struct entry *e = container_of(node, struct entry, node);

	return slice_eq(key_slice(&e->key), key);
}

struct admission *
admission_new(void)
{
	struct admission *a = xcalloc(1, sizeof(*a));

	pthread_mutex_init(&a->lock, NULL);
	hash_init(&a->entries, match);
	TAILQ_INIT(&a->idle);
	return a;
}

static bool
free_entry(struct hash_node *node, void *arg)
{
	struct admission *a = arg;

	hash_remove(&a->entries, node);
	free(container_of(node, struct entry, node));
	return true;
}

void
admission_free(struct admission **ap)
{
	struct admission *a = *ap;

	*ap = NULL;
	hash_each(&a->entries, free_entry, a);
	hash_fini(&a->entries);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

bool
admission_take(struct admission_bucket *b, unsigned rate, uint64_t now_ms)
{
	double most = rate * 2.0;

	if (rate == 0)
		return true;
	if (b->at_ms == 0)
		b->tokens = most;
	else if (now_ms > b->at_ms)
		b->tokens += (double)(now_ms - b->at_ms) * rate / 1000;
	if (b->tokens > most)
		b->tokens = most;
	b->at_ms = now_ms;
	if (b->tokens < 1)
		return false;
	b->tokens -= 1;
	return true;
}

void
admission_give_back(struct admission_bucket *b)
{
	b->tokens += 1;
}

static void
key_of_v4(struct key *k, const void *bytes)
{
	k->family = AF_INET;
	memcpy(k->bytes, bytes, 4);
}

static void
key_of_v6(struct key *k, const struct in6_addr *in)
{
	if (IN6_IS_ADDR_V4MAPPED(in)) {
		key_of_v4(k, in->s6_addr + 12);
		return;
	}
	k->family = AF_INET6;
	memcpy(k->bytes, in->s6_addr, sizeof(k->bytes));
}

static bool
key_of(const struct sockaddr *sa, struct key *k)
{
	memset(k, 0, sizeof(*k));
	if (sa->sa_family == AF_INET)
		key_of_v4(k, &((const struct sockaddr_in *)sa)->sin_addr);
	else if (sa->sa_family == AF_INET6)
		key_of_v6(k, &((const struct sockaddr_in6 *)sa)->sin6_addr);
	return k->family != 0;
}

/* "10.0.0.9:50122", "[2001:db8::1]:50122", "[fe80::1%eth0]:1" */
static bool
key_of_text(const char *address, struct key *k)
{
	const char *end = strrchr(address, ':');
	char host[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	size_t len;

	memset(k, 0, sizeof(*k));
	if (end == NULL)
		return false;
	if (*address == '[') {
		address++;
		end = address + strcspn(address, "%]");
	}
	len = (size_t)(end - address);
	if (len >= sizeof(host))
		return false;
	memcpy(host, address, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &v6) == 1)
		key_of_v4(k, &v6);
	else if (inet_pton(AF_INET6, host, &v6) == 1)
		key_of_v6(k, &v6);
	return k->family != 0;
}

bool
admission_is_loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
	struct key k;

	if (!key_of(sa, &k))
		return true; /* no network at all */
	if (k.family == AF_INET)
		return k.bytes[0] == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static struct entry *
find(struct admission *a, const struct key *k)
{
	struct slice key = key_slice(k);
	struct hash_node *n = hash_find(&a->entries, key, hash_key(key));

	return n != NULL ? container_of(n, struct entry, node) : NULL;
}

static struct entry *
add(struct admission *a, const struct key *k)
{
	struct entry *e;

	if (a->entries.n >= MAX_ENTRIES)
		return NULL;
	e = xcalloc(1, sizeof(*e));
	e->key = *k;
	hash_insert(&a->entries, &e->node, hash_key(key_slice(k)));
	TAILQ_INSERT_TAIL(&a->idle, e, idle);
	return e;
}

/* Forget those who have been quiet for a while. */
static void
sweep(struct admission *a, uint64_t now_ms)
{
	struct entry *e;

	for (int i = 0; i < SWEEP && (e = TAILQ_FIRST(&a->idle)) != NULL; i++) {
		if (now_ms - e->bucket.at_ms < QUIET_MS)
			return;
		TAILQ_REMOVE(&a->idle, e, idle);
		hash_remove(&a->entries, &e->node);
		free(e);
	}
}

/* It is the one that was busy last. */
static void
touch(struct admission *a, struct entry *e)
{
	if (e->n_conns > 0)
		return;
	TAILQ_REMOVE(&a->idle, e, idle);
	TAILQ_INSERT_TAIL(&a->idle, e, idle);
}

static enum admission_result
enter(struct admission *a, const struct key *k,
    const struct admission_limits *limits, uint64_t now_ms)
{
	struct entry *e = find(a, k);

	if (e == NULL)
		e = add(a, k);
	if (e == NULL)
		return ADMISSION_UNCOUNTED;
	if (limits->max_per_address > 0 &&
	    e->n_conns >= limits->max_per_address)
		return ADMISSION_TOO_MANY;
	touch(a, e);
	if (!admission_take(&e->bucket, limits->rate_per_address, now_ms))
		return ADMISSION_TOO_FAST;
	e->bucket.at_ms = now_ms;
	if (e->n_conns++ == 0)
		TAILQ_REMOVE(&a->idle, e, idle);
	return ADMISSION_COUNTED;
}

/* What "auto" stands for, here. */
static unsigned
resolve(unsigned limit, unsigned otherwise, bool is_loopback)
{
	if (limit != ADMISSION_AUTO)
		return limit;
	return is_loopback ? 0 : otherwise;
}

unsigned
admission_rate_of_listener(unsigned rate, const struct sockaddr *sa)
{
	return resolve(rate, ADMISSION_AUTO_RATE_OF_LISTENER,
	    admission_is_loopback(sa));
}

enum admission_result
admission_enter(struct admission *a, const struct sockaddr *from,
    const struct admission_limits *limits, uint64_t now_ms)
{
	bool is_loopback = admission_is_loopback(from);
	const struct admission_limits l = {
		.max_per_address = resolve(limits->max_per_address,
		    ADMISSION_AUTO_CONNECTIONS, is_loopback),
		.rate_per_address = resolve(limits->rate_per_address,
		    ADMISSION_AUTO_RATE, is_loopback),
	};
	enum admission_result result;
	struct key k;

	if ((l.max_per_address == 0 && l.rate_per_address == 0) ||
	    !key_of(from, &k))
		return ADMISSION_UNCOUNTED;
	pthread_mutex_lock(&a->lock);
	sweep(a, now_ms);
	result = enter(a, &k, &l, now_ms);
	pthread_mutex_unlock(&a->lock);
	return result;
}

bool
admission_refuses(struct admission *a, const struct sockaddr *from,
    const struct rules_limits *rules, uint64_t now_ms, bool *is_counted,
    enum limit *which)
{
	const struct admission_limits limits = {
		.max_per_address = rules->max_connections_per_address,
		.rate_per_address = rules->connect_rate_per_address
	};

	switch (admission_enter(a, from, &limits, now_ms)) {
	case ADMISSION_UNCOUNTED:
		return false;
	case ADMISSION_COUNTED:
		*is_counted = true;
		return false;
	case ADMISSION_TOO_FAST:
		*which = LIMIT_CONNECT_RATE_PER_ADDRESS;
		return true;
	case ADMISSION_TOO_MANY:
		break;
	}
	*which = LIMIT_MAX_CONNECTIONS_PER_ADDRESS;
	return true;
}

void
admission_leave(struct admission *a, const char *address)
{
	struct entry *e;
	struct key k;

	if (!key_of_text(address, &k))
		return;
	pthread_mutex_lock(&a->lock);
	e = find(a, &k);
	assert(e != NULL && e->n_conns > 0);
	if (--e->n_conns == 0)
		TAILQ_INSERT_TAIL(&a->idle, e, idle);
	pthread_mutex_unlock(&a->lock);
}

size_t
admission_len(struct admission *a)
{
	size_t n;

	pthread_mutex_lock(&a->lock);
	n = a->entries.n;
	pthread_mutex_unlock(&a->lock);
	return n;
}
