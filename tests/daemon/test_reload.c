/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/log.h"

static char path[] = "/tmp/reload.ini.XXXXXX";
static char log_path[] = "/tmp/reload.log.XXXXXX";

static void
start_log(void)
{
	int fd = mkstemp(path), log_fd = mkstemp(log_path);

	cr_assert(fd >= 0 && log_fd >= 0);
	close(fd);
	close(log_fd);
	log_set_level(LOG_INFO);
	cr_assert_eq(log_open(log_path), 0);
}

static void
end_log(void)
{
	log_close();
	unlink(path);
	unlink(log_path);
}

TestSuite(reload, .init = start_log, .fini = end_log);

static void
write_ini(const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static struct config *
load(const char *text)
{
	struct config_report r = { 0 };
	struct config *c = config_parse(text, "x.ini", NULL, 0, &r);

	cr_assert_not_null(c);
	config_report_fini(&r);
	config_resolve(c);
	return c;
}

/* Does the log hold this? It is forgotten then. */
static bool
logged(const char *text)
{
	char all[8192] = "";
	FILE *f = fopen(log_path, "r");
	size_t len = fread(all, 1, sizeof(all) - 1, f);

	all[len] = '\0';
	fclose(f);
	return strstr(all, text) != NULL;
}

static struct config *
reload(const char *before, const char *after)
{
	struct config *was = load(before);
	struct config_source source = { .path = path };
	struct config *is;

	write_ini(after);
	is = reload_config(&source, was);
	config_free(&was);
	return is;
}

Test(reload, takes_what_can_change)
{
	struct config *c = reload("",
	    "[limits]\nmax_subscriptions = 7\n"
	    "[log]\nlevel = debug\n"
	    "[ack]\na/# = local\n"
	    "[auth]\nallow_anonymous = no\n");

	cr_assert_not_null(c);
	cr_expect_eq(c->limits.max_subscriptions, 7);
	cr_expect_eq(c->n_ack_rows, 1);
	cr_expect_neq(c->server.workers, 0);
	cr_expect_not(logged("takes a restart"));
	config_free(&c);
}

Test(reload, keeps_the_name_of_the_node)
{
	struct config *was = load("");
	struct config_source source = { .path = path };
	struct config *is;

	write_ini("");
	is = reload_config(&source, was);
	cr_assert_not_null(is);
	cr_expect_str_eq(is->server.node_name, was->server.node_name);
	cr_expect_not(logged("node_name"));
	config_free(&is);
	config_free(&was);
}

Test(reload, names_what_takes_a_restart)
{
	struct config *c = reload("[listener a]\n[nats]\nuser = u\n"
				  "password = x\n[listener b]\nport = 1884\n",
	    "[server]\nworkers = 99\n[listener a]\nport = 1885\n"
	    "[nats]\nuser = u\npassword = y\nurl = nats://u:p@h\n"
	    "[listener c]\nport = 1886\n");

	cr_assert_not_null(c);
	cr_expect(logged("[server] workers has changed, which takes a "
			 "restart"));
	cr_expect(logged("[nats] url has changed"));
	cr_expect(logged("[nats] password has changed"));
	/* Listeners come, change and go. */
	cr_expect_not(logged("listener"));
	cr_expect_not(logged("[nats] user "));
	cr_expect_not(logged("u:p@"));
	config_free(&c);
}

Test(reload, takes_all_or_nothing)
{
	cr_expect_null(reload("", "[limits]\nmax_subscriptions = 7\nwhat\n"));
	cr_expect(logged(":3: expected KEY = VALUE"));
	cr_expect(logged("everything stays as it was"));
	cr_expect_null(reload("", "[auth]\npassword_file = /nowhere\n"));
	cr_expect(logged("/nowhere: No such file"));
}

Test(reload, needs_the_file_that_was_there)
{
	struct config *was = load("");
	struct config_source source = { .path = "/nowhere/x.ini" };

	cr_expect_null(reload_config(&source, was));
	cr_expect(logged("No such file"));
	config_free(&was);
}
