/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#define TIME_RE                                                                \
	"[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]"       \
	"\\.[0-9]{3} "

/* Each test runs in a directory of its own, as thread worker-1. */
static char dir[] = "/tmp/test-log-XXXXXX";

static void
enter_directory(void)
{
	cr_assert(ne(ptr, mkdtemp(dir), NULL));
	cr_assert(eq(int, chdir(dir), 0));
	unsetenv("JOURNAL_STREAM");
	thread_enter(THREAD_WORKER, "worker-1");
}

static void
leave_directory(void)
{
	struct dirent *entry;
	DIR *d = opendir(".");

	while (d != NULL && (entry = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), entry->d_name, 0);
	if (d != NULL)
		closedir(d);
	(void)!chdir("/");
	rmdir(dir);
}

TestSuite(log, .init = enter_directory, .fini = leave_directory);

/* What is in the file; the caller frees it. */
static char *
read_all(const char *path)
{
	struct buf b = { 0 };
	char *text;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert(ge(int, fd, 0), "%s is not there", path);
	while ((n = read(fd, buf_reserve(&b, 4096), 4096)) > 0)
		buf_commit(&b, (size_t)n);
	close(fd);
	text = xmemdup0(buf_ptr(&b), buf_len(&b));
	buf_fini(&b);
	return text;
}

static void
expect_content(const char *path, const char *regex)
{
	char *text = read_all(path);
	regex_t re;

	cr_assert(eq(int, regcomp(&re, regex, REG_EXTENDED | REG_NOSUB), 0));
	cr_expect(regexec(&re, text, 0, NULL, 0) == 0,
	    "%s is \"%s\" and does not match \"%s\"", path, text, regex);
	regfree(&re);
	free(text);
}

static void
open_log(void)
{
	cr_assert(eq(int, log_open("log"), 0));
}

/* Let standard error be a file of this name. */
static void
redirect_stderr(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	cr_assert(ge(int, fd, 0));
	cr_assert(eq(int, dup2(fd, STDERR_FILENO), STDERR_FILENO));
	close(fd);
}

Test(log, line_has_time_level_thread_and_text)
{
	open_log();
	log_warning("queue of %s is full: %d", "pump-7", 1000);
	log_close();
	expect_content("log",
	    "^" TIME_RE "warning worker-1: queue of pump-7 is full: 1000\n$");
}

Test(log, time_is_now_in_local_time)
{
	uint64_t before = clock_wall_ms(), after, shown;
	struct tm tm = { .tm_isdst = -1 };
	char *text, *rest;

	setenv("TZ", "XYZ-5:30", 1);
	tzset();
	open_log();
	log_notice("x");
	log_close();
	after = clock_wall_ms();
	text = read_all("log");
	rest = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	cr_assert(ne(ptr, rest, NULL));
	shown = (uint64_t)mktime(&tm) * 1000 +
	    (uint64_t)strtoul(rest + 1, NULL, 10);
	cr_expect(ge(u64, shown, before));
	cr_expect(le(u64, shown, after));
	free(text);
}

Test(log, level_filters_what_is_less_urgent)
{
	enum log_level limit, level;
	char *text;

	open_log();
	for (limit = LOG_ERROR; limit <= LOG_DEBUG; limit++) {
		log_set_level(limit);
		cr_expect(eq(int, log_get_level(), limit));
		for (level = LOG_ERROR; level <= LOG_DEBUG; level++) {
			cr_assert(eq(int, truncate("log", 0), 0));
			log_write(level, "x");
			text = read_all("log");
			cr_expect(log_enabled(level) == (text[0] != '\0'),
			    "level %d, limit %d", level, limit);
			cr_expect(log_enabled(level) == (level <= limit));
			free(text);
		}
	}
	log_close();
}

Test(log, each_level_has_a_function_and_a_name)
{
	open_log();
	log_set_level(LOG_DEBUG);
	log_error("a");
	log_warning("b");
	log_notice("c");
	log_info("d");
	log_debug("e");
	log_close();
	expect_content("log",
	    "^[^\n]* error [^ ]*: a\n[^\n]* warning [^ ]*: b\n"
	    "[^\n]* notice [^ ]*: c\n[^\n]* info [^ ]*: d\n"
	    "[^\n]* debug [^ ]*: e\n$");
}

