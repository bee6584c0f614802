/* SPDX-License-Identifier: Apache-2.0 */
/* users - the password file. */
#include "auth/users.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/textfile.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#define FAKE_KEY_LEN 32

struct entry {
	struct hash_node node;
	struct user user;
};

struct users {
	atomic_uint n_refs;
	struct hash by_name;
	/* The rest is for those who are not in it. */
	struct password decoy;
	struct password scram; /* iterations 0: nobody has one */
	uint8_t fake_key[FAKE_KEY_LEN];
};

static bool
has_name(const struct hash_node *node, struct slice name)
{
	const struct entry *e = container_of(node, const struct entry, node);

	return slice_eq(slice_of(e->user.name, e->user.name_len), name);
}

static struct users *
users_new(void)
{
	struct users *u = xcalloc(1, sizeof(*u));

	u->n_refs = 1;
	hash_init(&u->by_name, has_name);
	return u;
}

static bool
free_entry(struct hash_node *node, void *arg)
{
	struct entry *e = container_of(node, struct entry, node);

	hash_remove(arg, node);
	OPENSSL_cleanse(&e->user.password, sizeof(e->user.password));
	free(e);
	return true;
}

struct users *
users_ref(struct users *u)
{
	atomic_fetch_add(&u->n_refs, 1);
	return u;
}

void
users_unref(struct users **up)
{
	struct users *u = *up;

	*up = NULL;
	if (u == NULL || atomic_fetch_sub(&u->n_refs, 1) > 1)
		return;
	hash_each(&u->by_name, free_entry, &u->by_name);
	hash_fini(&u->by_name);
	OPENSSL_cleanse(u, sizeof(*u));
	free(u);
}

/* The most expensive form stands in for those who are not there. */
static void
consider_decoy(struct users *u, const struct password *p)
{
	if (u->by_name.n == 1 || p->iterations > u->decoy.iterations)
		u->decoy = *p;
	if (p->kind == PASSWORD_SCRAM_SHA_256 && u->scram.iterations == 0)
		u->scram = *p;
}

/* NULL, or what is wrong with this line. */
static const char *
add_line(struct users *u, struct slice line)
{
	const uint8_t *colon = memchr(line.ptr, ':', line.len);
	struct password p;
	struct slice name = line;
	const char *wrong;
	struct entry *e;

	if (colon == NULL)
		return "no colon behind the name";
	name.len = (size_t)(colon - line.ptr);
	if (name.len == 0 || name.len > UINT16_MAX || !utf8_valid(name))
		return "the name is not a User Name";
	if (hash_find(&u->by_name, name, hash_key(name)) != NULL)
		return "the name stands here twice";
	wrong = password_parse(slice_skip(line, name.len + 1), &p);
	if (wrong != NULL)
		return wrong;
	e = xcalloc(1, sizeof(*e) + name.len + 1);
	e->user.password = p;
	e->user.name_len = name.len;
	memcpy(e->user.name, name.ptr, name.len);
	hash_insert(&u->by_name, &e->node, hash_key(name));
	consider_decoy(u, &p);
	OPENSSL_cleanse(&p, sizeof(p));
	return NULL;
}

/*
 * What fakes are made of. Taken from a secret of the file where there is
 * one: then every node with this file, and this one after a restart, tells
 * the same.
 */
static void
settle(struct users *u)
{
	int ok;

	if (u->by_name.n == 0) {
		u->decoy =
		    (struct password){ .kind = PASSWORD_SHA512, .salt_len = 1 };
		random_bytes(u->decoy.key, sizeof(u->decoy.key));
	}
	ok = EVP_Digest(u->scram.key, sizeof(u->scram.key), u->fake_key, NULL,
	    EVP_sha256(), NULL);
	assert(ok);
}

struct users *
users_parse(struct slice text, unsigned *line, struct buf *why)
{
	struct users *u = users_new();
	struct slice one;
	unsigned n = 0;

	while (textfile_next_line(&text, &one)) {
		const char *wrong;

		n++;
		if (one.len == 0 || one.ptr[0] == '#')
			continue;
		wrong = add_line(u, one);
		if (wrong == NULL)
			continue;
		*line = n;
		buf_append_str(why, wrong);
		users_unref(&u);
		return NULL;
	}
	settle(u);
	return u;
}

struct users *
users_load(const char *path, unsigned *line, struct buf *why)
{
	struct slice text;
	struct users *u;

	if (!textfile_read(path, &text)) {
		*line = 0;
		buf_append_str(why, strerror(errno));
		return NULL;
	}
	u = users_parse(text, line, why);
	textfile_free(&text);
	return u;
}

size_t
users_count(const struct users *u)
{
	return u->by_name.n;
}

const struct user *
users_find(const struct users *u, struct slice name)
{
	struct hash_node *node = hash_find(&u->by_name, name, hash_key(name));

	return node != NULL ? &container_of(node, struct entry, node)->user
			    : NULL;
}

bool
users_agree(const struct users *a, const struct users *b, struct slice name)
{
	const struct user *x = users_find(a, name);
	const struct user *y = users_find(b, name);

	return x != NULL && y != NULL &&
	    memcmp(&x->password, &y->password, sizeof(x->password)) == 0;
}

const struct password *
users_decoy(const struct users *u)
{
	return &u->decoy;
}

bool
users_serve_scram(const struct users *u)
{
	return u->scram.iterations > 0;
}

void
users_fake_scram(const struct users *u, struct slice name, struct password *out)
{
	uint8_t mac[FAKE_KEY_LEN];
	uint8_t *done = HMAC(EVP_sha256(), u->fake_key, FAKE_KEY_LEN, name.ptr,
	    name.len, mac, NULL);

	assert(done != NULL);
	*out = (struct password){ .kind = PASSWORD_SCRAM_SHA_256,
		.iterations = u->scram.iterations,
		.salt_len = u->scram.salt_len };
	if (out->salt_len > sizeof(mac))
		out->salt_len = sizeof(mac);
	memcpy(out->salt, mac, out->salt_len);
	random_bytes(out->key, sizeof(out->key));
}
