/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option_kind - how values of each type are read, shown and freed.
 *
 * Numbers, sizes and times are all scanned to one unsigned long long; limits
 * stand in the table as text and are scanned the same way.
 */
#include <config.h> /* the build's, not ours */

#include "daemon/option_kind.h"

#include <assert.h>
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "daemon/config.h"
#include "daemon/option.h"
#include "topic/subject.h"

/* --- yes or no --- */

static const struct option_word booleans[] = {
	{ "yes", true },
	{ "no", false },
	{ "true", true },
	{ "false", false },
	{ "on", true },
	{ "off", false },
	{ "1", true },
	{ "0", false },
	{ 0 },
};

static const struct option_word *
word_find(const struct option_word *words, const char *text, size_t len)
{
	for (const struct option_word *w = words; w->name != NULL; w++) {
		if (strlen(w->name) == len && memcmp(w->name, text, len) == 0)
			return w;
	}
	return NULL;
}

static bool
bool_set(const struct option_row *o, void *at, const char *text,
    struct buf *why)
{
	const struct option_word *w = word_find(booleans, text, strlen(text));

	assert(o->size == sizeof(bool));
	if (w == NULL) {
		buf_append_str(why, "must be yes or no");
		return false;
	}
	*(bool *)at = w->value != 0;
	return true;
}

static void
bool_print(const struct option_row *o, const void *at, struct buf *out)
{
	(void)o;
	buf_append_str(out, *(const bool *)at ? "yes" : "no");
}

const struct option_kind option_kind_bool = {
	.set = bool_set,
	.print = bool_print,
};

/* --- numbers, sizes, times --- */

struct suffix {
	const char *name;
	unsigned long long factor;
};

/* The smallest first. */
static const struct suffix size_suffixes[] = {
	{ "", 1 },
	{ "k", 1ULL << 10 },
	{ "m", 1ULL << 20 },
	{ "g", 1ULL << 30 },
	{ 0 },
};

static const struct suffix time_suffixes[] = {
	{ "us", 1 },
	{ "ms", 1000 },
	{ "s", 1000000 },
	{ "m", 60000000ULL },
	{ "h", 3600000000ULL },
	{ "d", 86400000000ULL },
	{ 0 },
};

/* Digits and nothing else before *rest; no sign, no blank. */
static bool
scan_digits(const char *text, unsigned long long *out, const char **rest)
{
	unsigned long long v = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (unsigned)(*text - '0'), &v))
			return false;
	}
	*out = v;
	*rest = text;
	return true;
}

/* `bare` is the factor of a number without suffix. */
static bool
scan(const struct suffix *suffixes, unsigned long long bare, const char *text,
    unsigned long long *out)
{
	unsigned long long v, factor = 0;
	const char *rest;

	if (!scan_digits(text, &v, &rest))
		return false;
	for (const struct suffix *s = suffixes; s->name != NULL; s++) {
		if (strcmp(rest, s->name) == 0)
			factor = s->factor;
	}
	if (*rest == '\0')
		factor = bare;
	if (factor == 0 || __builtin_mul_overflow(v, factor, &v))
		return false;
	*out = v;
	return true;
}

static bool
scan_value(const struct option_row *o, const char *text,
    unsigned long long *out)
{
	static const struct suffix none[] = { { 0 } };

	if (o->kind == &option_kind_number)
		return scan(none, 1, text, out);
	if (o->kind == &option_kind_size)
		return scan(size_suffixes, 1, text, out);
	if (!scan(time_suffixes, o->bare, text, out) || *out % o->unit != 0)
		return false;
	*out /= o->unit;
	return true;
}

static void
store_value(const struct option_row *o, void *at, unsigned long long v)
{
	uint32_t narrow = (uint32_t)v;
	uint64_t wide = v;

	if (o->size == sizeof(narrow)) {
		assert(v <= UINT32_MAX);
		memcpy(at, &narrow, sizeof(narrow));
	} else {
		assert(o->size == sizeof(wide));
		memcpy(at, &wide, sizeof(wide));
	}
}

