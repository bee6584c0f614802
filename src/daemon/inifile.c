/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inifile - the text of an ini file as a list of sections and keys.
 *
 * inih asks for one line after the other, and calls back for each key before
 * it asks for the next one. So the reader knows which line a key is from.
 *
 *   text --next_line--> check --> inih --on_key--> entries
 *                         |
 *                         +-- sections, and lines that are wrong
 *
 * A key that the reader lets pass comes back with the name "k": what inih
 * sees is "k=REST", cut by us at the `=` that counts, because inih also cuts
 * at `:` and, for names, at no more than one place.
 */
#include <config.h> /* the build's, not ours */

#include "daemon/inifile.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "base/attr.h"
#include "base/utf8.h"
#include "base/xalloc.h"

/* Debian's inih has its limits as variables, elsewhere they are built in. */
extern bool ini_use_stack __attribute__((weak));
extern int ini_max_line __attribute__((weak));
extern int ini_initial_alloc __attribute__((weak));

#define LINE_MAX_BYTES 65536

struct parser {
	struct inifile *file;
	struct slice rest; /* not yet read */
	unsigned line;
	char *section; /* NULL: none that counts */
	char *key;     /* of the line that inih has */
	bool is_first; /* neither a section line nor anything else came yet */
	const char *rows;
};

static struct inifile_entry *
new_entry(struct parser *p)
{
	struct inifile *f = p->file;

	f->entries = xrealloc(f->entries, (f->n + 1) * sizeof(*f->entries));
	f->entries[f->n] = (struct inifile_entry){ .line = p->line };
	return &f->entries[f->n++];
}

static void
add_wrong(struct parser *p, const char *what)
{
	new_entry(p)->wrong = what;
}

static void
add_section(struct parser *p)
{
	new_entry(p)->section = xstrdup(p->section);
}

static void
add_key(struct parser *p, const char *value)
{
	struct inifile_entry *e = new_entry(p);

	e->section = xstrdup(p->section);
	e->key = xstrdup(p->key);
	e->value = xstrdup(value);
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && isspace(s.ptr[0]))
		s = slice_skip(s, 1);
	while (s.len > 0 && isspace(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* The next line, without blanks around it; false at the end. */
static bool
next_line(struct parser *p, struct slice *out)
{
	const uint8_t *end;
	struct slice line = p->rest;

	if (p->rest.len == 0)
		return false;
	end = memchr(p->rest.ptr, '\n', p->rest.len);
	if (end != NULL)
		line.len = (size_t)(end - line.ptr);
	p->rest = slice_skip(p->rest, line.len + (end != NULL));
	p->line++;
	*out = trim(line);
	return true;
}

static bool
is_blank_or_comment(struct slice s)
{
	return s.len == 0 || s.ptr[0] == ';' || s.ptr[0] == '#';
}

/* NULL, or what is wrong with the bytes of the line. */
static const char *
check_bytes(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\0')
			return "there is a zero byte in this line";
		if (iscntrl(s.ptr[i]) && s.ptr[i] != '\t')
			return "there is a control character in this line";
	}
	return utf8_valid(s) ? NULL : "this line is not UTF-8";
}

/* `s` begins with a bracket. */
static void
on_section(struct parser *p, struct slice s)
{
	const uint8_t *end = memchr(s.ptr, ']', s.len);
	struct slice name;

	free(p->section);
	p->section = NULL;
	if (end == NULL) {
		add_wrong(p, "] is missing");
		return;
	}
	name = slice_of(s.ptr + 1, (size_t)(end - s.ptr) - 1);
	if (!is_blank_or_comment(trim(slice_skip(s, name.len + 2)))) {
		add_wrong(p, "something stands behind ]");
		return;
	}
	name = trim(name);
	p->section = xmemdup0(name.ptr, name.len);
	add_section(p);
}

/* Where the comment behind a value begins; s.len when there is none. */
static size_t
comment_start(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.ptr[i] == ';' && isspace(s.ptr[i - 1]))
			return i;
	}
	return s.len;
}

/* Where the key ends; NULL when there is none. */
static const uint8_t *
find_separator(const struct parser *p, struct slice s)
{
	const uint8_t *eq = memchr(s.ptr, '=', s.len);

	if (p->rows != NULL && strcmp(p->section, p->rows) == 0)
		eq = memrchr(s.ptr, '=', comment_start(s));
	return eq == s.ptr ? NULL : eq;
}

/*
 * A line that should be a key. If it is one, `out`, of `room` bytes, holds
 * what inih is to see.
 */
static bool
on_key_line(struct parser *p, struct slice s, char *out, size_t room)
{
	const uint8_t *eq = find_separator(p, s);
	struct slice key;

	if (eq == NULL) {
		add_wrong(p, "expected KEY = VALUE");
		return false;
	}
	key = trim(slice_of(s.ptr, (size_t)(eq - s.ptr)));
	s = slice_skip(s, (size_t)(eq - s.ptr));
	if (s.len + 3 > room) {
		add_wrong(p, "the line is too long");
		return false;
	}
	free(p->key);
	p->key = xmemdup0(key.ptr, key.len);
	out[0] = 'k';
	memcpy(out + 1, s.ptr, s.len);
	out[1 + s.len] = '\n';
	out[2 + s.len] = '\0';
	return true;
}

/* Is there something for inih in this line? */
static bool
on_line(struct parser *p, struct slice s, char *out, size_t room)
{
	const char *wrong;

	if (is_blank_or_comment(s))
		return false;
	wrong = check_bytes(s);
	if (wrong == NULL && p->is_first && s.ptr[0] != '[')
		wrong = "expected a [SECTION] first";
	p->is_first = false;
	if (wrong != NULL) {
		add_wrong(p, wrong);
		return false;
	}
	if (s.ptr[0] == '[') {
		on_section(p, s);
		return false;
	}
	return p->section != NULL && on_key_line(p, s, out, room);
}

/* The reader that inih calls; like fgets. */
static char *
read_line(char *out, int size, void *stream)
{
	struct parser *p = stream;
	struct slice line;

	while (next_line(p, &line)) {
		if (on_line(p, line, out, (size_t)size))
			return out;
	}
	return NULL;
}

static int
on_key(void *user, const char *section, const char *name, const char *value)
{
	struct parser *p = user;

	(void)section;
	(void)name;
	add_key(p, value);
	return 1;
}

static void
widen_inih(void)
{
	if (&ini_use_stack == NULL || &ini_max_line == NULL ||
	    &ini_initial_alloc == NULL)
		return;
	ini_use_stack = false;
	ini_max_line = ini_initial_alloc = LINE_MAX_BYTES;
}

void
inifile_parse(struct inifile *f, struct slice text, const char *rows)
{
	struct parser p = {
		.file = f,
		.rest = text,
		.is_first = true,
		.rows = rows,
	};

	*f = (struct inifile){ 0 };
	if (slice_starts(p.rest, SLICE("\xef\xbb\xbf"))) /* byte order mark */
		p.rest = slice_skip(p.rest, 3);
	widen_inih();
	if (ini_parse_stream(read_line, &p, on_key, &p) != 0)
		add_wrong(&p, "inih could not read on");
	free(p.section);
	free(p.key);
}

void
inifile_fini(struct inifile *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct inifile_entry *e = &f->entries[i];

		if (e->value != NULL)
			explicit_bzero(e->value, strlen(e->value));
		free(e->section);
		free(e->key);
		free(e->value);
	}
	free(f->entries);
	*f = (struct inifile){ 0 };
}
