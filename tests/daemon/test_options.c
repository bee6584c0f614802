/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/options.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/attr.h"

#define MAX_ARGS 16

static struct options o;

/* Split at blanks; what is on standard error, which the caller frees. */
static char *
parse(const char *line, bool *ok)
{
	static char words[256];
	char *argv[MAX_ARGS + 2] = { (char[]){ "mqtt-natsd" } };
	int argc = 1;
	char *text = NULL, *rest = words;
	size_t len;
	FILE *err = open_memstream(&text, &len);

	cr_assert_not_null(err);
	cr_assert_lt(snprintf(words, sizeof(words), "%s", line),
	    (int)sizeof(words));
	while (argc <= MAX_ARGS && (argv[argc] = strsep(&rest, " ")) != NULL)
		argc += *argv[argc] != '\0';
	argv[argc] = NULL;
	*ok = options_parse(argc, argv, &o, err);
	fclose(err);
	return text;
}

static void
parse_good(const char *line)
{
	bool ok;
	char *text = parse(line, &ok);

	cr_assert(ok, "%s: %s", line, text);
	cr_expect_str_eq(text, "", "%s", line);
	free(text);
}

static void
expect_override(size_t i, const char *flag, const char *key, const char *value)
{
	cr_assert_lt(i, o.n_overrides);
	cr_expect_str_eq(o.overrides[i].flag, flag);
	cr_expect_str_eq(o.overrides[i].key, key);
	cr_expect_str_eq(o.overrides[i].value, value);
}

Test(options, none_means_run)
{
	parse_good("");
	cr_expect_eq(o.action, OPTIONS_RUN);
	cr_expect_null(o.config_file);
	cr_expect_eq(o.n_overrides, 0);
}

Test(options, short_and_long_are_the_same)
{
	static const char *const lines[] = {
		"-c /x -t -p 1 -m 2 -D",
		"-tDc/x -p1 -m2",
		"--config /x --test-config --port 1 --monitor 2 --debug",
		"--config=/x --test-config --port=1 --monitor=2 --debug",
	};

	for (size_t i = 0; i < countof(lines); i++) {
		parse_good(lines[i]);
		cr_expect_eq(o.action, OPTIONS_TEST);
		cr_expect_str_eq(o.config_file, "/x");
		cr_expect_eq(o.n_overrides, 3);
		for (size_t j = 0; j < o.n_overrides; j++) {
			if (strcmp(o.overrides[j].flag, "-p") == 0)
				expect_override(j, "-p", "port", "1");
			else if (strcmp(o.overrides[j].flag, "-m") == 0)
				expect_override(j, "-m", "port", "2");
			else
				expect_override(j, "-D", "level", "debug");
		}
	}
}

Test(options, the_last_one_counts)
{
	parse_good("-p 1 -D -p 2 -q -p 3 -c a -c b");
	cr_expect_eq(o.n_overrides, 2);
	expect_override(0, "-p", "port", "3");
	expect_override(1, "-q", "level", "warning");
	cr_expect_str_eq(o.config_file, "b");
}

Test(options, version_and_help_come_first)
{
	parse_good("-V --nonsense");
	cr_expect_eq(o.action, OPTIONS_VERSION);
	parse_good("--version");
	cr_expect_eq(o.action, OPTIONS_VERSION);
	parse_good("-t --help -x");
	cr_expect_eq(o.action, OPTIONS_HELP);
	parse_good("-h");
	cr_expect_eq(o.action, OPTIONS_HELP);
}

Test(options, signal_takes_a_word_and_a_process)
{
	static const struct {
		const char *line;
		enum process_signal signal;
		pid_t pid;
	} cases[] = {
		{ "--signal=reload", PROCESS_RELOAD, 0 },
		{ "--signal reopen", PROCESS_REOPEN, 0 },
		{ "--signal=ldm=17", PROCESS_LAME_DUCK, 17 },
		{ "--signal=stop=1", PROCESS_STOP, 1 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		parse_good(cases[i].line);
		cr_expect_eq(o.action, OPTIONS_SIGNAL);
		cr_expect_eq(o.signal, cases[i].signal, "%s", cases[i].line);
		cr_expect_eq(o.signal_pid, cases[i].pid, "%s", cases[i].line);
	}
}

#define USAGE                                                                  \
	"usage: mqtt-natsd [-c FILE] [-t] [-p PORT] [-m PORT] [-D] "           \
	"[-q] [-V] [-h]\nTry mqtt-natsd --help.\n"

Test(options, wrong_usage_is_told_with_a_hint)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{ "-x", "mqtt-natsd: -x is not known\n" },
		{ "-Dx", "mqtt-natsd: -x is not known\n" },
		{ "--xyzzy", "mqtt-natsd: --xyzzy is not known\n" },
		{ "-c", "mqtt-natsd: -c needs an argument\n" },
		{ "--port", "mqtt-natsd: --port needs an argument\n" },
		{ "--debug=1", "mqtt-natsd: --debug=1 takes no argument\n" },
		{ "-D x", "mqtt-natsd: x is one word too many\n" },
		{ "--signal", "mqtt-natsd: --signal needs an argument\n" },
		{ "--signal=kill",
		    "mqtt-natsd: --signal takes reload, reopen, ldm or "
		    "stop\n" },
		{ "--signal=stopstopstopstopstop",
		    "mqtt-natsd: --signal takes reload, reopen, ldm or "
		    "stop\n" },
		{ "--signal=stop=", "mqtt-natsd:  is not a process id\n" },
		{ "--signal=stop=0", "mqtt-natsd: 0 is not a process id\n" },
		{ "--signal=stop=-1", "mqtt-natsd: -1 is not a process id\n" },
		{ "--signal=stop=1x", "mqtt-natsd: 1x is not a process id\n" },
		{ "--signal=stop=99999999999",
		    "mqtt-natsd: 99999999999 is not a process id\n" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		bool ok;
		char *text = parse(cases[i].line, &ok);
		size_t len = strlen(cases[i].error);

		cr_expect_not(ok, "%s", cases[i].line);
		cr_expect_eq(strncmp(text, cases[i].error, len), 0, "%s: %s",
		    cases[i].line, text);
		cr_expect_str_eq(text + len, USAGE, "%s: %s", cases[i].line,
		    text);
		free(text);
	}
}

/* What a function prints; the caller frees it. */
static char *
printed(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	cr_assert_not_null(out);
	print(out);
	fclose(out);
	return text;
}

Test(options, the_version_is_one_line)
{
	char *text = printed(options_print_version);

	cr_expect_str_eq(text, "mqtt-natsd 0.1.0\n");
	free(text);
}

Test(options, help_names_every_option)
{
	static const char *const options[] = { "-c, --config=FILE",
		"-t, --test-config", "-p, --port=PORT", "-m, --monitor=PORT",
		"-D, --debug", "-q, --quiet", "-V, --version", "-h, --help",
		"--signal=WORD[=PID]" };
	char *text = printed(options_print_help);

	for (size_t i = 0; i < countof(options); i++)
		cr_expect_not_null(strstr(text, options[i]), "%s", options[i]);
	cr_expect_not_null(strstr(text, SYSCONFDIR "/mqtt-nats.ini"));
	free(text);
}
