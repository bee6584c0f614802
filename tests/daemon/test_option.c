/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/option.h"

#include <string.h>

#include <criterion/criterion.h>

#include "daemon/config.h"

static union {
	struct config config;
	struct config_listener listener;
} place;

/* Store `text`; what is shown of it then, or what it must be. */
static const char *
shown(const char *section, const char *key, const char *text)
{
	const struct option_row *o = option_find(section, key);
	static char out[512];
	struct buf b = { 0 };

	cr_assert_not_null(o, "[%s] %s", section, key);
	memset(&place, 0, sizeof(place));
	if (option_set(o, &place, text, &b))
		option_print(o, &place, &b);
	option_fini(o, &place);
	snprintf(out, sizeof(out), "%.*s", SLICE_ARG(buf_slice(&b)));
	buf_fini(&b);
	return out;
}

struct value {
	const char *text, *shown;
};

static void
expect(const char *section, const char *key, const struct value *cases,
    size_t n)
{
	for (size_t i = 0; i < n; i++)
		cr_expect_str_eq(shown(section, key, cases[i].text),
		    cases[i].shown, "%s: %s", cases[i].text,
		    shown(section, key, cases[i].text));
}

#define EXPECT(section, key, ...)                                              \
	expect(section, key, (const struct value[]){ __VA_ARGS__ },            \
	    countof(((const struct value[]){ __VA_ARGS__ })))

Test(option, a_default_is_a_value)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *o = &option_table[i];
		struct buf why = { 0 };

		memset(&place, 0, sizeof(place));
		cr_expect(option_set(o, &place, o->def, &why), "[%s] %s",
		    o->section, o->key);
		option_fini(o, &place);
		buf_fini(&why);
	}
}

Test(option, a_key_stands_once)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *o = &option_table[i];

		cr_expect_eq(option_find(o->section, o->key), o, "[%s] %s",
		    o->section, o->key);
		cr_expect(*o->help != '\0');
	}
}

Test(option, sections_stand_together)
{
	for (size_t i = 2; i < option_count; i++) {
		const char *s = option_table[i].section;

		if (strcmp(s, option_table[i - 1].section) == 0)
			continue;
		for (size_t j = 0; j + 1 < i; j++)
			cr_expect_str_neq(option_table[j].section, s);
	}
}

#define NO_BOOL "must be yes or no"

Test(option, yes_and_no_have_four_spellings)
{
	EXPECT("nats", "tls", { "yes", "yes" }, { "true", "yes" },
	    { "on", "yes" }, { "1", "yes" }, { "no", "no" }, { "false", "no" },
	    { "off", "no" }, { "0", "no" }, { "", NO_BOOL }, { "2", NO_BOOL },
	    { "y", NO_BOOL }, { "YES", NO_BOOL }, { "yes no", NO_BOOL });
}

#define NO_ATTEMPTS "must be a number between 1 and 1000"

Test(option, numbers_keep_to_their_range)
{
	EXPECT("qos", "ack_attempts", { "1", "1" }, { "007", "7" },
	    { "1000", "1000" }, { "0", NO_ATTEMPTS }, { "1001", NO_ATTEMPTS },
	    { "", NO_ATTEMPTS }, { "-1", NO_ATTEMPTS }, { "+1", NO_ATTEMPTS },
	    { "1k", NO_ATTEMPTS }, { "1 2", NO_ATTEMPTS },
	    { "0x10", NO_ATTEMPTS },
	    /* 2^64 + 1 and 2^65 + 10 */
	    { "18446744073709551617", NO_ATTEMPTS },
	    { "36893488147419103242", NO_ATTEMPTS });
}

#define NO_WORKERS "must be auto or a number between 1 and 256"

Test(option, a_word_may_stand_for_a_number)
{
	EXPECT("server", "workers", { "auto", "auto" }, { "256", "256" },
	    { "0", NO_WORKERS }, { "Auto", NO_WORKERS }, { "", NO_WORKERS });
}

#define NO_SIZE "must be a size between 0 and 4g (bytes, or with k, m or g)"

Test(option, sizes_take_k_m_and_g)
{
	EXPECT("nats", "pending_bytes", { "0", "0" }, { "1", "1" },
	    { "1023", "1023" }, { "1024", "1k" }, { "1k", "1k" },
	    { "1536k", "1536k" }, { "2048k", "2m" }, { "4g", "4g" },
	    { "4096m", "4g" }, { "4294967297", NO_SIZE }, { "5g", NO_SIZE },
	    { "1K", NO_SIZE }, { "1kb", NO_SIZE }, { "1.5m", NO_SIZE },
	    { "k", NO_SIZE }, { "1 k", NO_SIZE }, { "", NO_SIZE },
	    /* 2^54 + 1 k is 1 k, modulo 2^64 */
	    { "18014398509481985k", NO_SIZE });
}

