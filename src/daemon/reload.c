/* SPDX-License-Identifier: Apache-2.0 */
/* reload - another configuration for a daemon that runs. */
#include "daemon/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "daemon/option.h"

static void
tell(const struct config_report *r)
{
	for (size_t i = 0; i < r->n_errors; i++)
		log_error("reload: %s", r->errors[i]);
	for (size_t i = 0; i < r->n_warnings; i++)
		log_warning("reload: %s", r->warnings[i]);
	if (r->n_errors > 0)
		log_error("reload: the configuration has mistakes; everything "
			  "stays as it was");
}

static void
compare(const struct config *was, const struct config *now)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *o = &option_table[i];

		if (strcmp(o->section, "listener") != 0 &&
		    o->applied == OPTION_RESTART && !option_same(o, was, now))
			log_warning("reload: [%s] %s has changed, which takes "
				    "a restart",
			    o->section, o->key);
	}
}

struct config_listener *
reload_find_listener(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		if (strcmp(c->listeners[i].name, name) == 0)
			return &c->listeners[i];
	return NULL;
}

/* What the running one was given, and this one was not. */
static void
resolve(struct config *c, const struct config *running)
{
	if (*c->server.node_name == '\0') {
		free(c->server.node_name);
		c->server.node_name = xstrdup(running->server.node_name);
	}
	config_resolve(c);
}

struct config *
reload_config(const struct config_source *source, const struct config *running)
{
	struct config_report report = { 0 };
	struct config *c = config_load(source->path, source->overrides,
	    source->n_overrides, &report);

	tell(&report);
	config_report_fini(&report);
	if (c == NULL)
		return NULL;
	resolve(c, running);
	compare(running, c);
	return c;
}
