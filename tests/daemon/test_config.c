/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "daemon/option.h"

static char *
joined(char *const *lines, size_t n)
{
	struct buf b = { 0 };
	char *s;

	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s\n", lines[i]);
	s = xmemdup0(buf_ptr(&b), buf_len(&b));
	buf_fini(&b);
	return s;
}

static struct config *
parse_good(const char *text)
{
	struct config_report r = { 0 };
	struct config *c = config_parse(text, "x.ini", NULL, 0, &r);

	cr_assert_not_null(c, "%s\n%s", text,
	    r.n_errors > 0 ? r.errors[0] : "");
	cr_expect_eq(r.n_errors, 0);
	config_report_fini(&r);
	return c;
}

struct bad {
	const char *text;
	const char *errors;
};

static void
expect_bad(const struct bad *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct config_report r = { 0 };
		struct config *c =
		    config_parse(cases[i].text, "x.ini", NULL, 0, &r);
		char *errors = joined(r.errors, r.n_errors);

		cr_expect_null(c, "%s", cases[i].text);
		cr_expect_str_eq(errors, cases[i].errors, "%s\n%s",
		    cases[i].text, errors);
		free(errors);
		config_report_fini(&r);
		config_free(&c);
	}
}

#define EXPECT_BAD(...)                                                        \
	expect_bad((const struct bad[]){ __VA_ARGS__ },                        \
	    countof(((const struct bad[]){ __VA_ARGS__ })))

/* Warnings of a good file. */
static void
expect_warnings(const char *text, const char *warnings)
{
	struct config_report r = { 0 };
	struct config *c = config_parse(text, "x.ini", NULL, 0, &r);
	char *s = joined(r.warnings, r.n_warnings);

	cr_expect_not_null(c, "%s", text);
	cr_expect_str_eq(s, warnings, "%s\n%s", text, s);
	free(s);
	config_report_fini(&r);
	config_free(&c);
}

Test(config, an_empty_file_means_the_defaults)
{
	struct config *c = parse_good("");

	cr_expect_eq(c->n_listeners, 1);
	cr_expect_str_eq(c->listeners[0].name, "default");
	cr_expect_str_eq(c->listeners[0].address, "127.0.0.1");
	cr_expect_eq(c->listeners[0].port, 1883);
	cr_expect_eq(c->listeners[0].protocols, 1 << 3 | 1 << 4 | 1 << 5);
	cr_expect_str_eq(c->nats.url, "nats://127.0.0.1:4222");
	cr_expect_str_eq(c->nats.password, "");
	cr_expect_str_eq(c->nats.pass_headers[1], "traceparent");
	cr_expect_null(c->nats.pass_headers[2]);
	cr_expect_null(c->nats.request_subjects[0]);
	cr_expect_eq(c->nats.n_inbound_qos, 0);
	cr_expect_eq(c->qos.ack, ACK_REPLY);
	cr_expect_eq(c->qos.ack_timeout_ms, 5000);
	cr_expect_eq(c->limits.session_expiry_max_s, 30 * 24 * 3600);
	cr_expect_eq(c->limits.max_packet_size, 1088 * 1024);
	cr_expect_eq(c->log.level, LOG_INFO);
	cr_expect_eq(c->n_ack_rows, 0);
	config_free(&c);
	cr_expect_null(c);
}

