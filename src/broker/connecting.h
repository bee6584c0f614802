/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connecting - what the files of a CONNECT share: client_connect begins and
 * ends it, client_login finds out who it is, client_will keeps its Will.
 */
#pragma once

#include "broker/client.h"

/* CONNACK that refuses, and the end; `why` NULL: the reason's own text. */
void connecting_refuse(struct client *c, enum mqtt_reason reason,
    const char *why) WORKER_THREAD;

/* Keep the packet for the next look at it. */
void connecting_hold(struct client *c, const struct frame *f);
/* Wipe what was kept: there may be a password in it. */
void connecting_drop(struct client *c);
/* Look at what was kept again. */
void connecting_resume(struct client *c) WORKER_THREAD;

/* Will somebody find out who that is? */
bool connecting_will_ask(const struct client *c,
    const struct packet_connect *p);
/*
 * Find out who the client is, unless that is known. True: that takes time, or
 * it was refused; false: nobody wants to know.
 */
bool
connecting_login(struct client *c, const struct frame *f,
    const struct packet_connect *p) WORKER_THREAD
MUST_CHECK;

/* client_will: is the Will of this CONNECT one that may be? `*why` when not. */
enum mqtt_reason connecting_check_will(struct client *c,
    const struct packet_connect *p, const char **why) WORKER_THREAD;
/* It is the client's from now on, who has a session. */
void connecting_take_will(struct client *c,
    const struct packet_connect *p) WORKER_THREAD;
