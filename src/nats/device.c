/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device - links of their own for devices.
 *
 *   identify --new--> waiting for the link --up--> held (counted per worker)
 *                          |                          |  last forget
 *                          +--failed--> gone <--linger--+
 *
 * A link whose credentials NATS has come to refuse stays, useless, until its
 * last holder has forgotten it; who identifies anew gets another one.
 *
 * Links are freed by the timer only, never from within a call of theirs.
 */
#include "nats/device.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/credential.h"
#include "nats/publish.h"
#include "nats/side.h"

/* Somebody who waits for BUS_IDENTIFIED. */
struct waiter {
	STAILQ_ENTRY(waiter) entry;
	unsigned worker;
	uint64_t token;
};

struct device {
	struct hash_node by_key;
	struct bus *bus;
	struct link *link;
	struct bus_login *login;
	char *key; /* user, 0, password */
	size_t key_len;
	bool findable; /* in bus.devices */
	bool was_up;
	unsigned *holders; /* one count per worker */
	unsigned n_holders;
	STAILQ_HEAD(, waiter) waiters;
	struct timer linger;
};

/* --- credentials -------------------------------------------------------- */

static char *
key_of(const struct bus_login *login, size_t *len)
{
	const char *user = login->user != NULL ? login->user : "";
	const char *password = login->password != NULL ? login->password : "";
	size_t user_len = strlen(user), password_len = strlen(password);
	char *key = xmalloc(user_len + 1 + password_len + 1);

	memcpy(key, user, user_len + 1);
	memcpy(key + user_len + 1, password, password_len + 1);
	*len = user_len + 1 + password_len;
	return key;
}

/* The keyed hash was equal; how far a guess is right must not show. */
static bool
has_key(const struct hash_node *node, struct slice key)
{
	const struct device *d =
	    container_of(node, const struct device, by_key);

	return d->key_len == key.len &&
	    CRYPTO_memcmp(d->key, key.ptr, key.len) == 0;
}

void
device_init(struct bus *b)
{
	hash_init(&b->devices, has_key);
}

static struct device *
find_device(struct bus *b, const struct bus_login *login)
{
	size_t len;
	char *key = key_of(login, &len);
	struct slice k = slice_of(key, len);
	struct hash_node *node = hash_find(&b->devices, k, hash_key(k));

	credential_cleanse(key, len);
	free(key);
	return node != NULL ? container_of(node, struct device, by_key) : NULL;
}

static void
hide(struct device *d)
{
	if (d->findable)
		hash_remove(&d->bus->devices, &d->by_key);
	d->findable = false;
}

const char *
device_name(const struct device *d)
{
	return d->login->user != NULL ? d->login->user : "";
}

const struct bus_login *
device_login(const struct device *d)
{
	return d->login;
}

/* --- life --------------------------------------------------------------- */

static void NATS_THREAD
device_free(struct device *d)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(&d->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->waiters, entry);
		free(w);
	}
	hide(d);
	timer_cancel(d->bus->wheel, &d->linger);
	link_free(&d->link);
	bus_login_free(&d->login);
	credential_cleanse(d->key, d->key_len);
	free(d->key);
	free(d->holders);
	free(d);
}

static void NATS_THREAD
on_linger(struct timer *t, void *arg)
{
	struct device *d = container_of(t, struct device, linger);

	(void)arg;
	assert(d->n_holders == 0);
	if (STAILQ_EMPTY(&d->waiters))
		device_free(d);
}

/* Nobody holds it: free it after a while. */
static void
linger(struct device *d, uint64_t ms)
{
	if (d->n_holders == 0)
		timer_arm(d->bus->wheel, &d->linger, d->bus->now_ms + ms);
}

static struct device *
device_new(struct bus *b, struct bus_login *login)
{
	struct device *d = xcalloc(1, sizeof(*d));
	struct slice key;

	d->bus = b;
	d->login = login;
	d->key = key_of(login, &d->key_len);
	d->holders = xcalloc(b->options->n_workers, sizeof(*d->holders));
	STAILQ_INIT(&d->waiters);
	timer_init(&d->linger, on_linger);
	key = slice_of(d->key, d->key_len);
	hash_insert(&b->devices, &d->by_key, hash_key(key));
	d->findable = true;
	d->link = link_new(b, ++b->last_link, d, NULL);
	return d;
}