Test(config, values_go_where_they_belong)
{
	struct config *c = parse_good("[server]\nworkers = 3\n"
				      "drain_timeout = 250ms\n"
				      "[nats]\nidentity = user\n"
				      "flush_interval = 200us\n"
				      "pending_bytes = 4g\n"
				      "[mapping]\nmode = swap\n"
				      "topic_prefix = a/b\n"
				      "[limits]\nv3_refuse = close\n"
				      "queue_qos0 = on\n"
				      "session_expiry_max = never\n"
				      "[log]\nlevel = debug\n");

	cr_expect_eq(c->server.workers, 3);
	cr_expect_eq(c->server.drain_timeout_ms, 250);
	cr_expect_eq(c->nats.identity, IDENTITY_USER);
	cr_expect_eq(c->nats.flush_interval_us, 200);
	cr_expect_eq(c->nats.pending_bytes, 1ull << 32);
	cr_expect_eq(c->mapping.mode, MAPPING_SWAP);
	cr_expect_str_eq(c->mapping.topic_prefix, "a/b");
	cr_expect_eq(c->limits.v3_refuse, V3_REFUSE_CLOSE);
	cr_expect(c->limits.queue_qos0);
	cr_expect_eq(c->limits.session_expiry_max_s, UINT32_MAX);
	cr_expect_eq(c->log.level, LOG_DEBUG);
	config_free(&c);
}

Test(config, there_may_be_any_number_of_listeners)
{
	struct config *c = parse_good("[listener a]\nport = 1\n"
				      "[log]\nlevel = error\n"
				      "[listener b-2.x_]\naddress = ::1\n"
				      "max_connections = 9\n"
				      "[listener c]\nport=2\n");

	cr_assert_eq(c->n_listeners, 3);
	cr_expect_str_eq(c->listeners[0].name, "a");
	cr_expect_eq(c->listeners[0].port, 1);
	cr_expect_eq(c->listeners[0].line, 1);
	cr_expect_str_eq(c->listeners[1].name, "b-2.x_");
	cr_expect_str_eq(c->listeners[1].address, "::1");
	cr_expect_eq(c->listeners[1].port, 1883);
	cr_expect_eq(c->listeners[1].max_connections, 9);
	cr_expect_eq(c->listeners[2].port, 2);
	config_free(&c);
}

Test(config, a_listener_without_keys_is_one)
{
	struct config *c = parse_good("[listener tcp]\n");

	cr_assert_eq(c->n_listeners, 1);
	cr_expect_str_eq(c->listeners[0].name, "tcp");
	config_free(&c);
}

Test(config, a_section_may_be_continued)
{
	struct config *c = parse_good("[nats]\nuser = u\n[log]\n"
				      "[nats]\npassword = p\n");

	cr_expect_str_eq(c->nats.user, "u");
	cr_expect_str_eq(c->nats.password, "p");
	config_free(&c);
}

Test(config, ack_rows_keep_their_order)
{
	struct config *c = parse_good("[ack]\nsensors/# = server\n"
				      "+/x:y=z = local\n"
				      "a b = stream ; blank\n");

	cr_assert_eq(c->n_ack_rows, 3);
	cr_expect_str_eq(c->ack_rows[0].filter, "sensors/#");
	cr_expect_eq(c->ack_rows[0].policy, ACK_SERVER);
	cr_expect_str_eq(c->ack_rows[1].filter, "+/x:y=z");
	cr_expect_eq(c->ack_rows[1].policy, ACK_LOCAL);
	cr_expect_str_eq(c->ack_rows[2].filter, "a b");
	cr_expect_eq(c->ack_rows[2].policy, ACK_STREAM);
	config_free(&c);
}

Test(config, lists_may_be_repeated)
{
	struct config *c = parse_good("[nats]\ninbound_qos = a=1\n"
				      "inbound_qos = b.> = 0, c=1\n"
				      "request_subjects = x\n"
				      "request_subjects = y,z\n"
				      "pass_headers = h\n");

	cr_assert_eq(c->nats.n_inbound_qos, 3);
	cr_expect_str_eq(c->nats.inbound_qos[1].subject, "b.>");
	cr_expect_eq(c->nats.inbound_qos[1].qos, 0);
	cr_expect_eq(c->nats.inbound_qos[2].qos, 1);
	cr_expect_str_eq(c->nats.request_subjects[2], "z");
	cr_expect_null(c->nats.request_subjects[3]);
	/* Given once, it replaces the default. */
	cr_expect_str_eq(c->nats.pass_headers[0], "h");
	cr_expect_null(c->nats.pass_headers[1]);
	config_free(&c);
}

