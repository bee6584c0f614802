/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option - the table of all keys, made of option.tbl, and what it is searched
 * for.
 */
#include <config.h> /* the build's, not ours */

#include "daemon/option.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/network.h"
#include "base/utf8.h"
#include "daemon/config.h"
#include "daemon/nearest.h"
#include "daemon/option_kind.h"
#include "topic/subject.h"
#include "topic/topic.h"

/* --- words --- */

static const struct option_word identity_words[] = {
	{ "shared", IDENTITY_SHARED },
	{ "user", IDENTITY_USER },
	{ 0 },
};

static const struct option_word identity_from_words[] = {
	{ "none", TLS_IDENTITY_NONE },
	{ "cn", TLS_IDENTITY_CN },
	{ "san", TLS_IDENTITY_SAN },
	{ "fingerprint", TLS_IDENTITY_FINGERPRINT },
	{ 0 },
};

static const struct option_word transport_words[] = {
	{ "tcp", TRANSPORT_TCP },
	{ "ws", TRANSPORT_WS },
	{ 0 },
};

static const struct option_word when_down_words[] = {
	{ "serve", WHEN_DOWN_SERVE },
	{ "refuse", WHEN_DOWN_REFUSE },
	{ 0 },
};

static const struct option_word mapping_mode_words[] = {
	{ "nats", MAPPING_NATS },
	{ "swap", MAPPING_SWAP },
	{ 0 },
};

static const struct option_word ack_policy_words[] = {
	{ "reply", ACK_REPLY },
	{ "stream", ACK_STREAM },
	{ "server", ACK_SERVER },
	{ "local", ACK_LOCAL },
	{ 0 },
};

static const struct option_word v3_refuse_words[] = {
	{ "ack", V3_REFUSE_ACK },
	{ "close", V3_REFUSE_CLOSE },
	{ 0 },
};

static const struct option_word exceeded_words[] = {
	{ "disconnect", EXCEEDED_DISCONNECT },
	{ "warn", EXCEEDED_WARN },
	{ 0 },
};

static const struct option_word store_sync_words[] = {
	{ "commit", STORE_SYNC_COMMIT },
	{ "interval", STORE_SYNC_INTERVAL },
	{ "none", STORE_SYNC_NONE },
	{ 0 },
};

static const struct option_word on_damage_words[] = {
	{ "stop", ON_DAMAGE_STOP },
	{ "aside", ON_DAMAGE_ASIDE },
	{ 0 },
};

static const struct option_word anonymous_words[] = {
	{ "no", ANONYMOUS_NO },
	{ "yes", ANONYMOUS_YES },
	{ "auto", ANONYMOUS_AUTO },
	{ NULL, 0 },
};

static const struct option_word log_level_words[] = {
	{ "error", LOG_ERROR },
	{ "warning", LOG_WARNING },
	{ "notice", LOG_NOTICE },
	{ "info", LOG_INFO },
	{ "debug", LOG_DEBUG },
	{ 0 },
};

static const struct option_word auto_words[] = {
	{ "auto", 0 },
	{ 0 },
};

static const struct option_word automatic_words[] = {
	{ "auto", CONFIG_AUTO },
	{ 0 },
};

static const struct option_word inherit_words[] = {
	{ "inherit", CONFIG_INHERIT },
	{ "auto", CONFIG_AUTO },
	{ 0 },
};

/* Where 0 is no limit anyway. */
static const struct option_word inherit0_words[] = {
	{ "inherit", 0 },
	{ 0 },
};

static const struct option_word rate_exceeded_words[] = {
	{ "wait", RATE_WAIT },
	{ "refuse", RATE_REFUSE },
	{ 0 },
};

static const struct option_word own_rate_exceeded_words[] = {
	{ "inherit", CONFIG_INHERIT },
	{ "wait", RATE_WAIT },
	{ "refuse", RATE_REFUSE },
	{ 0 },
};

static const struct option_word never_words[] = {
	{ "never", UINT32_MAX },
	{ 0 },
};

