/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_header - what a proxy says first about whom it speaks for. */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* The longest line there can be, its end included. */
#define V1_MAX 107

#define V2_FIXED     16
#define V2_LOCAL     0x20
#define V2_PROXY     0x21
#define V2_UNSPEC    0x00
#define V2_TCP4      0x11
#define V2_TCP6      0x21
#define V2_UNIX      0x31
#define V2_LEN_INET  12
#define V2_LEN_INET6 36
#define V2_LEN_UNIX  216

static const struct slice v1_start = { (const uint8_t *)"PROXY ", 6 };
static const struct slice v2_start = { (const uint8_t *)"\r\n\r\n\0\r\nQUIT\n",
	12 };

/* Are they the same, as far as both go? */
static bool
may_start(struct slice in, struct slice with)
{
	size_t len = in.len < with.len ? in.len : with.len;

	return len == 0 || memcmp(in.ptr, with.ptr, len) == 0;
}

/* --- version 1 --- */

/* The next word of the line; a blank ends it, and only one. */
static struct slice
next_word(struct slice *line)
{
	size_t len = 0;
	struct slice word;

	while (len < line->len && line->ptr[len] != ' ')
		len++;
	word = slice_of(line->ptr, len);
	*line = slice_skip(*line, len < line->len ? len + 1 : len);
	return word;
}

static bool
parse_port(struct slice s, in_port_t *out)
{
	unsigned v = 0;

	if (s.len == 0 || s.len > 5 || (s.ptr[0] == '0' && s.len > 1))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		v = v * 10 + (s.ptr[i] - '0');
	}
	*out = htons((uint16_t)v);
	return v <= UINT16_MAX;
}

static bool
parse_address(int family, struct slice s, void *out)
{
	char text[INET6_ADDRSTRLEN];

	if (s.len == 0 || s.len >= sizeof(text) ||
	    memchr(s.ptr, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return inet_pton(family, text, out) == 1;
}

/* Where the client and its port go to. */
static void
set_family(struct proxy_header *h, int family, void **address, in_port_t **port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&h->client;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&h->client;

	h->client.ss_family = (sa_family_t)family;
	h->client_len = family == AF_INET ? sizeof(struct sockaddr_in)
					  : sizeof(struct sockaddr_in6);
	*address =
	    family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr;
	*port = family == AF_INET ? &v4->sin_port : &v6->sin6_port;
}

/* SOURCE DESTINATION PORT PORT */
static bool
parse_pair(struct slice line, int family, struct proxy_header *h)
{
	uint8_t unused[16];
	in_port_t unused_port, *port;
	void *address;

	set_family(h, family, &address, &port);
	return parse_address(family, next_word(&line), address) &&
	    parse_address(family, next_word(&line), unused) &&
	    parse_port(next_word(&line), port) && line.len > 0 &&
	    parse_port(line, &unused_port);
}

/* Without its end. */
static bool
parse_line(struct slice line, struct proxy_header *h)
{
	struct slice family;

	line = slice_skip(line, v1_start.len);
	family = next_word(&line);
	if (slice_eq(family, SLICE("UNKNOWN")))
		return true; /* whatever stands behind it */
	if (slice_eq(family, SLICE("TCP4")))
		return parse_pair(line, AF_INET, h);
	if (slice_eq(family, SLICE("TCP6")))
		return parse_pair(line, AF_INET6, h);
	return false;
}

static enum proxy_result
decode_v1(struct slice in, struct proxy_header *out)
{
	size_t most = in.len < V1_MAX ? in.len : V1_MAX;
	const uint8_t *end = memchr(in.ptr, '\n', most);
	struct proxy_header h = { 0 };
	size_t len;

	if (end == NULL)
		return in.len < V1_MAX ? PROXY_MORE : PROXY_BAD;
	len = (size_t)(end - in.ptr);
	if (len <= v1_start.len || in.ptr[len - 1] != '\r' ||
	    memchr(in.ptr, '\r', len - 1) != NULL ||
	    !parse_line(slice_of(in.ptr, len - 1), &h))
		return PROXY_BAD;
	h.size = len + 1;
	*out = h;
	return PROXY_DONE;
}

/* --- version 2 --- */

/* Source and destination, then the ports in the same order. */
static void
copy_pair(const uint8_t *p, int family, struct proxy_header *h)
{
	size_t len = family == AF_INET ? 4 : 16;
	in_port_t *port;
	void *address;

	set_family(h, family, &address, &port);
	memcpy(address, p, len);
	memcpy(port, p + 2 * len, sizeof(*port));
}

/* What a family takes at least; SIZE_MAX: not one of a stream. */
static size_t
least_of(uint8_t family)
{
	switch (family) {
	case V2_UNSPEC:
		return 0;
	case V2_TCP4:
		return V2_LEN_INET;
	case V2_TCP6:
		return V2_LEN_INET6;
	case V2_UNIX:
		return V2_LEN_UNIX;
	default:
		return SIZE_MAX;
	}
}

static enum proxy_result
decode_v2(struct slice in, struct proxy_header *out)
{
	struct proxy_header h = { 0 };
	uint8_t command, family;
	size_t len;

	if (in.len < V2_FIXED)
		return PROXY_MORE;
	command = in.ptr[12];
	family = in.ptr[13];
	len = (size_t)in.ptr[14] << 8 | in.ptr[15];
	h.size = V2_FIXED + len;
	if ((command != V2_LOCAL && command != V2_PROXY) ||
	    h.size > PROXY_HEADER_MAX)
		return PROXY_BAD;
	if (command == V2_PROXY && len < least_of(family))
		return PROXY_BAD;
	if (in.len < h.size)
		return PROXY_MORE;
	if (command == V2_PROXY && family == V2_TCP4)
		copy_pair(in.ptr + V2_FIXED, AF_INET, &h);
	if (command == V2_PROXY && family == V2_TCP6)
		copy_pair(in.ptr + V2_FIXED, AF_INET6, &h);
	*out = h;
	return PROXY_DONE;
}

enum proxy_result
proxy_header_decode(struct slice in, struct proxy_header *out)
{
	if (in.len == 0)
		return PROXY_MORE;
	if (may_start(in, v1_start))
		return decode_v1(in, out);
	if (may_start(in, v2_start))
		return decode_v2(in, out);
	return PROXY_BAD;
}
