/* SPDX-License-Identifier: Apache-2.0 */
/* listener - one listening socket. */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "net/acceptor.h"

void
address_print(const struct sockaddr *sa, socklen_t len, char out[ADDRESS_SIZE])
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		(void)snprintf(out, ADDRESS_SIZE, "unknown");
	else if (sa->sa_family == AF_INET6)
		(void)snprintf(out, ADDRESS_SIZE, "[%.52s]:%.6s", host, port);
	else
		(void)snprintf(out, ADDRESS_SIZE, "%.52s:%.6s", host, port);
}

static int
bind_socket(const struct addrinfo *ai)
{
	int on = 1;
	int fd = socket(ai->ai_family,
	    ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
	int error;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

void
listener_print_peer(int fd, const struct sockaddr *sa, socklen_t len,
    char out[ADDRESS_SIZE])
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (sa->sa_family != AF_UNIX)
		address_print(sa, len, out);
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
		(void)snprintf(out, ADDRESS_SIZE, "unix uid %lu pid %ld",
		    (unsigned long)peer.uid, (long)peer.pid);
	else
		(void)snprintf(out, ADDRESS_SIZE, "unix");
}

static void
log_open_socket(const struct listener_options *o, int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	char address[ADDRESS_SIZE] = "unknown";

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    ss.ss_family != AF_UNIX)
		address_print((struct sockaddr *)&ss, len, address);
	log_notice("listener %s: listening on %s%s", o->name,
	    ss.ss_family == AF_UNIX ? "a UNIX socket, " : "",
	    ss.ss_family == AF_UNIX ? o->address : address);
}

static void
log_failure(const struct listener_options *o, int error)
{
	if (o->address[0] == '/')
		log_error("listener %s: cannot listen on %s: %s", o->name,
		    o->address, strerror(-error));
	else
		log_error("listener %s: cannot listen on %s port %u: %s",
		    o->name, o->address, o->port, strerror(-error));
}

/* --- TCP --- */

/* v5 [MQTT-4.2.0-1], v3.1.1 [MQTT-7.1.1-1] */
static int
open_inet(const struct listener_options *o)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	struct addrinfo *ai = NULL;
	char port[8];
	int fd;

	(void)snprintf(port, sizeof(port), "%u", o->port);
	if (getaddrinfo(o->address, port, &hints, &ai) != 0) {
		log_error("listener %s: \"%s\" is no numeric address", o->name,
		    o->address);
		return -EINVAL;
	}
	fd = bind_socket(ai);
	freeaddrinfo(ai);
	if (fd < 0)
		log_failure(o, fd);
	return fd;
}

/* --- UNIX --- */

/* Nobody listens on it: what made it is gone. Only then it is removed. */
static bool
remove_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, error;

	if (lstat(sun->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	error = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0
	    ? 0
	    : errno;
	close(fd);
	return error == ECONNREFUSED && unlink(sun->sun_path) == 0;
}

static int
bind_path(int fd, const struct sockaddr_un *sun)
{
	const struct sockaddr *sa = (const struct sockaddr *)sun;

	if (bind(fd, sa, sizeof(*sun)) == 0)
		return 0;
	if (errno != EADDRINUSE || !remove_stale(sun))
		return -errno;
	return bind(fd, sa, sizeof(*sun)) == 0 ? 0 : -errno;
}

/* Who may connect; nobody can before it listens. */
static int
hand_over(const struct listener_options *o, struct listener_socket *s)
{
	const struct group *g = NULL;
	struct stat st;

	if (o->group[0] != '\0') {
		g = getgrnam(o->group);
		if (g == NULL || chown(o->address, (uid_t)-1, g->gr_gid) != 0)
			return g == NULL ? -ENOENT : -errno;
	}
	if (chmod(o->address, (mode_t)o->mode) != 0 ||
	    lstat(o->address, &st) != 0)
		return -errno;
	s->device = st.st_dev;
	s->inode = st.st_ino;
	return 0;
}

static int
open_unix(const struct listener_options *o, struct listener_socket *s)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(o->address) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, o->address, strlen(o->address));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = bind_path(fd, &sun);
	if (error != 0) {
		close(fd);
		log_failure(o, error);
		return error;
	}
	s->path = o->address;
	error = hand_over(o, s);
	if (error == 0)
		return fd;
	log_error("listener %s: cannot give %s to %s with mode %04o: %s",
	    o->name, o->address, o->group[0] != '\0' ? o->group : "us", o->mode,
	    strerror(-error));
	(void)unlink(o->address);
	close(fd);
	return error;
}

/* --- systemd --- */

static int
take_inherited(const struct listener_options *o, struct listener_socket *s)
{
	int type = 0, listens = 0, fd = o->inherited;
	socklen_t len = sizeof(int);

	if (fd < 0) {
		log_error("listener %s: systemd has passed no socket of this "
			  "name (FileDescriptorName=%s)",
		    o->name, o->name);
		return -ENOENT;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 ||
	    type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 ||
	    listens == 0 ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
		log_error("listener %s: what systemd has passed is no "
			  "listening stream socket (Accept=no, ListenStream=)",
		    o->name);
		close(fd);
		return -ENOTSOCK;
	}
	s->is_listening = true;
	return fd;
}

int
listener_open(const struct listener_options *o, struct listener_socket *out)
{
	struct listener_socket s = { .fd = -1 };

	if (strcmp(o->address, "systemd") == 0)
		s.fd = take_inherited(o, &s);
	else if (o->address[0] == '/')
		s.fd = open_unix(o, &s);
	else
		s.fd = open_inet(o);
	if (s.fd < 0)
		return s.fd;
	*out = s;
	return 0;
}

void
listener_retouch(struct listener_socket *s, const struct listener_options *o)
{
	int error = s->path != NULL ? hand_over(o, s) : 0;

	if (error != 0)
		log_error("listener %s: %s keeps its mode and group: %s",
		    o->name, o->address, strerror(-error));
}

int
listener_listen(const struct listener_socket *s,
    const struct listener_options *o)
{
	int error = 0;

	if (!s->is_listening && listen(s->fd, (int)o->backlog) != 0)
		error = -errno;
	if (error != 0)
		log_failure(o, error);
	else
		log_open_socket(o, s->fd);
	return error;
}

void
listener_close(struct listener_socket *s)
{
	struct stat st;

	if (s->fd < 0)
		return;
	/* Another daemon may have put its own there meanwhile. */
	if (s->path != NULL && lstat(s->path, &st) == 0 &&
	    st.st_dev == s->device && st.st_ino == s->inode)
		(void)unlink(s->path);
	close(s->fd);
	s->fd = -1;
}
