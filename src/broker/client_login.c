/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_login - who says CONNECT? The password file knows, or a token says it,
 * or a service on NATS (request_subject), or NATS itself (identity = user), or
 * the client proves it, or nobody asks.
 */
#include "base/xalloc.h"
#include "broker/ask.h"
#include "broker/bearer.h"
#include "broker/broker.h"
#include "broker/client_auth.h"
#include "broker/connecting.h"
#include "broker/home.h"
#include "broker/limit.h"
#include "broker/verify.h"

static char *
string_of(bool has, struct slice s)
{
	return has ? xmemdup0(s.ptr, s.len) : NULL;
}

static void WORKER_THREAD
ask_nats(struct client *c, const struct packet_connect *p)
{
	struct bus_request r = { .type = BUS_IDENTIFY };

	r.token = login_begin(c, NULL)->p.token;
	r.login = xcalloc(1, sizeof(*r.login));
	r.login->user = string_of(p->has_user_name, p->user_name);
	r.login->password = string_of(p->has_password, p->password);
	home_request(c->home, &r);
}

bool
connecting_will_ask(const struct client *c, const struct packet_connect *p)
{
	const struct home *h = c->home;

	if (properties_has(&p->properties, MQTT_PROP_AUTHENTICATION_METHOD))
		return true;
	if (h->broker->options->auth_subject != NULL)
		return true;
	if (h->tokens != NULL && p->has_password)
		return true;
	return p->has_user_name &&
	    (h->users != NULL || h->broker->options->identity_user);
}

/* What the answer is for is kept; it may come at once. */
static void WORKER_THREAD
have_checked(struct client *c, const struct frame *f,
    const struct packet_connect *p,
    bool (*start)(struct client *c, const struct packet_connect *p))
{
	connecting_hold(c, f);
	if (start(c, p))
		return;
	limit_strike_client(c, LIMIT_MAX_LOGINS);
	connecting_refuse(c, MQTT_RC_SERVER_BUSY, "too many logins at once");
}

static bool WORKER_THREAD
start_verify(struct client *c, const struct packet_connect *p)
{
	return verify_start(c, p->user_name, p->password);
}

bool
connecting_login(struct client *c, const struct frame *f,
    const struct packet_connect *p)
{
	struct home *h = c->home;

	/* Whoever is known by now may still have to be let in. */
	if (!c->is_asked && bearer_is_due(c, p)) {
		have_checked(c, f, p, bearer_start);
		return true;
	}
	if (ask_is_due(c, p)) {
		have_checked(c, f, p, ask_start);
		return true;
	}
	if (c->is_authenticated)
		return false;
	if (properties_has(&p->properties, MQTT_PROP_AUTHENTICATION_METHOD)) {
		client_auth_begin(c, f, p);
		return true;
	}
	if (h->users != NULL && p->has_user_name) {
		have_checked(c, f, p, start_verify);
		return true;
	}
	if (!h->broker->options->identity_user)
		return false;
	connecting_hold(c, f);
	ask_nats(c, p);
	return true;
}

void
client_on_login(struct client *c, enum login_result result, uint32_t link)
{
	c->state = CLIENT_NEW;
	switch (result) {
	case LOGIN_GOOD:
		c->link = link;
		c->has_link = link != 0;
		c->is_authenticated = true;
		connecting_resume(c);
		break;
	case LOGIN_WRONG:
		connecting_refuse(c, MQTT_RC_BAD_USER_NAME_OR_PASSWORD, NULL);
		break;
	case LOGIN_LATE:
		connecting_refuse(c, MQTT_RC_SERVER_UNAVAILABLE,
		    "NATS is away");
		break;
	}
	client_touch(c);
}
