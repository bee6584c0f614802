/* SPDX-License-Identifier: Apache-2.0 */
/* password - what is kept instead of a password. */
#include "auth/password.h"

#include <assert.h>
#include <stdlib.h>

#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/random.h"
#include "base/xalloc.h"

#define SHA512_LEN     64
#define SHA256_LEN     32
#define SCRAM_SALT_LEN 16
/* Base64 of the longest field, and a little. */
#define FIELD_MAX      128

static_assert(2 * SHA256_LEN <= PASSWORD_KEY_MAX, "both keys of SCRAM");

static bool
is_base64(struct slice s)
{
	size_t n_padding = 0;

	while (n_padding < 2 && n_padding < s.len &&
	    s.ptr[s.len - 1 - n_padding] == '=')
		n_padding++;
	for (size_t i = 0; i < s.len - n_padding; i++)
		if (memchr(
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			"0123456789+/",
			s.ptr[i], 64) == NULL)
			return false;
	return s.len > 0 && s.len % 4 == 0 && s.len <= FIELD_MAX;
}

/* How many bytes were decoded; 0 when it is not base64 of up to `max`. */
static size_t
decode(struct slice s, uint8_t *out, size_t max)
{
	uint8_t bytes[FIELD_MAX];
	size_t len;

	if (!is_base64(s))
		return 0;
	len = (size_t)EVP_DecodeBlock(bytes, s.ptr, (int)s.len);
	for (size_t i = s.len; i > 0 && s.ptr[i - 1] == '='; i--)
		len--;
	if (len > max)
		return 0;
	memcpy(out, bytes, len);
	return len;
}

/* Take what stands before the next `$`, or all there is. */
static struct slice
next_field(struct slice *rest)
{
	const uint8_t *end =
	    rest->len > 0 ? memchr(rest->ptr, '$', rest->len) : NULL;
	struct slice field = *rest;

	if (end != NULL)
		field.len = (size_t)(end - rest->ptr);
	*rest = slice_skip(*rest, field.len + (end != NULL));
	return field;
}

static bool
parse_iterations(struct slice s, uint32_t *out)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		n = n * 10 + (s.ptr[i] - '0');
		if (n > PASSWORD_ITERATIONS_MAX)
			return false;
	}
	*out = n;
	return n > 0;
}

static const struct {
	struct slice prefix;
	enum password_kind kind;
	uint8_t n_keys;
	uint8_t key_len;
} forms[] = {
	{ { (const uint8_t *)"$6$", 3 }, PASSWORD_SHA512, 1, SHA512_LEN },
	{ { (const uint8_t *)"$7$", 3 }, PASSWORD_PBKDF2_SHA512, 1,
	    SHA512_LEN },
	{ { (const uint8_t *)"$scram-sha-256$", 15 }, PASSWORD_SCRAM_SHA_256, 2,
	    SHA256_LEN },
};

const char *
password_parse(struct slice text, struct password *out)
{
	struct password p = { 0 };
	size_t form = 0;

	while (form < countof(forms) && !slice_starts(text, forms[form].prefix))
		form++;
	if (form == countof(forms))
		return "begins with none of $6$, $7$ and $scram-sha-256$";
	p.kind = (uint8_t)forms[form].kind;
	text = slice_skip(text, forms[form].prefix.len);
	if (p.kind != PASSWORD_SHA512 &&
	    !parse_iterations(next_field(&text), &p.iterations))
		return "iterations must be from 1 to 10000000";
	p.salt_len =
	    (uint8_t)decode(next_field(&text), p.salt, PASSWORD_SALT_MAX);
	if (p.salt_len == 0)
		return "the salt must be base64 of 1 to 64 bytes";
	for (size_t i = 0; i < forms[form].n_keys; i++)
		if (decode(next_field(&text), p.key + i * forms[form].key_len,
			forms[form].key_len) != forms[form].key_len)
			return "the hash is not base64 of the right length";
	if (text.len > 0)
		return "something follows the hash";
	*out = p;
	return NULL;
}

static void
sha512(const struct password *p, struct slice clear, uint8_t *out)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha512(), NULL) &&
	    EVP_DigestUpdate(md, clear.ptr, clear.len) &&
	    EVP_DigestUpdate(md, p->salt, p->salt_len) &&
	    EVP_DigestFinal_ex(md, out, NULL);

	assert(ok); /* only memory could be missing */
	EVP_MD_CTX_free(md);
}

