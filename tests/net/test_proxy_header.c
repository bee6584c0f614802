/* SPDX-License-Identifier: Apache-2.0 */
#include "net/proxy_header.h"

#include <string.h>

#include <criterion/criterion.h>

#include "base/buf.h"
#include "mqtt/wire.h"
#include "net/listener.h"

/* 108 bytes. */
#define LONG_LINE "PROXY UNKNOWN" BLANKS BLANKS "   \r\n"
#define BLANKS    "                                             "
#define V2        "0d0a0d0a000d0a515549540a "
#define ADDR_4    "c0000207 c0000201 c3ca 075b "
#define ADDR_6                                                                 \
	"20010db8000000000000000000000007 "                                    \
	"20010db8000000000000000000000001 c3ca 075b "

static const char *
client_of(const struct proxy_header *h)
{
	static char text[ADDRESS_SIZE];

	if (h->client.ss_family == AF_UNSPEC)
		return "nobody";
	address_print((const struct sockaddr *)&h->client, h->client_len, text);
	return text;
}

/* Whole, with more behind it, and each beginning of it. */
static void
expect_client(struct slice header, const char *client, const char *name)
{
	struct buf b = { 0 };
	struct proxy_header h;

	buf_append_slice(&b, header);
	buf_append_str(&b, "and more");
	cr_expect_eq(proxy_header_decode(buf_slice(&b), &h), PROXY_DONE, "%s",
	    name);
	cr_expect_eq(h.size, header.len, "%s", name);
	cr_expect_str_eq(client_of(&h), client, "%s", name);
	for (size_t n = 0; n < header.len; n++)
		cr_expect_eq(proxy_header_decode(slice_of(header.ptr, n), &h),
		    PROXY_MORE, "%s: %zu", name, n);
	buf_fini(&b);
}

Test(proxy_header, takes_lines)
{
	static const struct {
		const char *line;
		const char *client;
	} cases[] = {
		{ "PROXY TCP4 192.0.2.7 192.0.2.1 50122 1883\r\n",
		    "192.0.2.7:50122" },
		{ "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
		    "255.255.255.255:65535" },
		{ "PROXY TCP6 2001:db8::7 2001:db8::1 0 1883\r\n",
		    "[2001:db8::7]:0" },
		{ "PROXY UNKNOWN\r\n", "nobody" },
		{ "PROXY UNKNOWN ffff:f::1 ffff:f::2 65535 65535\r\n",
		    "nobody" },
	};

	for (size_t i = 0; i < countof(cases); i++)
		expect_client(slice_str(cases[i].line), cases[i].client,
		    cases[i].line);
}

Test(proxy_header, takes_what_is_binary)
{
	static const struct {
		const char *hex;
		const char *client;
	} cases[] = {
		{ V2 "21 11 000c " ADDR_4, "192.0.2.7:50122" },
		{ V2 "21 21 0024 " ADDR_6, "[2001:db8::7]:50122" },
		/* With a TLV. */
		{ V2 "21 11 0010 " ADDR_4 "01 0001 61", "192.0.2.7:50122" },
		/* The proxy itself; a family that it does not know. */
		{ V2 "20 00 0000", "nobody" },
		{ V2 "20 ff 0003 010203", "nobody" },
		{ V2 "21 00 0000", "nobody" },
		{ V2 "21 31 00d8 61*216", "nobody" },
		/* As large as can be. */
		{ V2 "21 11 03f0 " ADDR_4 "00*996", "192.0.2.7:50122" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct slice s = wire_new(cases[i].hex);

		expect_client(s, cases[i].client, cases[i].hex);
		wire_free(&s);
	}
}

Test(proxy_header, refuses_lines)
{
	static const char *const cases[] = {
		"X",
		"PROXY\r\n",
		"PROXY \r\n",
		"PROXY TCP4\r\n",
		"proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
		"PROXY TCP5 192.0.2.7 192.0.2.1 1 2\r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.1 1 \r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n",
		"PROXY TCP4  192.0.2.7 192.0.2.1 1 2\r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.1 1 65536\r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.1 -1 2\r\n",
		"PROXY TCP4 192.0.2.256 192.0.2.1 1 2\r\n",
		"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
		"PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\n",
		"PROXY TCP4 192.0.2.7\r192.0.2.1 1 2\r\n",
		LONG_LINE,
		"\r\nPROXY UNKNOWN\r\n",
	};
	struct proxy_header h;

	for (size_t i = 0; i < countof(cases); i++)
		cr_expect_eq(proxy_header_decode(slice_str(cases[i]), &h),
		    PROXY_BAD, "%s", cases[i]);
	cr_expect_eq(proxy_header_decode(SLICE("PROXY TCP4 1.2.3.4\0 "
					       "1.2.3.4 1 2\r\n"),
			 &h),
	    PROXY_BAD);
}

Test(proxy_header, refuses_what_is_binary)
{
	static const char *const cases[] = {
		V2 "11 11 000c " ADDR_4,                   /* version 1 */
		V2 "22 11 000c " ADDR_4,                   /* no such command */
		V2 "21 12 000c " ADDR_4,                   /* UDP */
		V2 "21 11 000b c0000207 c0000201 c3ca 07", /* too short */
		V2 "21 21 0023 00*35",
		V2 "21 31 00d7 00*215",
		V2 "21 41 0000", /* no such family */
		V2 "21 11 03f1", /* too long, which is known before it comes */
		V2 "20 00 ffff",
		"0d0a0d0a000d0a515549540b",
		"0d0a0d0b",
	};
	struct proxy_header h;

	for (size_t i = 0; i < countof(cases); i++) {
		struct slice s = wire_new(cases[i]);

		cr_expect_eq(proxy_header_decode(s, &h), PROXY_BAD, "%s",
		    cases[i]);
		wire_free(&s);
	}
}
