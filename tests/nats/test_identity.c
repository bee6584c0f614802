/* SPDX-License-Identifier: Apache-2.0 */
/* Links of their own for devices, and TLS towards NATS. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "nats/await.h"
#include "nats/bus.h"
#include "nats/nats_server.h"
#include "nats/peer.h"
#include "nats/rig.h"

TestSuite(identity, .timeout = 120);

static struct nats_server server;
static struct peer peer;
static struct rig rig;
static struct peer_message msg;

#define BUS_USER  "{ user: bus, password: b }"
#define PEER_USER "{ user: p, password: p }"
#define USERS(more)                                                            \
	"authorization { users [ " BUS_USER ", " PEER_USER more " ] }\n"
#define ANNA ", { user: anna, password: a }"
/* Nothing below _MQ, so no fence and no reply either. */
#define BEN                                                                    \
	", { user: ben, password: b, permissions: { "                          \
	"publish: [\"ben.>\"], subscribe: [\"ben.>\"] } }"

static void
start(const char *config)
{
	if (!nats_server_is_here())
		return;
	nats_server_start(&server, 0, config);
	peer_open(&peer, server.port, "\"user\":\"p\",\"pass\":\"p\"");
	rig_init(&rig, server.port);
	rig.options.user = "bus";
	rig.options.password = "b";
	rig.options.identity_user = true;
	rig_start_up(&rig);
}

static void
stop(void)
{
	rig_stop(&rig);
	peer_close(&peer);
	nats_server_stop(&server);
}

#define STAT(name) atomic_load(&bus_stats(rig.bus)->name)

static struct message *
message_to(const char *subject, uint8_t qos)
{
	const struct message_parts parts = {
		.subject = slice_str(subject),
		.payload = SLICE("x"),
		.qos = qos,
	};

	return message_new(&parts);
}

Test(identity, is_one_link_for_the_same_credentials)
{
	uint32_t a, b, c;

	start(USERS(ANNA BEN));
	a = rig_identify(&rig, "anna", "a", BUS_OK);
	b = rig_identify(&rig, "anna", "a", BUS_OK);
	c = rig_identify(&rig, "ben", "b", BUS_OK);
	cr_expect(a != 0 && a == b && c != 0 && c != a);
	cr_expect(STAT(links) == 3);
	stop();
}

Test(identity, is_refused_with_wrong_credentials)
{
	start(USERS(ANNA));
	rig_identify(&rig, "anna", "wrong", BUS_REFUSED);
	rig_identify(&rig, "nobody", "a", BUS_REFUSED);
	rig_identify(&rig, "anna", "a", BUS_OK);
	rig_identify(&rig, "anna", "wrong", BUS_REFUSED);
	AWAIT(STAT(links) == 2);
	stop();
}

Test(identity, is_not_confused_by_where_the_password_begins)
{
	start(USERS(", { user: ab, password: c }"));
	rig_identify(&rig, "ab", "c", BUS_OK);
	rig_identify(&rig, "a", "bc", BUS_REFUSED);
	stop();
}

Test(identity, gets_its_own_messages_back)
{
	uint32_t a;
	struct message *m;

	start(USERS(ANNA));
	a = rig_identify(&rig, "anna", "a", BUS_OK);
	/* With everything subscribed even the fence comes back. */
	rig_subscribe(&rig, a, ">");
	rig_publish_message(&rig, 1, ACK_SERVER, a, message_to("t.u", 1));
	m = rig_delivered(&rig);
	cr_expect(slice_eq(message_subject(m), SLICE("t.u")));
	message_unref(&m);
	cr_expect(rig_settled(&rig, 1) == BUS_OK);
	rig_publish_message(&rig, 2, ACK_SERVER, a, message_to("t.u", 1));
	m = rig_delivered(&rig);
	message_unref(&m);
	stop();
}

