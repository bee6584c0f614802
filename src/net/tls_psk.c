/* SPDX-License-Identifier: Apache-2.0 */
/* tls_psk - a file of pre-shared keys, as mosquitto has them. */
#include "net/tls_psk.h"

#include <stdlib.h>
#include <string.h>

#include "auth/textfile.h"
#include "base/utf8.h"
#include "base/xalloc.h"

struct entry {
	char *name;
	uint8_t *key;
	size_t key_len;
	unsigned line;
};

struct tls_psk {
	struct entry *entries; /* by name */
	size_t n;
};

static int
digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
parse_key(struct slice hex, uint8_t *key)
{
	for (size_t i = 0; i < hex.len; i += 2) {
		int high = digit(hex.ptr[i]);
		int low = digit(hex.ptr[i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static const char *
check_name(struct slice name)
{
	if (name.len == 0 || name.len > TLS_PSK_NAME_MAX || !utf8_valid(name) ||
	    memchr(name.ptr, 0, name.len) != NULL)
		return "a name has 1 to 128 bytes of UTF-8";
	return NULL;
}

/* What is wrong with the line; NULL: it was added. */
static const char *
add(struct tls_psk *p, struct slice line, unsigned number)
{
	const uint8_t *colon = memrchr(line.ptr, ':', line.len);
	struct slice name, hex;
	struct entry *e;
	const char *why;

	if (colon == NULL)
		return "expected NAME:KEY";
	name = slice_of(line.ptr, (size_t)(colon - line.ptr));
	hex = slice_skip(line, name.len + 1);
	why = check_name(name);
	if (why != NULL)
		return why;
	if (hex.len == 0 || hex.len % 2 != 0 || hex.len > 2 * TLS_PSK_KEY_MAX)
		return "a key has 2 to 1024 hexadecimal digits, an even number";
	p->entries = xrealloc(p->entries, (p->n + 1) * sizeof(*p->entries));
	e = &p->entries[p->n++];
	*e = (struct entry){ .name = xmemdup0(name.ptr, name.len),
		.key = xmalloc(hex.len / 2),
		.key_len = hex.len / 2,
		.line = number };
	return parse_key(hex, e->key) ? NULL : "a key has hexadecimal digits";
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name,
	    ((const struct entry *)b)->name);
}

/* The line that gives a name a second time; 0: none. */
static unsigned
find_twin(const struct tls_psk *p)
{
	for (size_t i = 1; i < p->n; i++) {
		const struct entry *a = &p->entries[i - 1];
		const struct entry *b = &p->entries[i];

		if (by_name(a, b) == 0)
			return a->line > b->line ? a->line : b->line;
	}
	return 0;
}

struct tls_psk *
tls_psk_parse(struct slice text, unsigned *line, struct buf *why)
{
	struct tls_psk *p = xcalloc(1, sizeof(*p));
	const char *wrong = NULL;
	struct slice one;
	unsigned n = 0;

	while (wrong == NULL && textfile_next_line(&text, &one)) {
		n++;
		if (one.len > 0 && one.ptr[0] != '#')
			wrong = add(p, one, n);
	}
	if (wrong == NULL && p->n > 1) {
		qsort(p->entries, p->n, sizeof(*p->entries), by_name);
		n = find_twin(p);
		wrong = n > 0 ? "this name stands here already" : NULL;
	}
	if (wrong == NULL)
		return p;
	*line = n;
	buf_append_str(why, wrong);
	tls_psk_free(&p);
	return NULL;
}

struct slice
tls_psk_find(const struct tls_psk *p, const char *name)
{
	struct entry wanted = { .name = (char *)(uintptr_t)name };
	const struct entry *e = p->n > 0
	    ? bsearch(&wanted, p->entries, p->n, sizeof(wanted), by_name)
	    : NULL;

	return e != NULL ? slice_of(e->key, e->key_len) : slice_of(NULL, 0);
}

void
tls_psk_free(struct tls_psk **pp)
{
	struct tls_psk *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++) {
		explicit_bzero(p->entries[i].key, p->entries[i].key_len);
		free(p->entries[i].key);
		free(p->entries[i].name);
	}
	free(p->entries);
	free(p);
}