Test(config, a_tls_url_asks_for_tls)
{
	struct config *c = parse_good("[nats]\nurl = nats://a, tls://b\n");

	cr_expect(c->nats.tls);
	config_free(&c);
}

Test(config, unknown_words_name_the_nearest)
{
	EXPECT_BAD(
	    { "[lisener x]\nport = 1\n",
		"x.ini:1: unknown section [lisener]; did you mean [listener "
		"NAME]?\n" },
	    { "[natz]\n",
		"x.ini:1: unknown section [natz]; did you mean [nats]?\n" },
	    { "[listener x]\n\nprot = 1\n",
		"x.ini:3: unknown key \"prot\" in [listener x]; did you mean "
		"\"port\"?\n" },
	    { "[limits]\nmax_paket_size = 1k\n",
		"x.ini:2: unknown key \"max_paket_size\" in [limits]; did you "
		"mean \"max_packet_size\"?\n" },
	    { "[nats]\nack_timeout = 1\n",
		"x.ini:2: unknown key \"ack_timeout\" in [nats]; it belongs in "
		"[qos]\n" },
	    { "[nats]\nURL = a\n",
		"x.ini:2: unknown key \"URL\" in [nats]; did you mean "
		"\"url\"?\n" });
}

Test(config, bad_values_say_what_is_allowed)
{
	EXPECT_BAD(
	    { "[listener a]\nport = 1883 # the port\n",
		"x.ini:2: [listener a] port = 1883 # the port: must be a "
		"number between 0 and 65535 (a comment behind a value begins "
		"with ;)\n" },
	    { "[qos]\nack = all\n",
		"x.ini:2: [qos] ack = all: must be one of reply, stream, "
		"server, local\n" },
	    { "[nats]\ntls = maybe\n",
		"x.ini:2: [nats] tls = maybe: must be yes or no\n" },
	    { "[nats]\nurl = nats://u:hush@h/x\n",
		"x.ini:2: [nats] url = ***: must be URLs such as "
		"nats://HOST:PORT or tls://HOST:PORT, separated by commas\n" },
	    { "[ack]\na = all\n",
		"x.ini:2: [ack] a = all: must be one of reply, stream, server, "
		"local\n" });
}

Test(config, filters_of_ack_rows_are_checked)
{
	EXPECT_BAD({ "[ack]\na/#/b = local\n",
		       "x.ini:2: [ack] a/#/b: not a topic filter\n" },
	    { "[ack]\na+ = local\n",
		"x.ini:2: [ack] a+: not a topic filter\n" },
	    { "[ack]\n$share/g/a = local\n",
		"x.ini:2: [ack] $share/g/a: not a topic filter of topics\n" },
	    { "[ack]\na = local\nb = local\na = reply\n",
		"x.ini:4: [ack] a stands in line 2 already\n" });
}

Test(config, nothing_may_stand_twice)
{
	EXPECT_BAD(
	    { "[nats]\nuser = a\n[log]\n[nats]\nuser = a\n",
		"x.ini:5: key \"user\" in [nats] stands in line 2 already\n" },
	    { "[listener a]\nport = 1\n[listener b]\nport = 2\n[listener a]\n"
	      "port = 3\n",
		"x.ini:5: [listener a] stands in line 1 already\n" });
}

Test(config, listeners_have_names)
{
	EXPECT_BAD({ "[listener]\nport = 1\n",
		       "x.ini:1: the section needs a name: [listener NAME]\n" },
	    { "[listener a b]\n",
		"x.ini:1: [listener a b]: a name is at most 32 letters, "
		"digits, -, _ and .\n" },
	    { "[nats x]\nuser = y\n", "x.ini:1: [nats] takes no name\n" });
}

