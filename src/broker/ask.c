/* SPDX-License-Identifier: Apache-2.0 */
/* ask - a service on NATS says who may connect. */
#include "broker/ask.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "auth/users.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "broker/broker.h"
#include "broker/client.h"
#include "broker/grant_cache.h"
#include "broker/home.h"

struct pending_ask {
	struct pending p;
	struct timer late;
	struct client *client; /* NULL: it did not wait */
	struct grant_key key;
	bool has_user;
	size_t user_len;
	char user[]; /* whom it is about */
};

/* --- the question --- */

/*
 * Written by hand: the library would leave copies of the password behind. The
 * text has room for all of it, so it is not moved either.
 */
static void
put_string(struct buf *b, struct slice s)
{
	buf_append_byte(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (c == '"' || c == '\\')
			buf_append_byte(b, '\\');
		if (c < ' ')
			buf_printf(b, "\\u%04x", c);
		else
			buf_append_byte(b, c);
	}
	buf_append_byte(b, '"');
}

static void
put_member(struct buf *b, const char *name, struct slice value)
{
	buf_append_byte(b, buf_len(b) == 0 ? '{' : ',');
	put_string(b, slice_str(name));
	buf_append_byte(b, ':');
	if (value.ptr != NULL)
		put_string(b, value);
	else
		buf_append_str(b, "null");
}

/* A password is bytes, and JSON has none for those that are no UTF-8. */
static void
put_password(struct buf *b, struct slice password)
{
	uint8_t *at;
	int n;

	if (utf8_valid(password)) {
		put_member(b, "password", password);
		return;
	}
	buf_append_str(b, ",\"password_base64\":\"");
	at = buf_reserve(b, password.len * 4 / 3 + 8);
	n = EVP_EncodeBlock(at, password.ptr, (int)password.len);
	buf_commit(b, (size_t)n);
	buf_append_byte(b, '"');
}

/* Without its port: the same client has another one each time. */
static struct slice
host_of(const struct client *c)
{
	const char *text = c->address;
	const char *colon = strrchr(text, ':');

	return colon != NULL ? slice_of(text, (size_t)(colon - text))
			     : slice_str(text);
}

static const char *
version_name(uint8_t version)
{
	return version == MQTT_V5  ? "5.0"
	    : version == MQTT_V311 ? "3.1.1"
				   : "3.1";
}

static struct slice
given(bool has, struct slice s)
{
	return has ? slice_of(s.ptr != NULL ? s.ptr : (const void *)"", s.len)
		   : slice_of(NULL, 0);
}

static void
put_question(struct buf *b, const struct client *c,
    const struct packet_connect *p)
{
	struct slice host = host_of(c);

	/* An escaped byte takes six. */
	(void)buf_reserve(b,
	    512 +
		6 *
		    (p->client_id.len + p->user_name.len + p->password.len +
			host.len));
	put_member(b, "client_id", given(true, p->client_id));
	put_member(b, "username", given(p->has_user_name, p->user_name));
	if (p->has_password)
		put_password(b, given(true, p->password));
	else
		put_member(b, "password", slice_of(NULL, 0));
	put_member(b, "address", host);
	put_member(b, "listener", slice_str(c->rules->listener));
	put_member(b, "protocol", slice_str(version_name(c->version)));
	put_member(b, "identity",
	    c->is_proven ? client_proven_name(c) : slice_of(NULL, 0));
	buf_append_byte(b, '}');
}

static void
wipe(struct buf *b)
{
	if (b->base != NULL)
		explicit_bzero(b->base, b->cap);
	buf_fini(b);
}

static void WORKER_THREAD
send(struct home *h, struct slice question, uint64_t token)
{
	const struct message_parts parts = {
		.subject = slice_str(h->broker->options->auth_subject),
		.payload = question,
		.qos = 1,
		.is_secret = true,
	};
	struct bus_request r = { .type = BUS_PUBLISH,
		.policy = ACK_REPLY,
		.flags = BUS_ASK,
		.token = token,
		.message = message_new(&parts) };

	home_request(h, &r);
}

/* --- the answer --- */

static void
complain(const char *what, struct slice why)
{
	static struct log_limit limit;
	unsigned long held;

	if (log_limit_pass(&limit, &held))
		log_warning("[auth] request_subject: %s%s%.*s; nobody comes in "
			    "by it (%lu more since the last line)",
		    what, why.len > 0 ? ": " : "", SLICE_ARG(why), held);
}

/* Take it out; its client, if that is still there. */
static struct client *WORKER_THREAD
end(struct home *h, struct pending_ask *a)
{
	struct client *c = a->client;

	timer_cancel(h->timers, &a->late);
	pending_remove(h, &a->p);
	atomic_fetch_sub(&h->broker->n_asking, 1);
	if (c != NULL)
		c->login = NULL;
	return c;
}

