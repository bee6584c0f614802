/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload - another configuration for a daemon that runs: read as a whole,
 * checked as a whole, and only then of any effect.
 */
#pragma once

#include "daemon/config.h"

/* Where the configuration comes from; borrowed as long as the daemon runs. */
struct config_source {
	const char *path; /* NULL: built-in defaults */
	const struct config_override *overrides;
	size_t n_overrides;
};

/*
 * Read it again. NULL when there is a mistake, which the log tells; then
 * nothing has changed. Warnings, and what of it needs a restart, are logged
 * too. The caller frees.
 */
struct config *reload_config(const struct config_source *source,
    const struct config *running) MUST_CHECK;

/* The listener of this name, or NULL. */
struct config_listener *reload_find_listener(const struct config *c,
    const char *name);