Test(config, listeners_do_not_collide)
{
	EXPECT_BAD(
	    { "[listener a]\n[listener b]\n",
		"x.ini:2: [listener b] and [listener a] both listen on port "
		"1883 of 127.0.0.1\n" },
	    { "[listener a]\naddress=::1\n[listener b]\naddress=0:0:0::1\n",
		"x.ini:3: [listener b] and [listener a] both listen on port "
		"1883 of 0:0:0::1\n" },
	    { "[listener a]\naddress=0.0.0.0\n[listener b]\n",
		"x.ini:3: [listener b] and [listener a] both listen on port "
		"1883 of 127.0.0.1\n" },
	    { "[listener a]\n[listener b]\naddress=0.0.0.0\n",
		"x.ini:2: [listener b] and [listener a] both listen on port "
		"1883 of 0.0.0.0\n" },
	    { "[listener a]\naddress=/run/a\n[listener b]\naddress=/run/a\n",
		"x.ini:3: [listener b] and [listener a] both listen on "
		"/run/a\n" });
}

Test(config, whom_to_believe_is_said)
{
	EXPECT_BAD({ "[listener a]\nproxy_protocol=yes\n",
		       "x.ini:2: [listener a] proxy_protocol needs "
		       "proxy_networks: who is to be believed?\n" },
	    { "[listener a]\nproxy_networks=10.0.0.0/8\n",
		"x.ini:2: [listener a] proxy_networks needs proxy_protocol = "
		"yes\n" },
	    { "[listener a]\naddress=/a\nallow_networks=::1\n",
		"x.ini:3: [listener a] allow_networks: who comes through a "
		"UNIX socket has no address\n" },
	    { "[listener a]\ndeny_networks=10.0.0.1/8\n",
		"x.ini:2: [listener a] deny_networks = 10.0.0.1/8: must be "
		"networks such as 10.0.0.0/8 or fd00::/8, separated by commas, "
		"with no bits set behind the prefix\n" },
	    { "[listener a]\nsocket_mode=888\n",
		"x.ini:2: [listener a] socket_mode = 888: must be octal "
		"permissions, such as 0660\n" });
}

Test(config, only_this_machine_reaches_a_path)
{
	struct config *c =
	    parse_good("[listener a]\naddress=/run/a\n"
		       "[listener b]\naddress=systemd\n"
		       "[listener c]\nproxy_protocol=yes\n"
		       "proxy_networks=127.0.0.1\n"
		       "[listener d]\naddress=/run/d\nproxy_protocol=yes\n");

	cr_expect(config_admits_anonymous(c, &c->listeners[0]));
	for (size_t i = 1; i < c->n_listeners; i++)
		cr_expect_not(config_admits_anonymous(c, &c->listeners[i]),
		    "%zu", i);
	config_free(&c);
}

Test(config, listeners_may_share_what_does_not_collide)
{
	struct config *c = parse_good("[listener a]\nport=0\n"
				      "[listener b]\nport=0\n"
				      "[listener c]\n[listener d]\n"
				      "address=::1\n[listener e]\n"
				      "address=127.0.0.2\n");

	cr_expect_eq(c->n_listeners, 5);
	config_free(&c);
}

Test(config, without_nats_nothing_waits_for_it)
{
	EXPECT_BAD(
	    { "[nats]\nurl =\n[qos]\nack = stream\n",
		"x.ini:4: [qos] ack = stream needs NATS, and [nats] url is "
		"empty\n" },
	    { "[qos]\nack = server\n[nats]\nurl =\n",
		"x.ini:2: [qos] ack = server needs NATS, and [nats] url is "
		"empty\n" },
	    { "[nats]\nurl =\n[ack]\na = local\nb/# = stream\n",
		"x.ini:5: [ack] b/# = stream needs NATS, and [nats] url is "
		"empty\n" },
	    { "[nats]\nurl =\nidentity = user\n",
		"x.ini:3: [nats] identity = user needs NATS, and url is "
		"empty\n" },
	    { "[nats]\nurl =\nwhen_down = refuse\n",
		"x.ini:3: [nats] when_down = refuse would refuse everybody: "
		"url is empty\n" });
}

