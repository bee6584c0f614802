/* SPDX-License-Identifier: Apache-2.0 */
/* grant - what a service has said about a client. */
#include "auth/grant.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

/* Of a name in there, in bytes: that of MQTT's strings. */
#define NAME_MAX_LEN 65535u

struct reading {
	struct grant *grant;
	const json_t *acl; /* borrowed: it needs the name of the user */
	struct buf *why;
};

static bool
fail(struct reading *r, const char *key, const char *what)
{
	buf_printf(r->why, "\"%s\" %s", key, what);
	return false;
}

/* --- members --- */

static bool
read_allow(struct reading *r, const char *key, const json_t *value)
{
	if (!json_is_boolean(value))
		return fail(r, key, "is neither true nor false");
	r->grant->allows = json_is_true(value);
	return true;
}

/* A string of MQTT, not empty. */
static bool
read_name(struct reading *r, const char *key, const json_t *value, char **out)
{
	struct slice s =
	    slice_of(json_string_value(value), json_string_length(value));

	if (!json_is_string(value) || s.len == 0 || s.len > NAME_MAX_LEN ||
	    !utf8_valid(s))
		return fail(r, key, "is not a string that MQTT can have there");
	*out = xmemdup0(s.ptr, s.len);
	return true;
}

static bool
read_reason(struct reading *r, const char *key, const json_t *value)
{
	return read_name(r, key, value, &r->grant->reason);
}

static bool
read_user(struct reading *r, const char *key, const json_t *value)
{
	return read_name(r, key, value, &r->grant->user);
}

static bool
read_client_id(struct reading *r, const char *key, const json_t *value)
{
	return read_name(r, key, value, &r->grant->client_id);
}

static bool
read_acl(struct reading *r, const char *key, const json_t *value)
{
	if (!json_is_array(value))
		return fail(r, key, "is not an array");
	r->acl = value;
	return true;
}

static bool
read_number(struct reading *r, const char *key, const json_t *value,
    json_int_t min, uint32_t *out)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < min || n > UINT32_MAX)
		return fail(r, key, "is not a number that can be there");
	*out = (uint32_t)n;
	return true;
}

static bool
read_expires(struct reading *r, const char *key, const json_t *value)
{
	return read_number(r, key, value, 1, &r->grant->expires_s);
}

static bool
read_cache(struct reading *r, const char *key, const json_t *value)
{
	r->grant->has_cache = true;
	return read_number(r, key, value, 0, &r->grant->cache_s);
}

static const struct {
	const char *key;
	size_t at;
} limit_keys[] = {
	{ "max_inflight", offsetof(struct grant_limits, max_inflight) },
	{ "max_packet_size", offsetof(struct grant_limits, max_packet_size) },
	{ "max_subscriptions",
	    offsetof(struct grant_limits, max_subscriptions) },
	{ "max_queued_messages",
	    offsetof(struct grant_limits, max_queued_messages) },
	{ "max_queued_bytes", offsetof(struct grant_limits, max_queued_bytes) },
	{ "message_rate", offsetof(struct grant_limits, message_rate) },
	{ "byte_rate", offsetof(struct grant_limits, byte_rate) },
};

static uint32_t *
find_limit(struct grant_limits *l, const char *key)
{
	for (size_t i = 0; i < countof(limit_keys); i++)
		if (strcmp(limit_keys[i].key, key) == 0)
			return (uint32_t *)((char *)l + limit_keys[i].at);
	return NULL;
}

static bool
read_limits(struct reading *r, const char *key, const json_t *value)
{
	const char *name;
	json_t *one;

	if (!json_is_object(value))
		return fail(r, key, "is not an object");
	json_object_foreach((json_t *)(uintptr_t)value, name, one)
	{
		uint32_t *out = find_limit(&r->grant->limits, name);

		if (out == NULL)
			return fail(r, name, "is no limit");
		if (!read_number(r, name, one, 1, out))
			return false;
	}
	if (r->grant->limits.max_inflight > UINT16_MAX)
		r->grant->limits.max_inflight = UINT16_MAX;
	return true;
}

static const struct {
	const char *key;
	bool (*read)(struct reading *r, const char *key, const json_t *value);
} members[] = {
	{ "allow", read_allow },
	{ "reason", read_reason },
	{ "username", read_user },
	{ "client_id", read_client_id },
	{ "acl", read_acl },
	{ "limits", read_limits },
	{ "expires", read_expires },
	{ "cache", read_cache },
};

