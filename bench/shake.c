/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shake - connections to an MQTT server, one after the other: what does a
 * handshake cost it?
 *
 *   shake plain|full|resumed PORT PID COUNT
 *
 * Each is a connection to 127.0.0.1, the handshake of TLS unless it is plain,
 * CONNECT and CONNACK (behind which the ticket of TLS 1.3 has come), and the
 * end. Prints seconds for all of them, the CPU of the server for each in
 * microseconds, and how many were resumed. The first is not counted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* CONNECT of 3.1.1, Clean Session, no identifier; and its CONNACK. */
static const unsigned char hello[] = { 0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2,
	0, 60, 0, 0 };
#define CONNACK_LEN 4

struct shaker {
	struct sockaddr_in to;
	SSL_CTX *ctx;         /* NULL: plain */
	SSL_SESSION *session; /* what is resumed; NULL: nothing yet */
	bool resumes;
	unsigned long n_resumed;
};

static void
die(const char *what)
{
	fprintf(stderr, "shake: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
dial(const struct shaker *s)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (const struct sockaddr *)&s->to, sizeof(s->to)) != 0)
		die("connect");
	return fd;
}

static void
talk_plain(int fd)
{
	unsigned char answer[CONNACK_LEN];

	if (write(fd, hello, sizeof(hello)) != (ssize_t)sizeof(hello) ||
	    recv(fd, answer, sizeof(answer), MSG_WAITALL) != CONNACK_LEN)
		die("no CONNACK");
}

static void
talk_tls(struct shaker *s, int fd)
{
	unsigned char answer[CONNACK_LEN];
	SSL *ssl = SSL_new(s->ctx);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		die("SSL_new");
	if (s->resumes && s->session != NULL)
		(void)SSL_set_session(ssl, s->session);
	if (SSL_connect(ssl) != 1 ||
	    SSL_write(ssl, hello, sizeof(hello)) != (int)sizeof(hello) ||
	    SSL_read(ssl, answer, sizeof(answer)) != CONNACK_LEN)
		die("handshake, or no CONNACK");
	s->n_resumed += (unsigned long)SSL_session_reused(ssl);
	if (s->resumes) {
		SSL_SESSION_free(s->session);
		s->session = SSL_get1_session(ssl);
	}
	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
}

static void
shake(struct shaker *s)
{
	int fd = dial(s);

	if (s->ctx != NULL)
		talk_tls(s, fd);
	else
		talk_plain(fd);
	close(fd);
}

/* Seconds of this clock. */
static double
seconds_of(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		die("clock");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long
number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (n <= 0 || *end != '\0') {
		fprintf(stderr, "shake: %s is no number\n", text);
		exit(2);
	}
	return n;
}

int
main(int argc, char **argv)
{
	struct shaker s = { .to = { .sin_family = AF_INET } };
	double wall, cpu;
	clockid_t clock; /* of the server */
	long count;

	if (argc != 5) {
		fputs("usage: shake plain|full|resumed PORT PID COUNT\n",
		    stderr);
		return 2;
	}
	s.resumes = strcmp(argv[1], "resumed") == 0;
	if (strcmp(argv[1], "plain") != 0)
		s.ctx = SSL_CTX_new(TLS_client_method());
	s.to.sin_port = htons((uint16_t)number(argv[2]));
	s.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (clock_getcpuclockid((pid_t)number(argv[3]), &clock) != 0)
		die("server");
	count = number(argv[4]);
	shake(&s);
	s.n_resumed = 0;
	wall = seconds_of(CLOCK_MONOTONIC);
	cpu = seconds_of(clock);
	for (long i = 0; i < count; i++)
		shake(&s);
	wall = seconds_of(CLOCK_MONOTONIC) - wall;
	cpu = seconds_of(clock) - cpu;
	printf("%.4f %.2f %lu\n", wall, cpu * 1e6 / (double)count, s.n_resumed);
	SSL_SESSION_free(s.session);
	SSL_CTX_free(s.ctx);
	return 0;
}
