/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ws_upgrade.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/xalloc.h"

static char *no_origins[] = { NULL };
static const struct ws_rules rules = { .path = "/mqtt", .origins = no_origins };

#define GET "GET /mqtt HTTP/1.1\r\n"
#define REST                                                                   \
	"Host: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"   \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                      \
	"Sec-WebSocket-Version: 13\r\n"
#define MQTT  "Sec-WebSocket-Protocol: mqtt\r\n"
#define END   "\r\n"
#define WHOLE GET REST MQTT END

static enum ws_upgrade_result
decode(const char *text, struct ws_upgrade *u)
{
	return ws_upgrade_decode(slice_str(text), &rules, u);
}

Test(ws_upgrade, is_accepted_as_in_the_standard)
{
	struct ws_upgrade u;
	struct buf out = { 0 };

	cr_assert_eq(decode(WHOLE "frames", &u), WS_UPGRADE_DONE);
	cr_expect_eq(u.size, strlen(WHOLE));
	ws_upgrade_accept(&u, &out);
	buf_append_byte(&out, 0);
	cr_expect_str_eq((const char *)buf_ptr(&out),
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	    "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
	buf_fini(&out);
}

Test(ws_upgrade, is_waited_for)
{
	static const char text[] = WHOLE;
	struct ws_upgrade u;

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		cr_expect_eq(ws_upgrade_decode(slice_of(text, n), &rules, &u),
		    WS_UPGRADE_MORE, "%zu", n);
}

Test(ws_upgrade, takes_what_browsers_and_others_say)
{
	static const struct {
		const char *text;
		const char *protocol;
	} cases[] = {
		{ GET REST "Sec-WebSocket-Protocol: mqttv3.1\r\n" END,
		    "mqttv3.1" },
		{ GET REST "Sec-WebSocket-Protocol: x, mqttv3.1 ,mqtt\r\n" END,
		    "mqttv3.1" },
		{ GET REST "Sec-WebSocket-Protocol: x\r\n" MQTT END, "mqtt" },
		{ "GET /mqtt?token=a HTTP/1.1\r\n" REST MQTT END, "mqtt" },
		{ GET "HOST:a\r\nupgrade:\tWebSocket \r\n"
		      "connection: keep-alive, UPGRADE\r\n"
		      "sec-websocket-key:AAAAAAAAAAAAAAAAAAAA+/==\r\n"
		      "sec-websocket-version:13\r\n"
		      "Cookie: a=b; c=\"d\"\r\nX-Empty:\r\n"
		      "Origin: https://example.com\r\n" MQTT END,
		    "mqtt" },
		{ GET REST MQTT "Content-Length: 0\r\n" END, "mqtt" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct ws_upgrade u;

		cr_expect_eq(decode(cases[i].text, &u), WS_UPGRADE_DONE, "%zu",
		    i);
		cr_expect_str_eq(u.protocol, cases[i].protocol, "%zu", i);
	}
}

Test(ws_upgrade, is_refused)
{
	static const struct {
		const char *text;
		unsigned status;
	} cases[] = {
		{ "\x10", 400 },         /* a CONNECT */
		{ "\x16\x03\x01", 400 }, /* TLS */
		{ "GET /other HTTP/1.1\r\n", 404 },
		{ "GET /mqttx HTTP/1.1\r\n", 404 },
		{ "GET http://a/mqtt HTTP/1.1\r\n", 404 },
		{ "POST /mqtt HTTP/1.1\r\n", 405 },
		{ "GET /mqtt HTTP/1.0\r\n", 400 },
		{ "GET /mqtt HTTP/1.1 \r\n", 400 },
		{ "GET  /mqtt HTTP/1.1\r\n", 400 },
		{ "GET /mqtt\r\n", 400 },
		{ "GET /mqtt HTTP/1.1\n", 400 },
		{ GET END, 400 },
		{ GET "Host: a\r\n" END, 426 },
		{ GET REST END, 400 },
		{ GET REST "Sec-WebSocket-Protocol: MQTT\r\n" END, 400 },
		{ GET REST "Sec-WebSocket-Protocol: mqtt5\r\n" END, 400 },
		{ GET REST MQTT "Host: again\r\n" END, 400 },
		{ GET REST MQTT "Origin: a\r\nOrigin: b\r\n" END, 400 },
		{ GET REST MQTT "Content-Length: 1\r\n", 400 },
		{ GET REST MQTT "Transfer-Encoding: chunked\r\n", 400 },
		{ GET "Host : a\r\n", 400 },
		{ GET " Host: a\r\n", 400 },
		{ GET ": a\r\n", 400 },
		{ GET "Host\r\n", 400 },
		{ GET "Host: a\rb\r\n", 400 },
		{ GET "Host: a\x01\r\n", 400 },
		{ GET "Host: a\n", 400 },
		{ GET "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		      "Sec-WebSocket-Version: 8\r\n"
		      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" END,
		    426 },
		{ GET "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		      "Sec-WebSocket-Version: 13\r\n"
		      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n" END,
		    400 },
		{ GET MQTT MQTT MQTT MQTT MQTT, 400 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct ws_upgrade u = { 0 };
		struct buf out = { 0 };
		char *start;

		cr_expect_eq(decode(cases[i].text, &u), WS_UPGRADE_REFUSED,
		    "%zu", i);
		cr_expect_eq(u.status, cases[i].status, "%zu: %u", i, u.status);
		ws_upgrade_refuse(&u, &out);
		start = xasprintf("HTTP/1.1 %u ", cases[i].status);
		cr_expect(slice_starts(buf_slice(&out), slice_str(start)));
		free(start);
		buf_fini(&out);
	}
}

Test(ws_upgrade, keeps_to_origins)
{
	static char *origins[] = { (char *)(uintptr_t) "https://a.example",
		(char *)(uintptr_t) "http://b.example:8080", NULL };
	static const struct ws_rules strict = { .path = "/mqtt",
		.origins = origins };
	static const struct {
		const char *origin;
		bool may;
	} cases[] = {
		{ "", true }, /* no browser */
		{ "Origin: https://a.example\r\n", true },
		{ "Origin: HTTP://B.example:8080\r\n", true },
		{ "Origin: https://a.example.evil\r\n", false },
		{ "Origin: http://a.example\r\n", false },
		{ "Origin: null\r\n", false },
		{ "Origin:\r\n", false },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		char *text = xasprintf(GET REST MQTT "%s\r\n", cases[i].origin);
		struct ws_upgrade u;

		cr_expect_eq(ws_upgrade_decode(slice_str(text), &strict, &u),
		    cases[i].may ? WS_UPGRADE_DONE : WS_UPGRADE_REFUSED, "%s",
		    cases[i].origin);
		if (!cases[i].may)
			cr_expect_eq(u.status, 403);
		free(text);
	}
}

Test(ws_upgrade, is_not_taken_when_too_long)
{
	struct ws_upgrade u;
	struct buf b = { 0 };

	buf_append_str(&b, GET "Cookie: ");
	while (buf_len(&b) < WS_UPGRADE_MAX - 1)
		buf_append_byte(&b, 'x');
	cr_expect_eq(ws_upgrade_decode(buf_slice(&b), &rules, &u),
	    WS_UPGRADE_MORE);
	buf_append_byte(&b, 'x');
	cr_expect_eq(ws_upgrade_decode(buf_slice(&b), &rules, &u),
	    WS_UPGRADE_REFUSED);
	cr_expect_eq(u.status, 431);
	buf_fini(&b);
}
