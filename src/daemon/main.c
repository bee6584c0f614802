/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main - from the command line to a running daemon.
 *
 * Exit status: 0 after a clean stop, 2 for wrong usage or configuration, 1
 * for everything else.
 */
#include <config.h> /* the build's, not ours */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/new_user.h"
#include "daemon/options.h"
#include "daemon/process.h"
#include "daemon/reload.h"
#include "daemon/storage.h"

#define DEFAULT_FILE SYSCONFDIR "/mqtt-nats.ini"

enum { EXIT_USAGE = 2 };

/* The file to read; NULL: there is none, and none was asked for. */
static const char *
config_path(const struct options *o)
{
	if (o->config_file != NULL)
		return o->config_file;
	return access(DEFAULT_FILE, F_OK) == 0 ? DEFAULT_FILE : NULL;
}

static void
print_lines(char *const *lines, size_t n, const char *label)
{
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "%s%s\n", label, lines[i]);
}

static int
test_config(const struct config *c, const struct config_report *report)
{
	print_lines(report->warnings, report->n_warnings, "warning: ");
	config_print(c, stdout);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Without a process id the configuration says where to find one. */
static int
send_signal(const struct options *o, const struct config *c)
{
	pid_t pid = o->signal_pid;
	int err = 0;

	if (pid == 0 && *c->server.pid_file == '\0') {
		fputs("mqtt-natsd: [server] pid_file is not set; say "
		      "--signal=WORD=PID\n",
		    stderr);
		return EXIT_USAGE;
	}
	if (pid == 0)
		err = process_pid_file_read(c->server.pid_file, &pid);
	if (err == 0)
		err = process_signal_send(o->signal, pid);
	if (err < 0) {
		fprintf(stderr, "mqtt-natsd: %s\n",
		    err == -ESRCH ? "no such daemon is running"
				  : strerror(-err));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int MAIN_THREAD
run(struct config *c, const struct config_source *source,
    const struct config_report *report)
{
	int err, status;

	log_set_level(c->log.level);
	err = log_open(c->log.file);
	if (err < 0) {
		fprintf(stderr, "mqtt-natsd: log file %s: %s\n", c->log.file,
		    strerror(-err));
		return EXIT_FAILURE;
	}
	log_notice("%s starts, configured by %s", PACKAGE_STRING,
	    source->path != NULL ? source->path
				 : "built-in defaults (no file)");
	for (size_t i = 0; i < report->n_warnings; i++)
		log_warning("%s", report->warnings[i]);
	status = daemon_run(c, source);
	log_close();
	return status;
}

/* Everything that needs the configuration. */
static int MAIN_THREAD
act(const struct options *o)
{
	struct config_report report = { 0 };
	const struct config_source source = { .path = config_path(o),
		.overrides = o->overrides,
		.n_overrides = o->n_overrides };
	struct config *c;
	int status;

	c = config_load(source.path, o->overrides, o->n_overrides, &report);
	if (c == NULL) {
		print_lines(report.errors, report.n_errors, "");
		status = EXIT_USAGE;
	} else if (o->action == OPTIONS_TEST) {
		status = test_config(c, &report);
	} else if (o->action == OPTIONS_SIGNAL) {
		status = send_signal(o, c);
	} else if (o->action == OPTIONS_STORE_CHECK) {
		status = storage_check(c, stdout, stderr);
	} else if (o->action == OPTIONS_STORE_DUMP) {
		status = storage_dump(c, stdout, stderr);
	} else {
		config_resolve(c);
		status = run(c, &source, &report);
	}
	config_free(&c);
	config_report_fini(&report);
	return status;
}

int
main(int argc, char *argv[])
{
	struct options o;

	thread_enter(THREAD_MAIN, "mqtt-natsd");
	thread_assert_main();
	if (!options_parse(argc, argv, &o, stderr))
		return EXIT_USAGE;
	switch (o.action) {
	case OPTIONS_VERSION:
		options_print_version(stdout);
		return EXIT_SUCCESS;
	case OPTIONS_HELP:
		options_print_help(stdout);
		return EXIT_SUCCESS;
	case OPTIONS_SCRAM:
		return new_user_print(o.user, stdin, stdout, stderr)
		    ? EXIT_SUCCESS
		    : EXIT_USAGE;
	case OPTIONS_SIGNAL:
		if (o.signal_pid != 0)
			return send_signal(&o, NULL);
		return act(&o);
	default:
		return act(&o);
	}
}
