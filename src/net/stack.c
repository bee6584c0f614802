/* SPDX-License-Identifier: Apache-2.0 */
/* stack - of which streams the connections of a listener consist. */
#include "net/stack.h"

#include "net/transport_tls.h"

struct stream *
stack_open(const struct stack *s, int fd)
{
	if (s->tls != NULL)
		return transport_tls_open(s->tls, fd);
	return &stream_tcp;
}
