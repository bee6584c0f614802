/* SPDX-License-Identifier: Apache-2.0 */
/* acl - what clients may publish and receive. */
#include "auth/acl.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "auth/textfile.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "topic/filter.h"
#include "topic/topic.h"

struct rule {
	uint8_t access; /* enum acl_access; 0: deny */
	bool has_user;  /* %u */
	bool has_client;
	uint16_t len;
	char *filter;
};

struct rules {
	struct rule *items;
	size_t n;
};

struct entry {
	struct hash_node node;
	struct rules rules;
	size_t len;
	char name[];
};

struct acl {
	atomic_uint n_refs;
	uint64_t serial;
	struct rules strangers;
	struct rules patterns;
	struct hash users;
	bool asks_user; /* some pattern has %u */
	bool asks_client;
};

/* --- two filters --- */

static bool
is_level(struct slice level, char c)
{
	return level.len == 1 && level.ptr[0] == (uint8_t)c;
}

static bool
is_wild(struct slice filter)
{
	return filter.len > 0 && (filter.ptr[0] == '#' || filter.ptr[0] == '+');
}

/* Leading wildcards do not match `$` topics. */
static bool
are_worlds_apart(struct slice a, struct slice b)
{
	return (is_wild(a) && topic_is_dollar(b)) ||
	    (is_wild(b) && topic_is_dollar(a));
}

/* Is nothing left, or only what the parent matches as well? */
static bool
is_at_end(struct slice rest, bool more)
{
	struct slice level;

	return !topic_next_level(&rest, &more, &level) || is_level(level, '#');
}

/* Is there a topic that both match? */
static bool
overlaps(struct slice a, struct slice b)
{
	bool more_a = true, more_b = true;
	struct slice x, y;

	if (are_worlds_apart(a, b))
		return false;
	while (topic_next_level(&a, &more_a, &x)) {
		if (is_level(x, '#'))
			return true;
		if (!topic_next_level(&b, &more_b, &y))
			return false;
		if (is_level(y, '#'))
			return true;
		if (!is_level(x, '+') && !is_level(y, '+') && !slice_eq(x, y))
			return false;
		if (!more_a)
			return is_at_end(b, more_b);
		if (!more_b)
			return is_at_end(a, more_a);
	}
	return false;
}

/* Does `wide` match whatever `narrow` matches? */
static bool
covers(struct slice wide, struct slice narrow)
{
	bool more_wide = true, more_narrow = true;
	struct slice x, y;

	if (are_worlds_apart(wide, narrow))
		return false;
	while (topic_next_level(&wide, &more_wide, &x)) {
		if (is_level(x, '#'))
			return true;
		if (!topic_next_level(&narrow, &more_narrow, &y) ||
		    is_level(y, '#'))
			return false;
		if (!is_level(x, '+') && !slice_eq(x, y))
			return false;
	}
	return !more_narrow;
}

/* --- rules --- */

static bool
is_fit_for_patterns(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '+' || s.ptr[i] == '#' || s.ptr[i] == '/')
			return false;
	return true;
}

/* A name that holds wildcards, or levels, would be more than a name. */
static bool
has_bad_name(const struct acl *a, const struct acl_client *c)
{
	return (a->asks_user && !is_fit_for_patterns(c->user)) ||
	    (a->asks_client && !is_fit_for_patterns(c->client_id));
}

static void
expand(const struct rule *r, const struct acl_client *c, struct buf *out)
{
	for (size_t i = 0; i < r->len; i++) {
		if (r->filter[i] == '%' && r->filter[i + 1] == 'u') {
			buf_append_slice(out, c->user);
			i++;
		} else if (r->filter[i] == '%' && r->filter[i + 1] == 'c') {
			buf_append_slice(out, c->client_id);
			i++;
		} else {
			buf_append_byte(out, (uint8_t)r->filter[i]);
		}
	}
}

struct question {
	const struct acl_client *client;
	struct slice name; /* a topic, or a filter */
	bool is_filter;
	enum acl_access access;
};

static bool
applies_as(const struct rule *r, struct slice filter, const struct question *q)
{
	if (!q->is_filter)
		return filter_match(filter, q->name);
	return r->access == 0 ? covers(filter, q->name)
			      : overlaps(filter, q->name);
}

