/* SPDX-License-Identifier: Apache-2.0 */
#include "net/worker.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/home.h"
#include "fake/fake_bus.h"
#include "mqtt/wire.h"
#include "net/crew.h"

#define V311 "10 [<MQTT> 04 %02x 0000 <%s>]"
#define OK   "CONNACK session_present=0 code=0"

static struct crew *
crew(unsigned n_workers)
{
	struct broker_options o = crew_options(n_workers);

	return crew_new(&o);
}

static bool
nobody_is_connected(struct crew *c)
{
	return atomic_load(&c->door.n_conns) == 0;
}

/* --- bytes and packets -------------------------------------------------- */

Test(worker, takes_packets_however_they_arrive)
{
	struct crew *c = crew(1);
	struct slice packets =
	    wire_new("10 [<MQTT> 04 02 0000 <d>]"
		     "82 [0001 <a> 00] 30 [<a> 78*300] c0 []");
	int fd = crew_connect(c, 0);

	for (size_t i = 0; i < packets.len; i++)
		cr_assert_eq(send(fd, packets.ptr + i, 1, 0), 1);
	line_hears(fd, 4, OK);
	line_hears(fd, 4, "SUBACK packet_id=1 codes=0x00");
	line_hears(fd, 4, "PUBLISH qos=0 topic=a payload=300");
	line_hears(fd, 4, "PINGRESP");
	/* And all at once. */
	cr_assert_eq(send(fd, packets.ptr + 15, packets.len - 15, 0),
	    (ssize_t)packets.len - 15);
	line_hears(fd, 4, "SUBACK packet_id=1 codes=0x00");
	line_hears(fd, 4, "PUBLISH qos=0 topic=a payload=300");
	line_hears(fd, 4, "PINGRESP");
	wire_free(&packets);
	close(fd);
	crew_free(&c, 1000);
}

/* More than a socket holds, there and back. */
Test(worker, takes_packets_of_any_size)
{
	struct crew *c = crew(1);
	struct slice packet = wire_new("30 [<a> 78*3000000]");
	int fd = crew_connect(c, 0), s = crew_connect(c, 0);
	size_t sent = 0;

	line_say(s, V311 " 82 [0001 <a> 00]", 2u, "s");
	line_hears(s, 4, OK);
	line_hears(s, 4, "SUBACK packet_id=1 codes=0x00");
	line_say(fd, V311, 2u, "d");
	line_hears(fd, 4, OK);
	while (sent < packet.len) {
		ssize_t n = send(fd, packet.ptr + sent, packet.len - sent, 0);

		cr_assert_gt(n, 0);
		sent += (size_t)n;
	}
	line_hears(s, 4, "PUBLISH qos=0 topic=a payload=3000000");
	wire_free(&packet);
	close(fd);
	close(s);
	crew_free(&c, 1000);
}

/* Everything that was sent before the end counts. */
Test(worker, hears_a_client_out)
{
	struct crew *c = crew(2);
	int s = crew_connect(c, 0), d = crew_connect(c, 1);

	line_say(s, V311 " 82 [0001 <a> 01]", 2u, "s");
	line_hears(s, 4, OK);
	line_hears(s, 4, "SUBACK packet_id=1 codes=0x01");
	line_say(d, "10 [<MQTT> 04 06 0000 <d> <a> <will>] 30 [<a> 'x'] e0 []");
	close(d);
	line_hears(s, 4, "PUBLISH qos=0 topic=a payload=1");
	/* No Will: it said goodbye. */
	d = crew_connect(c, 1);
	line_say(d, "10 [<MQTT> 04 06 0000 <d> <a> <will>]");
	line_hears(d, 4, OK);
	close(d);
	line_hears(s, 4, "PUBLISH qos=0 topic=a payload=4");
	close(s);
	cr_assert(crew_wait(c, nobody_is_connected));
	crew_free(&c, 1000);
}