static bool NATS_THREAD
free_one(struct hash_node *node, void *arg)
{
	struct link *l = container_of(node, struct link, by_id);

	(void)arg;
	if (l->device != NULL && l->main == NULL)
		device_free(l->device);
	return true;
}

static bool NATS_THREAD
free_side(struct hash_node *node, void *arg)
{
	struct link *l = container_of(node, struct link, by_id);

	(void)arg;
	if (l->main != NULL)
		side_free(l->main);
	return true;
}

void
device_free_all(struct bus *b)
{
	/* A side's link is in the same table as its main one. */
	hash_each(&b->links, free_side, NULL);
	hash_each(&b->links, free_one, NULL);
}

/* --- answers ------------------------------------------------------------ */

static void NATS_THREAD
identified(struct device *d, unsigned worker, uint64_t token,
    enum bus_result result)
{
	struct bus_event e = {
		.type = BUS_IDENTIFIED,
		.result = (uint8_t)result,
		.link = result == BUS_OK ? d->link->id : 0,
		.token = token,
	};

	if (result == BUS_OK) {
		d->holders[worker]++;
		d->n_holders++;
		timer_cancel(d->bus->wheel, &d->linger);
	}
	bus_post(d->bus, worker, &e);
}

static void NATS_THREAD
answer_waiters(struct device *d, enum bus_result result)
{
	struct waiter *w;

	while ((w = STAILQ_FIRST(&d->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->waiters, entry);
		identified(d, w->worker, w->token, result);
		free(w);
	}
}

static void NATS_THREAD
tell_holders(struct device *d, enum bus_result result)
{
	struct bus_event e = {
		.type = BUS_LINK,
		.result = (uint8_t)result,
		.link = d->link->id,
	};

	for (unsigned w = 0; w < d->bus->options->n_workers; w++)
		if (d->holders[w] > 0)
			bus_post(d->bus, w, &e);
}

/* --- requests ----------------------------------------------------------- */

static void
wait_for_link(struct device *d, unsigned worker, uint64_t token)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->worker = worker;
	w->token = token;
	STAILQ_INSERT_TAIL(&d->waiters, w, entry);
}

static void NATS_THREAD
identify_new(struct bus *b, unsigned worker, uint64_t token,
    struct bus_login *login)
{
	struct bus_event e = {
		.type = BUS_IDENTIFIED,
		.result = BUS_DOWN,
		.token = token,
	};
	struct device *d;

	if (link_is_away(b->own)) {
		bus_login_free(&login);
		bus_post(b, worker, &e);
		return;
	}
	d = device_new(b, login);
	link_connect(d->link);
	wait_for_link(d, worker, token);
}

void
device_identify(struct bus *b, unsigned worker, uint64_t token,
    struct bus_login *login)
{
	struct device *d = find_device(b, login);

	if (d == NULL) {
		identify_new(b, worker, token, login);
		return;
	}
	bus_login_free(&login);
	if (d->link->state == LINK_UP)
		identified(d, worker, token, BUS_OK);
	else if (d->link->state == LINK_DOWN)
		identified(d, worker, token, BUS_DOWN);
	else
		wait_for_link(d, worker, token);
}

void
device_forget(struct bus *b, unsigned worker, uint32_t id)
{
	struct link *l = bus_find_link(b, id);
	struct device *d;

	assert(l != NULL && l->device != NULL);
	d = l->device;
	assert(d->holders[worker] > 0);
	d->holders[worker]--;
	d->n_holders--;
	linger(d,
	    l->state == LINK_REFUSED
		? 0
		: 1000 * (uint64_t)b->options->link_linger_s);
}

/* --- what happens to the link ------------------------------------------- */

void
device_on_up(struct link *l)
{
	struct device *d = l->device;

	if (d->was_up)
		tell_holders(d, BUS_OK);
	d->was_up = true;
	answer_waiters(d, BUS_OK);
}

void
device_on_down(struct link *l)
{
	if (l->device->was_up)
		tell_holders(l->device, BUS_DOWN);
	answer_waiters(l->device, BUS_DOWN);
	linger(l->device, 0);
}

void
device_on_failed(struct link *l, bool refused)
{
	struct device *d = l->device;

	if (refused) {
		l->state = LINK_REFUSED;
		timer_cancel(d->bus->wheel, &l->retry);
		hide(d);
		tell_holders(d, BUS_REFUSED);
		publish_give_up(l, BUS_REFUSED);
	}
	answer_waiters(d, refused ? BUS_REFUSED : BUS_DOWN);
	linger(d, 0);
}
