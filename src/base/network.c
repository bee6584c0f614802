/* SPDX-License-Identifier: Apache-2.0 */
/* network - blocks of IP addresses. */
#include "base/network.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define ALL_BITS  128u
/* Before an IPv4 address in an IPv6 one. */
#define IPV4_BITS 96u

static void
map_ipv4(const struct in_addr *in, uint8_t out[16])
{
	memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	memcpy(out + 12, in, 4);
}

/* Digits up to the end, no more than `max`. */
static bool
parse_bits(const char *text, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (*text == '\0' || strlen(text) > 3)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (unsigned)(*text - '0');
	}
	*out = v;
	return v <= max;
}

static bool
bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned mask = 0xff00u >> bits % 8 & 0xff;

	return memcmp(a, b, bits / 8) == 0 &&
	    (bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0);
}

static bool
is_clear_behind(const uint8_t address[16], unsigned bits)
{
	for (unsigned i = bits; i < ALL_BITS; i++)
		if (address[i / 8] >> (7 - i % 8) & 1)
			return false;
	return true;
}

bool
network_parse(const char *text, struct network *out)
{
	char host[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	struct network n = { .bits = ALL_BITS };
	unsigned before = 0;
	struct in_addr v4;

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, &v4) == 1) {
		map_ipv4(&v4, n.address);
		before = IPV4_BITS;
	} else if (inet_pton(AF_INET6, host, n.address) != 1) {
		return false;
	}
	if (text[len] == '/') {
		if (!parse_bits(text + len + 1, ALL_BITS - before, &n.bits))
			return false;
		n.bits += before;
	}
	if (!is_clear_behind(n.address, n.bits))
		return false;
	*out = n;
	return true;
}

void
networks_init(struct networks *n, char *const *list)
{
	size_t len = 0;

	while (list[len] != NULL)
		len++;
	n->n = len;
	n->items = len > 0 ? xcalloc(len, sizeof(*n->items)) : NULL;
	for (size_t i = 0; i < len; i++) {
		bool is_good = network_parse(list[i], &n->items[i]);

		assert(is_good);
	}
}

void
networks_fini(struct networks *n)
{
	free(n->items);
	*n = (struct networks){ 0 };
}

bool
networks_contain(const struct networks *n, const struct sockaddr *sa)
{
	uint8_t address[16];

	if (sa->sa_family == AF_INET)
		map_ipv4(
		    &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
		    address);
	else if (sa->sa_family == AF_INET6)
		memcpy(address,
		    &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
		    sizeof(address));
	else
		return false;
	for (size_t i = 0; i < n->n; i++)
		if (bits_equal(n->items[i].address, address, n->items[i].bits))
			return true;
	return false;
}
