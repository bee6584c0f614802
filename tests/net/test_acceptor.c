/* SPDX-License-Identifier: Apache-2.0 */
#include "net/acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/crew.h"
#include "net/listener.h"

static int
tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	return fd;
}

static struct sockaddr_in
loopback(unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
		.sin_port = htons((uint16_t)port) };
}

/* A port that was free a moment ago. */
static unsigned
free_port(void)
{
	struct sockaddr_in sin = loopback(0);
	socklen_t len = sizeof(sin);
	int fd = tcp_socket();

	cr_assert_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static int
tcp_connect(unsigned port)
{
	const struct timeval patience = { .tv_sec = 20 };
	struct sockaddr_in sin = loopback(port);
	int fd = tcp_socket();

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience)),
	    0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

struct site {
	struct crew *crew;
	struct listener_options listeners[2];
	struct acceptor_options options;
	struct acceptor *acceptor;
};

static void
site_open(struct site *s, unsigned max, unsigned max_of_first)
{
	struct broker_options o = crew_options(2);

	thread_enter(THREAD_MAIN, "main");
	s->crew = crew_new(&o);
	for (unsigned i = 0; i < 2; i++)
		s->listeners[i] = (struct listener_options){ .name = "test",
			.address = "127.0.0.1",
			.port = free_port(),
			.inherited = -1,
			.door = &s->crew->door_rules,
			.rules = { .protocols = 1 << MQTT_V311,
			    .is_open = true },
			.backlog = 100 };
	s->listeners[0].max_connections = max_of_first;
	s->options = (struct acceptor_options){ .listeners = s->listeners,
		.n_listeners = 2,
		.max_connections = max,
		.workers = s->crew->workers,
		.n_workers = 2 };
	s->acceptor = acceptor_new(&s->options);
	cr_assert_not_null(s->acceptor);
	cr_assert_eq(acceptor_start(s->acceptor), 0);
}

static void
site_close(struct site *s)
{
	acceptor_stop(s->acceptor);
	crew_free(&s->crew, 5000);
	acceptor_free(&s->acceptor);
}

/* Which of them are served? The others are closed without a word. */
static unsigned
n_served(const int *fds, unsigned n)
{
	unsigned served = 0;

	for (unsigned i = 0; i < n; i++) {
		line_say(fds[i], "10 [<MQTT> 04 02 0000 <>]");
		served += strcmp(line_read(fds[i], 4),
			      "CONNACK session_present=0 code=0") == 0;
	}
	return served;
}

/* However fast they come: those that no worker has opened yet count, too. */
Test(acceptor, keeps_to_the_limits)
{
	static const struct {
		unsigned max, max_of_first;
	} cases[] = { { 5, 0 }, { 0, 5 }, { 5, 100 }, { 100, 5 } };

	for (size_t i = 0; i < countof(cases); i++) {
		struct site s = { 0 };
		int fds[40];

		site_open(&s, cases[i].max, cases[i].max_of_first);
		for (size_t j = 0; j < countof(fds); j++)
			fds[j] = tcp_connect(s.listeners[0].port);
		cr_expect_eq(n_served(fds, countof(fds)), 5, "%zu", i);
		cr_expect_eq(atomic_load(&acceptor_stats(s.acceptor)->accepted),
		    5);
		cr_expect_eq(atomic_load(&acceptor_stats(s.acceptor)->refused),
		    35);
		for (size_t j = 0; j < countof(fds); j++)
			close(fds[j]);
		site_close(&s);
	}
}

static struct worker **the_workers;

static bool
workers_are_idle(struct crew *c)
{
	(void)c;
	return atomic_load(&the_workers[0]->n_conns) == 0 &&
	    atomic_load(&the_workers[1]->n_conns) == 0;
}

Test(acceptor, makes_room_when_one_goes_and_shares_out)
{
	struct site s = { 0 };
	int fds[4];

	site_open(&s, 4, 0);
	the_workers = s.crew->workers;
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < countof(fds); i++)
			fds[i] = tcp_connect(s.listeners[i % 2].port);
		cr_assert_eq(n_served(fds, countof(fds)), 4);
		cr_assert_eq(atomic_load(&the_workers[0]->n_conns), 2);
		for (size_t i = 0; i < countof(fds); i++)
			close(fds[i]);
		cr_assert(crew_wait(s.crew, workers_are_idle));
	}
	site_close(&s);
}

Test(acceptor, learns_of_other_limits_and_rules)
{
	static struct client_rules closed;
	struct site s = { 0 };
	int fds[4];

	site_open(&s, 1, 0);
	the_workers = s.crew->workers;
	closed = s.listeners[0].rules;
	closed.protocols = 0;
	acceptor_set_max(s.acceptor, 3);
	acceptor_renew(s.acceptor, 1, &s.listeners[1].rules,
	    &s.crew->door_rules, 1);
	/* Two through the first, one through the second. */
	for (size_t i = 0; i < countof(fds); i++)
		fds[i] = tcp_connect(s.listeners[i % 2].port);
	cr_expect_eq(n_served(fds, countof(fds)), 3);
	for (size_t i = 0; i < countof(fds); i++)
		close(fds[i]);
	cr_assert(crew_wait(s.crew, workers_are_idle));
	acceptor_renew(s.acceptor, 0, &closed, &s.crew->door_rules, 0);
	for (size_t i = 0; i < 2; i++)
		fds[i] = tcp_connect(s.listeners[i].port);
	cr_expect_eq(n_served(fds, 2), 1);
	close(fds[0]);
	close(fds[1]);
	site_close(&s);
}

