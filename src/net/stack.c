/* SPDX-License-Identifier: Apache-2.0 */
/* stack - of which streams the connections of a listener consist. */
#include "net/stack.h"

#include "net/transport_tls.h"
#include "net/ws.h"

struct stream *
stack_open(const struct stack *s, int fd)
{
	struct stream *stream = &stream_tcp;

	if (s->tls != NULL)
		stream = transport_tls_open(s->tls, fd);
	return s->ws != NULL ? ws_new(stream, s->ws) : stream;
}
