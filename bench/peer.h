/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - one connection of the load generator, to an MQTT or a NATS server.
 *
 * A peer knows as little as it can, so that it stays far cheaper than the
 * server at the other end: bytes to send are copied from a stencil, bytes
 * received are looked at in place, and both go through one system call per
 * socket and turn of the loop. Single-threaded; numeric addresses only.
 *
 *   epoll -> read -> wire->take -> events    what the load does with it
 *   stencil, wire -> out -> peer_loop_flush -> write
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct peer;
struct stencil;

/* What the owner of a peer is told, always from within peer_loop_turn. */
struct peer_events {
	/* The server has let the client in. */
	void (*ready)(struct peer *p);
	/* One call of wire->subscribe is in force. */
	void (*subscribed)(struct peer *p);
	void (*message)(struct peer *p, const uint8_t *payload, size_t len);
	/* The publish with this id is done: PUBACK, PUBCOMP or a NATS reply. */
	void (*acked)(struct peer *p, uint32_t id);
	void (*pong)(struct peer *p);
	/* The server has closed; the peer's socket is gone. */
	void (*closed)(struct peer *p, const char *why);
};

/* How a peer speaks. Everything but `take` only appends to p->out. */
struct wire {
	const char *scheme;
	char separator; /* between the levels of a topic or subject */
	unsigned version;
	void (*hello)(struct peer *p, const char *id);
	void (*subscribe)(struct peer *p, const char *const *filters,
	    unsigned n, unsigned qos);
	void (*ping)(struct peer *p);
	/* Make the bytes of a publish: see stencil.h. */
	void (*compose)(const struct wire *w, struct stencil *s);
	/* Take the whole packets at the start; return their length. */
	size_t (*take)(struct peer *p, const uint8_t *data, size_t len);
};

extern const struct wire wire_mqtt, wire_mqtt5, wire_nats;

/* Where a server is and how to speak to it: "mqtt://127.0.0.1:1883". */
struct endpoint {
	const struct wire *wire;
	struct sockaddr_in address;
};

struct peer_loop {
	int epoll;
	struct peer *dirty; /* have something to write */
	uint64_t now_ns;    /* when the bytes being taken had been read */
	struct buf scratch;
};

struct peer {
	struct peer_loop *loop;
	const struct wire *wire;
	const struct peer_events *events;
	struct peer *next_dirty;
	int fd; /* -1: closed */
	uint32_t number;
	bool connecting;   /* the socket is, or the server has not said hello */
	bool in_dirty;     /* is in the list of the loop */
	bool blocked;      /* waits for room in the socket */
	bool answers;      /* NATS: reply to what has a reply subject */
	bool inbox;        /* NATS: is told replies to what it publishes */
	uint32_t awaiting; /* NATS: PONGs that confirm a subscription */
	struct buf in;     /* the beginning of a packet that goes on */
	struct buf out;
};

/* Monotonic nanoseconds. */
uint64_t now_ns(void);

/* Parse an endpoint; false: not one. */
bool endpoint_parse(struct endpoint *e, const char *text);

void peer_loop_init(struct peer_loop *loop);
void peer_loop_fini(struct peer_loop *loop);

/* Wait at most `timeout_ns` for something to read, then take all of it. */
void peer_loop_turn(struct peer_loop *loop, uint64_t timeout_ns);

/* Write what the peers have to say, one write for each. */
void peer_loop_flush(struct peer_loop *loop);

/*
 * Begin to connect and say hello. `number` names the peer to the server, as
 * part of its Client Identifier, and to the owner. Peers beyond the ports of
 * one address come from 127.0.0.2 and so on.
 */
void peer_open(struct peer *p, struct peer_loop *loop,
    const struct endpoint *to, const struct peer_events *events,
    uint32_t number);

/* Close without telling the owner. May be called twice. */
void peer_close(struct peer *p);

/* To be called after something was appended to p->out. */
void peer_dirty(struct peer *p);

/* Close and tell the owner why; for the wires. */
void peer_fail(struct peer *p, const char *why);

/* Print "load: ..." and end the program. */
void die(const char *fmt, ...) PRINTF_LIKE(1, 2) NORETURN;

/* A number that no other run on this machine has. */
uint32_t run_number(void);
