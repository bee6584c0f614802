/* SPDX-License-Identifier: Apache-2.0 */
/* bearer - clients whose password is a JSON Web Token. */
#include "broker/bearer.h"

#include <stdlib.h>

#include "auth/tokens.h"
#include "auth/users.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/home.h"
#include "broker/login.h"
#include "broker/verify.h"

struct bearer {
	struct helper_job job;
	struct tokens *tokens; /* as they were when it came */
	uint64_t pending;      /* the token of its pending_login */
	int64_t now_s;
	struct grant *grant; /* the helper's until it is done; NULL: none */
	const char *why;
	size_t user_len; /* 0: the client gives no name */
	size_t len;
	uint8_t bytes[]; /* the name, then the JSON Web Token */
};

static void
bearer_free(struct bearer *b)
{
	grant_unref(&b->grant);
	tokens_unref(&b->tokens);
	explicit_bzero(b->bytes, b->user_len + b->len);
	free(b);
}

/* A client that says who it is has to say the same. */
static bool
is_name(const struct bearer *b)
{
	return b->user_len == 0 ||
	    slice_eq(slice_str(b->grant->user),
		slice_of(b->bytes, b->user_len));
}

static void
run(struct helper_job *job)
{
	struct bearer *b = container_of(job, struct bearer, job);

	b->grant = tokens_check(b->tokens,
	    slice_of(b->bytes + b->user_len, b->len), b->now_s, &b->why);
	if (b->grant == NULL || is_name(b))
		return;
	grant_unref(&b->grant);
	b->why = "it is for another user";
}

static void
abandon(struct helper_job *job)
{
	bearer_free(container_of(job, struct bearer, job));
}

static void WORKER_THREAD
on_done(struct mail *mail, void *owner)
{
	struct helper_job *job = container_of(mail, struct helper_job, mail);
	struct bearer *b = container_of(job, struct bearer, job);
	struct home *h = owner;
	struct pending *p = pending_find(h, b->pending);

	verify_done(h->broker);
	if (p != NULL)
		login_granted(h, p, b->grant, b->why);
	bearer_free(b);
}

bool
bearer_is_due(const struct client *c, const struct packet_connect *p)
{
	const struct home *h = c->home;

	if (h->tokens == NULL || !p->has_password ||
	    properties_has(&p->properties, MQTT_PROP_AUTHENTICATION_METHOD))
		return false;
	if (h->users != NULL && p->has_user_name &&
	    users_find(h->users, p->user_name) != NULL)
		return false;
	/* Others may know what to do with another kind of password. */
	return tokens_is_one(p->password) ||
	    (h->users == NULL && h->broker->options->auth_subject == NULL);
}

bool
bearer_start(struct client *c, const struct packet_connect *p)
{
	struct home *h = c->home;
	struct bearer *b;

	if (!verify_has_room(h->broker))
		return false;
	b = xcalloc(1, sizeof(*b) + p->user_name.len + p->password.len);
	b->job.mail.handle = on_done;
	b->job.done = &h->mailbox;
	b->job.run = run;
	b->job.abandon = abandon;
	b->tokens = tokens_ref(h->tokens);
	b->now_s = (int64_t)(h->wall_ms / 1000);
	b->user_len = p->has_user_name ? p->user_name.len : 0;
	b->len = p->password.len;
	if (b->user_len > 0)
		memcpy(b->bytes, p->user_name.ptr, b->user_len);
	if (b->len > 0)
		memcpy(b->bytes + b->user_len, p->password.ptr, b->len);
	b->pending = login_begin(c, NULL)->p.token;
	broker_help(h->broker, &b->job);
	return true;
}