static unsigned long long
load_value(const struct option_row *o, const void *at)
{
	uint32_t narrow;
	uint64_t wide;

	if (o->size == sizeof(narrow)) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

static void
value_allowed(const struct option_row *o, struct buf *why)
{
	bool is_time = o->kind == &option_kind_time;
	const char *what = "number";

	if (is_time)
		what = "time";
	else if (o->kind == &option_kind_size)
		what = "size";
	buf_append_str(why, "must be ");
	for (const struct option_word *w = o->words;
	     w != NULL && w->name != NULL; w++)
		buf_printf(why, "%s or ", w->name);
	buf_printf(why, "a %s between %s and %s", what, o->min, o->max);
	if (o->kind == &option_kind_size)
		buf_append_str(why, " (bytes, or with k, m or g)");
	if (is_time && o->unit == 1000000)
		buf_append_str(why, " in whole seconds");
	if (is_time)
		buf_printf(why, " (us, ms, s, m, h or d; a bare number is %s)",
		    o->bare == 1000 ? "milliseconds" : "seconds");
}

static bool
value_set(const struct option_row *o, void *at, const char *text,
    struct buf *why)
{
	unsigned long long v, min, max;
	const struct option_word *w = NULL;

	if (!scan_value(o, o->min, &min) || !scan_value(o, o->max, &max))
		abort();
	if (o->words != NULL)
		w = word_find(o->words, text, strlen(text));
	if (w != NULL) {
		store_value(o, at, w->value);
		return true;
	}
	if (!scan_value(o, text, &v) || v < min || v > max) {
		value_allowed(o, why);
		return false;
	}
	store_value(o, at, v);
	return true;
}

/* The largest unit that shows `v` without a fraction. */
static void
print_scaled(const struct suffix *suffixes, unsigned long long v,
    struct buf *out)
{
	const struct suffix *best = &suffixes[0];

	for (const struct suffix *s = suffixes; s->name != NULL; s++) {
		if (v % s->factor == 0)
			best = s;
	}
	buf_printf(out, "%llu%s", v / best->factor, best->name);
}

/* The word that stands for this value. */
static const struct option_word *
word_of(const struct option_row *o, unsigned long long v)
{
	for (const struct option_word *w = o->words;
	     w != NULL && w->name != NULL; w++)
		if (w->value == v)
			return w;
	return NULL;
}

static void
value_print(const struct option_row *o, const void *at, struct buf *out)
{
	unsigned long long v = load_value(o, at);

	const struct option_word *w = word_of(o, v);

	if (w != NULL)
		buf_append_str(out, w->name);
	else if (v == 0)
		buf_append_str(out, "0");
	else if (o->kind == &option_kind_number)
		buf_printf(out, "%llu", v);
	else if (o->kind == &option_kind_size)
		print_scaled(size_suffixes, v, out);
	else
		print_scaled(time_suffixes, v * o->unit, out);
}

const struct option_kind option_kind_number = {
	.set = value_set,
	.print = value_print,
};
const struct option_kind option_kind_size = {
	.set = value_set,
	.print = value_print,
};
const struct option_kind option_kind_time = {
	.set = value_set,
	.print = value_print,
};

/* --- text --- */

void
option_wipe(char **s)
{
	if (*s == NULL)
		return;
	explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

static bool
check_ok(const struct option_row *o, const char *text, struct buf *why)
{
	const char *allowed = o->check != NULL ? o->check(text) : NULL;

	if (allowed != NULL)
		buf_printf(why, "must be %s", allowed);
	return allowed == NULL;
}

static bool
string_set(const struct option_row *o, void *at, const char *text,
    struct buf *why)
{
	char **s = at;

	assert(o->size == sizeof(char *));
	if (!check_ok(o, text, why))
		return false;
	option_wipe(s);
	*s = xstrdup(text);
	return true;
}

static void
string_print(const struct option_row *o, const void *at, struct buf *out)
{
	(void)o;
	buf_append_str(out, *(char *const *)at);
}

static void
string_fini(void *at)
{
	option_wipe(at);
}

static void
secret_print(const struct option_row *o, const void *at, struct buf *out)
{
	(void)o;
	if (**(char *const *)at != '\0')
		buf_append_str(out, "***");
}

/* Blanks around the commas are not kept. */
static bool
url_set(const struct option_row *o, void *at, const char *text, struct buf *why)
{
	char **s = at;
	char *to;

	if (!string_set(o, at, text, why))
		return false;
	to = *s;
	for (; *text != '\0'; text++) {
		if (!isspace((unsigned char)*text))
			*to++ = *text;
	}
	*to = '\0';
	return true;
}

/* nats://USER:PASSWORD@HOST or nats://TOKEN@HOST: what is before @ goes. */
static void
url_print(const struct option_row *o, const void *at, struct buf *out)
{
	const char *s = *(char *const *)at;

	(void)o;
	while (*s != '\0') {
		size_t len = strcspn(s, ",");
		const char *secret = memrchr(s, '@', len);
		const char *scheme = memmem(s, len, "://", 3);

		if (secret != NULL && scheme != NULL && scheme < secret)
			buf_append(out, s, (size_t)(scheme + 3 - s));
		if (secret != NULL) {
			buf_append_str(out, "***");
			len -= (size_t)(secret - s);
			s = secret;
		}
		buf_append(out, s, len);
		s += len;
		if (*s == ',')
			buf_append_byte(out, (uint8_t)*s++);
	}
}

const struct option_kind option_kind_string = {
	.set = string_set,
	.print = string_print,
	.fini = string_fini,
};
const struct option_kind option_kind_secret = {
	.set = string_set,
	.print = secret_print,
	.fini = string_fini,
	.is_secret = true,
};
const struct option_kind option_kind_url = {
	.set = url_set,
	.print = url_print,
	.fini = string_fini,
};

/* --- words --- */

static void
words_allowed(const struct option_word *words, const char *before,
    struct buf *why)
{
	const char *sep = "";

	buf_append_str(why, before);
	for (const struct option_word *w = words; w->name != NULL; w++) {
		buf_printf(why, "%s%s", sep, w->name);
		sep = ", ";
	}
}

static const struct option_word *
word_parse(const struct option_word *words, const char *text, size_t len,
    struct buf *why)
{
	const struct option_word *w = word_find(words, text, len);

	if (w != NULL)
		return w;
	words_allowed(words, "must be one of ", why);
	return NULL;
}

bool
option_word_parse(const struct option_word *words, const char *text,
    unsigned *out, struct buf *why)
{
	const struct option_word *w;

	w = word_parse(words, text, strlen(text), why);
	if (w == NULL)
		return false;
	*out = w->value;
	return true;
}

const char *
option_word_name(const struct option_word *words, unsigned value)
{
	const struct option_word *w = words;

	while (w->value != value) {
		assert(w->name != NULL);
		w++;
	}
	return w->name;
}

static bool
word_set(const struct option_row *o, void *at, const char *text,
    struct buf *why)
{
	unsigned v;

	if (!option_word_parse(o->words, text, &v, why))
		return false;
	store_value(o, at, v);
	return true;
}

static void
word_print(const struct option_row *o, const void *at, struct buf *out)
{
	buf_append_str(out,
	    option_word_name(o->words, (unsigned)load_value(o, at)));
}

/* The next part of a comma-separated text, without blanks around; *s moves
 * behind it and is NULL after the last one. */
static struct slice
next_item(const char **s)
{
	const char *p = *s;
	size_t len = strcspn(p, ",");

	*s = p[len] == ',' ? p + len + 1 : NULL;
	while (len > 0 && isspace((unsigned char)*p)) {
		p++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)p[len - 1]))
		len--;
	return slice_of(p, len);
}

