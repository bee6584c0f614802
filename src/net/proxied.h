/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxied - the PROXY header at the beginning of a connection, before TLS and
 * whatever else.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "net/proxy_header.h"

/*
 * Take what has come of the header off the socket, and not a byte of what
 * stands behind it. `in`, empty at first, keeps it until it is whole. 0: it is,
 * and `in` is released; -EAGAIN: there is more to come; -EPIPE: the peer has
 * closed; -EPROTO: that is none; or another -errno.
 */
int proxied_read(int fd, struct buf *in, struct proxy_header *out) MUST_CHECK;
