/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_auth - [auth]: is it safe, and what is in the files it names?
 *
 * They are read with the configuration and are part of it, so that all of it
 * is known to be good before any of it is used.
 */
#include <config.h> /* the build's, not ours */

#include <string.h>
#include <sys/stat.h>

#include "daemon/config_loader.h"

static unsigned
line_of(const struct config_loader *l, const char *key)
{
	const struct config_given *g =
	    config_find_given(l, option_find("auth", key), 0);

	return g != NULL ? g->line : 0;
}

/* Does anybody find out whether a client is who it says? */
static bool
has_check(const struct config *c)
{
	return c->nats.identity == IDENTITY_USER ||
	    *c->auth.password_file != '\0' || *c->auth.jwt_key_file != '\0' ||
	    *c->auth.request_subject != '\0';
}

static void
check_request(struct config_loader *l)
{
	const struct config *c = l->config;

	if (*c->auth.request_subject == '\0')
		return;
	if (*c->nats.url == '\0')
		config_error(l, line_of(l, "request_subject"),
		    "[auth] request_subject needs NATS, and [nats] url is "
		    "empty");
	if (c->nats.identity == IDENTITY_USER)
		config_error(l, line_of(l, "request_subject"),
		    "[auth] request_subject and [nats] identity = user cannot "
		    "be used together: who would be asked?");
}

/* What is wrong with a file, at its own line if there is one. */
static void
file_error(struct config_loader *l, const char *key, const char *path,
    unsigned line, const struct buf *why)
{
	const char *file = l->name;

	if (line == 0) {
		config_error(l, line_of(l, key), "[auth] %s = %s: %.*s", key,
		    path, SLICE_ARG(buf_slice(why)));
		return;
	}
	l->name = path;
	config_error(l, line, "%.*s", SLICE_ARG(buf_slice(why)));
	l->name = file;
}

static void
check_secrecy(struct config_loader *l, const char *key, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0)
		config_warning(l, line_of(l, key),
		    "[auth] %s = %s: everybody can read this secret", key,
		    path);
}

static void
load_users(struct config_loader *l)
{
	struct config *c = l->config;
	const char *path = c->auth.password_file;
	struct buf why = { 0 };
	unsigned line = 0;

	if (*path == '\0')
		return;
	if (c->nats.identity == IDENTITY_USER)
		config_error(l, line_of(l, "password_file"),
		    "[auth] password_file and [nats] identity = user cannot "
		    "be used together: who would be asked?");
	c->auth.users = users_load(path, &line, &why);
	if (c->auth.users == NULL)
		file_error(l, "password_file", path, line, &why);
	else
		check_secrecy(l, "password_file", path);
	buf_fini(&why);
}

static void
load_tokens(struct config_loader *l)
{
	struct config *c = l->config;
	const struct tokens_options o = { .issuer = c->auth.jwt_issuer,
		.audience = c->auth.jwt_audience,
		.claim = c->auth.jwt_user_claim };
	const char *path = c->auth.jwt_key_file;
	struct buf why = { 0 };

	if (*path == '\0')
		return;
	if (c->nats.identity == IDENTITY_USER)
		config_error(l, line_of(l, "jwt_key_file"),
		    "[auth] jwt_key_file and [nats] identity = user cannot be "
		    "used together: who would be asked?");
	if (*o.claim == '\0')
		config_error(l, line_of(l, "jwt_user_claim"),
		    "[auth] jwt_user_claim is empty");
	c->auth.tokens = tokens_load(path, &o, &why);
	if (c->auth.tokens == NULL)
		file_error(l, "jwt_key_file", path, 0, &why);
	buf_fini(&why);
}

static void
load_acl(struct config_loader *l)
{
	struct config *c = l->config;
	const struct mapping m = { .mode = c->mapping.mode,
		.topic_prefix = slice_str(c->mapping.topic_prefix),
		.subject_prefix = slice_str(c->mapping.subject_prefix) };
	const char *path = c->auth.acl_file;
	struct buf why = { 0 };
	unsigned line = 0;

	if (*path == '\0')
		return;
	c->auth.acl = acl_load(path, &m, &line, &why);
	if (c->auth.acl == NULL)
		file_error(l, "acl_file", path, line, &why);
	buf_fini(&why);
}

/* Do its clients prove who they are by certificate or key? */
static bool
proves(const struct config_listener *a)
{
	return a->tls &&
	    (a->identity_from != TLS_IDENTITY_NONE || *a->psk_file != '\0');
}

/* A listener that lets nobody in, or everybody without being told to. */
static void
check_openness(struct config_loader *l)
{
	const struct config *c = l->config;

	if (has_check(c))
		return;
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct config_listener *a = &c->listeners[i];

		if (config_admits_anonymous(c, a) || proves(a))
			continue;
		config_warning(l, a->line,
		    "[listener %s] lets nobody in: nobody knows who clients "
		    "are; set [auth] password_file, request_subject or [nats] "
		    "identity = user, or say allow_anonymous = yes",
		    a->name);
	}
}

bool
config_admits_anonymous(const struct config *c, const struct config_listener *l)
{
	switch (c->auth.allow_anonymous) {
	case ANONYMOUS_NO:
		return false;
	case ANONYMOUS_YES:
		return true;
	case ANONYMOUS_AUTO:
		break;
	}
	return config_is_loopback(l);
}

void
config_check_auth(struct config_loader *l)
{
	load_users(l);
	check_request(l);
	load_tokens(l);
	load_acl(l);
	check_openness(l);
}
