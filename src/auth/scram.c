/* SPDX-License-Identifier: Apache-2.0 */
/* scram - the server's side of one SCRAM-SHA-256 exchange. */
#include "auth/scram.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/xalloc.h"

/* A user name, a nonce and a proof; nobody needs more. */
#define MESSAGE_MAX 4096

struct scram {
	Gsasl_session *session;
	struct users *users;
	bool is_user; /* of the file, with an entry for SCRAM */
	bool is_told; /* the library has the entry */
};

/* Made once; sessions only read it. */
static Gsasl *library;
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/* The manual of GNU SASL says that keys are in hex; they are not. */
static void
set_base64(Gsasl_session *session, Gsasl_property property,
    const uint8_t *bytes, size_t len)
{
	uint8_t text[2 * PASSWORD_SALT_MAX];

	EVP_EncodeBlock(text, bytes, (int)len);
	(void)gsasl_property_set(session, property, (const char *)text);
	OPENSSL_cleanse(text, sizeof(text));
}

/* Tell the library what the entry of this name is. */
static void
tell_entry(struct scram *s, const char *name)
{
	const struct user *user = users_find(s->users, slice_str(name));
	struct password p;
	char iterations[12];

	s->is_user =
	    user != NULL && user->password.kind == PASSWORD_SCRAM_SHA_256;
	if (s->is_user)
		p = user->password;
	else
		users_fake_scram(s->users, slice_str(name), &p);
	s->is_told = true;
	(void)snprintf(iterations, sizeof(iterations), "%u", p.iterations);
	(void)gsasl_property_set(s->session, GSASL_SCRAM_ITER, iterations);
	set_base64(s->session, GSASL_SCRAM_SALT, p.salt, p.salt_len);
	set_base64(s->session, GSASL_SCRAM_STOREDKEY, p.key,
	    PASSWORD_SCRAM_KEY_LEN);
	set_base64(s->session, GSASL_SCRAM_SERVERKEY,
	    p.key + PASSWORD_SCRAM_KEY_LEN, PASSWORD_SCRAM_KEY_LEN);
	OPENSSL_cleanse(&p, sizeof(p));
}

static int
on_question(Gsasl *sasl, Gsasl_session *session, Gsasl_property property)
{
	struct scram *s = gsasl_session_hook_get(session);
	const char *name = gsasl_property_fast(session, GSASL_AUTHID);

	(void)sasl;
	switch (property) {
	case GSASL_SCRAM_ITER:
	case GSASL_SCRAM_SALT:
	case GSASL_SCRAM_STOREDKEY:
	case GSASL_SCRAM_SERVERKEY:
		if (name == NULL || s->is_told)
			return GSASL_NO_CALLBACK;
		tell_entry(s, name);
		return GSASL_OK;
	default:
		return GSASL_NO_CALLBACK;
	}
}

static void
open_library(void)
{
	if (gsasl_init(&library) != GSASL_OK) {
		library = NULL;
		return;
	}
	gsasl_callback_set(library, on_question);
}

struct scram *
scram_new(struct users *u)
{
	struct scram *s = xcalloc(1, sizeof(*s));

	pthread_once(&library_once, open_library);
	if (library == NULL ||
	    gsasl_server_start(library, SCRAM_METHOD, &s->session) !=
		GSASL_OK) {
		free(s);
		return NULL;
	}
	gsasl_session_hook_set(s->session, s);
	s->users = users_ref(u);
	return s;
}

void
scram_free(struct scram **sp)
{
	struct scram *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	gsasl_finish(s->session);
	users_unref(&s->users);
	free(s);
}

const char *
scram_user(const struct scram *s)
{
	return gsasl_property_fast(s->session, GSASL_AUTHID);
}

bool
scram_holds(const struct scram *s, const struct users *now)
{
	return now == s->users ||
	    (now != NULL &&
		users_agree(s->users, now, slice_str(scram_user(s))));
}

/* Who acts for somebody else must be allowed to, and we know no such rule. */
static bool
is_itself(const struct scram *s)
{
	const char *other = gsasl_property_fast(s->session, GSASL_AUTHZID);

	return other == NULL || *other == '\0' ||
	    strcmp(other, scram_user(s)) == 0;
}

enum scram_result
scram_step(struct scram *s, struct slice in, struct buf *out)
{
	char *answer = NULL;
	size_t len = 0;
	int result;

	/* RFC 5802 6: who wants to bind the channel says -PLUS. */
	if (in.len > MESSAGE_MAX || slice_starts(in, SLICE("p")))
		return SCRAM_FAILED;
	result = gsasl_step(s->session, in.len > 0 ? (const char *)in.ptr : "",
	    in.len, &answer, &len);
	if (result == GSASL_OK && (!s->is_user || !is_itself(s)))
		result = GSASL_AUTHENTICATION_ERROR;
	if ((result == GSASL_OK || result == GSASL_NEEDS_MORE) && len > 0)
		buf_append(out, answer, len);
	gsasl_free(answer);
	if (result == GSASL_OK)
		return SCRAM_DONE;
	return result == GSASL_NEEDS_MORE ? SCRAM_MORE : SCRAM_FAILED;
}
