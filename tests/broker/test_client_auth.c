/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/client_auth.h"

#include <gsasl.h>
#include <stdlib.h>

#include "auth/samples.h"
#include "auth/users.h"
#include "base/xalloc.h"
#include "broker/device.h"

/* bo: pencil can prove itself, so can di, with the same; al: secret cannot. */
static struct node *
node_with_users(struct broker_options *o)
{
	struct buf why = { 0 };
	unsigned line;
	struct node *n;

	o->users = users_parse(SLICE("al:" HASH_SECRET "\nbo:" HASH_PENCIL
				     "\ndi:" HASH_PENCIL),
	    &line, &why);
	cr_assert_not_null(o->users);
	n = node_new_with(o);
	users_unref(&o->users);
	n->options.users = NULL;
	return n;
}

static struct node *
plain_node(void)
{
	struct broker_options o = node_options();

	return node_with_users(&o);
}

/* The client's side of an exchange. */
struct proof {
	Gsasl *library;
	Gsasl_session *session;
	char *text; /* what it says next */
};

static void
proof_next(struct proof *p, struct slice heard)
{
	size_t len;
	int r;

	gsasl_free(p->text);
	p->text = NULL;
	r = gsasl_step(p->session, (const char *)heard.ptr, heard.len, &p->text,
	    &len);
	cr_assert(r == GSASL_OK || r == GSASL_NEEDS_MORE, "%s",
	    gsasl_strerror(r));
}

static struct proof
proof_begin(const char *user, const char *password)
{
	struct proof p = { 0 };

	cr_assert_eq(gsasl_init(&p.library), GSASL_OK);
	cr_assert_eq(gsasl_client_start(p.library, "SCRAM-SHA-256", &p.session),
	    GSASL_OK);
	gsasl_property_set(p.session, GSASL_AUTHID, user);
	gsasl_property_set(p.session, GSASL_PASSWORD, password);
	proof_next(&p, slice_of(NULL, 0));
	return p;
}

static void
proof_end(struct proof *p)
{
	gsasl_free(p->text);
	gsasl_finish(p->session);
	gsasl_done(p->library);
}

#define METHOD      "15 <SCRAM-SHA-256>"
#define CONNECT     "10 [<MQTT> 05 02 0000 [" METHOD " 16 <%s>] <id>]"
#define AUTH(code)  "f0 [" code " [" METHOD " 16 <%s>]]"
#define REFUSED(it) "CONNACK session_present=0 reason=" it

/* The AUTH that is next, with this reason; its data goes to the proof. */
static void
hears_auth(struct device *d, struct proof *p, uint8_t reason)
{
	const struct any_packet *a = device_next(d);
	const struct properties *props;

	cr_assert_not_null(a);
	cr_assert_eq(a->type, MQTT_AUTH);
	cr_assert_eq(a->disconnect.reason, reason);
	props = &a->disconnect.properties;
	/* v5 [MQTT-4.12.0-5] */
	cr_assert(
	    slice_eq(props->authentication_method, SLICE("SCRAM-SHA-256")));
	proof_next(p, props->authentication_data);
}

static void
hears_accepted(struct device *d, struct proof *p)
{
	const struct any_packet *a = device_next(d);
	const struct properties *props;

	cr_assert_not_null(a);
	cr_assert_eq(a->type, MQTT_CONNACK);
	cr_assert_eq(a->connack.code, 0);
	props = &a->connack.properties;
	cr_assert(
	    slice_eq(props->authentication_method, SLICE("SCRAM-SHA-256")));
	/* The server has proven itself too, or this fails. */
	proof_next(p, props->authentication_data);
}

/* One that has proven to be this user. */
static struct device *
online(struct node *n, unsigned home, const char *user)
{
	struct proof p = proof_begin(user, "pencil");
	struct device *d = device_new(n, home);

	device_say(d, CONNECT, p.text);
	hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
	device_say(d, AUTH("18"), p.text);
	hears_accepted(d, &p);
	proof_end(&p);
	return d;
}

/* v5 [MQTT-4.12.0-2] [MQTT-4.12.0-5] */
Test(client_auth, lets_in_who_proves_to_know_the_password)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	n = node_with_users(&o);
	n->rules.is_open = false;
	d = online(n, 0, "bo");
	cr_expect_str_eq(device_client(d)->session->owner, "bo");
	device_say(d, "c0 []");
	device_hears(d, "PINGRESP");
	node_free(&n);
}

