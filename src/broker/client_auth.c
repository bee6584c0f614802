/* SPDX-License-Identifier: Apache-2.0 */
/* client_auth - enhanced authentication. */
#include "broker/client_auth.h"

#include <stdlib.h>

#include "auth/scram.h"
#include "base/xalloc.h"
#include "broker/connecting.h"
#include "broker/home.h"

struct client_auth {
	struct scram *scram; /* the exchange under way; NULL: none */
	char *user;          /* proven with CONNECT */
	struct buf last;     /* our last word of that exchange */
};

static bool
is_connecting(const struct client *c)
{
	return c->state == CLIENT_AUTH;
}

/* It ends here, by the packet that the client can expect now. */
static void WORKER_THREAD
give_up(struct client *c, enum mqtt_reason reason, const char *why)
{
	if (is_connecting(c)) /* v5 [MQTT-4.12.0-4] */
		connecting_refuse(c, reason, why);
	else /* v5 [MQTT-4.12.1-2] */
		client_close(c, reason, why);
}

static void WORKER_THREAD
deny(struct client *c)
{
	/* DISCONNECT does not know about passwords. */
	give_up(c,
	    is_connecting(c) ? MQTT_RC_BAD_USER_NAME_OR_PASSWORD
			     : MQTT_RC_NOT_AUTHORIZED,
	    is_connecting(c) ? NULL : "it is not who it was");
}

/* v5 [MQTT-4.12.0-5]: the method is always the one that CONNECT named. */
static void
put_properties(struct buf *props, struct slice text)
{
	property_put_slice(props, MQTT_PROP_AUTHENTICATION_METHOD,
	    SLICE(SCRAM_METHOD));
	if (text.len > 0)
		property_put_slice(props, MQTT_PROP_AUTHENTICATION_DATA, text);
}

static void WORKER_THREAD
send_auth(struct client *c, enum mqtt_reason reason, struct slice text)
{
	struct buf *props = &c->home->scratch;
	struct buf packet = { 0 };

	buf_reset(props);
	put_properties(props, text);
	packet_encode_disconnect(&packet, MQTT_V5, MQTT_AUTH, reason,
	    buf_slice(props));
	if (buf_len(&packet) > c->max_packet_size) /* v5 [MQTT-3.1.2-24] */
		give_up(c, MQTT_RC_PACKET_TOO_LARGE, NULL);
	else
		buf_append_slice(&c->out, buf_slice(&packet));
	buf_fini(&packet);
	client_touch(c);
}

static void WORKER_THREAD
succeed(struct client *c, struct buf *last)
{
	struct client_auth *a = c->auth;
	char *user = xstrdup(scram_user(a->scram));
	bool holds = scram_holds(a->scram, c->home->users);

	scram_free(&a->scram);
	if (!holds) { /* a reload came between */
		free(user);
		deny(c);
		return;
	}
	if (is_connecting(c)) {
		a->user = user;
		a->last = *last;
		*last = (struct buf){ 0 };
		c->is_authenticated = true;
		c->state = CLIENT_NEW;
		connecting_resume(c);
		return;
	}
	/* v5 4.12.1: the Session stays, so it stays its user's. */
	if (slice_eq(slice_str(user), slice_str(c->session->owner)))
		send_auth(c, MQTT_RC_SUCCESS, buf_slice(last));
	else
		deny(c);
	free(user);
}

/* The client's next message of the exchange. */
static void WORKER_THREAD
advance(struct client *c, const struct properties *props)
{
	struct slice text = { 0 };
	struct buf answer = { 0 };

	if (properties_has(props, MQTT_PROP_AUTHENTICATION_DATA))
		text = props->authentication_data;
	switch (scram_step(c->auth->scram, text, &answer)) {
	case SCRAM_MORE: /* v5 [MQTT-4.12.0-2] */
		send_auth(c, MQTT_RC_CONTINUE_AUTHENTICATION,
		    buf_slice(&answer));
		break;
	case SCRAM_DONE:
		succeed(c, &answer);
		break;
	case SCRAM_FAILED:
		scram_free(&c->auth->scram);
		deny(c);
		break;
	}
	buf_fini(&answer);
}

