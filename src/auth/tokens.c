/* SPDX-License-Identifier: Apache-2.0 */
/* tokens - JSON Web Tokens that clients give as their password. */
#include "auth/tokens.h"

#include <errno.h>
#include <jansson.h>
#include <jose/b64.h>
#include <jose/jws.h>
#include <jose/openssl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "auth/textfile.h"
#include "base/utf8.h"
#include "base/xalloc.h"

struct tokens {
	atomic_uint n_refs;
	json_t *keys; /* an array of JWKs, at least one */
	char *issuer;
	char *audience;
	char *claim;
};

/* --- keys --- */

/* What signs with it begins so; NULL: nothing does. */
static const char *
algorithms_of(const json_t *key)
{
	const char *kty = json_string_value(json_object_get(key, "kty"));

	if (kty == NULL)
		return NULL;
	if (strcmp(kty, "RSA") == 0)
		return "RP"; /* RS256, PS256 ... */
	if (strcmp(kty, "EC") == 0)
		return "E";
	return strcmp(kty, "oct") == 0 ? "H" : NULL;
}

static json_t *
read_json(struct slice text, struct buf *why)
{
	json_error_t error;
	json_t *root = json_loadb((const char *)text.ptr, text.len,
	    JSON_REJECT_DUPLICATES, &error);
	json_t *set = json_object_get(root, "keys");
	json_t *keys = NULL;

	if (root == NULL)
		buf_printf(why, "line %d: %s", error.line, error.text);
	else if (json_is_array(set))
		keys = json_incref(set);
	else
		keys = json_pack("[O]", root);
	json_decref(root);
	return keys;
}

static json_t *
read_pem(struct slice text, struct buf *why)
{
	BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
	json_t *keys = json_array();
	EVP_PKEY *key;

	while ((key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL)) != NULL) {
		json_t *jwk = jose_openssl_jwk_from_EVP_PKEY(NULL, key);

		EVP_PKEY_free(key);
		if (jwk == NULL || json_array_append_new(keys, jwk) != 0)
			buf_append_str(why,
			    "a key of a kind that is not known; ");
	}
	ERR_clear_error();
	BIO_free(bio);
	return keys;
}

static bool
are_good(const json_t *keys, struct buf *why)
{
	size_t i;
	json_t *key;

	if (json_array_size(keys) == 0) {
		buf_append_str(why, "no key in it: neither JWK nor PEM");
		return false;
	}
	json_array_foreach(keys, i, key)
	{
		if (algorithms_of(key) != NULL)
			continue;
		buf_printf(why, "key %zu has no kty of RSA, EC or oct", i + 1);
		return false;
	}
	return true;
}

struct tokens *
tokens_parse(struct slice text, const struct tokens_options *o, struct buf *why)
{
	struct slice rest = text;
	struct tokens *t;
	json_t *keys;

	while (rest.len > 0 && strchr(" \t\r\n", rest.ptr[0]) != NULL)
		rest = slice_skip(rest, 1);
	keys = rest.len > 0 && rest.ptr[0] == '{' ? read_json(rest, why)
						  : read_pem(rest, why);
	if (keys == NULL || buf_len(why) > 0 || !are_good(keys, why)) {
		json_decref(keys);
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	atomic_init(&t->n_refs, 1);
	t->keys = keys;
	t->issuer = xstrdup(o->issuer);
	t->audience = xstrdup(o->audience);
	t->claim = xstrdup(o->claim);
	return t;
}

struct tokens *
tokens_load(const char *path, const struct tokens_options *o, struct buf *why)
{
	struct tokens *t;
	struct slice text;

	if (!textfile_read(path, &text)) {
		buf_append_str(why, strerror(errno));
		return NULL;
	}
	t = tokens_parse(text, o, why);
	textfile_free(&text);
	return t;
}

struct tokens *
tokens_ref(struct tokens *t)
{
	atomic_fetch_add(&t->n_refs, 1);
	return t;
}

void
tokens_unref(struct tokens **tp)
{
	struct tokens *t = *tp;

	*tp = NULL;
	if (t == NULL || atomic_fetch_sub(&t->n_refs, 1) > 1)
		return;
	json_decref(t->keys);
	free(t->issuer);
	free(t->audience);
	free(t->claim);
	free(t);
}

/* --- the parts of a token --- */

struct parts {
	struct slice header;
	struct slice payload;
	struct slice signature;
};

static bool
is_base64url(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if ((c < '0' || c > '9') && (c < 'A' || c > 'Z') &&
		    (c < 'a' || c > 'z') && c != '-' && c != '_')
			return false;
	}
	return s.len > 0;
}

/* Up to the next dot, or all of it. */
static struct slice
take_part(struct slice *rest)
{
	const uint8_t *dot =
	    rest->len > 0 ? memchr(rest->ptr, '.', rest->len) : NULL;
	struct slice part = *rest;

	if (dot != NULL)
		part.len = (size_t)(dot - rest->ptr);
	*rest = slice_skip(*rest, part.len + (dot != NULL));
	return part;
}

static bool
cut(struct slice token, struct parts *p)
{
	if (token.len > TOKEN_MAX)
		return false;
	p->header = take_part(&token);
	p->payload = take_part(&token);
	p->signature = token;
	return is_base64url(p->header) && is_base64url(p->payload) &&
	    is_base64url(p->signature);
}

bool
tokens_is_one(struct slice password)
{
	struct parts p;

	/* {" is what every header begins with. */
	return slice_starts(password, SLICE("ey")) && cut(password, &p);
}