/* v5 [MQTT-4.12.0-4] */
Test(client_auth, refuses_everybody_else_at_the_end)
{
	static const char *const others[][2] = { { "bo", "pencils" },
		{ "cy", "pencil" }, { "al", "secret" } };
	struct node *n = plain_node();

	for (size_t i = 0; i < countof(others); i++) {
		struct proof p = proof_begin(others[i][0], others[i][1]);
		struct device *d = device_new(n, 0);

		device_say(d, CONNECT, p.text);
		hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
		device_say(d, AUTH("18"), p.text);
		device_hears(d,
		    REFUSED("0x86 (bad User Name or Password) { Reason "
			    "String=bad User Name or Password }"));
		device_hears_it_closed(d);
		proof_end(&p);
	}
	node_free(&n);
}

static const struct {
	const char *said; /* after a CONNECT that was answered by AUTH */
	const char *heard;
} interruptions[] = {
	/* v5 [MQTT-3.1.2-30] */
	{ "c0 []",
	    REFUSED("0x82 (protocol error) { Reason String=only AUTH and "
		    "DISCONNECT are due }") },
	{ "30 [<a> [] 'x']",
	    REFUSED("0x82 (protocol error) { Reason String=only AUTH and "
		    "DISCONNECT are due }") },
	{ CONNECT,
	    REFUSED("0x82 (protocol error) { Reason String=only AUTH and "
		    "DISCONNECT are due }") },
	{ "e0 []", "CLOSED" },
	/* v5 [MQTT-4.12.0-3] [MQTT-3.15.2-1] */
	{ AUTH("19"),
	    REFUSED("0x82 (protocol error) { Reason String=not the AUTH that "
		    "is due }") },
	{ AUTH("00"),
	    REFUSED("0x82 (protocol error) { Reason String=not the AUTH that "
		    "is due }") },
	{ AUTH("8c"), REFUSED("0x82 (protocol error) { Reason String=AUTH }") },
	/* v5 [MQTT-4.12.0-5] */
	{ "f0 [18 [15 <PLAIN> 16 <%s>]]",
	    REFUSED("0x82 (protocol error) { Reason String=the Authentication "
		    "Method is another one }") },
	{ "f0 []",
	    REFUSED("0x82 (protocol error) { Reason String=the Authentication "
		    "Method is another one }") },
	/* v5 [MQTT-3.15.1-1] */
	{ "f1 [18 [" METHOD " 16 <%s>]]",
	    REFUSED("0x81 (malformed packet) { Reason String=AUTH }") },
	{ "f0 [18 [" METHOD " 16 <x>]]",
	    REFUSED("0x86 (bad User Name or Password) { Reason String=bad "
		    "User Name or Password }") },
};

Test(client_auth, takes_nothing_but_what_is_due)
{
	for (size_t i = 0; i < countof(interruptions); i++) {
		struct node *n = plain_node();
		struct proof p = proof_begin("bo", "pencil");
		struct device *d = device_new(n, 0);

		device_say(d, CONNECT, p.text);
		hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
		device_say(d, interruptions[i].said, p.text);
#pragma GCC diagnostic pop
		device_hears(d, interruptions[i].heard);
		device_hears_it_closed(d);
		proof_end(&p);
		node_free(&n);
	}
}

/* v5 [MQTT-4.12.0-1] */
Test(client_auth, refuses_methods_that_it_does_not_know)
{
	static const char *const connects[] = {
		"10 [<MQTT> 05 02 0000 [15 <PLAIN>] <id>]",
		"10 [<MQTT> 05 02 0000 [15 <SCRAM-SHA-256-PLUS>] <id>]",
		"10 [<MQTT> 05 02 0000 [15 <scram-sha-256>] <id>]",
		"10 [<MQTT> 05 02 0000 [15 <>] <id>]",
	};
	struct node *n = plain_node();
	struct device *d;

	for (size_t i = 0; i < countof(connects); i++) {
		d = device_new(n, 0);
		device_say(d, "%s", connects[i]);
		device_hears(d,
		    REFUSED("0x8c (bad authentication method) { Reason "
			    "String=bad authentication method }"));
		device_hears_it_closed(d);
	}
	node_free(&n);
	n = node_new(); /* without a password file there is none at all */
	d = device_new(n, 0);
	device_say(d, CONNECT, "n,,n=bo,r=abc");
	device_hears(d,
	    REFUSED("0x8c (bad authentication method) { Reason String=bad "
		    "authentication method }"));
	node_free(&n);
}

