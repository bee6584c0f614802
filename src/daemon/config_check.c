/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_check - do the keys fit together?
 *
 * Every value has been found good by itself. What is said here names the line
 * of the key that can be changed, if it was given at all.
 */
#include <config.h> /* the build's, not ours */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_loader.h"
#include "daemon/privileges.h"

static const struct config_given *
given(const struct config_loader *l, const char *section, const char *key)
{
	return config_find_given(l, option_find(section, key), 0);
}

/* An error that is about this key, wherever it was given. */
static void PRINTF_LIKE(4, 5) key_error(struct config_loader *l,
    const char *section, const char *key, const char *fmt, ...)
{
	const struct config_given *g = given(l, section, key);
	const char *file = l->name;
	va_list ap;

	if (g != NULL && g->flag != NULL)
		l->name = g->flag;
	va_start(ap, fmt);
	config_verror(l, g != NULL ? g->line : 0, fmt, ap);
	va_end(ap);
	l->name = file;
}

static bool
is_set(const char *s)
{
	return *s != '\0';
}

/* --- NATS --- */

/* Settings that have no meaning without NATS. */
static void
check_without_nats(struct config_loader *l)
{
	const struct config *c = l->config;

	if (c->qos.ack == ACK_STREAM || c->qos.ack == ACK_SERVER)
		key_error(l, "qos", "ack",
		    "[qos] ack = %s needs NATS, and [nats] url is empty",
		    option_ack_name(c->qos.ack));
	for (size_t i = 0; i < c->n_ack_rows; i++) {
		const struct config_ack *row = &c->ack_rows[i];

		if (row->policy == ACK_STREAM || row->policy == ACK_SERVER)
			config_error(l, row->line,
			    "[ack] %s = %s needs NATS, and [nats] url is "
			    "empty",
			    row->filter, option_ack_name(row->policy));
	}
	if (c->nats.identity == IDENTITY_USER)
		key_error(l, "nats", "identity",
		    "[nats] identity = user needs NATS, and url is empty");
	if (c->nats.when_down == WHEN_DOWN_REFUSE)
		key_error(l, "nats", "when_down",
		    "[nats] when_down = refuse would refuse everybody: url is "
		    "empty");
}

/* There is more than one way to log in, and only one can be used. */
static void
check_credentials(struct config_loader *l)
{
	const struct config *c = l->config;
	const struct {
		const char *key;
		const char *value;
	} ways[] = {
		{ "user", c->nats.user },
		{ "token", c->nats.token },
		{ "creds_file", c->nats.creds_file },
		{ "nkey_seed_file", c->nats.nkey_seed_file },
	};
	const char *first = NULL;

	for (size_t i = 0; i < countof(ways); i++) {
		if (!is_set(ways[i].value))
			continue;
		if (first != NULL)
			key_error(l, "nats", ways[i].key,
			    "[nats] %s and %s cannot be used together", first,
			    ways[i].key);
		first = ways[i].key;
	}
	if (is_set(c->nats.password) && !is_set(c->nats.user))
		key_error(l, "nats", "password", "[nats] password needs user");
}

/* A pair of which one is given and the other is not. */
static void
check_pair(struct config_loader *l, const char *key, const char *value,
    const char *other, const char *other_value)
{
	if (is_set(value) && !is_set(other_value))
		key_error(l, "nats", key, "[nats] %s needs %s", key, other);
}

static void
check_tls(struct config_loader *l)
{
	struct config *c = l->config;

	if (strncmp(c->nats.url, "tls://", 6) == 0 ||
	    strstr(c->nats.url, ",tls://") != NULL)
		c->nats.tls = true;
	check_pair(l, "cert_file", c->nats.cert_file, "key_file",
	    c->nats.key_file);
	check_pair(l, "key_file", c->nats.key_file, "cert_file",
	    c->nats.cert_file);
	if (c->nats.tls)
		return;
	if (is_set(c->nats.ca_file))
		key_error(l, "nats", "ca_file",
		    "[nats] ca_file needs tls = yes");
	if (is_set(c->nats.cert_file))
		key_error(l, "nats", "cert_file",
		    "[nats] cert_file needs tls = yes");
}

/* The request subject must not be one that sets a retained message. */
static void
check_retained_subjects(struct config_loader *l)
{
	const struct config *c = l->config;
	size_t len = strlen(c->nats.retained_set_subject);
	const char *request = c->nats.retained_request_subject;

	if (len == 0 ||
	    strncmp(request, c->nats.retained_set_subject, len) != 0 ||
	    (request[len] != '.' && request[len] != '\0'))
		return;
	key_error(l, "nats", "retained_request_subject",
	    "[nats] retained_request_subject lies within "
	    "retained_set_subject");
}

/* --- files --- */

static void
check_file(struct config_loader *l, const char *key, const char *path,
    bool is_secret)
{
	const struct config_given *g = given(l, "nats", key);
	unsigned line = g != NULL ? g->line : 0;
	struct stat st;
	int fd;

	if (!is_set(path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		config_error(l, line, "[nats] %s = %s: %s", key, path,
		    strerror(errno));
	else if (!S_ISREG(st.st_mode))
		config_error(l, line, "[nats] %s = %s: not a file", key, path);
	else if (is_secret && (st.st_mode & S_IROTH) != 0)
		config_warning(l, line,
		    "[nats] %s = %s: everybody can read this secret", key,
		    path);
	if (fd >= 0)
		close(fd);
}

static void
check_files(struct config_loader *l)
{
	const struct config *c = l->config;

	check_file(l, "creds_file", c->nats.creds_file, true);
	check_file(l, "nkey_seed_file", c->nats.nkey_seed_file, true);
	check_file(l, "ca_file", c->nats.ca_file, false);
	check_file(l, "cert_file", c->nats.cert_file, false);
	check_file(l, "key_file", c->nats.key_file, true);
	if ((l->mode & S_IROTH) != 0 &&
	    (is_set(c->nats.password) || is_set(c->nats.token) ||
		strchr(c->nats.url, '@') != NULL))
		config_warning(l, 0,
		    "everybody can read this file, and it holds credentials");
}

/* --- the rest --- */

static void
check_user(struct config_loader *l)
{
	const char *user = l->config->server.user;
	const char *group = l->config->server.group;
	const char *missing;
	struct privileges p;

	if (is_set(group) && !is_set(user))
		key_error(l, "server", "group",
		    "[server] group needs user, who becomes its member");
	else if (!privileges_find(&p, user, group, &missing))
		key_error(l, "server", missing,
		    "[server] %s: there is no %s \"%s\"", missing, missing,
		    strcmp(missing, "user") == 0 ? user : group);
}

void
config_check(struct config_loader *l)
{
	check_user(l);
	config_check_listeners(l);
	if (!is_set(l->config->nats.url))
		check_without_nats(l);
	check_credentials(l);
	check_tls(l);
	check_retained_subjects(l);
	check_files(l);
	config_check_listener_tls(l);
	config_check_auth(l);
}