static bool
applies(const struct rule *r, const struct question *q)
{
	struct buf b = { 0 };
	bool is;

	if (r->access != 0 && (r->access & q->access) == 0)
		return false;
	if (!r->has_user && !r->has_client)
		return applies_as(r, slice_of(r->filter, r->len), q);
	if (r->has_user && q->client->user.ptr == NULL)
		return false;
	expand(r, q->client, &b);
	is = applies_as(r, buf_slice(&b), q);
	buf_fini(&b);
	return is;
}

/* False: one of them denies it. */
static bool
ask(const struct rules *rules, const struct question *q, bool *is_allowed)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *r = &rules->items[i];

		if (!applies(r, q))
			continue;
		if (r->access == 0)
			return false;
		*is_allowed = true;
	}
	return true;
}

static const struct rules *
rules_of(const struct acl *a, struct slice user)
{
	static const struct rules none;
	struct hash_node *node;

	if (user.ptr == NULL)
		return &a->strangers;
	node = hash_find(&a->users, user, hash_key(user));
	return node != NULL ? &container_of(node, struct entry, node)->rules
			    : &none;
}

static bool
answer(const struct acl *a, const struct question *q)
{
	bool is_allowed = false;

	if (has_bad_name(a, q->client))
		return false;
	return ask(rules_of(a, q->client->user), q, &is_allowed) &&
	    ask(&a->patterns, q, &is_allowed) && is_allowed;
}

bool
acl_allows(const struct acl *a, const struct acl_client *c, struct slice topic,
    enum acl_access access)
{
	struct question q = { .client = c, .name = topic, .access = access };

	return answer(a, &q);
}

bool
acl_allows_filter(const struct acl *a, const struct acl_client *c,
    struct slice filter)
{
	struct question q = { .client = c,
		.name = filter,
		.is_filter = true,
		.access = ACL_READ };

	return answer(a, &q);
}

/* --- reading --- */

