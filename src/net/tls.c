/* SPDX-License-Identifier: Apache-2.0 */
/* tls - what a listener needs to serve TLS. */
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/textfile.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "net/tls_psk.h"

/* A ticket is good for that long: nothing is verified again meanwhile. */
#define TICKET_S 7200

struct tls_context {
	SSL_CTX *ctx;
	uint8_t digest[32]; /* of all that it was made of */
};

/* What callbacks need; it lives as long as the SSL_CTX, which has it. */
struct private
{
	struct tls_psk *psk; /* NULL: none */
	enum tls_identity identity;
	unsigned char alpn[32]; /* its length, then the name */
};

struct tls {
	pthread_mutex_t lock;
	struct tls_context *context; /* [l] */
};

/* While it is being loaded. */
struct loading {
	const struct tls_options *o;
	SSL_CTX *ctx;
	EVP_MD_CTX *digest;
	const char **key;
	struct buf *why;
};

static int private_index;
static pthread_once_t private_once = PTHREAD_ONCE_INIT;

static void
free_private(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl,
    void *argp)
{
	struct private *p = ptr;

	(void)parent;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (p == NULL)
		return;
	tls_psk_free(&p->psk);
	free(p);
}

static void
make_index(void)
{
	private_index =
	    SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_private);
	assert(private_index >= 0);
}

static struct private *
private_of(const SSL *ssl)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), private_index);
}

/* --- callbacks --- */

static unsigned
on_psk(SSL *ssl, const char *name, unsigned char *key, unsigned max)
{
	struct tls_peer *peer = SSL_get_app_data(ssl);
	struct slice found = tls_psk_find(private_of(ssl)->psk, name);

	if (found.len == 0 || found.len > max)
		return 0;
	memcpy(key, found.ptr, found.len);
	free(peer->psk_name);
	peer->psk_name = xstrdup(name);
	return (unsigned)found.len;
}

/* Who asks for a protocol asks for ours, or is at the wrong door. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	const unsigned char *ours = private_of(ssl)->alpn;
	unsigned char *chosen;

	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, ours[0] + 1u, in,
		in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Nobody is there to be asked. */
static int
on_passphrase(char *p, int size, int is_writing, void *arg)
{
	(void)p;
	(void)size;
	(void)is_writing;
	*(bool *)arg = true;
	return -1;
}

/* --- files --- */

static bool
wrong(struct loading *l, const char *key, const char *what)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);

	*l->key = key;
	buf_append_str(l->why,
	    what != NULL         ? what
		: reason != NULL ? reason
				 : "it cannot be used");
	ERR_clear_error();
	return false;
}

/*
 * Into the digest, and out again to a BIO: what is compared is what is used.
 * NULL with the reason told.
 */
static BIO *
open_file(struct loading *l, const char *key, const char *path)
{
	struct slice text;
	BIO *bio;

	if (!textfile_read(path, &text)) {
		(void)wrong(l, key, strerror(errno));
		return NULL;
	}
	EVP_DigestUpdate(l->digest, key, strlen(key) + 1);
	EVP_DigestUpdate(l->digest, &text.len, sizeof(text.len));
	EVP_DigestUpdate(l->digest, text.ptr, text.len);
	bio = BIO_new(BIO_s_secmem());
	if (bio != NULL)
		(void)BIO_write(bio, text.ptr, (int)text.len);
	textfile_free(&text);
	return bio;
}

/* The end of a PEM file, rather than something wrong in it. */
static bool
is_at_end(void)
{
	unsigned long error = ERR_peek_last_error();
	bool is_end = ERR_GET_LIB(error) == ERR_LIB_PEM &&
	    ERR_GET_REASON(error) == PEM_R_NO_START_LINE;

	if (is_end)
		ERR_clear_error();
	return is_end;
}

/* The server's certificate, then those between it and the one trusted. */
static bool
use_chain(struct loading *l, BIO *bio)
{
	X509 *x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	bool ok = x != NULL && SSL_CTX_use_certificate(l->ctx, x) == 1;

	X509_free(x);
	while (ok && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		ok = SSL_CTX_add1_chain_cert(l->ctx, x) == 1;
		X509_free(x);
	}
	return ok && is_at_end();
}

static bool
load_certificate(struct loading *l)
{
	BIO *bio;
	bool ok;

	if (*l->o->cert_file == '\0')
		return true;
	bio = open_file(l, "cert_file", l->o->cert_file);
	if (bio == NULL)
		return false;
	ok = use_chain(l, bio);
	BIO_free(bio);
	return ok || wrong(l, "cert_file", NULL);
}