#define NO_DRAIN                                                               \
	"must be a time between 0s and 1h (us, ms, s, m, h or d; a "           \
	"bare number is seconds)"

Test(option, a_bare_time_is_in_seconds)
{
	EXPECT("server", "drain_timeout", { "0", "0" }, { "0ms", "0" },
	    { "5", "5s" }, { "5s", "5s" }, { "1500ms", "1500ms" },
	    { "60", "1m" }, { "90s", "90s" }, { "60m", "1h" },
	    { "2000us", "2ms" }, { "1us", NO_DRAIN }, { "2h", NO_DRAIN },
	    { "3601", NO_DRAIN }, { "1d", NO_DRAIN }, { "5x", NO_DRAIN },
	    { "", NO_DRAIN }, { "s", NO_DRAIN }, { "5 s", NO_DRAIN },
	    { "1m30s", NO_DRAIN }, { "18446744073709551616", NO_DRAIN },
	    { "18446744073709551615d", NO_DRAIN });
}

#define NO_TIMEOUT                                                             \
	"must be a time between 10ms and 1h (us, ms, s, m, h or d; a "         \
	"bare number is milliseconds)"

Test(option, a_bare_ack_timeout_is_in_milliseconds)
{
	EXPECT("qos", "ack_timeout", { "5000", "5s" }, { "10", "10ms" },
	    { "5s", "5s" }, { "1h", "1h" }, { "9", NO_TIMEOUT },
	    { "3600001", NO_TIMEOUT });
}

#define NO_EXPIRY                                                              \
	"must be never or a time between 0s and 49000d in whole seconds "      \
	"(us, ms, s, m, h or d; a bare number is seconds)"

Test(option, some_times_are_whole_seconds)
{
	EXPECT("limits", "session_expiry_max", { "never", "never" },
	    { "0", "0" }, { "1", "1s" }, { "1000ms", "1s" },
	    { "49000d", "49000d" }, { "999ms", NO_EXPIRY },
	    { "49001d", NO_EXPIRY });
}

Test(option, times_may_be_microseconds)
{
	EXPECT("nats", "flush_interval", { "50us", "50us" },
	    { "100ms", "100ms" }, { "0", "0" },
	    { "1",
		"must be a time between 0s and 100ms (us, ms, s, m, h or d; "
		"a bare number is seconds)" });
}

Test(option, words_are_those_of_the_table)
{
	EXPECT("qos", "ack", { "reply", "reply" }, { "local", "local" },
	    { "Reply", "must be one of reply, stream, server, local" },
	    { "", "must be one of reply, stream, server, local" },
	    { "repl", "must be one of reply, stream, server, local" });
}

#define NO_VERSION "must be one of 3.1, 3.1.1, 5"

Test(option, protocols_are_a_list_of_words)
{
	EXPECT("listener", "protocols", { "3.1.1", "3.1.1" },
	    { "3.1.1, 3.1.1", "3.1.1" }, { "5", "5" }, { "5,3.1", "3.1, 5" },
	    { "", NO_VERSION }, { "4", NO_VERSION }, { "3.1.1,", NO_VERSION });
}

#define NO_NAME "must be at most 32 letters, digits, - and _"

Test(option, a_node_name_is_one_token)
{
	EXPECT("server", "node_name", { "", "" }, { "Node-1_a", "Node-1_a" },
	    { "a.b", NO_NAME }, { "a b", NO_NAME }, { "*", NO_NAME },
	    { ">", NO_NAME }, { "\xc3\xa4", NO_NAME },
	    { "0123456789012345678901234567890123456789", NO_NAME });
}

#define NO_ADDRESS                                                             \
	"must be an IPv4 or IPv6 address, such as 127.0.0.1 or ::, the path "  \
	"of a UNIX socket, or systemd"

Test(option, addresses_are_numbers)
{
	EXPECT("listener", "address", { "0.0.0.0", "0.0.0.0" },
	    { "::1", "::1" }, { "", NO_ADDRESS }, { "localhost", NO_ADDRESS },
	    { "1.2.3", NO_ADDRESS }, { "[::1]", NO_ADDRESS },
	    { "127.0.0.1:1883", NO_ADDRESS });
}

#define NO_URL                                                                 \
	"must be URLs such as nats://HOST:PORT or tls://HOST:PORT, "           \
	"separated by commas"

