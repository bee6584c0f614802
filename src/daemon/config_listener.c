/* SPDX-License-Identifier: Apache-2.0 */
/* config_listener - [listener NAME]: do its keys fit together, and with those
 * of the others? */
#include <config.h> /* the build's, not ours */

#include <arpa/inet.h>
#include <string.h>

#include "daemon/config_loader.h"

static bool
is_any(const char *address)
{
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

static bool
is_inet(const struct config_listener *l)
{
	return l->address[0] != '/' && strcmp(l->address, "systemd") != 0;
}

/* Would the second one of them fail to bind? */
static bool
collide(const struct config_listener *a, const struct config_listener *b)
{
	struct in6_addr x, y;
	bool is_v6 = strchr(a->address, ':') != NULL;
	int family = is_v6 ? AF_INET6 : AF_INET;
	size_t len = is_v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);

	if (!is_inet(a) || !is_inet(b))
		return a->address[0] == '/' &&
		    strcmp(a->address, b->address) == 0;
	if (a->port != b->port || a->port == 0 ||
	    is_v6 != (strchr(b->address, ':') != NULL))
		return false;
	inet_pton(family, a->address, &x);
	inet_pton(family, b->address, &y);
	return is_any(a->address) || is_any(b->address) ||
	    memcmp(&x, &y, len) == 0;
}

static void
check_collisions(struct config_loader *l, size_t i)
{
	const struct config *c = l->config;
	const struct config_listener *a = &c->listeners[i];

	for (size_t j = 0; j < i; j++) {
		const struct config_listener *b = &c->listeners[j];

		if (!collide(a, b))
			continue;
		if (is_inet(a))
			config_error(l, a->line,
			    "[listener %s] and [listener %s] both listen on "
			    "port %u of %s",
			    a->name, b->name, a->port, a->address);
		else
			config_error(l, a->line,
			    "[listener %s] and [listener %s] both listen on %s",
			    a->name, b->name, a->address);
	}
}

/* The line of a key that was given, or of the section. */
static unsigned
line_of(const struct config_loader *l, size_t i, const char *key)
{
	const struct config_given *g =
	    config_find_given(l, option_find("listener", key), i);

	return g != NULL ? g->line : l->config->listeners[i].line;
}

/* Whoever reaches such a listener could say that it is anybody. */
static void
check_proxies(struct config_loader *l, size_t i)
{
	const struct config_listener *a = &l->config->listeners[i];

	if (!a->proxy_protocol && a->proxy_networks[0] != NULL)
		config_error(l, line_of(l, i, "proxy_networks"),
		    "[listener %s] proxy_networks needs proxy_protocol = yes",
		    a->name);
	if (a->proxy_protocol && a->proxy_networks[0] == NULL &&
	    a->address[0] != '/')
		config_error(l, line_of(l, i, "proxy_protocol"),
		    "[listener %s] proxy_protocol needs proxy_networks: who "
		    "is to be believed?",
		    a->name);
}

static void
check_networks(struct config_loader *l, size_t i, const char *key,
    char *const *list)
{
	const struct config_listener *a = &l->config->listeners[i];

	if (list[0] != NULL && a->address[0] == '/' && !a->proxy_protocol)
		config_error(l, line_of(l, i, key),
		    "[listener %s] %s: who comes through a UNIX socket has no "
		    "address",
		    a->name, key);
}

/* Any page that a browser shows could speak to the daemon. */
static void
check_origins(struct config_loader *l, size_t i)
{
	const struct config_listener *a = &l->config->listeners[i];

	if (a->transport == TRANSPORT_WS && a->ws_origins[0] == NULL &&
	    config_admits_anonymous(l->config, a))
		config_warning(l, a->line,
		    "[listener %s] lets in every web page that a browser near "
		    "it opens, and nobody asks who it is; say in ws_origins "
		    "which may",
		    a->name);
}

void
config_check_listeners(struct config_loader *l)
{
	const struct config *c = l->config;

	for (size_t i = 0; i < c->n_listeners; i++) {
		check_collisions(l, i);
		check_proxies(l, i);
		check_origins(l, i);
		check_networks(l, i, "allow_networks",
		    c->listeners[i].allow_networks);
		check_networks(l, i, "deny_networks",
		    c->listeners[i].deny_networks);
	}
}

bool
config_is_loopback(const struct config_listener *l)
{
	if (l->proxy_protocol)
		return false;
	return strncmp(l->address, "127.", 4) == 0 ||
	    strcmp(l->address, "::1") == 0 || l->address[0] == '/';
}
