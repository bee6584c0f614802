/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn - a Network Connection: bytes <-> Control Packets, back-pressure.
 *
 * Reads go into a buffer of the worker; only the beginning of a packet that
 * is not complete yet is kept per connection. Output is collected by the
 * client during a loop turn and written once at its end; the socket is
 * watched for writing only while it is full. An idle connection holds no
 * buffer.
 */
#pragma once

#include <event2/event_struct.h>

#include "base/queue.h"
#include "base/thread.h"
#include "broker/client.h"
#include "net/stack.h"

struct door;
struct worker;

struct conn {
	struct client client; /* the MQTT of it; first what is used most */
	LIST_ENTRY(conn)
	entry; /* of the worker's */
	struct event event;
	struct worker *worker;
	struct stream *stream; /* the topmost one */
	struct buf in;         /* the beginning of a packet */
	struct door *door;     /* that it came through */
	int fd;
	short watched;         /* EV_READ | EV_WRITE that `event` waits for */
	bool is_broken : 1;    /* nothing can be written any more */
	bool is_counted : 1;   /* by admission, for its address */
	bool awaits_proxy : 1; /* the PROXY header has not come yet */
};

/* What a connection is made of; `fd` is owned by it afterwards. */
struct conn_origin {
	int fd;
	const struct stack *stack; /* borrowed for the life of the workers */
	struct stream *stream;     /* made already; NULL: by the stack */
	const struct client_rules *rules;
	struct door *door;
	const char *address;
	bool is_counted;   /* as above */
	bool awaits_proxy; /* a proxy says first for whom it speaks */
};

/* Start serving an accepted socket. */
void conn_open(struct worker *w, const struct conn_origin *o) WORKER_THREAD;

/*
 * End of the loop turn for a connection whose client asked for attention:
 * write, move, close, read on. May free it.
 */
void conn_attend(struct conn *c) WORKER_THREAD;

/* Close the socket and free; the client must have ended. */
void conn_close(struct conn **c) WORKER_THREAD;