/* Its last words are written though it sent more than we wanted to read. */
Test(worker, says_why_before_it_closes)
{
	struct crew *c = crew(1);
	struct slice much = wire_new("00*200000");
	int fd = crew_connect(c, 0);

	line_say(fd, "10 [<MQTT> 05 02 0000 [] <d>] 30 [<a/#> [] 'x']");
	(void)send(fd, much.ptr, much.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)line_read(fd, 5);
	line_hears(fd, 5,
	    "DISCONNECT reason=0x90 (Topic Name invalid) { Reason String=Topic "
	    "Name invalid }");
	line_hears(fd, 5, "CLOSED");
	wire_free(&much);
	close(fd);
	crew_free(&c, 1000);
}

/* --- a client that does not read ---------------------------------------- */

Test(worker, does_not_wait_for_a_client_that_does_not_read)
{
	struct broker_options o = crew_options(1);
	struct crew *c;
	int slow, s, d;

	o.max_output_bytes = 100000;
	c = crew_new(&o);
	slow = crew_connect(c, 0);
	s = crew_connect(c, 0);
	d = crew_connect(c, 0);
	line_say(slow, V311 " 82 [0001 <a> 00]", 2u, "slow");
	line_hears(slow, 4, OK);
	line_hears(slow, 4, "SUBACK packet_id=1 codes=0x00");
	line_say(s, V311 " 82 [0001 <a> 00]", 2u, "s");
	line_hears(s, 4, OK);
	line_hears(s, 4, "SUBACK packet_id=1 codes=0x00");
	line_say(d, V311, 2u, "d");
	line_hears(d, 4, OK);
	for (unsigned i = 0; i < 2000; i++) {
		line_say(d, "30 [<a> 78*1000]");
		line_hears(s, 4, "PUBLISH qos=0 topic=a payload=1000");
	}
	cr_assert_gt(atomic_load(&c->broker->homes[0]->stats.dropped_slow), 0);
	/* What it is still to get it gets when it reads again. */
	line_say(slow, "c0 []");
	for (unsigned i = 0; i < 2000; i++)
		if (strcmp(line_read(slow, 4), "PINGRESP") == 0)
			break;
	close(s);
	close(d);
	close(slow);
	crew_free(&c, 1000);
}

static bool
has_no_mail(struct crew *c)
{
	return mailbox_len(&c->broker->homes[0]->mailbox) == 0;
}

static bool
is_congested(struct crew *c)
{
	return atomic_load(&c->broker->homes[0]->stats.messages_in) == 1;
}

static bool
two_have_come(struct crew *c)
{
	return atomic_load(&c->broker->homes[0]->stats.messages_in) == 2;
}

/*
 * While NATS has no room nothing is read; a client that has said what it
 * wanted and gone is heard out when there is room again.
 */
Test(worker, hears_a_client_out_that_did_not_wait)
{
	struct broker_options o = crew_options(1);
	struct crew *c = crew_new_with_bus(&o);
	int d = crew_connect(c, 0), e = crew_connect(c, 0), others[3];

	line_say(d, "10 [<MQTT> 04 06 0000 <d> <w> <will>]");
	line_hears(d, 4, OK);
	line_say(e, V311, 2u, "e");
	line_hears(e, 4, OK);
	fake_bus_set_room(c->bus, 0, 0);
	line_say(e, "30 [<a> 'first']");
	cr_assert(crew_wait(c, is_congested));
	line_say(d, "30 [<a> 'second'] e0 []");
	close(d);
	/* It has turned, with whatever it saw of the socket. */
	for (unsigned i = 0; i < countof(others); i++) {
		others[i] = crew_connect(c, 0);
		cr_assert(crew_wait(c, has_no_mail));
	}
	cr_assert(is_congested(c));
	fake_bus_set_room(c->bus, 0, SIZE_MAX);
	cr_assert(crew_wait(c, two_have_come));
	close(e);
	for (unsigned i = 0; i < countof(others); i++)
		close(others[i]);
	cr_assert(crew_wait(c, nobody_is_connected));
	crew_stop(c, 1000);
	/* Nor is there a Will. */
	cr_assert_eq(fake_bus_n_requests(c->bus, 0), 2);
	crew_free(&c, 1000);
}

/* --- from worker to worker ---------------------------------------------- */

