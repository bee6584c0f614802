/* SPDX-License-Identifier: Apache-2.0 */
/* crew - workers of a broker on their own threads. */
#include "net/crew.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "broker/home.h"
#include "fake/fake_bus.h"
#include "mqtt/framer.h"
#include "mqtt/packet.h"
#include "mqtt/wire.h"

/* Nothing in a test takes that long, unless it hangs. */
#define PATIENCE_MS  20000
#define NOTATION_MAX 4096

struct broker_options
crew_options(unsigned n_workers)
{
	return (struct broker_options){
		.n_workers = n_workers,
		.receive_maximum = 100,
		.max_inflight = 100,
		.max_packet_size = 4 << 20,
		.max_connect_size = 4 << 20,
		.queue = { .max_queued_messages = 1000,
		    .max_queued_bytes = 1 << 20 },
		.session_expiry_max_s = MQTT_EXPIRY_NEVER,
		.connect_timeout_ms = 60000,
		.max_output_bytes = 1 << 20,
		.max_control_line = 4000,
		.max_topic_levels = 128,
		.max_client_id_length = 256,
		.max_subscriptions = 100,
		.max_sessions = 100000,
	};
}

static struct crew *
crew_start(const struct broker_options *o, bool has_bus)
{
	struct crew *c = xcalloc(1, sizeof(*c));

	log_set_level(LOG_ERROR);
	c->options = *o;
	c->rules = (struct client_rules){ .listener = "test",
		.protocols = 1 << MQTT_V31 | 1 << MQTT_V311 | 1 << MQTT_V5,
		.is_open = true,
		.max_qos = 2,
		.retain_available = true,
		.wildcard_available = true,
		.shared_available = true,
		.subscription_ids_available = true };
	c->door.rules = &c->door_rules;
	c->broker = broker_new(&c->options);
	cr_assert_not_null(c->broker);
	if (has_bus)
		c->bus = fake_bus_new(o->n_workers, &broker_bus_ops, c->broker);
	c->broker->bus = c->bus;
	c->workers = workers_new(c->broker);
	cr_assert_not_null(c->workers);
	cr_assert_eq(workers_start(c->workers, o->n_workers), 0);
	return c;
}

struct crew *
crew_new(const struct broker_options *o)
{
	return crew_start(o, false);
}

struct crew *
crew_new_with_bus(const struct broker_options *o)
{
	return crew_start(o, true);
}

void
crew_stop(struct crew *c, unsigned drain_ms)
{
	if (c->is_stopped)
		return;
	workers_drain(c->workers, c->options.n_workers, drain_ms);
	workers_stop(c->workers, c->options.n_workers);
	c->is_stopped = true;
}

void
crew_free(struct crew **cp, unsigned drain_ms)
{
	struct crew *c = *cp;

	*cp = NULL;
	crew_stop(c, drain_ms);
	cr_assert_eq(atomic_load(&c->door.n_conns), 0, "sockets are left open");
	workers_free(&c->workers, c->options.n_workers);
	broker_free(&c->broker);
	if (c->bus != NULL)
		fake_bus_free(&c->bus);
	free(c);
}

int
crew_connect(struct crew *c, unsigned worker)
{
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	static const struct stack plain;
	struct conn_origin o = { .stack = &plain,
		.rules = &c->rules,
		.door = &c->door,
		.address = "10.0.0.9:50122" };
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
	    0);
	cr_assert_eq(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience)),
	    0);
	cr_assert_eq(evutil_make_socket_nonblocking(fds[0]), 0);
	atomic_fetch_add(&c->door.n_conns, 1);
	o.fd = fds[0];
	worker_post_conn(c->workers[worker], &o);
	return fds[1];
}

bool
crew_wait(struct crew *c, bool (*holds)(struct crew *c))
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t deadline = clock_mono_ms() + PATIENCE_MS;

	while (!holds(c)) {
		if (clock_mono_ms() > deadline)
			return false;
		nanosleep(&pause, NULL); /* poll */
	}
	return true;
}

void
line_say(int fd, const char *notation, ...)
{
	char text[NOTATION_MAX];
	struct slice packets;
	va_list ap;

	va_start(ap, notation);
	cr_assert_lt(vsnprintf(text, sizeof(text), notation, ap),
	    (int)sizeof(text));
	va_end(ap);
	packets = wire_new(text);
	/* The server may have closed already, which is for it to say. */
	(void)send(fd, packets.ptr, packets.len, MSG_NOSIGNAL);
	wire_free(&packets);
}

/* Take exactly `n` bytes; 0, or what recv has said instead. */
static int
take(int fd, struct buf *in, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, buf_reserve(in, n), n, 0);

		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return -EAGAIN;
		if (got <= 0)
			return -EPIPE;
		buf_commit(in, (size_t)got);
		n -= (size_t)got;
	}
	return 0;
}

/* The whole of the next packet. */
static int
take_packet(int fd, struct buf *in, struct frame *f)
{
	enum mqtt_reason reason;
	int error = take(fd, in, 2);

	while (error == 0 &&
	    framer_next(buf_slice(in), SIZE_MAX, f, &reason) == FRAMER_MORE)
		error = take(fd, in, f->size > 0 ? f->size - buf_len(in) : 1);
	return error;
}

const char *
line_read(int fd, unsigned version)
{
	static struct buf line;
	struct buf in = { 0 };
	struct frame f;
	int error = take_packet(fd, &in, &f);

	buf_reset(&line);
	if (error == 0)
		packet_print(&line, &f, version);
	else
		buf_append_str(&line, error == -EAGAIN ? "TIMEOUT" : "CLOSED");
	buf_append_byte(&line, 0);
	buf_fini(&in);
	return (const char *)buf_ptr(&line);
}
