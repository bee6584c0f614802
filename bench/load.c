/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - puts load on MQTT and NATS servers and says what that cost them.
 *
 *   load flow from=mqtt://127.0.0.1:1883 pubs=10 subs=10 pid=broker:4711
 *
 * bench/run starts servers and calls this for every row of the tables;
 * bench/README explains the figures.
 */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const struct mode {
	const char *name;
	void (*run)(const struct options *o);
	const char *help;
} modes[] = {
	{ "flow", flow_run, "publishers and subscribers" },
	{ "idle", idle_run, "connections that do nothing" },
	{ "filters", filters_run, "many subscriptions" },
	{ "retained", retained_run, "many retained messages" },
	{ "relay", relay_run,
	    "be a server that only forwards, at from=, as a floor" },
};

static int
usage(void)
{
	puts("usage: load MODE NAME=VALUE ...\n\nmodes");
	for (size_t i = 0; i < countof(modes); i++)
		printf("  %-10s%s\n", modes[i].name, modes[i].help);
	puts("\noptions (default)");
	options_print();
	return 2;
}

/* As many descriptors as we may have, and timers that are on time. */
static void
process_prepare(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	prctl(PR_SET_TIMERSLACK, 1);
	signal(SIGPIPE, SIG_IGN);
}

int
main(int argc, char **argv)
{
	struct options o;

	if (argc < 2)
		return usage();
	for (size_t i = 0; i < countof(modes); i++) {
		if (strcmp(modes[i].name, argv[1]) == 0) {
			options_parse(&o, argv + 2);
			process_prepare();
			modes[i].run(&o);
			return 0;
		}
	}
	return usage();
}
