/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device - an MQTT client of a test node: what it sends is written in the
 * notation of mqtt/wire.h, what it receives is read in words.
 */
#pragma once

#include "broker/node.h"
#include "mqtt/any_packet.h"

struct plug;

struct device {
	LIST_ENTRY(device)
	entry; /* of its node's */
	struct node *node;
	struct plug *plug;  /* NULL: no Network Connection at any home */
	bool is_moving;     /* from one to another */
	unsigned version;   /* of its CONNECT */
	struct buf sent;    /* not yet read by the node */
	struct buf heard;   /* not yet read by the test */
	struct buf line;    /* what device_read returned */
	struct buf current; /* what device_next points into */
	struct any_packet packet;
	size_t window; /* bytes that its socket takes; SIZE_MAX at first */
	size_t max_packet_size; /* nothing it hears may be larger */
	bool is_broken;         /* what is written to it is lost */
};

/* A Network Connection to this home that has said nothing yet. */
struct device *device_new(struct node *n, unsigned home);
/*
 * One that has connected and read its CONNACK. A session that is not clean
 * never expires.
 */
struct device *device_online(struct node *n, unsigned home, unsigned version,
    const char *client_id, bool clean_start);
/* One that is closed; node_free frees what is left. */
void device_free(struct device **d);

/* Send packets and let the node run; printf's % first, then the notation. */
void device_say(struct device *d, const char *notation, ...) PRINTF_LIKE(2, 3);
/* The same without letting it run. */
void device_put(struct device *d, const char *notation, ...) PRINTF_LIKE(2, 3);
/* Break the Network Connection, without DISCONNECT; the node runs. */
void device_hang_up(struct device *d);
/* The same without letting it run. */
void device_drop(struct device *d);
/* Its socket takes so many more bytes. */
void device_set_window(struct device *d, size_t n);

/* Is there a Network Connection? */
bool device_is_open(const struct device *d);
/* The home that serves it. */
unsigned device_home(const struct device *d);
struct client *device_client(const struct device *d);

/*
 * The next packet as packet_print has it, a PUBLISH with its payload behind
 * `payload=`; "CLOSED" when all is read and the connection is closed, "" when
 * it is not. Asserts that the packet is a legal one.
 */
const char *device_read(struct device *d);
/* The next packet, decoded; NULL when there is no whole one. Until the next
 * call. */
const struct any_packet *device_next(struct device *d);
/* Read everything that is there and forget it; returns how many packets. */
size_t device_skip(struct device *d);

#define device_hears(d, want)     cr_assert_str_eq(device_read(d), want)
#define device_hears_nothing(d)   device_hears(d, "")
#define device_hears_it_closed(d) device_hears(d, "CLOSED")

/* SUBSCRIBE to one filter at this QoS, and its SUBACK. */
void device_subscribe(struct device *d, const char *filter, unsigned qos);