Test(config, credentials_fit_together)
{
	EXPECT_BAD(
	    { "[nats]\nuser = a\npassword = b\ntoken = c\n",
		"x.ini:4: [nats] user and token cannot be used together\n" },
	    { "[nats]\npassword = b\n",
		"x.ini:2: [nats] password needs user\n" },
	    { "[nats]\ntls = yes\ncert_file = /dev/null\n",
		"x.ini:3: [nats] cert_file needs key_file\n"
		"x.ini:3: [nats] cert_file = /dev/null: not a file\n" },
	    { "[nats]\ntls = yes\nkey_file = /no/file\n",
		"x.ini:3: [nats] key_file needs cert_file\n"
		"x.ini:3: [nats] key_file = /no/file: No such file or "
		"directory\n" },
	    { "[nats]\nca_file = /no/file\n",
		"x.ini:2: [nats] ca_file needs tls = yes\n"
		"x.ini:2: [nats] ca_file = /no/file: No such file or "
		"directory\n" });
}

Test(config, retained_subjects_do_not_overlap)
{
	EXPECT_BAD({ "[nats]\nretained_set_subject = mqtt.retained\n"
		     "retained_request_subject = mqtt.retained.request\n",
		       "x.ini:3: [nats] retained_request_subject lies within "
		       "retained_set_subject\n" },
	    { "[nats]\nretained_set_subject = mqtt.retained\n",
		"x.ini: [nats] retained_request_subject lies within "
		"retained_set_subject\n" });
}

Test(config, retained_subjects_are_compared_by_token)
{
	struct config *c = parse_good("[nats]\nretained_set_subject = a.b\n"
				      "retained_request_subject = a.bc\n");

	cr_expect_str_eq(c->nats.retained_request_subject, "a.bc");
	config_free(&c);
}

Test(config, every_mistake_is_told_in_order)
{
	EXPECT_BAD({ "a = 1\n[server]\nworkers = none\nfoo\n[nats\nurl = x\n"
		     "[log]\nlewel = debug\nlevel = loud\n",
	    "x.ini:1: expected a [SECTION] first\n"
	    "x.ini:3: [server] workers = none: must be auto or a number "
	    "between 1 and 256\n"
	    "x.ini:4: expected KEY = VALUE\n"
	    "x.ini:5: ] is missing\n"
	    "x.ini:8: unknown key \"lewel\" in [log]; did you mean \"level\"?\n"
	    "x.ini:9: [log] level = loud: must be one of error, warning, "
	    "notice, info, debug\n" });
}

Test(config, twenty_mistakes_are_enough)
{
	struct config_report r = { 0 };
	struct buf text = { 0 };

	buf_append_str(&text, "[log]\n");
	for (int i = 0; i < 23; i++)
		buf_append_str(&text, "what\n");
	buf_append_byte(&text, '\0');
	cr_expect_null(
	    config_parse((const char *)buf_ptr(&text), "x.ini", NULL, 0, &r));
	cr_assert_eq(r.n_errors, 21);
	cr_expect_str_eq(r.errors[19], "x.ini:21: expected KEY = VALUE");
	cr_expect_str_eq(r.errors[20], "x.ini: and 3 more errors");
	buf_fini(&text);
	config_report_fini(&r);
}

