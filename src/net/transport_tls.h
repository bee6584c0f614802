/* SPDX-License-Identifier: Apache-2.0 */
/* transport_tls - TLS on a socket: handshake, records, who the peer is. */
#pragma once

#include "base/thread.h"
#include "net/transport.h"

struct tls;

/* The server's side; the handshake comes with the first reads. */
struct stream *transport_tls_open(struct tls *t, int fd) WORKER_THREAD;
