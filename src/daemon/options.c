/* SPDX-License-Identifier: Apache-2.0 */
/* options - the command line. */
#include <config.h> /* the build's, not ours */

#include "daemon/options.h"

#include <assert.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_SIGNAL = 256, OPT_SCRAM, OPT_STORE_CHECK, OPT_STORE_DUMP };

static const struct {
	struct option getopt;
	const char *argument;
	const char *help;
} table[] = {
	{ { "config", required_argument, NULL, 'c' }, "FILE",
	    "read FILE instead of " SYSCONFDIR "/mqtt-nats.ini" },
	{ { "test-config", no_argument, NULL, 't' }, NULL,
	    "check the configuration, print it and exit" },
	{ { "port", required_argument, NULL, 'p' }, "PORT",
	    "port of the first listener" },
	{ { "monitor", required_argument, NULL, 'm' }, "PORT",
	    "port of the HTTP monitor" },
	{ { "debug", no_argument, NULL, 'D' }, NULL, "log everything" },
	{ { "quiet", no_argument, NULL, 'q' }, NULL,
	    "log errors and warnings only" },
	{ { "signal", required_argument, NULL, OPT_SIGNAL }, "WORD[=PID]",
	    "tell a running daemon: reload, reopen, ldm or stop" },
	{ { "scram", required_argument, NULL, OPT_SCRAM }, "USER",
	    "print a line for the password file; asks for the password" },
	{ { "store-check", no_argument, NULL, OPT_STORE_CHECK }, NULL,
	    "read the whole store, say what is in it and exit" },
	{ { "store-dump", no_argument, NULL, OPT_STORE_DUMP }, NULL,
	    "print the records of the store as JSON and exit" },
	{ { "version", no_argument, NULL, 'V' }, NULL,
	    "print the version and exit" },
	{ { "help", no_argument, NULL, 'h' }, NULL, "print this and exit" },
};

/* The table as getopt_long wants it. */
static void
make_getopt(struct option longs[countof(table) + 1],
    char shorts[2 * countof(table) + 1])
{
	char *p = shorts;

	for (size_t i = 0; i < countof(table); i++) {
		longs[i] = table[i].getopt;
		if (table[i].getopt.val >= OPT_SIGNAL)
			continue;
		*p++ = (char)table[i].getopt.val;
		if (table[i].getopt.has_arg == required_argument)
			*p++ = ':';
	}
	longs[countof(table)] = (struct option){ 0 };
	*p = '\0';
}

/* The last one given counts. */
static void
set_override(struct options *o, const char *flag, const char *section,
    const char *key, const char *value)
{
	size_t i = 0;

	while (i < o->n_overrides &&
	    (strcmp(o->overrides[i].key, key) != 0 ||
		strcmp(o->overrides[i].section, section) != 0))
		i++;
	assert(i < OPTIONS_MAX_OVERRIDES);
	o->overrides[i] = (struct config_override){ flag, section, key, value };
	if (i == o->n_overrides)
		o->n_overrides++;
}

/* WORD or WORD=PID */
static bool
parse_signal(struct options *o, const char *text, FILE *err)
{
	const char *eq = strchr(text, '=');
	size_t len = eq != NULL ? (size_t)(eq - text) : strlen(text);
	char word[16];
	char *end;
	long pid;

	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	if (!process_signal_parse(word, &o->signal)) {
		fprintf(err,
		    "mqtt-natsd: --signal takes reload, reopen, ldm or stop\n");
		return false;
	}
	o->action = OPTIONS_SIGNAL;
	if (eq == NULL)
		return true;
	pid = strtol(eq + 1, &end, 10);
	if (end == eq + 1 || *end != '\0' || pid < 1 || pid > INT32_MAX) {
		fprintf(err, "mqtt-natsd: %s is not a process id\n", eq + 1);
		return false;
	}
	o->signal_pid = (pid_t)pid;
	return true;
}