Test(option, urls_are_checked)
{
	EXPECT("nats", "url", { "", "" }, { "nats://a:4222", "nats://a:4222" },
	    { "a", "a" }, { "a.b-c:1", "a.b-c:1" },
	    { "tls://[::1]:4222", "tls://[::1]:4222" },
	    { "nats://a, tls://b:1", "nats://a,tls://b:1" },
	    { "http://a", NO_URL }, { "ws://a", NO_URL }, { "nats://", NO_URL },
	    { "nats://a:0", NO_URL }, { "nats://a:65536", NO_URL },
	    { "nats://a:x", NO_URL }, { "nats://a:", NO_URL },
	    { "nats://a/b", NO_URL }, { "a b", NO_URL }, { "a,,b", NO_URL },
	    { "a,", NO_URL }, { ",a", NO_URL }, { "[]:1", NO_URL },
	    { "[::1", NO_URL }, { "nats://u p@a", NO_URL });
}

Test(option, secrets_are_not_shown)
{
	EXPECT("nats", "password", { "", "" }, { "hush", "***" });
	EXPECT("nats", "token", { "", "" }, { "hush", "***" });
	EXPECT("nats", "url", { "nats://u:hush@a:1", "nats://***@a:1" },
	    { "nats://hush@a,b", "nats://***@a,b" }, { "u:hu@sh@a", "***@a" },
	    { "a,tls://u:hush@b,nats://c", "a,tls://***@b,nats://c" });
}

Test(option, a_hidden_text_is_one_with_a_secret)
{
	cr_expect(option_hides(option_find("nats", "password"), "x"));
	cr_expect(option_hides(option_find("nats", "url"), "u:p@x"));
	cr_expect_not(option_hides(option_find("nats", "url"), "x"));
	cr_expect_not(option_hides(option_find("nats", "user"), "a@b"));
}

Test(option, subjects_have_no_wildcards)
{
	static const char no[] = "must be a NATS subject without wildcards";

	EXPECT("mapping", "subject_prefix", { "", "" }, { "a.b", "a.b" },
	    { "a.*", no }, { ">", no }, { "a..b", no }, { "a.", no },
	    { "a b", no });
}

Test(option, a_topic_prefix_has_no_slash_around)
{
	static const char no[] = "must be a topic that does not begin with / "
				 "or $ nor end with /";

	EXPECT("mapping", "topic_prefix", { "", "" }, { "a/b", "a/b" },
	    { "/a", no }, { "a/", no }, { "$a", no }, { "a/#", no },
	    { "+", no });
}

Test(option, lists_are_separated_by_commas)
{
	static const char no[] = "must be NATS subjects, separated by commas";

	EXPECT("nats", "request_subjects", { "", "" }, { "a.>", "a.>" },
	    { "a,b , *.c", "a, b, *.c" }, { "a,,b", no }, { "a,", no },
	    { "a b", no }, { "a.>.b", no });
}

Test(option, header_names_have_no_colon)
{
	static const char no[] = "must be header names, separated by commas";

	EXPECT("nats", "pass_headers", { "", "" }, { "X-a,b", "X-a, b" },
	    { "a:", no }, { "a b", no }, { "\xc3\xa4", no });
}

Test(option, a_list_grows)
{
	const struct option_row *o = option_find("nats", "pass_headers");
	struct buf b = { 0 };
	bool ok;

	memset(&place, 0, sizeof(place));
	ok = option_set(o, &place, "a,b", &b) && option_set(o, &place, "", &b);
	cr_expect(ok && option_set(o, &place, "c", &b));
	cr_expect_str_eq(place.config.nats.pass_headers[0], "a");
	cr_expect_str_eq(place.config.nats.pass_headers[2], "c");
	cr_expect_null(place.config.nats.pass_headers[3]);
	option_fini(o, &place);
	cr_expect_null(place.config.nats.pass_headers);
	buf_fini(&b);
}

Test(option, inbound_qos_is_pairs)
{
	static const char no[] =
	    "must be SUBJECT=QOS pairs, separated by commas, with a QOS of 0 "
	    "or 1";

	EXPECT("nats", "inbound_qos", { "", "" }, { "a.>=1", "a.>=1" },
	    { "a=1, b = 0", "a=1, b=0" }, { "a=b=1", "a=b=1" }, { "a", no },
	    { "a=", no }, { "=1", no }, { "a=2", no }, { "a=3", no },
	    { "a=11", no }, { "a=1,", no }, { "a..b=1", no });
}

Test(option, the_nearest_key_is_found)
{
	cr_expect_str_eq(option_nearest("listener", "prot")->key, "port");
	cr_expect_str_eq(option_nearest("limits", "max_paket_size")->key,
	    "max_packet_size");
	/* The very word, elsewhere. */
	cr_expect_str_eq(option_nearest("nats", "ack_timeout")->section, "qos");
	/* Something like it elsewhere does not count. */
	cr_expect_str_eq(option_nearest("log", "urll")->section, "log");
	cr_expect_str_eq(option_nearest_section("lisener"), "listener");
	cr_expect_str_eq(option_nearest_section("akc"), "ack");
	cr_expect_str_eq(option_nearest_section("limit"), "limits");
}
