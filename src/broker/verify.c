/* SPDX-License-Identifier: Apache-2.0 */
/* verify - passwords of CONNECTs, checked by the helper thread. */
#include "broker/verify.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/home.h"

struct verify {
	struct helper_job job;
	struct users *users; /* as they were when it was asked */
	uint64_t token;      /* of its pending_login */
	atomic_bool is_over; /* nobody waits for it */
	bool is_good;        /* the helper's until it is done */
	size_t user_len;
	size_t password_len;
	uint8_t bytes[]; /* the one, then the other */
};

static void
verify_free(struct verify *v)
{
	users_unref(&v->users);
	OPENSSL_cleanse(v->bytes, v->user_len + v->password_len);
	free(v);
}

/* Somebody who is not there takes as long as somebody who is. */
static void
run(struct helper_job *job)
{
	struct verify *v = container_of(job, struct verify, job);
	const struct user *user;
	bool same;

	if (atomic_load(&v->is_over))
		return;
	user = users_find(v->users, slice_of(v->bytes, v->user_len));
	same = password_check(user != NULL ? &user->password
					   : users_decoy(v->users),
	    slice_of(v->bytes + v->user_len, v->password_len));
	v->is_good = same && user != NULL;
}

static void
abandon(struct helper_job *job)
{
	verify_free(container_of(job, struct verify, job));
}

static void WORKER_THREAD
on_done(struct mail *mail, void *owner)
{
	struct helper_job *job = container_of(mail, struct helper_job, mail);
	struct verify *v = container_of(job, struct verify, job);
	struct home *h = owner;
	struct pending *p = pending_find(h, v->token);
	bool is_good = v->is_good &&
	    (v->users == h->users || /* else: what does it say now? */
		(h->users != NULL &&
		    users_agree(v->users, h->users,
			slice_of(v->bytes, v->user_len))));

	verify_done(h->broker);
	verify_free(v);
	if (p != NULL)
		login_settled(h, p, is_good ? LOGIN_GOOD : LOGIN_WRONG, 0);
}

bool
verify_has_room(struct broker *b)
{
	if (atomic_fetch_add(&b->n_verifying, 1) < b->options->max_logins)
		return true;
	atomic_fetch_sub(&b->n_verifying, 1);
	return false;
}

void
verify_done(struct broker *b)
{
	atomic_fetch_sub(&b->n_verifying, 1);
}

bool
verify_start(struct client *c, struct slice user, struct slice password)
{
	struct home *h = c->home;
	struct verify *v;

	if (!verify_has_room(h->broker))
		return false;
	v = xcalloc(1, sizeof(*v) + user.len + password.len);
	v->job.mail.handle = on_done;
	v->job.done = &h->mailbox;
	v->job.run = run;
	v->job.abandon = abandon;
	v->users = users_ref(h->users);
	v->user_len = user.len;
	v->password_len = password.len;
	if (user.len > 0)
		memcpy(v->bytes, user.ptr, user.len);
	if (password.len > 0)
		memcpy(v->bytes + user.len, password.ptr, password.len);
	v->token = login_begin(c, v)->p.token;
	broker_help(h->broker, &v->job);
	return true;
}

void
verify_forget(struct verify *v)
{
	atomic_store(&v->is_over, true);
}
