/* SPDX-License-Identifier: Apache-2.0 */
/* What cnats, the NATS server or the network do wrong, and that we live. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/clock.h"
#include "nats/await.h"
#include "nats/bus.h"
#include "nats/nats_server.h"
#include "nats/peer.h"
#include "nats/rig.h"

TestSuite(faults, .timeout = 180);

static struct nats_server server;
static struct peer peer;
static struct rig rig;
static struct peer_message msg;

static void
start(const char *config)
{
	if (!nats_server_is_here())
		return;
	nats_server_start(&server, 0, config);
	rig_init(&rig, server.port);
}

static void
stop(void)
{
	rig_stop(&rig);
	nats_server_stop(&server);
}

static const struct bus_stats *
stats(void)
{
	return bus_stats(rig.bus);
}

#define STAT(name) atomic_load(&stats()->name)

/*
 * For outages after which a peer must be there before the bus is: the bus is
 * let in only when the server has read BOTH.
 */
#define PEER_ONLY "authorization { users [ { user: p, password: p } ] }"
#define BOTH                                                                   \
	"authorization { users [ { user: p, password: p }, "                   \
	"{ user: bus, password: bus } ] }"

static void
start_with_login(void)
{
	start(BOTH);
	rig.options.user = "bus";
	rig.options.password = "bus";
}

static void
peer_login(void)
{
	peer_open(&peer, server.port, "\"user\":\"p\",\"pass\":\"p\"");
}

static void
restart_with_peer_first(void)
{
	nats_server_restart(&server, PEER_ONLY);
	peer_login();
	peer_subscribe(&peer, "x");
	nats_server_reload(&server, BOTH);
}

/* --- the server comes and goes ------------------------------------------ */

/* A signal takes effect when it will: wait until the server has stopped. */
static void
freeze_server(void)
{
	cr_assert(kill(server.pid, SIGSTOP) == 0);
	cr_assert(waitpid(server.pid, NULL, WUNTRACED) == server.pid);
}

Test(faults, starts_without_nats_and_connects_when_it_comes)
{
	int port = free_port();

	if (!nats_server_is_here())
		return;
	rig_init(&rig, port);
	rig_start(&rig);
	rig_subscribe(&rig, 0, "a.b"); /* answered at once */
	rig_publish(&rig, 1, 1, ACK_SERVER, "x", "y");
	cr_expect(!STAT(up));
	nats_server_start(&server, port, NULL);
	cr_expect(rig_settled(&rig, 1) == BUS_OK);
	peer_open(&peer, port, "");
	peer_publish(&peer, "a.b", NULL, "z");
	{
		struct message *m = rig_delivered(&rig);

		message_unref(&m);
	}
	peer_close(&peer);
	stop();
}

Test(faults, stops_while_it_cannot_connect)
{
	rig_init(&rig, free_port());
	rig_start(&rig);
	rig_publish(&rig, 1, 1, ACK_SERVER, "x", "y");
	rig_publish(&rig, 1, 0, ACK_SERVER, "x", "y");
	rig_stop(&rig);
}

Test(faults, loses_no_qos_1_when_the_server_is_killed_in_a_burst)
{
	enum { N = 3000, KILLS = 4 };
	static unsigned char settled[N * KILLS];

	start(NULL);
	rig_start_up(&rig);
	for (unsigned k = 0; k < KILLS; k++) {
		for (unsigned i = 0; i < N; i++) {
			rig_publish(&rig, k * N + i, 1, ACK_SERVER, "x", "y");
			if (i == N / 2)
				nats_server_kill(&server);
		}
		nats_server_restart(&server, NULL);
		for (unsigned i = 0; i < N; i++) {
			struct bus_event e = rig_await(&rig, BUS_SETTLED);

			cr_assert(e.result == BUS_OK);
			cr_assert(settled[e.token] == 0, "twice");
			settled[e.token] = 1;
		}
	}
	cr_expect(STAT(reconnects) == KILLS);
	cr_expect(STAT(outstanding) == 0);
	stop();
}

Test(faults, subscribes_again_after_a_reconnect)
{
	start(NULL);
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "a.*");
	rig_subscribe(&rig, 0, "b");
	for (int i = 0; i < 3; i++) {
		struct message *m;

		nats_server_kill(&server);
		nats_server_restart(&server, NULL);
		rig_await_up(&rig, true);
		peer_open(&peer, server.port, "");
		peer_publish(&peer, "a.b", NULL, "x");
		m = rig_delivered(&rig);
		cr_expect(slice_eq(message_subject(m), SLICE("a.b")));
		message_unref(&m);
		peer_close(&peer);
	}
	stop();
}