static void WORKER_THREAD
on_late(struct timer *t, void *arg)
{
	struct pending_ask *a = container_of(t, struct pending_ask, late);
	struct home *h = arg;
	struct client *c = end(h, a);

	complain("no reply in time", SLICE(""));
	free(a);
	if (c != NULL)
		client_on_grant(c, NULL);
}

static void WORKER_THREAD
remember(struct home *h, const struct pending_ask *a, struct grant *g)
{
	uint64_t seconds =
	    g->has_cache ? g->cache_s : h->broker->options->auth_cache_s;

	if (seconds > 0)
		grant_cache_put(h->broker->grants, &a->key, g,
		    h->now_ms + seconds * 1000);
}

static struct grant *WORKER_THREAD
read_reply(struct home *h, const struct pending_ask *a, const char *text)
{
	struct slice user = slice_of(a->has_user ? a->user : NULL, a->user_len);
	struct buf why = { 0 };
	struct grant *g =
	    grant_parse(text, user, &h->broker->options->mapping, &why);

	if (g == NULL)
		complain("the reply is not one", buf_slice(&why));
	else
		remember(h, a, g);
	buf_fini(&why);
	return g;
}

static const char *
failure_text(enum bus_result result)
{
	switch (result) {
	case BUS_NO_RESPONDERS:
		return "nobody answers requests";
	case BUS_DENIED:
		return "NATS does not permit it";
	case BUS_REFUSED:
		return "the reply is too large, or too much is under way";
	case BUS_DOWN:
		return "NATS is away";
	default:
		return "no reply";
	}
}

void
ask_settled(struct home *h, struct pending *p, enum bus_result result,
    char *text)
{
	struct pending_ask *a = container_of(p, struct pending_ask, p);
	struct client *c = end(h, a);
	struct grant *g = NULL;

	if (result == BUS_OK && text != NULL)
		g = read_reply(h, a, text);
	else
		complain(failure_text(result), SLICE(""));
	free(text);
	free(a);
	if (c != NULL)
		client_on_grant(c, g);
	grant_unref(&g);
}

/* --- asking --- */

/*
 * The password file has the first word about those that it lists, and who is
 * to prove it by v5 Enhanced Authentication does that with it.
 */
bool
ask_is_due(const struct client *c, const struct packet_connect *p)
{
	const struct home *h = c->home;

	return h->broker->options->auth_subject != NULL && !c->is_asked &&
	    !properties_has(&p->properties, MQTT_PROP_AUTHENTICATION_METHOD) &&
	    (h->users == NULL || !p->has_user_name ||
		users_find(h->users, p->user_name) == NULL);
}

static struct pending_ask *WORKER_THREAD
begin(struct client *c, const struct packet_connect *p,
    const struct grant_key *key)
{
	struct slice user = c->is_proven ? client_proven_name(c) : p->user_name;
	struct pending_ask *a = xcalloc(1, sizeof(*a) + user.len + 1);
	struct home *h = c->home;

	a->p.kind = PENDING_ASK;
	a->client = c;
	a->key = *key;
	a->has_user = c->is_proven || p->has_user_name;
	a->user_len = user.len;
	if (user.len > 0)
		memcpy(a->user, user.ptr, user.len);
	timer_init(&a->late, on_late);
	timer_arm(h->timers, &a->late,
	    h->now_ms + h->broker->options->auth_timeout_ms);
	pending_add(h, &a->p);
	c->login = &a->p;
	c->state = CLIENT_LOGIN;
	return a;
}

static bool
has_room(struct broker *b)
{
	if (atomic_fetch_add(&b->n_asking, 1) < b->options->max_logins)
		return true;
	atomic_fetch_sub(&b->n_asking, 1);
	return false;
}

bool
ask_start(struct client *c, const struct packet_connect *p)
{
	struct home *h = c->home;
	struct buf question = { 0 };
	struct grant_key key;
	struct grant *g;
	bool is_asked;

	put_question(&question, c, p);
	key = grant_cache_key(h->broker->grants, buf_slice(&question));
	g = grant_cache_find(h->broker->grants, &key, h->now_ms);
	is_asked = g != NULL || has_room(h->broker);
	if (g == NULL && is_asked)
		send(h, buf_slice(&question), begin(c, p, &key)->p.token);
	wipe(&question);
	if (g != NULL)
		client_on_grant(c, g);
	grant_unref(&g);
	return is_asked;
}

void
ask_forget(struct home *h, struct pending *p)
{
	struct pending_ask *a = container_of(p, struct pending_ask, p);

	(void)h;
	/* The answer may be for others who ask the same. */
	a->client = NULL;
}

void
ask_free_pending(struct pending *p)
{
	free(container_of(p, struct pending_ask, p));
}