static bool
read_member(struct reading *r, const char *key, const json_t *value)
{
	for (size_t i = 0; i < countof(members); i++)
		if (strcmp(members[i].key, key) == 0)
			return members[i].read(r, key, value);
	return fail(r, key, "means nothing");
}

static bool
read_members(struct reading *r, json_t *root)
{
	const char *key;
	json_t *value;

	if (!json_is_boolean(json_object_get(root, "allow")))
		return fail(r, "allow", "is missing");
	json_object_foreach(root, key, value)
	{
		if (!read_member(r, key, value))
			return false;
	}
	return true;
}

/* --- the rules --- */

/* They are this client's: a line that names another user has no place. */
static bool
add_rule(struct reading *r, const json_t *value, struct buf *text)
{
	struct slice s =
	    slice_of(json_string_value(value), json_string_length(value));

	if (!json_is_string(value) ||
	    (!slice_starts(s, SLICE("topic ")) &&
		!slice_starts(s, SLICE("subject ")) &&
		!slice_starts(s, SLICE("pattern "))) ||
	    memchr(s.ptr, '\n', s.len) != NULL ||
	    memchr(s.ptr, '\r', s.len) != NULL)
		return fail(r, "acl",
		    "has a rule that is not topic, subject or pattern");
	buf_append_slice(text, s);
	buf_append_byte(text, '\n');
	return true;
}

/* "user NAME", as the file would have it; nothing for who has no name. */
static bool
begin_rules(struct reading *r, struct slice user, struct buf *text)
{
	if (user.ptr == NULL)
		return true;
	if (user.len == 0 || user.ptr[0] == ' ' ||
	    user.ptr[user.len - 1] == ' ')
		return fail(r, "acl", "cannot be for a user of such a name");
	for (size_t i = 0; i < user.len; i++)
		if (user.ptr[i] < ' ')
			return fail(r, "acl",
			    "cannot be for a user of such a name");
	buf_append_str(text, "user ");
	buf_append_slice(text, user);
	buf_append_byte(text, '\n');
	return true;
}

static bool
read_rules(struct reading *r, struct slice user, const struct mapping *m)
{
	struct buf text = { 0 };
	struct buf why = { 0 };
	unsigned line = 0;
	bool is_good = begin_rules(r, user, &text);
	json_t *rule;
	size_t i;

	json_array_foreach(r->acl, i, rule) is_good =
	    is_good && add_rule(r, rule, &text);
	if (is_good) {
		r->grant->acl = acl_parse(buf_slice(&text), m, &line, &why);
		is_good = r->grant->acl != NULL;
		if (!is_good)
			buf_printf(r->why, "\"acl\", rule %u: %.*s",
			    line - (user.ptr != NULL),
			    SLICE_ARG(buf_slice(&why)));
	}
	buf_fini(&text);
	buf_fini(&why);
	return is_good;
}

/* --- all of it --- */

static bool
read_all(struct reading *r, json_t *root, struct slice user,
    const struct mapping *m)
{
	if (!json_is_object(root)) {
		buf_append_str(r->why, "is not a JSON object");
		return false;
	}
	if (!read_members(r, root))
		return false;
	if (r->grant->user != NULL)
		user = slice_str(r->grant->user);
	return r->acl == NULL || read_rules(r, user, m);
}

struct grant *
grant_parse(const char *reply, struct slice user, const struct mapping *m,
    struct buf *why)
{
	struct reading r = { .why = why };
	json_t *root = json_loads(reply, JSON_REJECT_DUPLICATES, NULL);

	r.grant = xcalloc(1, sizeof(*r.grant));
	atomic_init(&r.grant->n_refs, 1);
	if (!read_all(&r, root, user, m))
		grant_unref(&r.grant);
	json_decref(root);
	return r.grant;
}

struct grant *
grant_ref(struct grant *g)
{
	atomic_fetch_add(&g->n_refs, 1);
	return g;
}

void
grant_unref(struct grant **gp)
{
	struct grant *g = *gp;

	*gp = NULL;
	if (g == NULL || atomic_fetch_sub(&g->n_refs, 1) > 1)
		return;
	free(g->reason);
	free(g->user);
	free(g->client_id);
	acl_unref(&g->acl);
	free(g);
}