Test(config, listeners_that_let_nobody_in_are_warned_about)
{
#define NOBODY(where, name)                                                    \
	where ": [listener " name                                              \
	      "] lets nobody in: nobody knows who clients "                    \
	      "are; set [auth] password_file, request_subject or [nats] "      \
	      "identity = user, or say allow_anonymous = yes\n"
	expect_warnings("[listener a]\naddress = 0.0.0.0\n",
	    NOBODY("x.ini:1", "a"));
	expect_warnings("[listener a]\naddress = 0.0.0.0\n[auth]\n"
			"allow_anonymous = yes\n",
	    "");
	expect_warnings("[listener a]\naddress = 0.0.0.0\n[nats]\n"
			"identity = user\n",
	    "");
	expect_warnings("[listener a]\naddress = ::1\n", "");
	expect_warnings("[auth]\nallow_anonymous = no\n",
	    NOBODY("x.ini", "default"));
	expect_warnings("[auth]\nallow_anonymous = no\n[nats]\n"
			"identity = user\n",
	    "");
}

static bool
admits(const char *address, const char *word)
{
	char text[128];
	struct config_report r = { 0 };
	struct config *c;
	bool is_open;

	(void)snprintf(text, sizeof(text),
	    "[listener a]\naddress = %s\n[auth]\nallow_anonymous = %s\n",
	    address, word);
	c = config_parse(text, "x.ini", NULL, 0, &r);
	cr_assert_not_null(c);
	is_open = config_admits_anonymous(c, &c->listeners[0]);
	config_free(&c);
	config_report_fini(&r);
	return is_open;
}

Test(config, anonymous_clients_come_from_this_machine_only)
{
	cr_expect(admits("127.0.0.1", "auto"));
	cr_expect(admits("127.1.2.3", "auto"));
	cr_expect(admits("::1", "auto"));
	cr_expect_not(admits("0.0.0.0", "auto"));
	cr_expect_not(admits("::", "auto"));
	cr_expect_not(admits("12.7.0.1", "auto"));
	cr_expect(admits("0.0.0.0", "yes"));
	cr_expect_not(admits("127.0.0.1", "no"));
}

/* --- the command line --- */

Test(config, the_command_line_wins)
{
	static const struct config_override overrides[] = {
		{ "-p", "listener", "port", "4711" },
		{ "-D", "log", "level", "debug" },
	};
	struct config_report r = { 0 };
	struct config *c = config_parse("[listener a]\nport = 1\n"
					"[listener b]\nport = 2\n"
					"[log]\nlevel = error\n",
	    "x.ini", overrides, countof(overrides), &r);

	cr_assert_not_null(c);
	cr_expect_eq(c->listeners[0].port, 4711);
	cr_expect_eq(c->listeners[1].port, 2);
	cr_expect_eq(c->log.level, LOG_DEBUG);
	config_report_fini(&r);
	config_free(&c);
}

Test(config, mistakes_on_the_command_line_are_told_as_such)
{
	static const struct config_override overrides[] = {
		{ "-p", "listener", "port", "99999" },
	};
	struct config_report r = { 0 };

	cr_expect_null(config_load(NULL, overrides, 1, &r));
	cr_expect_eq(r.n_errors, 1);
	cr_expect_str_eq(r.errors[0],
	    "-p: 99999: must be a number between 0 and 65535");
	config_report_fini(&r);
}

/* --- files --- */

static char path[] = "/tmp/test_config.XXXXXX";

static void
write_file(const char *text, mode_t mode)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void
remove_file(void)
{
	unlink(path);
}

/* The warnings of the file at `path`. */
static char *
load_warnings(void)
{
	struct config_report r = { 0 };
	struct config *c = config_load(path, NULL, 0, &r);
	char *s = joined(r.warnings, r.n_warnings);

	cr_expect_not_null(c);
	config_report_fini(&r);
	config_free(&c);
	return s;
}

Test(config, a_file_is_read, .fini = remove_file)
{
	struct config_report r = { 0 };
	struct config *c;

	write_file("[listener a]\nport = 77", 0600);
	c = config_load(path, NULL, 0, &r);
	cr_assert_not_null(c);
	cr_expect_eq(c->listeners[0].port, 77);
	config_report_fini(&r);
	config_free(&c);
}

