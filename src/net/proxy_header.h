/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_header - what a proxy says first about whom it speaks for: the PROXY
 * protocol, versions 1 (a line of text) and 2 (binary). Pure.
 *
 *   1  "PROXY TCP4 192.0.2.7 192.0.2.1 50122 1883\r\n"
 *   2  signature | version, command | family | length | addresses | TLVs
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/slice.h"

/* The most that is taken, TLVs (which we do not look at) included. */
#define PROXY_HEADER_MAX 1024

enum proxy_result {
	PROXY_MORE, /* so far it is one; all of `in` is part of it */
	PROXY_DONE,
	PROXY_BAD
};

struct proxy_header {
	size_t size; /* bytes of `in` that it takes */
	/* The client; ss_family is AF_UNSPEC when the proxy speaks for itself
	 * or does not know. */
	struct sockaddr_storage client;
	socklen_t client_len;
};

/* `out` is written with PROXY_DONE only. */
enum proxy_result proxy_header_decode(struct slice in,
    struct proxy_header *out) MUST_CHECK;