static bool
words_set(const struct option_row *o, void *at, const char *text,
    struct buf *why)
{
	unsigned bits = 0;

	while (text != NULL) {
		struct slice item = next_item(&text);
		const struct option_word *w;

		w = word_parse(o->words, (const char *)item.ptr, item.len, why);
		if (w == NULL)
			return false;
		bits |= w->value;
	}
	store_value(o, at, bits);
	return true;
}

static void
words_print(const struct option_row *o, const void *at, struct buf *out)
{
	unsigned bits = (unsigned)load_value(o, at);
	const char *sep = "";

	for (const struct option_word *w = o->words; w->name != NULL; w++) {
		if ((bits & w->value) == 0)
			continue;
		buf_printf(out, "%s%s", sep, w->name);
		sep = ", ";
	}
}

const struct option_kind option_kind_word = {
	.set = word_set,
	.print = word_print,
};
const struct option_kind option_kind_words = {
	.set = words_set,
	.print = words_print,
};

/* --- lists --- */

static void
list_fini(void *at)
{
	char ***list = at;

	for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++)
		free((*list)[i]);
	free(*list);
	*list = NULL;
}

static bool
list_check(const struct option_row *o, const char *text, struct buf *why)
{
	bool ok = true;

	while (ok && text != NULL) {
		struct slice item = next_item(&text);
		char *s = xmemdup0(item.ptr, item.len);

		ok = check_ok(o, s, why);
		free(s);
	}
	return ok;
}

