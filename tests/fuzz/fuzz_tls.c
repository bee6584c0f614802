/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS before anybody is known: what a client sends is cut into pieces, as many
 * bytes each as the first byte says. Whatever comes, the stream says that it
 * waits, has failed, or has ended, and none of it is taken for MQTT.
 */
#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/slice.h"
#include "fuzz/fuzz.h"
#include "net/tls.h"
#include "net/transport_tls.h"

#define VALID_S (24 * 60 * 60)

static struct tls *tls;

static X509 *
sign_own(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	if (X509_sign(cert, key, EVP_sha256()) == 0)
		abort();
	return cert;
}

/* Certificate and key in one file, of which only the name is needed. */
static void
write_files(char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = sign_own(key);
	FILE *f = fdopen(mkstemp(path), "w");

	if (f == NULL ||
	    !PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) ||
	    !PEM_write_X509(f, cert) || fclose(f) != 0)
		abort();
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void
end(void)
{
	tls_free(&tls);
}

static void
begin(void)
{
	char path[] = "/tmp/mqtt-natsd-fuzz-tls-XXXXXX";
	struct tls_options o = { .listener = "fuzz",
		.cert_file = path,
		.key_file = path,
		.ca_file = "",
		.crl_file = "",
		.psk_file = "",
		.alpn = "mqtt" };
	struct tls_context *c;
	struct buf why = { 0 };
	const char *key;

	write_files(path);
	c = tls_context_load(&o, &key, &why);
	(void)unlink(path);
	if (c == NULL)
		abort();
	tls = tls_new(&c);
	(void)atexit(end);
}

/* Until it waits; false when there will be no more. */
static bool
read_all(struct stream *s, int fd)
{
	uint8_t bytes[512];
	ssize_t n = stream_read(s, fd, bytes, sizeof(bytes));

	/* Nobody has the keys, so nothing can be said. */
	assert(n <= 0);
	(void)stream_wants_write(s);
	if (n == -EAGAIN)
		return true;
	assert(stream_why(s, n) != NULL);
	assert(stream_peer(s) == NULL);
	return false;
}

/* What the server says: nobody listens. */
static void
drain(int fd)
{
	uint8_t bytes[4096];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void
talk(struct stream *s, const int fd[2], struct slice said, size_t step)
{
	while (said.len > 0) {
		size_t n = said.len < step ? said.len : step;

		if (send(fd[1], said.ptr, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
		said = slice_skip(said, n);
		if (!read_all(s, fd[0]))
			return;
		drain(fd[1]);
	}
	(void)shutdown(fd[1], SHUT_WR);
	if (read_all(s, fd[0]))
		stream_goodbye(s, fd[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream *s;
	int fd[2];

	if (tls == NULL)
		begin();
	if (size == 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) != 0)
		abort();
	s = transport_tls_open(tls, fd[0]);
	if (s == NULL)
		abort();
	talk(s, fd, slice_of(data + 1, size - 1), (size_t)data[0] + 1);
	stream_free(&s);
	close(fd[0]);
	close(fd[1]);
	return 0;
}