static int n_evaluated;

static int
costly(void)
{
	return ++n_evaluated;
}

Test(log, debug_does_not_evaluate_what_it_does_not_write)
{
	open_log();
	log_debug("%d", costly());
	cr_expect(eq(int, n_evaluated, 0));
	log_set_level(LOG_DEBUG);
	log_debug("%d", costly());
	cr_expect(eq(int, n_evaluated, 1));
	log_close();
}

Test(log, level_names_parse_back)
{
	static const char *const wrong[] = { "", "Error", "warn", "debugx" };
	enum log_level level, parsed;
	size_t i;

	for (level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		cr_expect(log_level_parse(log_level_name(level), &parsed));
		cr_expect(eq(int, parsed, level));
	}
	parsed = LOG_NOTICE;
	for (i = 0; i < countof(wrong); i++)
		cr_expect(not(log_level_parse(wrong[i], &parsed)), "\"%s\"",
		    wrong[i]);
	cr_expect(eq(int, parsed, LOG_NOTICE), "untouched on failure");
}

Test(log, control_characters_are_escaped)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "a\nb", "a\\x0ab" },
		{ "\r", "\\x0d" },
		{ "\t", "\\x09" },
		{ "\x01\x1f\x7f", "\\x01\\x1f\\x7f" },
		{ "\x1b[31mred", "\\x1b[31mred" },
		{ "plain ~ text", "plain ~ text" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xc2\xa0", "\xc2\xa0" },
		/* U+009B introduces what ESC [ does. */
		{ "\xc2\x9b", "\\xc2\\x9b" },
		{ "\xc3\x9b", "\xc3\x9b" },
		{ "not UTF-8: \x9b\xfc", "not UTF-8: \\x9b\\xfc" },
		{ "", "" },
	};
	char *text, *want;
	size_t i;

	open_log();
	for (i = 0; i < countof(cases); i++) {
		cr_assert(eq(int, truncate("log", 0), 0));
		log_notice("<%s>", cases[i].text);
		text = read_all("log");
		want = xasprintf("worker-1: <%s>\n", cases[i].shown);
		cr_expect_str_eq(strstr(text, "worker-1"), want);
		free(want);
		free(text);
	}
	log_close();
}

/* Three sizes, two of which would cut a character in the middle. */
Test(log, long_line_is_cut_between_characters)
{
	static const char *const heads[] = { "", "x", "xx" };
	char *text, euros[9001];
	size_t i, len;

	for (i = 0; i < 9000; i += 3)
		memcpy(euros + i, "\xe2\x82\xac", 3);
	euros[9000] = '\0';
	open_log();
	for (i = 0; i < countof(heads); i++) {
		cr_assert(eq(int, truncate("log", 0), 0));
		log_notice("%s%s", heads[i], euros);
		text = read_all("log");
		len = strlen(text);
		cr_expect(gt(sz, len, 1000));
		cr_expect(lt(sz, len, 5000));
		cr_expect(utf8_valid(slice_str(text)));
		cr_expect(eq(ptr, strchr(text, '\n'), text + len - 1));
		cr_expect(eq(ptr, strchr(text, '\\'), NULL));
		free(text);
	}
	log_close();
}

Test(log, long_line_of_escapes_still_ends)
{
	char *text, controls[3001];
	size_t len;

	memset(controls, 1, 3000);
	controls[3000] = '\0';
	open_log();
	log_notice("%s", controls);
	log_close();
	text = read_all("log");
	len = strlen(text);
	cr_expect(eq(ptr, strchr(text, '\n'), text + len - 1));
	cr_expect(strncmp(text + len - 5, "\\x01\n", 5) == 0);
	free(text);
}

Test(log, file_is_appended_to_and_not_for_others)
{
	struct stat st;

	umask(0);
	open_log();
	log_notice("one");
	log_close();
	open_log();
	log_notice("two");
	log_close();
	expect_content("log", "^[^\n]*one\n[^\n]*two\n$");
	cr_assert(eq(int, stat("log", &st), 0));
	cr_expect(eq(int, (int)(st.st_mode & 0777), 0640));
}