Test(faults, keeps_order_across_an_outage)
{
	enum { N = 200 };
	unsigned next = 0;

	start_with_login();
	rig_start_up(&rig);
	nats_server_kill(&server);
	rig_await_up(&rig, false);
	for (unsigned i = 0; i < N; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		rig_publish(&rig, i, i % 2, ACK_SERVER, "x", text);
	}
	AWAIT(STAT(outstanding) == N / 2);
	restart_with_peer_first();
	while (next < N) {
		peer_next(&peer, &msg);
		cr_assert_eq(strtoul(msg.payload, NULL, 10), next, "%s",
		    msg.payload);
		next++;
	}
	for (unsigned i = 1; i < N; i += 2)
		cr_assert(rig_settled(&rig, i) == BUS_OK);
	peer_close(&peer);
	stop();
}

Test(faults, refuses_what_waits_beyond_its_limit)
{
	enum { N = 200 };
	struct bus_event first;

	start_with_login();
	rig.options.unsettled_bytes = 10000;
	rig_start_up(&rig);
	nats_server_kill(&server);
	rig_await_up(&rig, false);
	for (unsigned i = 0; i < N; i++)
		rig_publish(&rig, i, 1, ACK_SERVER, "x", "text");
	/* The newest are refused; the others wait and are published. */
	first = rig_await(&rig, BUS_SETTLED);
	cr_expect(first.result == BUS_REFUSED);
	cr_expect(first.text != NULL);
	free(first.text);
	cr_assert(first.token > 0 && first.token < N);
	for (uint64_t i = first.token + 1; i < N; i++)
		cr_assert(rig_settled(&rig, i) == BUS_REFUSED);
	restart_with_peer_first();
	for (uint64_t i = 0; i < first.token; i++)
		cr_assert(rig_settled(&rig, i) == BUS_OK);
	peer_close(&peer);
	stop();
}

Test(faults, drops_the_oldest_qos_0_when_there_is_no_room)
{
	enum { N = 1000 };
	unsigned n = 0;

	start_with_login();
	rig.options.pending_bytes = 20000;
	rig_start_up(&rig);
	nats_server_kill(&server);
	rig_await_up(&rig, false);
	for (unsigned i = 0; i < N; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		rig_publish(&rig, i, 0, ACK_REPLY, "x", text);
	}
	rig_publish(&rig, N, 1, ACK_SERVER, "x", "last");
	AWAIT(STAT(outstanding) == 1);
	cr_expect(STAT(dropped_pending) > 0 && STAT(dropped_pending) < N);
	restart_with_peer_first();
	n = (unsigned)STAT(dropped_pending);
	for (; n < N; n++) {
		peer_next(&peer, &msg);
		cr_assert_eq(strtoul(msg.payload, NULL, 10), n, "%s",
		    msg.payload);
	}
	peer_next(&peer, &msg);
	cr_expect_str_eq(msg.payload, "last");
	peer_close(&peer);
	stop();
}

Test(faults, publishes_again_what_was_not_answered_before_the_outage)
{
	char reply[512];

	start_with_login();
	peer_login();
	peer_subscribe(&peer, "x");
	rig_start_up(&rig);
	rig_publish(&rig, 1, 1, ACK_REPLY, "x", "1");
	rig_publish(&rig, 2, 1, ACK_REPLY, "x", "2");
	peer_next(&peer, &msg);
	peer_next(&peer, &msg);
	memcpy(reply, msg.reply, sizeof(reply));
	nats_server_kill(&server);
	peer_close(&peer);
	rig_await_up(&rig, false);
	rig_publish(&rig, 3, 1, ACK_REPLY, "x", "3");
	restart_with_peer_first();
	for (unsigned i = 1; i <= 3; i++) {
		char text[2] = { (char)('0' + i), '\0' };

		peer_next(&peer, &msg);
		cr_expect_str_eq(msg.payload, text);
		cr_expect(
		    (strstr(msg.headers, "Mqtt-Dup: 1") != NULL) == (i < 3));
		if (i == 2)
			cr_expect_str_eq(msg.reply, reply);
		peer_publish(&peer, msg.reply, NULL, "");
		cr_expect(rig_settled(&rig, i) == BUS_OK);
	}
	peer_close(&peer);
	stop();
}

