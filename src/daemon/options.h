/* SPDX-License-Identifier: Apache-2.0 */
/* options - the command line: mqtt-natsd(8) is the manual. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/attr.h"
#include "daemon/config.h"
#include "daemon/process.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_TEST,   /* -t: check and print the configuration */
	OPTIONS_SIGNAL, /* --signal */
	OPTIONS_SCRAM,  /* --scram: a line for the password file */
	OPTIONS_STORE_CHECK,
	OPTIONS_STORE_DUMP,
	OPTIONS_VERSION, /* -V */
	OPTIONS_HELP     /* -h */
};

#define OPTIONS_MAX_OVERRIDES 4

/* Strings borrow from argv. */
struct options {
	enum options_action action;
	const char *config_file; /* NULL: -c was not given */
	enum process_signal signal;
	const char *user; /* of --scram */
	pid_t signal_pid; /* 0: the one of the pid file */
	struct config_override overrides[OPTIONS_MAX_OVERRIDES];
	size_t n_overrides;
};

/*
 * Read the command line. False for wrong usage, and then what is wrong and
 * a hint are on `err`.
 */
bool options_parse(int argc, char *argv[], struct options *out,
    FILE *err) MUST_CHECK;

void options_print_help(FILE *out);
/* "mqtt-natsd 0.1.0" */
void options_print_version(FILE *out);