Test(log, reopen_follows_a_rotation)
{
	open_log();
	log_notice("one");
	cr_assert(eq(int, rename("log", "log.1"), 0));
	log_notice("two");
	cr_assert(eq(int, log_reopen(), 0));
	log_notice("three");
	log_close();
	expect_content("log.1", "^[^\n]*one\n[^\n]*two\n$");
	expect_content("log", "^[^\n]*three\n$");
}

Test(log, reopen_of_standard_error_is_nothing)
{
	redirect_stderr("err");
	cr_expect(eq(int, log_reopen(), 0));
	log_notice("one");
	expect_content("err", "worker-1: one\n$");
}

Test(log, file_that_cannot_be_opened_changes_nothing)
{
	open_log();
	cr_expect(eq(int, log_open("no/such/directory"), -ENOENT));
	log_notice("one");
	cr_assert(eq(int, rename("log", "log.1"), 0));
	cr_assert(eq(int, mkdir("log", 0700), 0));
	cr_expect(eq(int, log_reopen(), -EISDIR));
	log_notice("two");
	log_close();
	cr_assert(eq(int, rmdir("log"), 0));
	expect_content("log.1", "^[^\n]*one\n[^\n]*two\n$");
}

Test(log, no_path_and_close_mean_standard_error)
{
	redirect_stderr("err");
	log_notice("one");
	open_log();
	log_notice("two");
	cr_assert(eq(int, log_open(NULL), 0));
	log_notice("three");
	open_log();
	log_notice("four");
	cr_assert(eq(int, log_open(""), 0));
	log_notice("five");
	open_log();
	log_notice("six");
	log_close();
	log_notice("seven");
	expect_content("err",
	    "^[^\n]*one\n[^\n]*three\n[^\n]*five\n[^\n]*seven\n$");
	expect_content("log", "^[^\n]*two\n[^\n]*four\n[^\n]*six\n$");
}

static void
claim_journal(const char *path)
{
	char name[64];
	struct stat st;

	cr_assert(eq(int, stat(path, &st), 0));
	snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
}

Test(log, journal_gets_a_level_and_no_time)
{
	redirect_stderr("err");
	claim_journal("err");
	log_set_level(LOG_DEBUG);
	log_error("a");
	log_warning("b");
	log_notice("c");
	log_info("d");
	log_debug("e");
	expect_content("err",
	    "^<3>worker-1: a\n<4>worker-1: b\n<5>worker-1: c\n"
	    "<6>worker-1: d\n<7>worker-1: e\n$");
}

Test(log, file_is_plain_even_under_the_journal)
{
	redirect_stderr("err");
	claim_journal("err");
	open_log();
	log_notice("one");
	log_close();
	log_notice("two");
	expect_content("log", "^" TIME_RE "notice worker-1: one\n$");
	expect_content("err", "^<5>worker-1: two\n$");
}

Test(log, journal_of_somebody_else_does_not_count)
{
	redirect_stderr("err");
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_notice("one");
	expect_content("err", "^" TIME_RE "notice worker-1: one\n$");
}

Test(log, reopening_uses_up_no_descriptors)
{
	int i, lowest, now;

	open_log();
	lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(lowest);
	for (i = 0; i < 10; i++) {
		cr_assert(eq(int, log_reopen(), 0));
		log_close();
		open_log();
	}
	now = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(now);
	cr_expect(eq(int, now, lowest));
	log_close();
}

Test(log, errno_survives_even_a_full_disk)
{
	cr_assert(eq(int, log_open("/dev/full"), 0));
	errno = EXFULL;
	log_notice("x");
	cr_expect(eq(int, errno, EXFULL));
	log_close();
}

/* Threads write while the file is rotated under them. */
#define N_WRITERS 4u
#define N_LINES   1000u

static atomic_uint n_writing;

static void *
write_lines(void *arg)
{
	unsigned *writer = arg, i;
	char name[THREAD_NAME_SIZE];

	snprintf(name, sizeof(name), "writer-%u", *writer);
	thread_enter(THREAD_WORKER, name);
	for (i = 0; i < N_LINES; i++)
		log_notice("line %u of %u", i, *writer);
	atomic_fetch_sub(&n_writing, 1);
	return NULL;
}