static bool
list_set(const struct option_row *o, void *at, const char *text,
    struct buf *why)
{
	char ***list = at;
	size_t n = 0;

	if (*text != '\0' && !list_check(o, text, why))
		return false;
	if (*list == NULL)
		*list = xcalloc(1, sizeof(**list));
	while ((*list)[n] != NULL)
		n++;
	if (*text == '\0')
		text = NULL;
	while (text != NULL) {
		struct slice item = next_item(&text);

		*list = xrealloc(*list, (n + 2) * sizeof(**list));
		(*list)[n++] = xmemdup0(item.ptr, item.len);
		(*list)[n] = NULL;
	}
	return true;
}

static void
list_print(const struct option_row *o, const void *at, struct buf *out)
{
	char *const *list = *(char **const *)at;

	(void)o;
	for (size_t i = 0; list[i] != NULL; i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "", list[i]);
}

const struct option_kind option_kind_list = {
	.set = list_set,
	.print = list_print,
	.fini = list_fini,
	.is_list = true,
};

/* --- [nats] inbound_qos --- */

static bool
qos_row_parse(struct slice item, struct bus_inbound_qos *out)
{
	const uint8_t *eq = memrchr(item.ptr, '=', item.len);
	struct slice subject, qos;

	if (eq == NULL)
		return false;
	subject = slice_of(item.ptr, (size_t)(eq - item.ptr));
	qos = slice_skip(item, subject.len + 1);
	while (subject.len > 0 && isspace(subject.ptr[subject.len - 1]))
		subject.len--;
	while (qos.len > 0 && isspace(qos.ptr[0]))
		qos = slice_skip(qos, 1);
	if (!subject_valid(subject, true) || qos.len != 1 || qos.ptr[0] < '0' ||
	    qos.ptr[0] > '1')
		return false;
	out->subject = xmemdup0(subject.ptr, subject.len);
	out->qos = (uint8_t)(qos.ptr[0] - '0');
	return true;
}

static void
qos_rows_fini(void *at)
{
	struct config *c = container_of(at, struct config, nats.inbound_qos);

	while (c->nats.n_inbound_qos > 0)
		free((void *)(uintptr_t)c->nats
			 .inbound_qos[--c->nats.n_inbound_qos]
			 .subject);
	free(c->nats.inbound_qos);
	c->nats.inbound_qos = NULL;
}

static bool
qos_rows_set(const struct option_row *o, void *at, const char *text,
    struct buf *why)
{
	struct config *c = container_of(at, struct config, nats.inbound_qos);

	(void)o;
	if (*text == '\0')
		text = NULL;
	while (text != NULL) {
		struct slice item = next_item(&text);
		struct bus_inbound_qos row;

		if (!qos_row_parse(item, &row)) {
			buf_append_str(why,
			    "must be SUBJECT=QOS pairs, separated by commas, "
			    "with a QOS of 0 or 1");
			return false;
		}
		c->nats.inbound_qos = xrealloc(c->nats.inbound_qos,
		    (c->nats.n_inbound_qos + 1) * sizeof(row));
		c->nats.inbound_qos[c->nats.n_inbound_qos++] = row;
	}
	return true;
}

static void
qos_rows_print(const struct option_row *o, const void *at, struct buf *out)
{
	const struct config *c =
	    container_of(at, struct config, nats.inbound_qos);

	(void)o;
	for (size_t i = 0; i < c->nats.n_inbound_qos; i++)
		buf_printf(out, "%s%s=%u", i > 0 ? ", " : "",
		    c->nats.inbound_qos[i].subject, c->nats.inbound_qos[i].qos);
}

const struct option_kind option_kind_qos_rows = {
	.set = qos_rows_set,
	.print = qos_rows_print,
	.fini = qos_rows_fini,
	.is_list = true,
};
