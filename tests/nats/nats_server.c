/* SPDX-License-Identifier: Apache-2.0 */
/* nats_server - a nats-server of our own on a free loopback port. */
#include "nats/nats_server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "nats/await.h"
#include "nats/peer.h"

static const char *const PROGRAMS[] = { "/usr/sbin/nats-server",
	"/usr/bin/nats-server", "/usr/local/bin/nats-server" };

static const char *
program(void)
{
	for (size_t i = 0; i < sizeof(PROGRAMS) / sizeof(PROGRAMS[0]); i++)
		if (access(PROGRAMS[i], X_OK) == 0)
			return PROGRAMS[i];
	return NULL;
}

bool
nats_server_is_here(void)
{
	if (program() != NULL)
		return true;
	cr_skip_test("nats-server is not installed");
	return false;
}

int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	cr_assert(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void
write_config(const struct nats_server *s, const char *config)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", s->dir);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fprintf(f, "listen: 127.0.0.1:%d\n%s\n", s->port,
	    config != NULL ? config : "");
	fclose(f);
}

static void
spawn(struct nats_server *s)
{
	char config[96], log[96];
	const char *path = program();
	pid_t parent = getpid();

	snprintf(config, sizeof(config), "%s/conf", s->dir);
	snprintf(log, sizeof(log), "%s/log", s->dir);
	s->pid = fork();
	cr_assert(s->pid >= 0);
	if (s->pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	execl(path, path, "-c", config, "-l", log, (char *)NULL);
	_exit(127);
}

static void
wait_until_it_answers(const struct nats_server *s)
{
	AWAIT(peer_greets(s->port));
}

void
nats_server_start(struct nats_server *s, int port, const char *config)
{
	snprintf(s->dir, sizeof(s->dir), "/tmp/mqtt-natsd-test-XXXXXX");
	cr_assert_not_null(mkdtemp(s->dir));
	s->port = port != 0 ? port : free_port();
	nats_server_restart(s, config);
}

void
nats_server_restart(struct nats_server *s, const char *config)
{
	write_config(s, config);
	spawn(s);
	wait_until_it_answers(s);
}

void
nats_server_reload(struct nats_server *s, const char *config)
{
	write_config(s, config);
	cr_assert(kill(s->pid, SIGHUP) == 0);
}

unsigned
nats_server_said(const struct nats_server *s, const char *text)
{
	char path[96], line[1024];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/log", s->dir);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return n;
}

void
nats_server_kill(struct nats_server *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void
nats_server_stop(struct nats_server *s)
{
	char command[128];

	nats_server_kill(s);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	if (s->dir[0] != '\0')
		cr_assert(system(command) == 0);
}