/* A bit per protocol level, as in CONNECT. */
static const struct option_word protocols_words[] = {
	{ "3.1", 1 << 3 },
	{ "3.1.1", 1 << 4 },
	{ "5", 1 << 5 },
	{ 0 },
};

/* --- what texts must be; NULL: it is --- */

static const char *
check_any(const char *text)
{
	(void)text;
	return NULL;
}

static const char *
check_node_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	if (strlen(text) > 32 || text[strspn(text, allowed)] != '\0')
		return "at most 32 letters, digits, - and _";
	return NULL;
}

static const char *
check_address(const char *text)
{
	struct in6_addr addr;

	if (inet_pton(AF_INET, text, &addr) == 1 ||
	    inet_pton(AF_INET6, text, &addr) == 1)
		return NULL;
	return "an IPv4 or IPv6 address, such as 127.0.0.1 or ::";
}

/* What a [listener] listens on. */
static const char *
check_listen(const char *text)
{
	/* sun_path holds as many, and a zero. */
	if (text[0] == '/')
		return strlen(text) < 108 ? NULL : "a path below 108 bytes";
	if (strcmp(text, "systemd") == 0 || check_address(text) == NULL)
		return NULL;
	return "an IPv4 or IPv6 address, such as 127.0.0.1 or ::, the path of "
	       "a UNIX socket, or systemd";
}

static const char *
check_mode(const char *text)
{
	size_t len = strspn(text, "01234567");

	if (len >= 3 && len <= 4 && text[len] == '\0' &&
	    strtoul(text, NULL, 8) <= 0777)
		return NULL;
	return "octal permissions, such as 0660";
}

static const char *
check_network(const char *text)
{
	struct network n;

	if (network_parse(text, &n))
		return NULL;
	return "networks such as 10.0.0.0/8 or fd00::/8, separated by commas, "
	       "with no bits set behind the prefix";
}

/* Of a request to a WebSocket. */
static const char *
check_path(const char *text)
{
	const char *p = text;

	while (isgraph((unsigned char)*p) && strchr("?#", *p) == NULL)
		p++;
	return *text == '/' && *p == '\0' && strlen(text) <= 1000
	    ? NULL
	    : "a path that begins with /";
}

/* As browsers write them: SCHEME://HOST[:PORT]. */
static const char *
check_origin(const char *text)
{
	const char *host = strstr(text, "://"), *p = host;

	if (host == NULL || host == text || host[3] == '\0')
		return "origins such as https://example.com, separated by "
		       "commas";
	for (p = host + 3; isgraph((unsigned char)*p) && *p != '/'; p++)
		;
	return *p == '\0' ? NULL
			  : "origins without a path, separated by commas";
}

static const char *
check_subject(const char *text)
{
	if (*text == '\0' || subject_valid(slice_str(text), false))
		return NULL;
	return "a NATS subject without wildcards";
}

static const char *
check_filter(const char *text)
{
	if (subject_valid(slice_str(text), true))
		return NULL;
	return "NATS subjects, separated by commas";
}

/* Header names of NATS: printable and no colon. */
static const char *
check_header(const char *text)
{
	const char *p = text;

	while (isgraph((unsigned char)*p) && *p != ':')
		p++;
	return p > text && *p == '\0' ? NULL
				      : "header names, separated by commas";
}

/* It must fit into a DISCONNECT. */
static const char *
check_reference(const char *text)
{
	if (strlen(text) <= 1000 && utf8_valid(slice_str(text)))
		return NULL;
	return "at most 1000 bytes of UTF-8";
}

static const char *
check_topic_prefix(const char *text)
{
	size_t len = strlen(text);

	if (len == 0)
		return NULL;
	if (topic_valid(slice_str(text)) && text[0] != '/' && text[0] != '$' &&
	    text[len - 1] != '/')
		return NULL;
	return "a topic that does not begin with / or $ nor end with /";
}

static bool
is_port(struct slice s)
{
	unsigned port = 0;

	if (s.len == 0 || s.len > 5)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!isdigit(s.ptr[i]))
			return false;
		port = port * 10 + (s.ptr[i] - '0');
	}
	return port > 0 && port <= 65535;
}