/* --- silence ------------------------------------------------------------ */

static int
listen_silently(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	cr_assert(listen(fd, 16) == 0);
	cr_assert(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	*port = ntohs(a.sin_port);
	return fd;
}

Test(faults, is_not_held_up_by_a_listener_that_says_nothing)
{
	int port, fd = listen_silently(&port);
	uint64_t begin;

	rig_init(&rig, port);
	rig_start(&rig);
	/* It is in the middle of connecting. */
	cr_assert(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1,
		      20000) == 1);
	begin = clock_mono_ms();
	for (unsigned i = 0; i < 20; i++)
		rig_subscribe(&rig, 0, "a.b");
	cr_expect(clock_mono_ms() - begin < 700, "the NATS thread waited");
	rig_stop(&rig);
	close(fd);
}

Test(faults, goes_past_a_listener_that_says_nothing)
{
	int port, fd = listen_silently(&port);

	start(NULL);
	snprintf(rig.url, sizeof(rig.url),
	    "nats://127.0.0.1:%d, nats://127.0.0.1:%d", port, server.port);
	rig_start_up(&rig);
	nats_server_kill(&server);
	rig_await_up(&rig, false);
	nats_server_restart(&server, NULL);
	rig_await_up(&rig, true);
	stop();
	close(fd);
}

Test(faults, notices_a_server_that_falls_silent)
{
	start(NULL);
	rig.options.liveness_s = 1;
	rig_start_up(&rig);
	freeze_server();
	rig_await_up(&rig, false);
	kill(server.pid, SIGCONT);
	rig_await_up(&rig, true);
	stop();
}

Test(faults, stops_in_time_when_the_server_is_silent)
{
	uint64_t begin;

	start(NULL);
	rig_start_up(&rig);
	freeze_server();
	for (unsigned i = 0; i < 100; i++)
		rig_publish(&rig, i, 1, ACK_SERVER, "x", "y");
	begin = clock_mono_ms();
	bus_stop(rig.bus, 500);
	cr_expect(clock_mono_ms() - begin < 5000);
	kill(server.pid, SIGCONT);
	stop();
}

Test(faults, lives_with_somebody_who_listens_to_everything)
{
	uint64_t until;

	start(NULL);
	peer_open(&peer, server.port, "");
	peer_subscribe(&peer, ">");
	rig.options.liveness_s = 1;
	rig_start_up(&rig);
	rig_subscribe(&rig, 0, "a.b");
	for (unsigned i = 0; i < 50; i++) {
		rig_publish(&rig, i, 1, ACK_SERVER, "x", "y");
		cr_assert(rig_settled(&rig, i) == BUS_OK);
	}
	/* Three times as long as a server may be silent. */
	until = clock_mono_ms() + 3500;
	AWAIT(clock_mono_ms() >= until);
	rig_publish(&rig, 1, 1, ACK_SERVER, "x", "y");
	cr_expect(rig_settled(&rig, 1) == BUS_OK);
	cr_expect(STAT(reconnects) == 0);
	peer_close(&peer);
	stop();
}

Test(faults, stops_while_it_waits_for_a_pong)
{
	start(NULL);
	peer_open(&peer, server.port, "");
	peer_subscribe(&peer, ">");
	rig.options.liveness_s = 1;
	rig_start_up(&rig);
	freeze_server();
	rig_publish(&rig, 1, 1, ACK_SERVER, "x", "y");
	AWAIT(STAT(outstanding) == 1);
	rig_stop(&rig);
	kill(server.pid, SIGCONT);
	peer_close(&peer);
	nats_server_stop(&server);
}

/* --- closed for good ---------------------------------------------------- */

#define USER(name, password)                                                   \
	"authorization { users [ { user: " name ", password: " password        \
	" } ] }\n"

Test(faults, comes_back_when_its_password_is_right_again)
{
	start(USER("bob", "one"));
	rig.options.user = "bob";
	rig.options.password = "one";
	rig_start_up(&rig);
	nats_server_reload(&server, USER("bob", "two"));
	rig_await_up(&rig, false);
	/* More often than cnats tries before it gives up for good. */
	AWAIT(nats_server_said(&server, "authentication error") >= 5);
	cr_expect(!STAT(up));
	nats_server_reload(&server, USER("bob", "one"));
	rig_await_up(&rig, true);
	rig_publish(&rig, 1, 1, ACK_SERVER, "x", "y");
	cr_expect(rig_settled(&rig, 1) == BUS_OK);
	stop();
}

