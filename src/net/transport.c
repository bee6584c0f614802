/* SPDX-License-Identifier: Apache-2.0 */
/* transport - how bytes cross a socket: what streams need not have. */
#include "net/transport.h"

#include <string.h>

void
stream_goodbye(struct stream *s, int fd)
{
	if (s->transport->goodbye != NULL)
		s->transport->goodbye(s, fd);
}

const char *
stream_why(const struct stream *s, ssize_t error)
{
	const char *why =
	    s->transport->why != NULL ? s->transport->why(s) : NULL;

	if (why != NULL)
		return why;
	return error == 0 ? "connection closed by client"
			  : strerror((int)-error);
}

void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	*sp = NULL;
	if (s->transport->free != NULL)
		s->transport->free(s);
}