static void
rotate_while_they_write(unsigned *n_files)
{
	char name[32];

	while (atomic_load(&n_writing) > 0) {
		snprintf(name, sizeof(name), "log.%u", (*n_files)++);
		cr_assert(eq(int, rename("log", name), 0));
		cr_assert(eq(int, log_reopen(), 0));
	}
	snprintf(name, sizeof(name), "log.%u", (*n_files)++);
	cr_assert(eq(int, rename("log", name), 0));
}

/* Every line is whole, is by the thread it names, and follows its last. */
static void
account_for(const char *path, unsigned next[N_WRITERS])
{
	char *text = read_all(path), *line, *rest = text, tail;
	unsigned named, number, writer;

	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL) {
		line = strstr(line, " notice writer-");
		cr_assert(ne(ptr, line, NULL), "in %s", path);
		cr_assert(eq(int,
		    sscanf(line, " notice writer-%u: line %u of %u%c", &named,
			&number, &writer, &tail),
		    3));
		cr_assert(lt(u32, writer, N_WRITERS));
		cr_assert(eq(u32, named, writer));
		cr_assert(eq(u32, number, next[writer]++));
	}
	cr_assert(line != NULL && *line == '\0', "%s ends in a line", path);
	free(text);
}

Test(log, no_line_is_lost_or_torn_while_files_rotate, .timeout = 120)
{
	pthread_t threads[N_WRITERS];
	unsigned writers[N_WRITERS], next[N_WRITERS] = { 0 };
	unsigned n_files = 0, i;
	char name[32];

	open_log();
	atomic_store(&n_writing, N_WRITERS);
	for (i = 0; i < N_WRITERS; i++) {
		writers[i] = i;
		cr_assert(eq(int,
		    thread_start(&threads[i], write_lines, &writers[i]), 0));
	}
	rotate_while_they_write(&n_files);
	for (i = 0; i < N_WRITERS; i++)
		pthread_join(threads[i], NULL);
	log_close();
	for (i = 0; i < n_files; i++) {
		snprintf(name, sizeof(name), "log.%u", i);
		account_for(name, next);
	}
	for (i = 0; i < N_WRITERS; i++)
		cr_expect(eq(u32, next[i], N_LINES), "writer %u", i);
}

Test(log, limiter_lets_one_through_and_counts_the_rest)
{
	struct log_limit l = { 0 };
	unsigned long held = 99;
	uint64_t before = clock_mono_ms(), after;
	int i;

	cr_expect(log_limit_pass(&l, &held));
	after = clock_mono_ms();
	cr_expect(eq(ulong, held, 0));
	cr_expect(ge(u64, atomic_load(&l.next_ms), before + 1000));
	cr_expect(le(u64, atomic_load(&l.next_ms), after + 1000));

	/* The second does not pass while the test says so. */
	atomic_store(&l.next_ms, UINT64_MAX);
	held = 99;
	for (i = 0; i < 10; i++)
		cr_expect(not(log_limit_pass(&l, &held)));
	cr_expect(eq(ulong, held, 99), "untouched on failure");
	atomic_store(&l.next_ms, 0);
	cr_expect(log_limit_pass(&l, &held));
	cr_expect(eq(ulong, held, 10));
	atomic_store(&l.next_ms, 0);
	cr_expect(log_limit_pass(&l, &held));
	cr_expect(eq(ulong, held, 0));
}

static struct log_limit shared_limit;

static void *
pass_often(void *arg)
{
	unsigned long *counted = arg, held;
	unsigned i;

	for (i = 0; i < 10000; i++) {
		/* Another second has passed, so that more than one passes. */
		if (i % 4 == 0)
			atomic_store(&shared_limit.next_ms, 0);
		if (log_limit_pass(&shared_limit, &held))
			*counted += 1 + held;
	}
	return NULL;
}

Test(log, limiter_accounts_for_every_call_of_every_thread)
{
	pthread_t threads[N_WRITERS];
	unsigned long counted[N_WRITERS] = { 0 }, total = 0;
	unsigned i;

	for (i = 0; i < N_WRITERS; i++)
		cr_assert(eq(int,
		    thread_start(&threads[i], pass_often, &counted[i]), 0));
	for (i = 0; i < N_WRITERS; i++) {
		pthread_join(threads[i], NULL);
		total += counted[i];
	}
	total += atomic_load(&shared_limit.held);
	cr_expect(eq(ulong, total, N_WRITERS * 10000));
}