Test(config, secrets_that_everybody_reads_are_warned_about, .fini = remove_file)
{
	char *s, *expected;

	write_file("[nats]\nuser = u\npassword = hush\n", 0644);
	s = load_warnings();
	expected = xasprintf(
	    "%s: everybody can read this file, and it holds credentials\n",
	    path);
	cr_expect_str_eq(s, expected);
	free(s);
	free(expected);
	cr_assert_eq(chmod(path, 0640), 0);
	s = load_warnings();
	cr_expect_str_eq(s, "");
	free(s);
}

Test(config, a_file_without_secret_may_be_read_by_everybody,
    .fini = remove_file)
{
	char *s;

	write_file("[nats]\nuser = u\n", 0644);
	s = load_warnings();
	cr_expect_str_eq(s, "");
	free(s);
}

Test(config, secret_files_that_everybody_reads_are_warned_about,
    .fini = remove_file)
{
	char *text, *warning;

	write_file("seed", 0644);
	text = xasprintf("[nats]\nnkey_seed_file = %s\n", path);
	warning = xasprintf("x.ini:2: [nats] nkey_seed_file = %s: everybody "
			    "can read this secret\n",
	    path);
	expect_warnings(text, warning);
	cr_assert_eq(chmod(path, 0600), 0);
	expect_warnings(text, "");
	free(text);
	free(warning);
}

Test(config, a_missing_file_is_an_error)
{
	struct config_report r = { 0 };

	cr_expect_null(config_load("/no/such.ini", NULL, 0, &r));
	cr_assert_eq(r.n_errors, 1);
	cr_expect_str_eq(r.errors[0],
	    "/no/such.ini: No such file or directory");
	config_report_fini(&r);
	cr_expect_null(config_load("/", NULL, 0, &r));
	cr_assert_eq(r.n_errors, 1);
	cr_expect_str_eq(r.errors[0], "/: Is a directory");
	config_report_fini(&r);
}

/* --- showing it --- */

static char *
printed(const struct config *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	cr_assert_not_null(f);
	config_print(c, f);
	fclose(f);
	return text;
}

static const char everything[] = "[server]\nworkers = 3\nnode_name = n\n"
				 "[listener a]\nport = 1\n"
				 "[listener b]\naddress = ::\n"
				 "[nats]\nurl = a, b:1\n"
				 "inbound_qos = a.>=1, b=0\n"
				 "request_subjects = c, d.*\n"
				 "flush_interval = 300us\n"
				 "[mapping]\nsubject_prefix = x.y\n"
				 "[ack]\na=b/# = local\n+ = server\n"
				 "[limits]\nsession_expiry_max = never\n"
				 "max_packet_size = 1500\n";

Test(config, what_is_printed_means_the_same)
{
	struct config *c = parse_good(everything), *again;
	char *first = printed(c), *second;

	again = parse_good(first);
	second = printed(again);
	cr_expect_str_eq(first, second);
	cr_expect_eq(again->n_listeners, 2);
	cr_expect_eq(again->n_ack_rows, 2);
	cr_expect_str_eq(again->ack_rows[0].filter, "a=b/#");
	cr_expect_eq(again->nats.n_inbound_qos, 2);
	cr_expect_eq(again->limits.max_packet_size, 1500);
	free(first);
	free(second);
	config_free(&c);
	config_free(&again);
}

Test(config, everything_is_printed)
{
	struct config *c = parse_good("");
	char *text = printed(c);

	for (size_t i = 0; i < option_count; i++) {
		char *key = xasprintf("\n%s =", option_table[i].key);

		cr_expect_not_null(strstr(text, key), "%s", key);
		free(key);
	}
	cr_expect_not_null(strstr(text, "\n[listener default]\n"));
	free(text);
	config_free(&c);
}