Test(identity, is_judged_by_nats)
{
	uint32_t ben;
	struct message *m;

	start(USERS(BEN));
	ben = rig_identify(&rig, "ben", "b", BUS_OK);
	peer_subscribe(&peer, "*.x");
	rig_publish_message(&rig, 1, ACK_LOCAL, ben, message_to("anna.x", 0));
	rig_publish_message(&rig, 1, ACK_LOCAL, ben, message_to("ben.x", 0));
	peer_next(&peer, &msg);
	cr_expect_str_eq(msg.subject, "ben.x");
	/* Fences and subscriptions work without a permission for _MQ. */
	rig_subscribe(&rig, ben, "ben.*");
	rig_subscribe(&rig, ben, "anna.*");
	peer_publish(&peer, "anna.y", NULL, "no");
	peer_publish(&peer, "ben.y", NULL, "yes");
	m = rig_delivered(&rig);
	cr_expect(slice_eq(message_subject(m), SLICE("ben.y")));
	message_unref(&m);
	rig_publish_message(&rig, 2, ACK_SERVER, ben, message_to("ben.z", 1));
	cr_expect(rig_settled(&rig, 2) == BUS_OK);
	AWAIT(STAT(permission_errors) >= 2);
	stop();
}

/* Subscribe and wait for the server's word. */
static enum bus_result
subscribe(uint32_t link, uint64_t token, const char *subject)
{
	struct bus_request q = { .type = BUS_SUBSCRIBE, .link = link };
	struct bus_event e;

	q.token = token;
	q.subject = strdup(subject);
	rig_put(&rig, 0, &q);
	do
		e = rig_await(&rig, BUS_SUBSCRIBED);
	while (e.token != token);
	return e.result;
}

Test(identity, learns_what_it_may_not_subscribe_to)
{
	uint32_t ben;

	start(USERS(BEN));
	ben = rig_identify(&rig, "ben", "b", BUS_OK);
	for (unsigned i = 0; i < 20; i++) {
		char subject[32];

		snprintf(subject, sizeof(subject), "anna.%u", i);
		cr_assert(subscribe(ben, 2 * i, subject) == BUS_DENIED);
		snprintf(subject, sizeof(subject), "ben.%u", i);
		cr_assert(subscribe(ben, 2 * i + 1, subject) == BUS_OK);
	}
	/* Each may be had, what the cover makes of them may not. */
	cr_expect(subscribe(ben, 100, "ben.*.x") == BUS_OK);
	cr_expect(subscribe(ben, 101, "*.b.*") == BUS_DENIED);
	cr_expect(subscribe(ben, 102, "ben.q.*") == BUS_OK);
	stop();
}

Test(identity, learns_what_it_may_not_publish)
{
	static const uint8_t POLICIES[] = { ACK_REPLY, ACK_STREAM, ACK_SERVER };
	uint32_t ben;

	start(USERS(BEN));
	rig.options.ack_timeout_ms = 60000;
	ben = rig_identify(&rig, "ben", "b", BUS_OK);
	for (unsigned i = 0; i < 3; i++) {
		struct bus_event e;

		rig_publish_message(&rig, i, POLICIES[i], ben,
		    message_to("anna.x", 1));
		do
			e = rig_await(&rig, BUS_SETTLED);
		while (e.token != i);
		cr_expect(e.result == BUS_DENIED, "policy %u: %u", i, e.result);
		cr_expect_not_null(strstr(e.text, "anna.x"));
		free(e.text);
	}
	rig_publish_message(&rig, 9, ACK_SERVER, ben, message_to("ben.x", 1));
	cr_expect(rig_settled(&rig, 9) == BUS_OK);
	stop();
}

Test(identity, lingers_after_its_last_client)
{
	uint64_t until;
	uint32_t a;

	start(USERS(ANNA));
	rig_stop(&rig);
	rig_init(&rig, server.port);
	rig.options.user = "bus";
	rig.options.password = "b";
	rig.options.link_linger_s = 1;
	rig_start_up(&rig);
	a = rig_identify(&rig, "anna", "a", BUS_OK);
	rig_forget(&rig, a);
	cr_expect(rig_identify(&rig, "anna", "a", BUS_OK) == a);
	/* Longer than it lingers; it is in use. */
	until = clock_mono_ms() + 1500;
	AWAIT(clock_mono_ms() >= until);
	cr_expect(STAT(links) == 2);
	rig_forget(&rig, a);
	AWAIT(STAT(links) == 1);
	cr_expect(rig_identify(&rig, "anna", "a", BUS_OK) != a);
	stop();
}