static bool
load_key(struct loading *l)
{
	bool is_encrypted = false;
	EVP_PKEY *key;
	BIO *bio;
	bool ok;

	if (*l->o->key_file == '\0')
		return true;
	bio = open_file(l, "key_file", l->o->key_file);
	if (bio == NULL)
		return false;
	key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &is_encrypted);
	BIO_free(bio);
	if (is_encrypted)
		return wrong(l, "key_file",
		    "it has a passphrase, which nobody is here to give");
	if (key == NULL)
		return wrong(l, "key_file", NULL);
	ok = SSL_CTX_use_PrivateKey(l->ctx, key) == 1 &&
	    SSL_CTX_check_private_key(l->ctx) == 1;
	EVP_PKEY_free(key);
	return ok || wrong(l, "key_file", "it is not the key of cert_file");
}

static bool
load_ca(struct loading *l)
{
	X509_STORE *store = SSL_CTX_get_cert_store(l->ctx);
	unsigned n = 0;
	bool ok = true;
	X509 *x;
	BIO *bio;

	if (*l->o->ca_file == '\0')
		return true;
	bio = open_file(l, "ca_file", l->o->ca_file);
	if (bio == NULL)
		return false;
	while (ok && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		/* It is told to clients too, so that they choose well. */
		ok = X509_STORE_add_cert(store, x) == 1 &&
		    SSL_CTX_add_client_CA(l->ctx, x) == 1;
		X509_free(x);
		n++;
	}
	BIO_free(bio);
	return (ok && n > 0 && is_at_end()) || wrong(l, "ca_file", NULL);
}

