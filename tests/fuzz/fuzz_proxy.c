/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY header. Each beginning of one that is taken is taken for the
 * beginning of one, what follows it makes no difference, and an address is
 * one of IP.
 */
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "fuzz/fuzz.h"
#include "net/proxy_header.h"

/* In memory of exactly this size. */
static enum proxy_result
decode(const uint8_t *data, size_t size, struct proxy_header *out)
{
	uint8_t *copy = size > 0 ? xmalloc(size) : NULL;
	enum proxy_result result;

	if (size > 0)
		memcpy(copy, data, size);
	result = proxy_header_decode(slice_of(copy, size), out);
	free(copy);
	return result;
}

static void
check_client(const struct proxy_header *h)
{
	switch (h->client.ss_family) {
	case AF_UNSPEC:
		assert(h->client_len == 0);
		break;
	case AF_INET:
		assert(h->client_len == sizeof(struct sockaddr_in));
		break;
	case AF_INET6:
		assert(h->client_len == sizeof(struct sockaddr_in6));
		break;
	default:
		abort();
	}
}

static void
check_parts(const uint8_t *data, const struct proxy_header *h)
{
	struct proxy_header part;

	for (size_t n = 0; n < h->size; n++)
		assert(decode(data, n, &part) == PROXY_MORE);
	assert(decode(data, h->size, &part) == PROXY_DONE);
	assert(part.size == h->size && part.client_len == h->client_len &&
	    memcmp(&part.client, &h->client, sizeof(part.client)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h;

	switch (decode(data, size, &h)) {
	case PROXY_MORE:
		assert(size < PROXY_HEADER_MAX);
		break;
	case PROXY_DONE:
		assert(
		    h.size > 0 && h.size <= size && h.size <= PROXY_HEADER_MAX);
		check_client(&h);
		check_parts(data, &h);
		break;
	case PROXY_BAD:
		break;
	}
	return 0;
}