Test(client_auth, wants_the_user_name_of_connect_to_be_the_same)
{
	struct node *n = plain_node();
	struct proof p = proof_begin("bo", "pencil");
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 05 82 0000 [" METHOD " 16 <%s>] <id> <al>]",
	    p.text);
	hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
	device_say(d, AUTH("18"), p.text);
	device_hears(d,
	    REFUSED("0x86 (bad User Name or Password) { Reason String=the "
		    "User Name is not the one that was proven }"));
	proof_end(&p);
	node_free(&n);
}

Test(client_auth, may_be_left_to_the_first_auth)
{
	struct node *n = plain_node();
	struct proof p = proof_begin("bo", "pencil");
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 05 02 0000 [" METHOD "] <id>]");
	device_hears(d,
	    "AUTH reason=0x18 (continue authentication) { Authentication "
	    "Method=SCRAM-SHA-256 }");
	device_say(d, AUTH("18"), p.text);
	hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
	device_say(d, AUTH("18"), p.text);
	hears_accepted(d, &p);
	proof_end(&p);
	node_free(&n);
}

Test(client_auth, takes_little_before_it_is_known_who_sends_it)
{
	struct node *n = plain_node();
	struct proof p = proof_begin("bo", "pencil");
	struct device *d = device_new(n, 0);

	cr_expect_eq(client_max_packet(device_client(d)), 90000);
	device_say(d, CONNECT, p.text);
	cr_expect_eq(client_max_packet(device_client(d)), 8192);
	hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
	device_say(d, AUTH("18"), p.text);
	hears_accepted(d, &p);
	cr_expect_eq(client_max_packet(device_client(d)), 100000);
	proof_end(&p);
	node_free(&n);
}

/* A reload comes between: what counts is what the file says in the end. */
Test(client_auth, counts_only_by_the_newest_file)
{
	static const char *const files[] = { "bo:" HASH_PENCIL,
		"di:" HASH_PENCIL };

	for (size_t i = 0; i < countof(files); i++) {
		struct node *n = plain_node();
		struct proof p = proof_begin("bo", "pencil");
		struct device *d = device_new(n, 0);
		struct home *h = node_home(n, 0);
		struct buf why = { 0 };
		unsigned line;

		device_say(d, CONNECT, p.text);
		hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
		users_unref(&h->users);
		h->users = users_parse(slice_str(files[i]), &line, &why);
		device_say(d, AUTH("18"), p.text);
		if (i == 0)
			hears_accepted(d, &p);
		else
			device_hears(d,
			    REFUSED("0x86 (bad User Name or Password) { Reason "
				    "String=bad User Name or Password }"));
		proof_end(&p);
		node_free(&n);
	}
}

Test(client_auth, must_be_over_in_time)
{
	struct node *n = plain_node();
	struct proof p = proof_begin("bo", "pencil");
	struct device *d = device_new(n, 0);

	device_say(d, CONNECT, p.text);
	hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
	node_pass(n, n->options.connect_timeout_ms + 100);
	device_hears_it_closed(d);
	proof_end(&p);
	node_free(&n);
}

/* v5 [MQTT-3.1.2-24] */
Test(client_auth, says_nothing_that_is_too_long_for_the_client)
{
	struct node *n = plain_node();
	struct device *d = device_new(n, 0);

	device_say(d,
	    "10 [<MQTT> 05 02 0000 [27 00000032 " METHOD
	    " 16 <n,,n=bo,r=abcdefgh>] <id>]");
	device_hears(d, REFUSED("0x95 (packet too large)"));
	device_hears_it_closed(d);
	node_free(&n);
}