/* HOST, HOST:PORT or [IPV6]:PORT */
static bool
is_host(struct slice s)
{
	size_t len = 0;

	if (s.len > 0 && s.ptr[0] == '[') {
		while (len < s.len && s.ptr[len] != ']')
			len++;
		if (len < 2 || len == s.len)
			return false;
		len++;
	} else {
		while (len < s.len &&
		    (isalnum(s.ptr[len]) || strchr("-._", s.ptr[len]) != NULL))
			len++;
	}
	s = slice_skip(s, len);
	return len > 0 &&
	    (s.len == 0 || (s.ptr[0] == ':' && is_port(slice_skip(s, 1))));
}

static bool
is_url(struct slice s)
{
	const uint8_t *at;

	for (size_t i = 0; i < s.len; i++) {
		if (isspace(s.ptr[i]))
			return false;
	}
	if (slice_starts(s, SLICE("nats://")))
		s = slice_skip(s, strlen("nats://"));
	else if (slice_starts(s, SLICE("tls://")))
		s = slice_skip(s, strlen("tls://"));
	at = s.len > 0 ? memrchr(s.ptr, '@', s.len) : NULL;
	if (at != NULL)
		s = slice_skip(s, (size_t)(at + 1 - s.ptr));
	return is_host(s);
}

static const char *
check_url(const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		struct slice s = slice_of(text, len);

		while (s.len > 0 && *s.ptr == ' ')
			s = slice_skip(s, 1);
		while (s.len > 0 && s.ptr[s.len - 1] == ' ')
			s.len--;
		if (!is_url(s) || strcmp(text + len, ",") == 0)
			return "URLs such as nats://HOST:PORT or "
			       "tls://HOST:PORT, separated by commas";
		text += len + (text[len] == ',');
	}
	return NULL;
}

/* --- the table --- */

#define KIND(name)               .kind = &option_kind_##name
#define WITHIN(lo, hi)           .min = (lo), .max = (hi)
#define STRING(what)             KIND(string), .check = check_##what
#define SECRET                   KIND(secret)
#define URL                      KIND(url), .check = check_url
#define BOOL                     KIND(bool)
#define NUMBER(lo, hi)           KIND(number), WITHIN(lo, hi)
#define SIZE(lo, hi)             KIND(size), WITHIN(lo, hi)
#define WORD(table)              KIND(word), .words = table##_words
#define WORDS(table)             KIND(words), .words = table##_words
#define LIST(what)               KIND(list), .check = check_##what
#define QOS_ROWS                 KIND(qos_rows)
/* A number, or the one word of the table. */
#define NUMBER_OR(table, lo, hi) NUMBER(lo, hi), .words = table##_words
#define SIZE_OR(table, lo, hi)   SIZE(lo, hi), .words = table##_words
#define TIME_OR(table, stored, lo, hi)                                         \
	TIME(stored, lo, hi), .words = table##_words
/* Stored in microseconds, milliseconds or seconds; given in seconds ... */
#define TIME(stored, lo, hi)         TIME_IN(stored, S, lo, hi)
/* ... or in milliseconds, when no unit is given. */
#define TIME_BARE_MS(stored, lo, hi) TIME_IN(stored, MS, lo, hi)
#define TIME_IN(stored, given, lo, hi)                                         \
	KIND(time), .unit = IN_##stored, .bare = IN_##given, WITHIN(lo, hi)
#define IN_US 1
#define IN_MS 1000
#define IN_S  1000000

#define PLACE(type, member)                                                    \
	.offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define PLACE_server(m)   PLACE(struct config, server.m)
#define PLACE_listener(m) PLACE(struct config_listener, m)
#define PLACE_nats(m)     PLACE(struct config, nats.m)
#define PLACE_mapping(m)  PLACE(struct config, mapping.m)
#define PLACE_qos(m)      PLACE(struct config, qos.m)
#define PLACE_limits(m)   PLACE(struct config, limits.m)
#define PLACE_auth(m)     PLACE(struct config, auth.m)
#define PLACE_store(m)    PLACE(struct config, store.m)
#define PLACE_monitor(m)  PLACE(struct config, monitor.m)
#define PLACE_log(m)      PLACE(struct config, log.m)

