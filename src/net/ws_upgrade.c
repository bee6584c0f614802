/* SPDX-License-Identifier: Apache-2.0 */
/* ws_upgrade - the HTTP request that opens a WebSocket. */
#include "net/ws_upgrade.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

/* Base64 of 16 bytes. */
#define KEY_LEN    24
#define SHA1_LEN   20
#define ACCEPT_LEN 28 /* base64 of that */

/* What the headers have said. */
struct request {
	struct slice host;
	struct slice key;
	struct slice origin;
	struct slice protocols[4]; /* the header may be repeated */
	size_t n_protocols;
	bool has_upgrade;
	bool has_connection;
	bool has_version;
	bool is_twice; /* what may not be */
};

static bool
equals(struct slice s, const char *word)
{
	size_t len = strlen(word);

	return s.len == len && strncasecmp((const char *)s.ptr, word, len) == 0;
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = slice_skip(s, 1);
	while (
	    s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* The next one of a comma-separated list. */
static bool
next_item(struct slice *list, struct slice *item)
{
	size_t len = 0;

	if (list->len == 0)
		return false;
	while (len < list->len && list->ptr[len] != ',')
		len++;
	*item = trim(slice_of(list->ptr, len));
	*list = slice_skip(*list, len < list->len ? len + 1 : len);
	return true;
}

static bool
has_item(struct slice list, const char *word)
{
	struct slice item;

	while (next_item(&list, &item))
		if (equals(item, word))
			return true;
	return false;
}

/* --- lines --- */

/* Of a header's name. */
static bool
is_token_byte(uint8_t c)
{
	return isalnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* The line at the start of `in`, without its end; false: not whole yet. */
static bool
next_line(struct slice *in, struct slice *line)
{
	const uint8_t *lf = in->len > 0 ? memchr(in->ptr, '\n', in->len) : NULL;

	if (lf == NULL)
		return false;
	*line = slice_of(in->ptr, (size_t)(lf - in->ptr));
	*in = slice_skip(*in, line->len + 1);
	return true;
}

/* Ends with CR, and nothing in it that moves a cursor. */
static bool
take_cr(struct slice *line)
{
	if (line->len == 0 || line->ptr[line->len - 1] != '\r')
		return false;
	line->len--;
	for (size_t i = 0; i < line->len; i++)
		if ((line->ptr[i] < ' ' && line->ptr[i] != '\t') ||
		    line->ptr[i] == 0x7f)
			return false;
	return true;
}

static bool
once(struct request *r, struct slice *where, struct slice value)
{
	if (where->ptr != NULL)
		r->is_twice = true;
	*where = value;
	return true;
}

/* False: such a request has no place here. */
static bool
on_header(struct request *r, struct slice name, struct slice value)
{
	if (equals(name, "Host"))
		return once(r, &r->host, value);
	if (equals(name, "Origin"))
		return once(r, &r->origin, value);
	if (equals(name, "Sec-WebSocket-Key"))
		return once(r, &r->key, value);
	if (equals(name, "Upgrade"))
		r->has_upgrade |= has_item(value, "websocket");
	else if (equals(name, "Connection"))
		r->has_connection |= has_item(value, "upgrade");
	else if (equals(name, "Sec-WebSocket-Version"))
		r->has_version |= has_item(value, "13");
	else if (equals(name, "Content-Length"))
		return equals(value, "0");
	else if (equals(name, "Transfer-Encoding"))
		return false;
	else if (!equals(name, "Sec-WebSocket-Protocol"))
		return true;
	else if (r->n_protocols == countof(r->protocols))
		return false;
	else
		r->protocols[r->n_protocols++] = value;
	return true;
}

static bool
parse_header(struct request *r, struct slice line)
{
	size_t len = 0;

	while (len < line.len && is_token_byte(line.ptr[len]))
		len++;
	if (len == 0 || len == line.len || line.ptr[len] != ':')
		return false;
	return on_header(r, slice_of(line.ptr, len),
	    trim(slice_skip(line, len + 1)));
}

/* --- what it asks for --- */

static enum ws_upgrade_result
refuse(struct ws_upgrade *out, unsigned status, const char *why)
{
	*out = (struct ws_upgrade){ .status = status, .why = why };
	return WS_UPGRADE_REFUSED;
}

/* GET PATH[?...] HTTP/1.1; 0, or a status. */
static unsigned
check_request_line(struct slice line, const struct ws_rules *rules)
{
	static const struct slice get = { (const uint8_t *)"GET ", 4 };
	static const struct slice version = { (const uint8_t *)" HTTP/1.1", 9 };
	struct slice path;
	size_t len = 0;

	if (!slice_starts(line, get))
		return 405;
	line = slice_skip(line, get.len);
	while (len < line.len && line.ptr[len] != ' ')
		len++;
	path = slice_of(line.ptr, len);
	if (!slice_eq(slice_skip(line, len), version))
		return 400;
	for (len = 0; len < path.len && path.ptr[len] != '?'; len++)
		;
	return slice_eq(slice_of(path.ptr, len), slice_str(rules->path)) ? 0
									 : 404;
}

/* The first of those it offers that we speak; v5 [MQTT-6.0.0-3], also
 * [MQTT-6.0.0-4]. */
static const char *
choose_protocol(const struct request *r)
{
	static const char *const spoken[] = { "mqtt", "mqttv3.1" };
	struct slice item;

	for (size_t i = 0; i < r->n_protocols; i++) {
		struct slice list = r->protocols[i];

		while (next_item(&list, &item))
			for (size_t j = 0; j < countof(spoken); j++)
				if (slice_eq(item, slice_str(spoken[j])))
					return spoken[j];
	}
	return NULL;
}

static bool
is_key(struct slice s)
{
	size_t i = 0;

	while (i < s.len &&
	    (isalnum(s.ptr[i]) || s.ptr[i] == '+' || s.ptr[i] == '/'))
		i++;
	return s.len == KEY_LEN && i == KEY_LEN - 2 && s.ptr[i] == '=' &&
	    s.ptr[i + 1] == '=';
}

/* Who is no browser has none, and could say anything. */
static bool
is_origin_allowed(struct slice origin, const struct ws_rules *rules)
{
	if (origin.ptr == NULL || rules->origins[0] == NULL)
		return true;
	for (size_t i = 0; rules->origins[i] != NULL; i++)
		if (equals(origin, rules->origins[i]))
			return true;
	return false;
}

static enum ws_upgrade_result
judge(const struct request *r, const struct ws_rules *rules,
    struct ws_upgrade *out)
{
	if (r->is_twice || r->host.ptr == NULL)
		return refuse(out, 400, "a header is missing or repeated");
	if (!r->has_upgrade || !r->has_connection)
		return refuse(out, 426, "it does not ask for a WebSocket");
	if (!r->has_version)
		return refuse(out, 426, "another version of WebSocket");
	if (!is_key(r->key))
		return refuse(out, 400, "no Sec-WebSocket-Key");
	if (!is_origin_allowed(r->origin, rules))
		return refuse(out, 403, "pages of that origin may not");
	out->protocol = choose_protocol(r);
	if (out->protocol == NULL)
		return refuse(out, 400, "it does not offer subprotocol mqtt");
	out->key = r->key;
	return WS_UPGRADE_DONE;
}

/* Why the request line will not do. */
static const char *
reason_of(unsigned status)
{
	switch (status) {
	case 404:
		return "another path";
	case 405:
		return "it is no GET";
	default:
		return "no request of HTTP/1.1";
	}
}

/* No request of ours begins so; not to be waited for whole. */
static bool
is_hopeless(struct slice in)
{
	static const char get[] = "GET ";
	size_t len = in.len < strlen(get) ? in.len : strlen(get);

	return len > 0 && memcmp(in.ptr, get, len) != 0 && !isupper(in.ptr[0]);
}

enum ws_upgrade_result
ws_upgrade_decode(struct slice in, const struct ws_rules *rules,
    struct ws_upgrade *out)
{
	struct slice rest = in, line;
	struct request r = { 0 };
	unsigned status;

	if (rest.len > WS_UPGRADE_MAX)
		rest.len = WS_UPGRADE_MAX;
	if (is_hopeless(rest))
		return refuse(out, 400, "no request of HTTP/1.1");
	for (bool is_first = true; next_line(&rest, &line); is_first = false) {
		if (!take_cr(&line))
			return refuse(out, 400, "a line is malformed");
		if (is_first) {
			status = check_request_line(line, rules);
			if (status != 0)
				return refuse(out, status, reason_of(status));
		} else if (line.len == 0) {
			*out = (struct ws_upgrade){ .size = (size_t)(rest.ptr -
							in.ptr) };
			return judge(&r, rules, out);
		} else if (!parse_header(&r, line)) {
			return refuse(out, 400, "a header is malformed");
		}
	}
	if (in.len >= WS_UPGRADE_MAX)
		return refuse(out, 431, "the request is too long");
	return WS_UPGRADE_MORE;
}

/* --- answers --- */

void
ws_upgrade_accept(const struct ws_upgrade *u, struct buf *out)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char text[KEY_LEN + sizeof(guid) - 1], hash[EVP_MAX_MD_SIZE];
	unsigned char accept[ACCEPT_LEN + 1];
	unsigned len = 0;
	int done;

	memcpy(text, u->key.ptr, KEY_LEN);
	memcpy(text + KEY_LEN, guid, sizeof(guid) - 1);
	done = EVP_Digest(text, sizeof(text), hash, &len, EVP_sha1(), NULL);
	assert(done == 1 && len == SHA1_LEN);
	EVP_EncodeBlock(accept, hash, SHA1_LEN);
	/* v5 [MQTT-6.0.0-4] */
	buf_printf(out,
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n"
	    "Sec-WebSocket-Protocol: %s\r\n\r\n",
	    (const char *)accept, u->protocol);
}

static const char *
phrase_of(unsigned status)
{
	switch (status) {
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 426:
		return "Upgrade Required";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Bad Request";
	}
}

void
ws_upgrade_refuse(const struct ws_upgrade *u, struct buf *out)
{
	buf_printf(out, "HTTP/1.1 %u %s\r\n", u->status, phrase_of(u->status));
	if (u->status == 405)
		buf_append_str(out, "Allow: GET\r\n");
	if (u->status == 426)
		buf_append_str(out,
		    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	buf_printf(out,
	    "Connection: %sclose\r\nContent-Type: text/plain\r\n"
	    "Content-Length: %zu\r\n\r\n%s\n",
	    u->status == 426 ? "Upgrade, " : "", strlen(u->why) + 1, u->why);
}
