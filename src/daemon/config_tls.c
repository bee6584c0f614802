/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_tls - TLS of listeners: do the keys fit together, and are the files
 * good?
 *
 * They are read with the configuration, so that all of it is known to be good
 * before any of it is used.
 */
#include <config.h> /* the build's, not ours */

#include <string.h>
#include <sys/stat.h>

#include "daemon/config_loader.h"

static unsigned
line_of(const struct config_loader *l, size_t listener, const char *key)
{
	const struct config_given *g =
	    config_find_given(l, option_find("listener", key), listener);

	return g != NULL ? g->line : l->config->listeners[listener].line;
}

static const char *
value_of(const struct config_listener *a, const char *key)
{
	const struct {
		const char *key;
		const char *value;
	} files[] = {
		{ "cert_file", a->cert_file },
		{ "key_file", a->key_file },
		{ "ca_file", a->ca_file },
		{ "crl_file", a->crl_file },
		{ "psk_file", a->psk_file },
	};

	for (size_t i = 0; i < countof(files); i++)
		if (strcmp(files[i].key, key) == 0)
			return files[i].value;
	return "";
}

static void
needs(struct config_loader *l, size_t i, const char *key, const char *other)
{
	config_error(l, line_of(l, i, key), "[listener %s] %s needs %s",
	    l->config->listeners[i].name, key, other);
}

/* What has no meaning without TLS. */
static void
check_without_tls(struct config_loader *l, size_t i)
{
	static const char *const keys[] = { "cert_file", "key_file", "ca_file",
		"crl_file", "psk_file" };
	const struct config_listener *a = &l->config->listeners[i];

	for (size_t k = 0; k < countof(keys); k++)
		if (*value_of(a, keys[k]) != '\0')
			needs(l, i, keys[k], "tls = yes");
	if (a->require_client_cert)
		needs(l, i, "require_client_cert", "tls = yes");
	if (a->identity_from != TLS_IDENTITY_NONE)
		needs(l, i, "identity_from", "tls = yes");
	if (a->identity_is_client_id)
		needs(l, i, "identity_is_client_id", "tls = yes");
}

static void
check_together(struct config_loader *l, size_t i)
{
	const struct config_listener *a = &l->config->listeners[i];
	bool has_cert = *a->cert_file != '\0', has_key = *a->key_file != '\0';
	bool has_ca = *a->ca_file != '\0';
	bool proves =
	    a->identity_from != TLS_IDENTITY_NONE || *a->psk_file != '\0';

	if (!has_cert && !has_key && *a->psk_file == '\0')
		needs(l, i, "tls", "cert_file and key_file, or psk_file");
	if (has_cert && !has_key)
		needs(l, i, "cert_file", "key_file");
	if (has_key && !has_cert)
		needs(l, i, "key_file", "cert_file");
	if (has_ca && !has_cert)
		needs(l, i, "ca_file", "cert_file");
	if (*a->crl_file != '\0' && !has_ca)
		needs(l, i, "crl_file", "ca_file");
	if (a->require_client_cert && !has_ca)
		needs(l, i, "require_client_cert", "ca_file");
	if (a->identity_from != TLS_IDENTITY_NONE && !has_ca)
		needs(l, i, "identity_from", "ca_file");
	if (a->identity_is_client_id && !proves)
		needs(l, i, "identity_is_client_id",
		    "identity_from, or psk_file");
	if (a->require_client_cert && *a->psk_file != '\0')
		config_error(l, line_of(l, i, "psk_file"),
		    "[listener %s] psk_file and require_client_cert cannot be "
		    "used together: who has a key shows no certificate",
		    a->name);
	if (proves && l->config->nats.identity == IDENTITY_USER)
		config_error(l, a->line,
		    "[listener %s] NATS cannot check who clients are by "
		    "certificate or key, which [nats] identity = user demands",
		    a->name);
}

static void
check_secrecy(struct config_loader *l, size_t i, const char *key)
{
	const struct config_listener *a = &l->config->listeners[i];
	const char *path = value_of(a, key);
	struct stat st;

	if (*path != '\0' && stat(path, &st) == 0 &&
	    (st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		config_warning(l, line_of(l, i, key),
		    "[listener %s] %s = %s: everybody can read this secret",
		    a->name, key, path);
}

static void
load(struct config_loader *l, size_t i)
{
	struct config_listener *a = &l->config->listeners[i];
	const struct tls_options o = {
		.listener = a->name,
		.cert_file = a->cert_file,
		.key_file = a->key_file,
		.ca_file = a->ca_file,
		.crl_file = a->crl_file,
		.psk_file = a->psk_file,
		/* Of a WebSocket it is said in HTTP what is in it. */
		.alpn = a->transport == TRANSPORT_WS ? "http/1.1" : "mqtt",
		.require_client_cert = a->require_client_cert,
		.identity = a->identity_from,
	};
	struct buf why = { 0 };
	const char *key = NULL;

	a->tls_context = tls_context_load(&o, &key, &why);
	if (a->tls_context == NULL)
		config_error(l, line_of(l, i, key),
		    "[listener %s] %s = %s: %.*s", a->name, key,
		    value_of(a, key), SLICE_ARG(buf_slice(&why)));
	buf_fini(&why);
	check_secrecy(l, i, "key_file");
	check_secrecy(l, i, "psk_file");
}

void
config_check_listener_tls(struct config_loader *l)
{
	unsigned before;

	for (size_t i = 0; i < l->config->n_listeners; i++) {
		if (!l->config->listeners[i].tls) {
			check_without_tls(l, i);
			continue;
		}
		before = l->n_errors;
		check_together(l, i);
		if (l->n_errors == before)
			load(l, i);
	}
}
