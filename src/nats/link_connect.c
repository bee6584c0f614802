/* SPDX-License-Identifier: Apache-2.0 */
/* link_connect - making one connection to NATS, in the helper's thread. */
#include "config.h"

#include "nats/link_connect.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "nats/bus_thread.h"
#include "nats/credential.h"
#include "nats/intake.h"
#include "nats/link_denial.h"
#include "nats/nkey.h"

/* For resolving, TCP, INFO, TLS and CONNECT of one server. */
#define CONNECT_TIMEOUT_MS 1000
/* A TLS record must fit, or its rest is stuck in OpenSSL. */
#define DEVICE_BUFFER      (16 * 1024 + 512)

/* --- called by cnats, in a thread of its own ---------------------------- */

static struct log_limit error_limit;

/* What NATS has refused, on its way to the NATS thread. */
struct denied {
	struct mail mail;
	const natsConnection *nc; /* whose it was; not to be followed */
	char text[];
};

static void NATS_THREAD
on_denied(struct mail *mail, void *owner)
{
	struct denied *d = container_of(mail, struct denied, mail);

	link_on_denied(owner, d->nc, d->text);
	free(d);
}

static void
tell_denied(struct bus_stats *stats, const natsConnection *nc, const char *text)
{
	struct bus *b = container_of(stats, struct bus, stats);
	size_t len = strlen(text);
	struct denied *d = xcalloc(1, sizeof(*d) + len + 1);

	d->mail.handle = on_denied;
	d->nc = nc;
	memcpy(d->text, text, len);
	mailbox_post(&b->mailbox, &d->mail);
}

/*
 * Errors that leave the connection open, mostly permission violations. The
 * subscription may be gone already, so it is not looked at; the text of this
 * event is the thread's last error, not the connection's.
 */
static void
on_error(natsConnection *nc, natsSubscription *sub, natsStatus error, void *arg)
{
	struct bus_stats *stats = arg;
	natsStatus last;
	const char *text = nats_GetLastError(&last);
	unsigned long held;

	(void)sub;
	if (error == NATS_NOT_PERMITTED) {
		atomic_fetch_add(&stats->permission_errors, 1);
		if (text != NULL)
			tell_denied(stats, nc, text);
	}
	if (log_limit_pass(&error_limit, &held))
		log_warning("NATS server says: %s (%lu more like this)",
		    text != NULL ? text : natsStatus_GetText(error), held);
}

/* --- options ------------------------------------------------------------ */

static bool
is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

static natsStatus
set_servers(natsOptions *o, const struct connect_job *j)
{
	bool bare = j->login != NULL;
	struct buf list = { 0 };
	natsStatus s;
	char **urls;
	int n = 0;

	buf_append_str(&list, j->options->url);
	if (j->more_urls != NULL)
		buf_printf(&list, ",%s", j->more_urls);
	buf_append_byte(&list, '\0');
	urls = credential_urls((const char *)buf_ptr(&list), bare);
	while (urls[n] != NULL)
		n++;
	s = natsOptions_SetServers(o, (const char **)urls, n);
	credential_free_urls(&urls);
	buf_fini(&list);
	return s;
}

static natsStatus
set_name(natsOptions *o, const struct connect_job *j)
{
	char *name = credential_escape(j->options->node_name);
	char *full = xasprintf("mqtt-natsd %s", name);
	natsStatus s = natsOptions_SetName(o, full);

	free(full);
	free(name);
	return s;
}

static natsStatus
set_user(natsOptions *o, const char *user, const char *password)
{
	char *u = credential_escape(user);
	char *p = credential_escape(password != NULL ? password : "");
	natsStatus s = natsOptions_SetUserInfo(o, u, p);

	credential_wipe(&u);
	credential_wipe(&p);
	return s;
}

static natsStatus
set_token(natsOptions *o, const char *token)
{
	char *t = credential_escape(token);
	natsStatus s = natsOptions_SetToken(o, t);

	credential_wipe(&t);
	return s;
}

static natsStatus
set_nkey(natsOptions *o, struct connect_job *j, const char *path)
{
	char public[NKEY_PUBLIC_LEN + 1];
	int r = nkey_public_of_file(path, public);

	if (r < 0) {
		j->text =
		    xasprintf("no NKey seed in %s: %s", path, strerror(-r));
		return NATS_INVALID_ARG;
	}
	return natsOptions_SetNKeyFromSeed(o, public, path);
}

static natsStatus
set_credentials(natsOptions *o, struct connect_job *j)
{
	const struct bus_options *b = j->options;

	if (j->login != NULL)
		return j->login->user != NULL
		    ? set_user(o, j->login->user, j->login->password)
		    : NATS_OK;
	if (is_set(b->creds_file))
		return natsOptions_SetUserCredentialsFromFiles(o, b->creds_file,
		    NULL);
	if (is_set(b->nkey_seed_file))
		return set_nkey(o, j, b->nkey_seed_file);
	if (is_set(b->token))
		return set_token(o, b->token);
	if (is_set(b->user))
		return set_user(o, b->user, b->password);
	return NATS_OK;
}

