/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nats_server - a nats-server of our own on a free loopback port.
 *
 * It ends with the test process, whatever happens to that.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct nats_server {
	pid_t pid;
	int port;
	char dir[64]; /* configuration and JetStream */
};

/* Is the program there? If not, say so and leave the test. */
bool nats_server_is_here(void);
/*
 * Start one with these lines of configuration behind the listen line; waits
 * until it answers. A port of 0 takes a free one.
 */
void nats_server_start(struct nats_server *s, int port, const char *config);
/* Write other lines and start again on the same port. */
void nats_server_restart(struct nats_server *s, const char *config);
/* Write other lines and have them read. */
void nats_server_reload(struct nats_server *s, const char *config);
/* In how many lines of its log does this text stand? */
unsigned nats_server_said(const struct nats_server *s, const char *text);
/* SIGKILL, and wait. */
void nats_server_kill(struct nats_server *s);
/* Stop it and remove its directory. */
void nats_server_stop(struct nats_server *s);

/* A loopback port that nobody listens on right now. */
int free_port(void);