static bool
on_option(struct options *o, int c, FILE *err)
{
	switch (c) {
	case 'c':
		o->config_file = optarg;
		return true;
	case 't':
		o->action = OPTIONS_TEST;
		return true;
	case 'p':
		set_override(o, "-p", "listener", "port", optarg);
		return true;
	case 'm':
		set_override(o, "-m", "monitor", "port", optarg);
		return true;
	case 'D':
		set_override(o, "-D", "log", "level", "debug");
		return true;
	case 'q':
		set_override(o, "-q", "log", "level", "warning");
		return true;
	case OPT_SIGNAL:
		return parse_signal(o, optarg, err);
	case OPT_SCRAM:
		o->action = OPTIONS_SCRAM;
		o->user = optarg;
		return true;
	case OPT_STORE_CHECK:
		o->action = OPTIONS_STORE_CHECK;
		return true;
	case OPT_STORE_DUMP:
		o->action = OPTIONS_STORE_DUMP;
		return true;
	default:
		return false;
	}
}

/* What getopt_long has refused. */
static void
print_refused(int c, char *argv[], FILE *err)
{
	const char *arg = argv[optind - 1];
	const char *why = c == ':' ? "needs an argument" : "is not known";

	if (optopt != 0 && optopt < OPT_SIGNAL && strncmp(arg, "--", 2) != 0)
		fprintf(err, "mqtt-natsd: -%c %s\n", optopt, why);
	else if (optopt != 0 && c == '?')
		fprintf(err, "mqtt-natsd: %s takes no argument\n", arg);
	else
		fprintf(err, "mqtt-natsd: %s %s\n", arg, why);
}

/* False at the first mistake, which has been printed. */
static bool
parse(int argc, char *argv[], struct options *out, FILE *err)
{
	struct option longs[countof(table) + 1];
	char shorts[2 * countof(table) + 2] = ":";
	int c;

	make_getopt(longs, shorts + 1);
	optind = 0; /* of an earlier call: start again */
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 'V' || c == 'h') {
			out->action = c == 'V' ? OPTIONS_VERSION : OPTIONS_HELP;
			return true;
		}
		if (c == '?' || c == ':')
			print_refused(c, argv, err);
		if (!on_option(out, c, err))
			return false;
	}
	if (optind < argc) {
		fprintf(err, "mqtt-natsd: %s is one word too many\n",
		    argv[optind]);
		return false;
	}
	return true;
}

bool
options_parse(int argc, char *argv[], struct options *out, FILE *err)
{
	*out = (struct options){ .action = OPTIONS_RUN };
	if (parse(argc, argv, out, err))
		return true;
	fprintf(err,
	    "usage: mqtt-natsd [-c FILE] [-t] [-p PORT] [-m PORT] "
	    "[-D] [-q] [-V] [-h]\n"
	    "Try mqtt-natsd --help.\n");
	return false;
}

void
options_print_help(FILE *out)
{
	fputs("usage: mqtt-natsd [OPTION]...\n"
	      "An MQTT server whose message bus is NATS.\n\n",
	    out);
	for (size_t i = 0; i < countof(table); i++) {
		const struct option *o = &table[i].getopt;
		const char *argument = table[i].argument;
		char text[64];

		snprintf(text, sizeof(text), "--%s%s%s", o->name,
		    argument != NULL ? "=" : "",
		    argument != NULL ? argument : "");
		if (o->val < OPT_SIGNAL)
			fprintf(out, "  -%c, %-21s %s\n", o->val, text,
			    table[i].help);
		else
			fprintf(out, "      %-21s %s\n", text, table[i].help);
	}
	fputs("\nThe manual is mqtt-natsd(8), the configuration file "
	      "mqtt-nats.ini(5).\n",
	    out);
}

void
options_print_version(FILE *out)
{
	fputs(PACKAGE_STRING "\n", out);
}