static natsStatus
set_tls(natsOptions *o, const struct bus_options *b)
{
	natsStatus s = NATS_OK;

	if (b->tls)
		s = natsOptions_SetSecure(o, true);
	if (s == NATS_OK && is_set(b->ca_file))
		s = natsOptions_LoadCATrustedCertificates(o, b->ca_file);
	if (s == NATS_OK && is_set(b->cert_file))
		s = natsOptions_LoadCertificatesChain(o, b->cert_file,
		    is_set(b->key_file) ? b->key_file : b->cert_file);
	return s;
}

static natsStatus
set_behaviour(natsOptions *o, const struct connect_job *j)
{
	bool own = j->link == 0;
	natsStatus s;

	/* A thread of cnats would reconnect with its lock held. */
	s = natsOptions_SetAllowReconnect(o, false);
	/* Or a thread of cnats would write, a millisecond late. */
	if (s == NATS_OK)
		s = natsOptions_SetSendAsap(o, true);
	/* Its timer closes the socket under the loop; we have fences. */
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(o, 0);
	if (s == NATS_OK)
		s = natsOptions_SetNoEcho(o, own);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(o, CONNECT_TIMEOUT_MS);
	if (s == NATS_OK && !own)
		s = natsOptions_SetIOBufSize(o, DEVICE_BUFFER);
	if (s == NATS_OK)
		s = natsOptions_SetErrorHandler(o, on_error, j->stats);
	if (s == NATS_OK && (j->pooled || !INTAKE_BY_HOOK))
		s = natsOptions_UseGlobalMessageDelivery(o, true);
	return s;
}

static natsStatus
set_options(natsOptions *o, struct connect_job *j)
{
	natsStatus s = set_servers(o, j);

	if (s == NATS_OK)
		s = set_name(o, j);
	if (s == NATS_OK)
		s = set_behaviour(o, j);
	if (s == NATS_OK)
		s = set_credentials(o, j);
	if (s == NATS_OK)
		s = set_tls(o, j->options);
	if (s == NATS_OK)
		s = link_adapter_install(j->adapter, o);
	return s;
}

/* cnats says where in its source it failed, which nobody wants to know. */
static const char *
without_place(const char *text)
{
	const char *end = text[0] == '(' ? strstr(text, "): ") : NULL;

	return end != NULL ? end + 3 : text;
}

/* --- the job ------------------------------------------------------------ */

static void
run(struct helper_job *job)
{
	struct connect_job *j = container_of(job, struct connect_job, job);
	natsOptions *o = NULL;
	natsStatus s, last;
	const char *text;

	s = natsOptions_Create(&o);
	if (s == NATS_OK)
		s = set_options(o, j);
	if (s == NATS_OK)
		s = natsConnection_Connect(&j->nc, o);
	natsOptions_Destroy(o);
	if (s == NATS_OK) {
		j->outcome = CONNECT_OK;
		return;
	}
	j->nc = NULL;
	j->outcome =
	    s == NATS_CONNECTION_AUTH_FAILED ? CONNECT_REFUSED : CONNECT_FAILED;
	text = nats_GetLastError(&last);
	if (j->text == NULL)
		j->text = xstrdup(
		    is_set(text) ? without_place(text) : natsStatus_GetText(s));
}

static void
abandon(struct helper_job *job)
{
	struct connect_job *j = container_of(job, struct connect_job, job);

	link_adapter_orphan(j->adapter);
	connect_job_free(&j);
}

static struct bus_login *
copy_login(const struct bus_login *login)
{
	struct bus_login *copy = xcalloc(1, sizeof(*copy));

	if (login->user != NULL)
		copy->user = xstrdup(login->user);
	if (login->password != NULL)
		copy->password = xstrdup(login->password);
	return copy;
}

struct connect_job *
connect_job_new(const struct bus_options *options, struct bus_stats *stats,
    struct waker *waker, uint32_t link, bool pooled,
    const struct bus_login *login, const char *more_urls,
    void (*handle)(struct mail *mail, void *owner))
{
	struct connect_job *j = xcalloc(1, sizeof(*j));

	j->job.mail.handle = handle;
	j->job.run = run;
	j->job.abandon = abandon;
	j->options = options;
	j->stats = stats;
	j->link = link;
	j->pooled = pooled;
	j->login = login != NULL ? copy_login(login) : NULL;
	j->more_urls = more_urls != NULL ? xstrdup(more_urls) : NULL;
	j->adapter = link_adapter_new(waker);
	return j;
}

void
connect_job_free(struct connect_job **j)
{
	struct connect_job *dead = *j;

	if (dead == NULL)
		return;
	if (dead->nc != NULL)
		natsConnection_Destroy(dead->nc);
	link_adapter_free(&dead->adapter);
	bus_login_free(&dead->login);
	free(dead->more_urls);
	free(dead->text);
	free(dead);
	*j = NULL;
}