Test(worker, hands_a_client_to_the_one_that_has_its_session)
{
	struct crew *c = crew(3);
	int a = crew_connect(c, 0), b, s;

	line_say(a, V311 " 82 [0001 <a> 01]", 0u, "d");
	line_hears(a, 4, OK);
	line_hears(a, 4, "SUBACK packet_id=1 codes=0x01");
	b = crew_connect(c, 2);
	/* With what it said behind its CONNECT, half of a packet included. */
	line_say(b, V311 " 30 [<a> 'x'] 30 08 00", 0u, "d");
	line_hears(a, 4, "CLOSED");
	line_hears(b, 4, "CONNACK session_present=1 code=0");
	line_hears(b, 4, "PUBLISH qos=0 topic=a payload=1");
	line_say(b, "01 'a' 'hello'");
	line_hears(b, 4, "PUBLISH qos=0 topic=a payload=5");
	cr_assert_eq(atomic_load(&c->workers[0]->n_conns), 1);
	cr_assert_eq(atomic_load(&c->workers[2]->n_conns), 0);
	/* It may be gone before it has arrived. */
	s = crew_connect(c, 1);
	line_say(s, V311, 0u, "d");
	close(s);
	line_hears(b, 4, "CLOSED");
	close(a);
	close(b);
	cr_assert(crew_wait(c, nobody_is_connected));
	crew_free(&c, 1000);
}

/* --- the end ------------------------------------------------------------ */

Test(worker, sends_everybody_away_at_the_end)
{
	struct crew *c = crew(2);
	int v3 = crew_connect(c, 0), v5 = crew_connect(c, 1);
	int s = crew_connect(c, 1), silent = crew_connect(c, 0);
	struct crew *free_me = c;

	line_say(s, V311 " 82 [0001 <w> 00]", 2u, "s");
	line_hears(s, 4, OK);
	line_hears(s, 4, "SUBACK packet_id=1 codes=0x00");
	line_say(v3, "10 [<MQTT> 04 06 0000 <a> <w> <gone>]");
	line_hears(v3, 4, OK);
	line_say(v5, "10 [<MQTT> 05 02 0000 [] <b>]");
	(void)line_read(v5, 5);
	crew_free(&free_me, 5000);
	line_hears(v3, 4, "CLOSED");
	line_hears(v5, 5,
	    "DISCONNECT reason=0x8b (server shutting down) { Reason "
	    "String=server shutting down }");
	line_hears(v5, 5, "CLOSED");
	line_hears(silent, 4, "CLOSED");
	close(v3);
	close(v5);
	close(s);
	close(silent);
}

/* One that does not take its last words is not waited for. */
Test(worker, ends_with_clients_that_do_not_read)
{
	struct crew *c = crew(1);
	int slow = crew_connect(c, 0), d = crew_connect(c, 0);

	line_say(slow, V311 " 82 [0001 <a> 00]", 2u, "slow");
	line_hears(slow, 4, OK);
	line_hears(slow, 4, "SUBACK packet_id=1 codes=0x00");
	line_say(d, V311, 2u, "d");
	line_hears(d, 4, OK);
	for (unsigned i = 0; i < 1000; i++)
		line_say(d, "30 [<a> 78*1000]");
	line_say(d, "c0 []");
	line_hears(d, 4, "PINGRESP");
	crew_free(&c, 50);
	close(slow);
	close(d);
}

/*
 * The end may come while clients are on their way from worker to worker:
 * none is forgotten, and none holds the end up.
 */
Test(worker, ends_while_clients_move)
{
	for (unsigned round = 0; round < 40; round++) {
		struct crew *c = crew(3);
		int fds[60];

		for (unsigned i = 0; i < countof(fds); i++) {
			static const char *const ids[] = { "a", "b" };

			fds[i] = crew_connect(c, i % 3);
			line_say(fds[i], V311, 0u, ids[i % 2]);
		}
		crew_free(&c, round % 2 == 0 ? 0 : 10000);
		for (unsigned i = 0; i < countof(fds); i++) {
			const char *heard = line_read(fds[i], 4);

			cr_assert_neq(heard[0], 'T', "%s", heard);
			close(fds[i]);
		}
	}
}