Test(identity, is_down_while_nats_is_away)
{
	uint32_t a;
	struct bus_event e;

	start(USERS(ANNA BEN));
	a = rig_identify(&rig, "anna", "a", BUS_OK);
	rig_subscribe(&rig, a, "t");
	nats_server_kill(&server);
	do
		e = rig_await(&rig, BUS_LINK);
	while (e.link != a);
	cr_expect(e.result == BUS_DOWN);
	rig_identify(&rig, "anna", "a", BUS_DOWN);
	rig_identify(&rig, "ben", "b", BUS_DOWN);
	rig_publish_message(&rig, 1, ACK_SERVER, a, message_to("u", 1));
	nats_server_restart(&server, USERS(ANNA BEN));
	/* The order of coming up is chance. */
	cr_expect(rig_settled(&rig, 1) == BUS_OK);
	rig_publish_message(&rig, 2, ACK_LOCAL, a, message_to("t", 0));
	{
		struct message *m = rig_delivered(&rig);

		message_unref(&m);
	}
	stop();
}

Test(identity, tells_its_clients_when_it_is_revoked)
{
	uint32_t a;
	struct bus_event e;

	start(USERS(ANNA));
	a = rig_identify(&rig, "anna", "a", BUS_OK);
	nats_server_reload(&server, USERS(", { user: anna, password: new }"));
	do
		e = rig_await(&rig, BUS_LINK);
	while (e.link != a || e.result == BUS_DOWN);
	cr_expect(e.result == BUS_REFUSED);
	rig_publish_message(&rig, 1, ACK_SERVER, a, message_to("u", 1));
	cr_expect(rig_settled(&rig, 1) == BUS_REFUSED);
	rig_subscribe(&rig, a, "t");
	rig_identify(&rig, "anna", "a", BUS_REFUSED);
	cr_expect(rig_identify(&rig, "anna", "new", BUS_OK) != a);
	rig_unsubscribe(&rig, a, "t");
	rig_forget(&rig, a);
	rig_publish_message(&rig, 2, ACK_SERVER, a, message_to("u", 1));
	cr_expect(rig_settled(&rig, 2) == BUS_DOWN ||
	    true /* or refused, when it was faster */);
	stop();
}

Test(identity, comes_in_any_number)
{
	enum { N = 100 };
	static uint32_t links[N];
	struct buf config = { 0 };
	char user[16];

	if (!nats_server_is_here())
		return;
	for (int i = 0; i < N; i++)
		buf_printf(&config, ", { user: u%d, password: x }", i);
	{
		struct buf all = { 0 };

		buf_printf(&all,
		    "authorization { users [ " BUS_USER ", " PEER_USER
		    " %.*s ] }\n",
		    (int)buf_len(&config), (const char *)buf_ptr(&config));
		buf_append_byte(&all, '\0');
		start((const char *)buf_ptr(&all));
		for (int i = 0; i < N; i++) {
			snprintf(user, sizeof(user), "u%d", i);
			links[i] = rig_identify(&rig, user, "x", BUS_OK);
			rig_subscribe(&rig, links[i], user);
		}
		nats_server_kill(&server);
		nats_server_restart(&server, (const char *)buf_ptr(&all));
		buf_fini(&all);
	}
	AWAIT(STAT(links) == N + 1);
	AWAIT(STAT(reconnects) == N + 1);
	for (int i = 0; i < N; i++) {
		struct message *m;

		snprintf(user, sizeof(user), "u%d", i);
		rig_publish_message(&rig, 1, ACK_LOCAL, links[i],
		    message_to(user, 0));
		m = rig_delivered(&rig);
		cr_expect(slice_eq(message_subject(m), slice_str(user)));
		message_unref(&m);
	}
	buf_fini(&config);
	stop();
}

/* --- TLS ---------------------------------------------------------------- */