static bool
start_exchange(struct client *c)
{
	struct users *u = c->home->users;

	if (u == NULL || !users_serve_scram(u))
		return false;
	c->auth->scram = scram_new(u);
	return c->auth->scram != NULL;
}

void
client_auth_begin(struct client *c, const struct frame *f,
    const struct packet_connect *p)
{
	c->auth = xcalloc(1, sizeof(*c->auth));
	/* v5 [MQTT-4.12.0-1] */
	if (!slice_eq(p->properties.authentication_method,
		SLICE(SCRAM_METHOD)) ||
	    !start_exchange(c)) {
		connecting_refuse(c, MQTT_RC_BAD_AUTHENTICATION_METHOD, NULL);
		return;
	}
	connecting_hold(c, f);
	c->state = CLIENT_AUTH;
	advance(c, &p->properties);
}

/* NULL, or why this AUTH must not come now. */
static const char *
find_fault(const struct client *c, const struct packet_disconnect *p)
{
	bool goes_on = p->reason == MQTT_RC_CONTINUE_AUTHENTICATION;

	if (c->auth == NULL) /* v5 [MQTT-4.12.0-7] */
		return "CONNECT has named no Authentication Method";
	/* v5 [MQTT-4.12.0-5] [MQTT-4.12.1-1] */
	if (!slice_eq(p->properties.authentication_method, SLICE(SCRAM_METHOD)))
		return "the Authentication Method is another one";
	/* v5 [MQTT-4.12.0-3]; 0x19 is for those who are online, and 0x00 for
	 * the Server: table 3-22 */
	if (!goes_on &&
	    (is_connecting(c) || p->reason != MQTT_RC_REAUTHENTICATE))
		return "not the AUTH that is due";
	if (goes_on != (c->auth->scram != NULL))
		return goes_on ? "there is nothing to continue"
			       : "a re-authentication is under way";
	return NULL;
}

void
client_on_auth(struct client *c, const struct frame *f)
{
	struct packet_disconnect p;
	enum mqtt_reason rc = packet_decode_disconnect(f, c->version, &p);
	const char *why = "AUTH";

	if (rc == MQTT_RC_SUCCESS) {
		why = find_fault(c, &p);
		rc = why != NULL ? MQTT_RC_PROTOCOL_ERROR : MQTT_RC_SUCCESS;
	}
	if (rc != MQTT_RC_SUCCESS)
		give_up(c, rc, why);
	else if (c->auth->scram == NULL && !start_exchange(c))
		deny(c);
	else
		advance(c, &p.properties);
}

void
client_auth_on_packet(struct client *c, const struct frame *f)
{
	/* v5 [MQTT-3.1.2-30] */
	if (f->type == MQTT_AUTH)
		client_on_auth(c, f);
	else if (f->type == MQTT_DISCONNECT)
		client_end(c, false, "by client, before it was known");
	else
		connecting_refuse(c, MQTT_RC_PROTOCOL_ERROR,
		    "only AUTH and DISCONNECT are due");
}

struct slice
client_auth_user(const struct client_auth *a)
{
	return slice_str(a->user);
}

void
client_auth_connack(const struct client *c, struct buf *props)
{
	if (c->auth != NULL) /* v5 [MQTT-4.12.0-6] */
		put_properties(props, buf_slice(&c->auth->last));
}

void
client_auth_settle(struct client_auth *a)
{
	free(a->user);
	a->user = NULL;
	buf_fini(&a->last);
}

void
client_auth_free(struct client_auth **ap)
{
	struct client_auth *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	client_auth_settle(a);
	scram_free(&a->scram);
	free(a);
}
