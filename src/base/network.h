/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network - blocks of IP addresses, as in "10.0.0.0/8". Pure.
 *
 * An IPv4 address is the IPv6 address that stands for it, so both are
 * compared alike, and a client that comes by the one is found by the other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"

struct network {
	uint8_t address[16];
	unsigned bits; /* of `address` that count */
};

/* All zero is none of them. */
struct networks {
	struct network *items;
	size_t n;
};

/*
 * "10.0.0.0/8", "fd00::/8", or one address alone. False when it is none, or
 * has bits set behind those that count.
 */
bool network_parse(const char *text, struct network *out) MUST_CHECK;

/* Of a list that ends with NULL, each of which network_parse takes. */
void networks_init(struct networks *n, char *const *list);
void networks_fini(struct networks *n);
/* Is it in one of them? Never true for what is no IP address. */
bool networks_contain(const struct networks *n, const struct sockaddr *sa);