static bool
has_name(const struct hash_node *node, struct slice name)
{
	const struct entry *e = container_of(node, const struct entry, node);

	return slice_eq(slice_of(e->name, e->len), name);
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = slice_skip(s, 1);
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* Take the first word off the front. */
static struct slice
next_word(struct slice *rest)
{
	struct slice word = *rest;

	word.len = 0;
	while (word.len < rest->len && !is_blank(rest->ptr[word.len]))
		word.len++;
	*rest = trim(slice_skip(*rest, word.len));
	return word;
}

/* Take ACCESS off the front, where it is. */
static uint8_t
take_access(struct slice *rest)
{
	static const struct {
		struct slice word;
		uint8_t access;
	} words[] = {
		{ { (const uint8_t *)"read", 4 }, ACL_READ },
		{ { (const uint8_t *)"write", 5 }, ACL_WRITE },
		{ { (const uint8_t *)"readwrite", 9 }, ACL_READ | ACL_WRITE },
		{ { (const uint8_t *)"deny", 4 }, 0 },
	};
	struct slice after = *rest;
	struct slice word = next_word(&after);

	for (size_t i = 0; i < countof(words) && after.len > 0; i++) {
		if (!slice_eq(word, words[i].word))
			continue;
		*rest = after;
		return words[i].access;
	}
	return ACL_READ | ACL_WRITE;
}

static const char *
add_rule(struct rules *rules, uint8_t access, struct slice text)
{
	struct filter f;

	if (!filter_parse(text, &f) || f.is_shared || !utf8_valid(text))
		return "not a topic filter";
	rules->items =
	    xrealloc(rules->items, (rules->n + 1) * sizeof(*rules->items));
	rules->items[rules->n++] = (struct rule){ .access = access,
		.len = (uint16_t)text.len,
		.filter = xmemdup0(text.ptr, text.len) };
	return NULL;
}

static const char *
add_pattern(struct acl *a, uint8_t access, struct slice text)
{
	const char *wrong = add_rule(&a->patterns, access, text);
	struct rule *r;

	if (wrong != NULL)
		return wrong;
	r = &a->patterns.items[a->patterns.n - 1];
	r->has_user = memmem(text.ptr, text.len, "%u", 2) != NULL;
	r->has_client = memmem(text.ptr, text.len, "%c", 2) != NULL;
	a->asks_user |= r->has_user;
	a->asks_client |= r->has_client;
	return NULL;
}

static const char *
add_subject(struct rules *rules, uint8_t access, struct slice text,
    const struct mapping *m)
{
	struct buf filter = { 0 };
	const char *wrong = "not a NATS subscription with an MQTT filter";

	if (subject_valid(text, true) &&
	    subject_to_filter(m, text, &filter) == SUBJECT_OK)
		wrong = add_rule(rules, access, buf_slice(&filter));
	buf_fini(&filter);
	return wrong;
}

static struct rules *
user_named(struct acl *a, struct slice name)
{
	struct hash_node *node = hash_find(&a->users, name, hash_key(name));
	struct entry *e;

	if (node != NULL)
		return &container_of(node, struct entry, node)->rules;
	e = xcalloc(1, sizeof(*e) + name.len + 1);
	e->len = name.len;
	memcpy(e->name, name.ptr, name.len);
	hash_insert(&a->users, &e->node, hash_key(name));
	return &e->rules;
}

/* NULL, or what is wrong with this line; *rules is whom it is about. */
static const char *
add_line(struct acl *a, struct slice line, const struct mapping *m,
    struct rules **rules)
{
	struct slice word = next_word(&line);
	uint8_t access;

	if (slice_eq(word, SLICE("user"))) {
		if (line.len == 0)
			return "user needs a name";
		*rules = user_named(a, line);
		return NULL;
	}
	access = take_access(&line);
	if (slice_eq(word, SLICE("topic")))
		return add_rule(*rules, access, line);
	if (slice_eq(word, SLICE("subject")))
		return add_subject(*rules, access, line, m);
	if (slice_eq(word, SLICE("pattern")))
		return add_pattern(a, access, line);
	return "begins with none of user, topic, subject and pattern";
}

struct acl *
acl_parse(struct slice text, const struct mapping *m, unsigned *line,
    struct buf *why)
{
	static atomic_ullong last_serial;
	struct acl *a = xcalloc(1, sizeof(*a));
	struct rules *rules = &a->strangers;
	struct slice one;
	unsigned n = 0;

	a->n_refs = 1;
	a->serial = atomic_fetch_add(&last_serial, 1) + 1;
	hash_init(&a->users, has_name);
	while (textfile_next_line(&text, &one)) {
		const char *wrong;

		n++;
		one = trim(one);
		if (one.len == 0 || one.ptr[0] == '#')
			continue;
		wrong = add_line(a, one, m, &rules);
		if (wrong == NULL)
			continue;
		*line = n;
		buf_append_str(why, wrong);
		acl_unref(&a);
		return NULL;
	}
	return a;
}

struct acl *
acl_load(const char *path, const struct mapping *m, unsigned *line,
    struct buf *why)
{
	struct slice text;
	struct acl *a;

	if (!textfile_read(path, &text)) {
		*line = 0;
		buf_append_str(why, strerror(errno));
		return NULL;
	}
	a = acl_parse(text, m, line, why);
	textfile_free(&text);
	return a;
}

/* --- its life --- */

uint64_t
acl_serial(const struct acl *a)
{
	return a->serial;
}

struct acl *
acl_ref(struct acl *a)
{
	atomic_fetch_add(&a->n_refs, 1);
	return a;
}

static void
free_rules(struct rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		free(rules->items[i].filter);
	free(rules->items);
}

static bool
free_entry(struct hash_node *node, void *arg)
{
	struct entry *e = container_of(node, struct entry, node);

	hash_remove(arg, node);
	free_rules(&e->rules);
	free(e);
	return true;
}

void
acl_unref(struct acl **ap)
{
	struct acl *a = *ap;

	*ap = NULL;
	if (a == NULL || atomic_fetch_sub(&a->n_refs, 1) > 1)
		return;
	free_rules(&a->strangers);
	free_rules(&a->patterns);
	hash_each(&a->users, free_entry, &a->users);
	hash_fini(&a->users);
	free(a);
}