static json_t *
string_of(struct slice s)
{
	return json_stringn((const char *)s.ptr, s.len);
}

/* A part is a JSON object; NULL when it is not. */
static json_t *
object_of(struct slice part)
{
	json_t *text = string_of(part);
	json_t *root = NULL;
	size_t size = jose_b64_dec(text, NULL, 0);
	char *bytes;

	if (text != NULL && size != SIZE_MAX) {
		bytes = xmalloc(size + 1);
		if (jose_b64_dec(text, bytes, size) == size)
			root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES,
			    NULL);
		free(bytes);
	}
	json_decref(text);
	if (!json_is_object(root)) {
		json_decref(root);
		return NULL;
	}
	return root;
}

/* --- the signature --- */

static bool
may_sign(const json_t *key, const json_t *header)
{
	const char *alg = json_string_value(json_object_get(header, "alg"));
	const json_t *kid = json_object_get(header, "kid");
	const json_t *own = json_object_get(key, "kid");
	const char *use = json_string_value(json_object_get(key, "use"));

	if (alg == NULL || strchr(algorithms_of(key), alg[0]) == NULL ||
	    alg[0] == '\0')
		return false;
	if (use != NULL && strcmp(use, "sig") != 0)
		return false;
	return kid == NULL || own == NULL || json_equal(kid, own);
}

static bool
is_signed(const struct tokens *t, const struct parts *p, const json_t *header)
{
	json_t *jws = json_object();
	bool is_good = false;
	size_t i;
	json_t *key;

	json_object_set_new(jws, "protected", string_of(p->header));
	json_object_set_new(jws, "payload", string_of(p->payload));
	json_object_set_new(jws, "signature", string_of(p->signature));
	json_array_foreach(t->keys, i, key)
	{
		if (!is_good && may_sign(key, header))
			is_good = jose_jws_ver(NULL, jws, NULL, key, false);
	}
	ERR_clear_error();
	json_decref(jws);
	return is_good;
}

/* --- what it says --- */

/* False when it is not there, or no time. */
static bool
time_of(const json_t *claims, const char *name, double *out)
{
	const json_t *value = json_object_get(claims, name);

	*out = json_number_value(value);
	return json_is_number(value);
}

static const char *
check_times(const json_t *claims, double now, double *exp)
{
	double nbf;

	if (!time_of(claims, "exp", exp))
		return "it has no end (exp)";
	if (*exp + TOKEN_LEEWAY_S <= now)
		return "it is over (exp)";
	if (json_object_get(claims, "nbf") == NULL)
		return NULL;
	if (!time_of(claims, "nbf", &nbf) || nbf - TOKEN_LEEWAY_S > now)
		return "it is not yet good (nbf)";
	return NULL;
}

static bool
is_text(const json_t *value, const char *text)
{
	return json_is_string(value) &&
	    json_string_length(value) == strlen(text) &&
	    memcmp(json_string_value(value), text, strlen(text)) == 0;
}

static bool
is_for(const json_t *claims, const char *audience)
{
	const json_t *aud = json_object_get(claims, "aud");
	size_t i;
	json_t *one;

	json_array_foreach(aud, i, one)
	{
		if (is_text(one, audience))
			return true;
	}
	return is_text(aud, audience);
}

static const char *
check_claims(const struct tokens *t, const json_t *claims, double now,
    double *exp)
{
	const char *why = check_times(claims, now, exp);

	if (why != NULL)
		return why;
	if (*t->issuer != '\0' &&
	    !is_text(json_object_get(claims, "iss"), t->issuer))
		return "it is by somebody else (iss)";
	if (*t->audience != '\0' && !is_for(claims, t->audience))
		return "it is for somebody else (aud)";
	return NULL;
}

static struct grant *
grant_of(const struct tokens *t, const json_t *claims, double left,
    const char **why)
{
	const json_t *name = json_object_get(claims, t->claim);
	struct slice s =
	    slice_of(json_string_value(name), json_string_length(name));
	struct grant *g;

	if (!json_is_string(name) || s.len == 0 || s.len > UINT16_MAX ||
	    !utf8_valid(s)) {
		*why = "it does not say who it is for";
		return NULL;
	}
	g = xcalloc(1, sizeof(*g));
	atomic_init(&g->n_refs, 1);
	g->allows = true;
	g->user = xmemdup0(s.ptr, s.len);
	g->expires_s = left < 1 ? 1
	    : left > UINT32_MAX ? UINT32_MAX
				: (uint32_t)left;
	return g;
}

struct grant *
tokens_check(const struct tokens *t, struct slice token, int64_t now_s,
    const char **why)
{
	struct grant *g = NULL;
	json_t *header, *claims;
	struct parts p;
	double exp = 0;

	*why = "it is no JSON Web Token";
	if (!cut(token, &p))
		return NULL;
	header = object_of(p.header);
	claims = object_of(p.payload);
	if (header != NULL && claims != NULL) {
		/* What must be understood to be good is not. */
		if (json_object_get(header, "crit") != NULL)
			*why = "it wants more than we know (crit)";
		else if (!is_signed(t, &p, header))
			*why = "no key has signed it";
		else
			*why = check_claims(t, claims, (double)now_s, &exp);
	}
	if (*why == NULL)
		g = grant_of(t, claims, exp - (double)now_s, why);
	json_decref(header);
	json_decref(claims);
	return g;
}
