/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls - what a listener needs to serve TLS: certificate, key, whom to trust.
 *
 * A context is loaded from files as a whole, or not at all, and is constant
 * afterwards. A listener has a `struct tls` that holds the one in force: main
 * renews it, workers make connections of it. Connections keep the context
 * they were made of.
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/thread.h"

struct tls;
struct tls_context;

/* What of a certificate becomes the name of a user. */
enum tls_identity {
	TLS_IDENTITY_NONE,
	TLS_IDENTITY_CN,
	TLS_IDENTITY_SAN,        /* the first URI, or else the first DNS name */
	TLS_IDENTITY_FINGERPRINT /* SHA-256, in small hexadecimal digits */
};

/* Paths are "" when not given. */
struct tls_options {
	const char *listener;
	const char *cert_file;
	const char *key_file;
	const char *ca_file;
	const char *crl_file;
	const char *psk_file;
	const char *alpn; /* the protocol that clients may ask for */
	bool require_client_cert;
	enum tls_identity identity;
};

/*
 * NULL when a file is not good: then `key` is the option it was given in, and
 * `why` says what is wrong with it. The options are not kept.
 */
struct tls_context *tls_context_load(const struct tls_options *o,
    const char **key, struct buf *why) MUST_CHECK;
void tls_context_free(struct tls_context **c);

/* Takes over the context. */
struct tls *tls_new(struct tls_context **c) MUST_CHECK;
/*
 * New connections are made of this from now on. False when it is the same in
 * all its files, and the old one stays: then tickets stay good.
 */
bool tls_renew(struct tls *t, struct tls_context **c) ANY_THREAD;
void tls_free(struct tls **t);

/* The server's side of a new connection, of the context in force. */
SSL *tls_open(struct tls *t) ANY_THREAD;
/*
 * Who the client has proven to be, once the handshake is done; the caller
 * frees. NULL: nobody. `psk_name` is what tls_psk_name gave, or NULL.
 */
char *tls_identify(SSL *ssl, const char *psk_name) MUST_CHECK;
/* To be set in an SSL (SSL_set_app_data): where PSK's name is to be put. */
struct tls_peer {
	char *psk_name; /* on the heap; NULL: no PSK, or not yet */
};
