/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_loader - a configuration while it is being loaded.
 *
 * Between config.c, which reads it, and config_check.c, which looks at it as
 * a whole; nobody else needs it.
 */
#pragma once

#include <stdarg.h>
#include <sys/types.h>

#include "daemon/config.h"
#include "daemon/option.h"

/* A key that was given, and where. */
struct config_given {
	const struct option_row *option;
	size_t listener; /* its index, in the section "listener" */
	unsigned line;
	const char *flag; /* on the command line; NULL: in the file */
};

struct config_loader {
	struct config *config;
	struct config_report *report;
	const char *name; /* of the file */
	mode_t mode;      /* of the file; 0: there is none */
	struct config_given *given;
	size_t n_given;
	unsigned n_errors; /* also those beyond what a report holds */
};

/* Add to the report. Line 0: it is about the file as a whole. */
void config_error(struct config_loader *l, unsigned line, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void config_verror(struct config_loader *l, unsigned line, const char *fmt,
    va_list ap) PRINTF_LIKE(3, 0);
void config_warning(struct config_loader *l, unsigned line, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

/* Where a key was given; NULL: it has its default. */
const struct config_given *config_find_given(const struct config_loader *l,
    const struct option_row *o, size_t listener);

/* What no key can tell alone: do they fit together? */
void config_check(struct config_loader *l);
/* The part of it about TLS of listeners; loads what it needs. */
void config_check_listener_tls(struct config_loader *l);
/* The part of it about [listener]. */
void config_check_listeners(struct config_loader *l);
/* The part of it about [auth]; loads the files that it names. */
void config_check_auth(struct config_loader *l);