/* Those who are online come first. */
Test(acceptor, lets_nobody_in_while_the_workers_are_late)
{
	struct site s = { 0 };
	const struct limits *l;
	int fds[4];

	site_open(&s, 0, 0);
	l = &s.crew->broker->limits;
	s.crew->options.max_lag_ms = 1000;
	for (unsigned i = 0; i < 2; i++)
		atomic_store(&s.crew->workers[i]->late_until_ms, UINT64_MAX);
	for (size_t i = 0; i < countof(fds); i++)
		fds[i] = tcp_connect(s.listeners[0].port);
	cr_expect_eq(n_served(fds, countof(fds)), 0);
	cr_expect_eq(limit_struck(l, LIMIT_MAX_LAG), 4);
	for (size_t i = 0; i < countof(fds); i++)
		close(fds[i]);
	/* One that is not takes all. */
	atomic_store(&s.crew->workers[1]->late_until_ms, 0);
	for (size_t i = 0; i < countof(fds); i++)
		fds[i] = tcp_connect(s.listeners[0].port);
	cr_expect_eq(n_served(fds, countof(fds)), 4);
	cr_expect_eq(atomic_load(&s.crew->workers[1]->n_conns), 4);
	for (size_t i = 0; i < countof(fds); i++)
		close(fds[i]);
	site_close(&s);
}

Test(acceptor, opens_all_of_its_sockets_or_none)
{
	struct listener_options listeners[2] = {
		{ .name = "one", .address = "127.0.0.1", .backlog = 5 },
		{ .name = "two", .address = "no address", .backlog = 5 },
	};
	struct acceptor_options o = { .listeners = listeners,
		.n_listeners = 2 };
	struct listener_socket other;

	thread_enter(THREAD_MAIN, "main");
	log_set_level(LOG_ERROR);
	listeners[0].port = free_port();
	cr_assert_null(acceptor_new(&o));
	/* In use by another. */
	listeners[1] = listeners[0];
	listeners[1].port = free_port();
	cr_assert_eq(listener_open(&listeners[1], &other), 0);
	cr_assert_eq(listener_listen(&other, &listeners[1]), 0);
	cr_assert_null(acceptor_new(&o));
	listener_close(&other);
}

Test(acceptor, lets_nobody_in_before_it_starts)
{
	struct listener_options listener = { .name = "one",
		.address = "127.0.0.1",
		.backlog = 5 };
	struct acceptor_options o = { .listeners = &listener,
		.n_listeners = 1 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct acceptor *a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	thread_enter(THREAD_MAIN, "main");
	log_set_level(LOG_ERROR);
	listener.port = free_port();
	sin.sin_port = htons((uint16_t)listener.port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a = acceptor_new(&o);
	cr_assert_not_null(a);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), -1);
	cr_assert_eq(errno, ECONNREFUSED);
	close(fd);
	acceptor_free(&a);
}

/* --- who may come -------------------------------------------------------- */

static void
join_networks(struct networks *n, const char *text)
{
	char *list[] = { (char *)(uintptr_t)text, NULL };

	networks_init(n, list);
}

Test(acceptor, closes_the_door_to_networks)
{
	struct site s = { 0 };
	struct door_rules other = { 0 };
	int fd;

	join_networks(&other.deny, "127.0.0.0/8");
	site_open(&s, 0, 0);
	acceptor_renew(s.acceptor, 0, &s.listeners[0].rules, &other, 0);
	fd = tcp_connect(s.listeners[0].port);
	cr_expect_eq(n_served(&fd, 1), 0);
	close(fd);
	fd = tcp_connect(s.listeners[1].port);
	cr_expect_eq(n_served(&fd, 1), 1);
	close(fd);
	cr_expect_eq(atomic_load(&acceptor_stats(s.acceptor)->refused), 1);
	site_close(&s);
	networks_fini(&other.deny);
}

Test(acceptor, believes_trusted_proxies_only)
{
	static const char *const lines[] = {
		"PROXY TCP4 192.0.2.7 192.0.2.1 50122 1883\r\n",
		"PROXY TCP4 203.0.113.5 192.0.2.1 50122 1883\r\n",
		"PROXY SCTP 192.0.2.7 192.0.2.1 50122 1883\r\n",
		"", /* says CONNECT at once */
	};
	struct door_rules trusting = { .proxy_protocol = true };
	struct door_rules others = { .proxy_protocol = true };
	struct site s = { 0 };
	int fd;

	join_networks(&trusting.proxies, "127.0.0.1");
	join_networks(&trusting.deny, "203.0.113.0/24");
	join_networks(&others.proxies, "127.0.0.2");
	site_open(&s, 0, 0);
	acceptor_renew(s.acceptor, 0, &s.listeners[0].rules, &trusting, 0);
	acceptor_renew(s.acceptor, 1, &s.listeners[1].rules, &others, 0);
	for (size_t i = 0; i < countof(lines); i++) {
		fd = tcp_connect(s.listeners[0].port);
		/* Byte by byte: it comes as it comes. */
		for (const char *p = lines[i]; *p != '\0'; p++)
			(void)send(fd, p, 1, MSG_NOSIGNAL);
		cr_expect_eq(n_served(&fd, 1), i == 0, "%s", lines[i]);
		close(fd);
	}
	fd = tcp_connect(s.listeners[1].port);
	(void)send(fd, lines[0], strlen(lines[0]), MSG_NOSIGNAL);
	cr_expect_eq(n_served(&fd, 1), 0);
	close(fd);
	site_close(&s);
	networks_fini(&trusting.proxies);
	networks_fini(&trusting.deny);
	networks_fini(&others.proxies);
}