Test(client_auth, comes_along_when_the_connection_moves)
{
	struct node *n = plain_node();
	struct device *d = online(n, 1, "bo"), *e;
	struct proof p = proof_begin("bo", "pencil");

	e = device_new(n, 0);
	device_say(e, CONNECT, p.text);
	hears_auth(e, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
	device_say(e, AUTH("18"), p.text);
	hears_accepted(e, &p);
	cr_expect_eq(device_home(e), 1);
	device_hears(d,
	    "DISCONNECT reason=0x8e (session taken over) { Reason "
	    "String=session taken over }");
	proof_end(&p);
	node_free(&n);
}

/* v5 4.12.1 */
Test(client_auth, may_be_repeated_while_other_packets_flow)
{
	struct node *n = plain_node();
	struct device *d = online(n, 0, "bo");
	struct proof p;

	for (int i = 0; i < 2; i++) {
		p = proof_begin("bo", "pencil");
		device_say(d, AUTH("19"), p.text);
		hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
		device_say(d, "c0 []");
		device_hears(d, "PINGRESP");
		device_say(d, AUTH("18"), p.text);
		hears_auth(d, &p, MQTT_RC_SUCCESS);
		proof_end(&p);
	}
	device_hears_nothing(d);
	node_free(&n);
}

/* v5 [MQTT-4.12.1-2] */
Test(client_auth, ends_the_connection_when_the_repetition_fails)
{
	static const char *const others[][2] = { { "bo", "pencils" },
		{ "di", "pencil" } };
	struct node *n = plain_node();

	for (size_t i = 0; i < countof(others); i++) {
		struct device *d = online(n, 0, "bo");
		struct proof p = proof_begin(others[i][0], others[i][1]);

		device_say(d, AUTH("19"), p.text);
		hears_auth(d, &p, MQTT_RC_CONTINUE_AUTHENTICATION);
		device_say(d, AUTH("18"), p.text);
		device_hears(d,
		    "DISCONNECT reason=0x87 (not authorized) { Reason "
		    "String=not authorized: it is not who it was }");
		device_hears_it_closed(d);
		proof_end(&p);
	}
	node_free(&n);
}

#define PROTOCOL_ERROR(why)                                                    \
	"DISCONNECT reason=0x82 (protocol error) { Reason String=protocol "    \
	"error: " why " }"

Test(client_auth, is_repeated_by_the_rules)
{
	static const struct {
		const char *said;
		const char *heard;
	} cases[] = {
		/* v5 [MQTT-4.12.1-1] */
		{ "f0 [19 [15 <PLAIN>]]",
		    PROTOCOL_ERROR("the Authentication Method is another "
				   "one") },
		{ "f0 [18 [" METHOD " 16 <x>]]",
		    PROTOCOL_ERROR("there is nothing to continue") },
		{ "f0 [00 [" METHOD "]]",
		    PROTOCOL_ERROR("not the AUTH that is due") },
		{ "f0 [19 []]", PROTOCOL_ERROR("AUTH") },
		{ "f0 [19 [" METHOD "]] f0 [19 [" METHOD "]]",
		    "AUTH reason=0x18 (continue authentication) { "
		    "Authentication Method=SCRAM-SHA-256 }" },
	};
	struct node *n = plain_node();

	for (size_t i = 0; i < countof(cases); i++) {
		struct device *d = online(n, 0, "bo");

		device_say(d, "%s", cases[i].said);
		device_hears(d, cases[i].heard);
		if (i == countof(cases) - 1)
			device_hears(d,
			    PROTOCOL_ERROR("a re-authentication is under way"));
		device_hears_it_closed(d);
	}
	node_free(&n);
}

/* v5 [MQTT-4.12.0-6] [MQTT-4.12.0-7] */
Test(client_auth, is_not_for_those_whose_connect_named_no_method)
{
	struct node *n = plain_node();
	struct device *d = device_online(n, 0, MQTT_V5, "id", true);

	device_say(d, "f0 [19 [" METHOD "]]");
	device_hears(d,
	    PROTOCOL_ERROR("CONNECT has named no Authentication Method"));
	device_hears_it_closed(d);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 05 c2 0000 [] <id> <al> <secret>]");
	cr_expect_not(properties_has(&device_next(d)->connack.properties,
	    MQTT_PROP_AUTHENTICATION_METHOD));
	node_free(&n);
}

/* With an entry for SCRAM the password itself is good, too. */
Test(client_auth, is_no_must_for_those_who_could)
{
	struct node *n = plain_node();
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 c2 0000 <id> <bo> <pencil>]");
	device_hears(d, "CONNACK session_present=0 code=0");
	node_free(&n);
}