static void
pbkdf2(const struct password *p, struct slice clear, const EVP_MD *md,
    uint8_t *out, size_t len)
{
	/* OpenSSL takes no NULL for no password. */
	int ok = PKCS5_PBKDF2_HMAC(clear.len > 0 ? (const char *)clear.ptr : "",
	    (int)clear.len, p->salt, p->salt_len, (int)p->iterations, md,
	    (int)len, out);

	assert(ok);
}

static void
hmac_sha256(const uint8_t *key, const char *text, uint8_t *out)
{
	uint8_t *done = HMAC(EVP_sha256(), key, SHA256_LEN,
	    (const uint8_t *)text, strlen(text), out, NULL);

	assert(done != NULL);
}

/* RFC 5802 3: StoredKey and ServerKey, in this order. */
static void
scram_keys(const struct password *p, struct slice clear, uint8_t *out)
{
	uint8_t salted[SHA256_LEN], client_key[SHA256_LEN];
	int ok;

	pbkdf2(p, clear, EVP_sha256(), salted, sizeof(salted));
	hmac_sha256(salted, "Client Key", client_key);
	ok = EVP_Digest(client_key, sizeof(client_key), out, NULL, EVP_sha256(),
	    NULL);
	assert(ok);
	hmac_sha256(salted, "Server Key", out + SHA256_LEN);
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client_key, sizeof(client_key));
}

/* As SASLprep has it; NULL when it is not to be had. */
static char *
prepare(const char *clear)
{
	char *out = NULL;

	if (gsasl_saslprep(clear, GSASL_ALLOW_UNASSIGNED, &out, NULL) ==
	    GSASL_OK)
		return out;
	return NULL;
}

static void
wipe(char *s)
{
	if (s == NULL)
		return;
	OPENSSL_cleanse(s, strlen(s));
	gsasl_free(s);
}

/* What SASLprep refuses is taken as it is, and will be nobody's password. */
static void
scram_keys_of(const struct password *p, struct slice clear, uint8_t *out)
{
	char *text = xmemdup0(clear.ptr, clear.len);
	char *prepared = prepare(text);

	if (prepared != NULL)
		scram_keys(p, slice_str(prepared), out);
	else
		scram_keys(p, clear, out);
	wipe(prepared);
	OPENSSL_cleanse(text, clear.len);
	free(text);
}

bool
password_check(const struct password *p, struct slice clear)
{
	uint8_t key[PASSWORD_KEY_MAX];
	bool same;

	switch ((enum password_kind)p->kind) {
	case PASSWORD_SHA512:
		sha512(p, clear, key);
		break;
	case PASSWORD_PBKDF2_SHA512:
		pbkdf2(p, clear, EVP_sha512(), key, sizeof(key));
		break;
	case PASSWORD_SCRAM_SHA_256:
		scram_keys_of(p, clear, key);
		break;
	}
	same = CRYPTO_memcmp(key, p->key, sizeof(key)) == 0;
	/* HMAC does not see zeros at the end of its key. */
	if (clear.len > 0 && memchr(clear.ptr, '\0', clear.len) != NULL)
		same = false;
	OPENSSL_cleanse(key, sizeof(key));
	return same;
}

static void
append_base64(struct buf *out, const uint8_t *p, size_t len)
{
	uint8_t text[FIELD_MAX];

	EVP_EncodeBlock(text, p, (int)len);
	buf_append_str(out, (const char *)text);
}

bool
password_make_scram(const char *clear, unsigned iterations, struct buf *out)
{
	struct password p = { .kind = PASSWORD_SCRAM_SHA_256,
		.salt_len = SCRAM_SALT_LEN,
		.iterations = iterations };
	char *prepared = prepare(clear);

	if (prepared == NULL)
		return false;
	random_bytes(p.salt, p.salt_len);
	scram_keys(&p, slice_str(prepared), p.key);
	wipe(prepared);
	buf_printf(out, "$scram-sha-256$%u$", iterations);
	append_base64(out, p.salt, p.salt_len);
	buf_append_byte(out, '$');
	append_base64(out, p.key, SHA256_LEN);
	buf_append_byte(out, '$');
	append_base64(out, p.key + SHA256_LEN, SHA256_LEN);
	OPENSSL_cleanse(&p, sizeof(p));
	return true;
}