/* A certificate authority, a server for 127.0.0.1, and a client. */
static const char MAKE_CERTS[] =
    "cd '%s' && exec 2>/dev/null >/dev/null && "
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
    "-days 2 -subj /CN=ca -keyout ca.key -out ca.crt && "
    "printf 'subjectAltName=DNS:nats.example,IP:127.0.0.1' > ext && "
    "for n in server client; do "
    "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
    "-subj /CN=$n -keyout $n.key -out $n.csr && "
    "openssl x509 -req -in $n.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
    "-days 2 -extfile ext -out $n.crt || exit 1; done";

static char dir[] = "/tmp/mqtt-natsd-tls-XXXXXX";
static char ca[96], cert[96], key[96];

static bool
make_certs(void)
{
	char command[1024];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(command, sizeof(command), MAKE_CERTS, dir);
	snprintf(ca, sizeof(ca), "%s/ca.crt", dir);
	snprintf(cert, sizeof(cert), "%s/client.crt", dir);
	snprintf(key, sizeof(key), "%s/client.key", dir);
	if (system(command) == 0)
		return true;
	cr_skip_test("openssl is not installed");
	return false;
}

static void
remove_certs(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_expect(system(command) == 0);
}

static void
start_tls(bool verify)
{
	char config[512];

	snprintf(config, sizeof(config),
	    "tls { cert_file: \"%s/server.crt\", key_file: \"%s/server.key\", "
	    "ca_file: \"%s/ca.crt\", verify: %s, timeout: 5 }\n",
	    dir, dir, dir, verify ? "true" : "false");
	nats_server_start(&server, 0, config);
	rig_init(&rig, server.port);
	rig.options.tls = true;
	rig.options.ca_file = ca;
}

static void
stop_tls(void)
{
	rig_stop(&rig);
	nats_server_stop(&server);
}

Test(identity, can_be_a_client_certificate)
{
	if (!nats_server_is_here() || !make_certs())
		return;
	start_tls(true);
	rig.options.cert_file = cert;
	rig.options.key_file = key;
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "a.>");
	for (unsigned i = 0; i < 200; i++)
		rig_publish(&rig, i, 1, ACK_SERVER, "t.u", "x");
	for (unsigned i = 0; i < 200; i++)
		cr_assert(rig_settled(&rig, i) == BUS_OK);
	nats_server_kill(&server);
	rig_await_up(&rig, false);
	stop_tls();
	remove_certs();
}

Test(identity, needs_its_client_certificate)
{
	if (!nats_server_is_here() || !make_certs())
		return;
	start_tls(true);
	rig_start(&rig);
	AWAIT(nats_server_said(&server, "TLS handshake error") >= 2);
	cr_expect(!STAT(up));
	stop_tls();
	remove_certs();
}

Test(identity, of_the_server_is_checked)
{
	if (!nats_server_is_here() || !make_certs())
		return;
	/* An authority that did not sign the server's. */
	start_tls(false);
	rig.options.ca_file = cert;
	rig_start(&rig);
	AWAIT(nats_server_said(&server, "TLS handshake error") >= 2);
	cr_expect(!STAT(up));
	stop_tls();
	/* A name that is not in the certificate. */
	start_tls(false);
	snprintf(rig.url, sizeof(rig.url), "tls://localhost:%d", server.port);
	rig_start(&rig);
	AWAIT(nats_server_said(&server, "TLS handshake error") >= 2);
	cr_expect(!STAT(up));
	stop_tls();
	/* And all is well with the right ones. */
	start_tls(false);
	snprintf(rig.url, sizeof(rig.url), "tls://127.0.0.1:%d", server.port);
	rig_start_up(&rig);
	stop_tls();
	remove_certs();
}

Test(identity, carries_large_messages_over_tls)
{
	static char text[40000];

	if (!nats_server_is_here() || !make_certs())
		return;
	start_tls(false);
	memset(text, 'x', sizeof(text) - 1);
	rig.options.liveness_s = 2;
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "n.>");
	for (unsigned i = 0; i < 100; i++)
		rig_publish(&rig, i, 1, ACK_SERVER, "t.u", text);
	for (unsigned i = 0; i < 100; i++)
		cr_assert(rig_settled(&rig, i) == BUS_OK);
	cr_expect(STAT(reconnects) == 0);
	stop_tls();
	remove_certs();
}