Test(faults, comes_back_from_too_many_subscriptions)
{
	struct bus_request q = { .type = BUS_SUBSCRIBE };
	struct message *m;
	char subject[16];

	start("max_subscriptions: 8\n");
	rig_start_up(&rig);
	for (unsigned i = 0; i < 12; i++) {
		snprintf(subject, sizeof(subject), "s%u", i);
		q.subject = strdup(subject);
		rig_put(&rig, 0, &q);
	}
	rig_await_up(&rig, false);
	cr_expect(!STAT(up));
	for (unsigned i = 0; i < 10; i++) {
		snprintf(subject, sizeof(subject), "s%u", i);
		rig_unsubscribe(&rig, 0, subject);
	}
	rig_await_up(&rig, true);
	peer_open(&peer, server.port, "");
	peer_publish(&peer, "s11", NULL, "x");
	m = rig_delivered(&rig);
	message_unref(&m);
	peer_close(&peer);
	stop();
}

Test(faults, survives_being_thrown_out_again_and_again)
{
	start(NULL);
	rig_start_up(&rig);
	for (unsigned i = 0; i < 5; i++) {
		nats_server_reload(&server, USER("bob", "x"));
		rig_await_up(&rig, false);
		nats_server_reload(&server, "");
		rig_await_up(&rig, true);
	}
	stop();
}

/* --- credentials -------------------------------------------------------- */

static const struct {
	const char *user;
	const char *password;
	const char *in_config; /* as nats-server reads it */
} HOSTILE[] = {
	{ "q\"x", "p\"},{\"y",
	    "{ user: \"q\\\"x\", password: \"p\\\"},{\\\"y\" }" },
	{ "b\\s", "c:\\dir\\",
	    "{ user: \"b\\\\s\", password: \"c:\\\\dir\\\\\" }" },
	{ "t\tn\nr\r", "p\r\nPUB x 1",
	    "{ user: \"t\\tn\\nr\\r\", "
	    "password: \"p\\r\\nPUB x 1\" }" },
	{ "gr\xc3\xbcn",
	    "stra\xc3\x9f"
	    "e",
	    "{ user: \"gr\xc3\xbcn\", "
	    "password: \"stra\xc3\x9f"
	    "e\" }" },
};

Test(faults, says_hostile_credentials_as_they_are)
{
	if (!nats_server_is_here())
		return;
	for (size_t i = 0; i < sizeof(HOSTILE) / sizeof(HOSTILE[0]); i++) {
		char config[512];

		snprintf(config, sizeof(config),
		    "authorization { users [ %s ] }\n", HOSTILE[i].in_config);
		start(config);
		rig.options.user = HOSTILE[i].user;
		rig.options.password = HOSTILE[i].password;
		rig_start_up(&rig);
		stop();
	}
}

Test(faults, logs_in_with_a_token)
{
	start("authorization { token: \"to\\\"ken\" }\n");
	rig.options.token = "to\"ken";
	rig_start_up(&rig);
	stop();
}

#define SEED   "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
#define PUBLIC "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"

Test(faults, logs_in_with_an_nkey)
{
	char path[128];
	FILE *f;

	start("authorization { users [ { nkey: " PUBLIC " } ] }\n");
	snprintf(path, sizeof(path), "%s/seed", server.dir);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fprintf(f, "%s\n", SEED);
	fclose(f);
	rig.options.nkey_seed_file = path;
	rig_start_up(&rig);
	stop();
}

Test(faults, says_which_files_it_cannot_read)
{
	static const char *const MISSING = "/nonexistent/file";

	for (int which = 0; which < 4; which++) {
		rig_init(&rig, 1);
		rig.options.nkey_seed_file = which == 0 ? MISSING : NULL;
		rig.options.creds_file = which == 1 ? MISSING : NULL;
		rig.options.ca_file = which == 2 ? MISSING : NULL;
		rig.options.cert_file = which == 3 ? MISSING : NULL;
		rig_start(&rig);
		rig_subscribe(&rig, 0, "a");
		cr_expect(!STAT(up));
		rig_stop(&rig);
	}
}