Test(config, secrets_are_not_printed)
{
	struct config *c = parse_good("[nats]\nurl = nats://me:hush@h\n"
				      "user = u\npassword = hush\n");
	char *text = printed(c);

	cr_expect_null(strstr(text, "hush"));
	cr_expect_not_null(strstr(text, "\nurl = nats://***@h\n"));
	cr_expect_not_null(strstr(text, "\npassword = ***\n"));
	cr_expect_not_null(strstr(text, "\ntoken =\n"));
	free(text);
	config_free(&c);
}

/* --- the sample file --- */

/* Its text; with `live`, each key that it holds as a comment is one. */
static char *
sample(bool live)
{
	const char *top = getenv("top_srcdir");
	char *name = xasprintf("%s/etc/mqtt-nats.ini", top != NULL ? top : ".");
	FILE *f = fopen(name, "r");
	char *line = NULL;
	size_t size = 0;
	struct buf b = { 0 };
	char *text;

	cr_assert_not_null(f, "%s", name);
	while (getline(&line, &size, f) > 0) {
		bool is_key = line[0] == ';' && line[1] >= 'a' &&
		    line[1] <= 'z' && strstr(line, "/#") == NULL;

		buf_append_str(&b, line + (live && is_key));
	}
	free(line);
	fclose(f);
	free(name);
	text = xmemdup0(buf_ptr(&b), buf_len(&b));
	buf_fini(&b);
	return text;
}

Test(config, the_sample_file_means_the_defaults)
{
	struct config *c = parse_good("");
	char *defaults = printed(c);

	config_free(&c);
	for (int live = 0; live <= 1; live++) {
		char *text = sample(live), *shown;

		c = parse_good(text);
		shown = printed(c);
		cr_expect_str_eq(shown, defaults, "%s", text);
		free(shown);
		free(text);
		config_free(&c);
	}
	free(defaults);
}

/* --- the rest --- */

Test(config, resolving_settles_workers_and_name)
{
	struct config *c = parse_good(""), *other = parse_good("");

	config_resolve(c);
	config_resolve(other);
	cr_expect_geq(c->server.workers, 1);
	cr_expect_leq(c->server.workers, 256);
	cr_expect_gt(strlen(c->server.node_name), 8);
	cr_expect(subject_valid(slice_str(c->server.node_name), false));
	cr_expect_null(strchr(c->server.node_name, '.'));
	cr_expect_str_neq(c->server.node_name, other->server.node_name);
	config_free(&c);
	config_free(&other);
}

Test(config, resolving_keeps_what_is_given)
{
	struct config *c = parse_good("[server]\nworkers = 7\nnode_name = n\n");

	config_resolve(c);
	cr_expect_eq(c->server.workers, 7);
	cr_expect_str_eq(c->server.node_name, "n");
	config_free(&c);
}

Test(config, the_bus_gets_its_options)
{
	struct config *c = parse_good("[nats]\nuser = u\nidentity = user\n"
				      "inbound_qos = a=1\n"
				      "request_subjects = b\n"
				      "[mapping]\nsubject_prefix = p\n"
				      "[qos]\nack_timeout = 70\n");
	struct bus_options o;

	config_bus_options(c, &o);
	cr_expect_str_eq(o.url, "nats://127.0.0.1:4222");
	cr_expect_str_eq(o.user, "u");
	cr_expect(o.identity_user);
	cr_expect_eq(o.n_inbound_qos, 1);
	cr_expect_str_eq(o.inbound_qos[0].subject, "a");
	cr_expect_str_eq(o.request_subjects[0], "b");
	cr_expect_str_eq(o.pass_headers[0], "Nats-Msg-Id");
	cr_expect(slice_eq(o.mapping.subject_prefix, SLICE("p")));
	cr_expect_eq(o.mapping.topic_prefix.len, 0);
	cr_expect_eq(o.ack_timeout_ms, 70);
	cr_expect_eq(o.ack_attempts, 3);
	cr_expect_eq(o.ring_size, 4096);
	config_free(&c);
}