const struct option_row option_table[] = {
#define OPTION(in, name, member, type, value, when, text)                      \
	{ .section = #in,                                                      \
		.key = #name,                                                  \
		.def = (value),                                                \
		.applied = OPTION_##when,                                      \
		.help = (text),                                                \
		PLACE_##in(member),                                            \
		type },
#include "daemon/option.tbl"
#undef OPTION
};
const size_t option_count = countof(option_table);

/* --- searching it --- */

static bool
is_key(const struct option_row *o, const char *section, const char *key)
{
	return strcmp(o->section, section) == 0 && strcmp(o->key, key) == 0;
}

const struct option_row *
option_find(const char *section, const char *key)
{
	for (size_t i = 0; i < option_count; i++) {
		if (is_key(&option_table[i], section, key))
			return &option_table[i];
	}
	return NULL;
}

bool
option_is_section(const char *section)
{
	for (size_t i = 0; i < option_count; i++) {
		if (strcmp(option_table[i].section, section) == 0)
			return true;
	}
	return false;
}

const struct option_row *
option_nearest(const char *section, const char *key)
{
	const struct option_row *best = NULL;
	unsigned least = UINT_MAX;

	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *o = &option_table[i];
		unsigned distance = nearest_distance(key, o->key);

		/* The right word in the wrong section beats a typing error,
		 * which is looked for in this section only. */
		if (strcmp(o->section, section) != 0 && distance > 0)
			continue;
		if (distance < least) {
			best = o;
			least = distance;
		}
	}
	return best;
}

const char *
option_nearest_section(const char *section)
{
	const char *best = "ack";
	unsigned least = nearest_distance(section, best);

	for (size_t i = 0; i < option_count; i++) {
		const char *known = option_table[i].section;
		unsigned distance = nearest_distance(section, known);

		if (distance < least) {
			best = known;
			least = distance;
		}
	}
	return best;
}

/* --- values --- */

static void *
place(const struct option_row *o, const void *base)
{
	return (char *)(uintptr_t)base + o->offset;
}

bool
option_set(const struct option_row *o, void *base, const char *text,
    struct buf *why)
{
	return o->kind->set(o, place(o, base), text, why);
}

void
option_print(const struct option_row *o, const void *base, struct buf *out)
{
	o->kind->print(o, place(o, base), out);
}

static bool
prints_same(const struct option_row *o, const void *a, const void *b)
{
	struct buf x = { 0 }, y = { 0 };
	bool same;

	option_print(o, a, &x);
	option_print(o, b, &y);
	same = slice_eq(buf_slice(&x), buf_slice(&y));
	buf_fini(&x);
	buf_fini(&y);
	return same;
}

bool
option_same(const struct option_row *o, const void *a, const void *b)
{
	const char *const *x = place(o, (void *)(uintptr_t)a);
	const char *const *y = place(o, (void *)(uintptr_t)b);

	/* What is not shown cannot be compared by how it shows. */
	if (o->kind->is_secret || o->kind == &option_kind_url)
		return strcmp(*x, *y) == 0;
	return prints_same(o, a, b);
}

void
option_fini(const struct option_row *o, void *base)
{
	if (o->kind->fini != NULL)
		o->kind->fini(place(o, base));
}

bool
option_is_list(const struct option_row *o)
{
	return o->kind->is_list;
}

bool
option_hides(const struct option_row *o, const char *text)
{
	return o->kind->is_secret ||
	    (o->kind == &option_kind_url && strchr(text, '@') != NULL);
}

const char *
option_ack_name(unsigned policy)
{
	return option_word_name(ack_policy_words, policy);
}

bool
option_ack_parse(const char *text, unsigned *out, struct buf *why)
{
	return option_word_parse(ack_policy_words, text, out, why);
}
