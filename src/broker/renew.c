/* SPDX-License-Identifier: Apache-2.0 */
/* renew - other options, users and rights while clients are online. */
#include "broker/renew.h"

#include <stdlib.h>

#include "auth/acl.h"
#include "auth/tokens.h"
#include "auth/users.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/grant_cache.h"
#include "broker/home.h"
#include "broker/rights.h"
#include "broker/topics.h"

/* The news for one home. */
struct renewal {
	struct mail mail;
	struct users *users;
	struct tokens *tokens;
	struct acl *acl;
};

struct review {
	const struct users *before;
	const struct users *now;
};

/*
 * Without a file there is nobody who could say that somebody is not who it
 * was; whoever came before there was one has not been asked.
 */
static bool
is_still_somebody(const struct session *s, const struct review *r)
{
	if (r->before == NULL || r->now == NULL)
		return true;
	return users_agree(r->before, r->now, slice_str(s->owner));
}

static void WORKER_THREAD
review_one(void *thing, void *arg)
{
	struct session *s = thing;
	struct client *c = s->client;

	if (c == NULL)
		return;
	if (c->is_proven || c->is_asked)
		return; /* no password file says who it is */
	if (s->owner != NULL && !is_still_somebody(s, arg))
		client_close(c, MQTT_RC_NOT_AUTHORIZED,
		    "its user or password has changed");
	else if (s->owner == NULL && !rules_newest(c->rules)->is_open)
		client_close(c, MQTT_RC_NOT_AUTHORIZED,
		    "anonymous clients are not allowed any more");
}

static void WORKER_THREAD
on_renewal(struct mail *mail, void *owner)
{
	struct renewal *n = container_of(mail, struct renewal, mail);
	struct home *h = owner;
	struct users *before = h->users;
	struct review r = { .before = before, .now = n->users };

	h->users = n->users;
	tokens_unref(&h->tokens);
	h->tokens = n->tokens;
	rights_set(h, &n->acl);
	topics_forget(h); /* limits may be others */
	slots_each(&h->sessions, review_one, &r);
	users_unref(&before);
	free(n);
}

void
broker_renew(struct broker *b, const struct broker_options *o)
{
	b->options = o;
	grant_cache_clear(b->grants);
	for (unsigned i = 0; i < o->n_workers; i++) {
		struct renewal *n = xcalloc(1, sizeof(*n));

		n->mail.handle = on_renewal;
		if (o->users != NULL)
			n->users = users_ref(o->users);
		if (o->tokens != NULL)
			n->tokens = tokens_ref(o->tokens);
		if (o->acl != NULL)
			n->acl = acl_ref(o->acl);
		mailbox_post(&b->homes[i]->mailbox, &n->mail);
	}
}