static bool
load_crl(struct loading *l)
{
	X509_STORE *store = SSL_CTX_get_cert_store(l->ctx);
	unsigned n = 0;
	bool ok = true;
	X509_CRL *x;
	BIO *bio;

	if (*l->o->crl_file == '\0')
		return true;
	bio = open_file(l, "crl_file", l->o->crl_file);
	if (bio == NULL)
		return false;
	while (
	    ok && (x = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
		ok = X509_STORE_add_crl(store, x) == 1;
		X509_CRL_free(x);
		n++;
	}
	BIO_free(bio);
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return (ok && n > 0 && is_at_end()) || wrong(l, "crl_file", NULL);
}

static bool
load_psk(struct loading *l, struct private *private)
{
	struct slice text;
	unsigned line = 0;

	if (*l->o->psk_file == '\0')
		return true;
	if (!textfile_read(l->o->psk_file, &text))
		return wrong(l, "psk_file", strerror(errno));
	EVP_DigestUpdate(l->digest, "psk_file", 9);
	EVP_DigestUpdate(l->digest, text.ptr, text.len);
	private->psk = tls_psk_parse(text, &line, l->why);
	textfile_free(&text);
	if (private->psk != NULL)
		return true;
	buf_printf(l->why, " (line %u)", line);
	return wrong(l, "psk_file", "");
}

/* --- contexts --- */

static void
set_up(struct loading *l, struct private *private)
{
	const struct tls_options *o = l->o;
	SSL_CTX *ctx = l->ctx;

	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CLEANSE_PLAINTEXT); /* a password is in one of them */
	/* One system call for a small record, not two. */
	SSL_CTX_set_read_ahead(ctx, 1);
	/* Tickets are kept by clients; here nothing is. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_timeout(ctx, TICKET_S);
	(void)SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"mqtt",
	    4);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	if (*o->ca_file != '\0')
		SSL_CTX_set_verify(ctx,
		    SSL_VERIFY_PEER |
			(o->require_client_cert
				? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
				: 0),
		    NULL);
	if (*o->psk_file == '\0')
		return;
	/* A ticket would not tell whose key it was. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_dh_auto(ctx, 1);
	SSL_CTX_set_psk_server_callback(ctx, on_psk);
	(void)private;
}

static void
digest_options(struct loading *l)
{
	const struct tls_options *o = l->o;
	uint8_t flags[2] = { o->require_client_cert, (uint8_t)o->identity };

	EVP_DigestInit_ex(l->digest, EVP_sha256(), NULL);
	EVP_DigestUpdate(l->digest, flags, sizeof(flags));
}

static struct private *
private_new(const struct tls_options *o)
{
	struct private *p = xcalloc(1, sizeof(*p));
	size_t len = strlen(o->alpn);

	assert(len < sizeof(p->alpn));
	p->identity = o->identity;
	p->alpn[0] = (unsigned char)len;
	memcpy(p->alpn + 1, o->alpn, len);
	return p;
}

struct tls_context *
tls_context_load(const struct tls_options *o, const char **key, struct buf *why)
{
	struct loading l = { .o = o, .key = key, .why = why };
	struct private *private = private_new(o);
	struct tls_context *c = xcalloc(1, sizeof(*c));
	bool ok;

	pthread_once(&private_once, make_index);
	ERR_clear_error();
	l.ctx = SSL_CTX_new(TLS_server_method());
	l.digest = EVP_MD_CTX_new();
	assert(l.ctx != NULL && l.digest != NULL);
	SSL_CTX_set_ex_data(l.ctx, private_index, private);
	digest_options(&l);
	set_up(&l, private);
	ok = load_certificate(&l) && load_key(&l) && load_ca(&l) &&
	    load_crl(&l) && load_psk(&l, private);
	EVP_DigestFinal_ex(l.digest, c->digest, NULL);
	EVP_MD_CTX_free(l.digest);
	c->ctx = l.ctx;
	if (!ok)
		tls_context_free(&c);
	return c;
}

void
tls_context_free(struct tls_context **cp)
{
	struct tls_context *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	SSL_CTX_free(c->ctx);
	free(c);
}

struct tls *
tls_new(struct tls_context **c)
{
	struct tls *t = xcalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	t->context = *c;
	*c = NULL;
	return t;
}

bool
tls_renew(struct tls *t, struct tls_context **cp)
{
	struct tls_context *other = *cp;
	bool is_new;

	*cp = NULL;
	pthread_mutex_lock(&t->lock);
	is_new = memcmp(t->context->digest, other->digest,
		     sizeof(other->digest)) != 0;
	if (is_new) {
		struct tls_context *old = t->context;

		t->context = other;
		other = old;
	}
	pthread_mutex_unlock(&t->lock);
	tls_context_free(&other);
	return is_new;
}

void
tls_free(struct tls **tp)
{
	struct tls *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	tls_context_free(&t->context);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

SSL *
tls_open(struct tls *t)
{
	SSL_CTX *ctx;
	SSL *ssl;

	pthread_mutex_lock(&t->lock);
	ctx = t->context->ctx;
	SSL_CTX_up_ref(ctx);
	pthread_mutex_unlock(&t->lock);
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	assert(ssl != NULL);
	SSL_set_accept_state(ssl);
	return ssl;
}

/* --- who is it? --- */

/* As a name, if it can be one. */
static char *
name_of(const ASN1_STRING *s)
{
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(&utf8, s);
	char *name = NULL;

	/* A zero in it would end it early, and make it another. */
	if (len > 0 && len <= 1024 && memchr(utf8, 0, (size_t)len) == NULL)
		name = xmemdup0(utf8, (size_t)len);
	OPENSSL_free(utf8);
	return name;
}

static char *
common_name(const X509 *x)
{
	X509_NAME *subject = X509_get_subject_name(x);
	int i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	return i < 0 ? NULL
		     : name_of(X509_NAME_ENTRY_get_data(
			   X509_NAME_get_entry(subject, i)));
}

static char *
first_of(const GENERAL_NAMES *names, int type)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type == type)
			return name_of(n->d.ia5);
	}
	return NULL;
}

static char *
alternative_name(X509 *x)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	char *name = first_of(names, GEN_URI);

	if (name == NULL)
		name = first_of(names, GEN_DNS);
	GENERAL_NAMES_free(names);
	return name;
}

static char *
fingerprint(const X509 *x)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char *name;

	if (X509_digest(x, EVP_sha256(), md, &len) != 1)
		return NULL;
	name = xcalloc(1, 2 * (size_t)len + 1);
	for (unsigned i = 0; i < len; i++) {
		name[2 * i] = digits[md[i] >> 4];
		name[2 * i + 1] = digits[md[i] & 15];
	}
	return name;
}

char *
tls_identify(SSL *ssl, const char *psk_name)
{
	enum tls_identity identity = private_of(ssl)->identity;
	char *name = NULL;
	X509 *x;

	if (psk_name != NULL)
		return xstrdup(psk_name);
	if (identity == TLS_IDENTITY_NONE)
		return NULL;
	x = SSL_get1_peer_certificate(ssl);
	if (x == NULL)
		return NULL;
	if (identity == TLS_IDENTITY_CN)
		name = common_name(x);
	else if (identity == TLS_IDENTITY_SAN)
		name = alternative_name(x);
	else
		name = fingerprint(x);
	X509_free(x);
	return name;
}
