/* SPDX-License-Identifier: Apache-2.0 */
/* credential - who we are towards NATS, safe to say and safe to log. */
#include "nats/credential.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/buf.h"
#include "base/xalloc.h"

char *
credential_escape(const char *text)
{
	struct buf b = { 0 };
	char *out;

	/* All at once: growing would leave copies behind. */
	buf_reserve(&b, 6 * strlen(text) + 1);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buf_printf(&b, "\\%c", *c);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			buf_printf(&b, "\\u%04x", (unsigned)*c);
		else
			buf_append_byte(&b, (uint8_t)*c);
	}
	out = xmemdup0(buf_ptr(&b), buf_len(&b));
	credential_cleanse(b.base, b.cap);
	buf_fini(&b);
	return out;
}

void
credential_cleanse(void *p, size_t size)
{
	if (p != NULL)
		OPENSSL_cleanse(p, size);
}

void
credential_wipe(char **text)
{
	if (*text == NULL)
		return;
	OPENSSL_cleanse(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

/* What stands in front of the host: "nats://" or nothing. */
static struct slice
scheme_of(struct slice url)
{
	const char *sign = memmem(url.ptr, url.len, "://", 3);

	return slice_of(url.ptr,
	    sign != NULL ? (size_t)(sign + 3 - (const char *)url.ptr) : 0);
}

static char *
bare_of(struct slice url)
{
	struct slice scheme = scheme_of(url);
	struct slice host = slice_skip(url, scheme.len);
	const uint8_t *at =
	    host.len > 0 ? memrchr(host.ptr, '@', host.len) : NULL;

	if (at != NULL)
		host = slice_skip(host, (size_t)(at + 1 - host.ptr));
	return xasprintf("%.*s%.*s", SLICE_ARG(scheme), SLICE_ARG(host));
}

char *
credential_bare_url(const char *url)
{
	return bare_of(slice_str(url));
}

static struct slice
next_url(struct slice *rest)
{
	struct slice url = *rest;
	const uint8_t *comma = memchr(url.ptr, ',', url.len);

	if (comma != NULL)
		url.len = (size_t)(comma - url.ptr);
	*rest = slice_skip(*rest, comma != NULL ? url.len + 1 : url.len);
	while (url.len > 0 && url.ptr[0] <= ' ')
		url = slice_skip(url, 1);
	while (url.len > 0 && url.ptr[url.len - 1] <= ' ')
		url.len--;
	return url;
}

char **
credential_urls(const char *list, bool bare)
{
	struct slice rest = slice_str(list);
	char **urls = xcalloc(1, sizeof(char *));
	size_t n = 0;

	while (rest.len > 0) {
		struct slice url = next_url(&rest);

		if (url.len == 0)
			continue;
		urls = xrealloc(urls, (n + 2) * sizeof(char *));
		urls[n++] = bare ? bare_of(url) : xmemdup0(url.ptr, url.len);
		urls[n] = NULL;
	}
	return urls;
}

void
credential_free_urls(char ***urls)
{
	if (*urls == NULL)
		return;
	for (char **u = *urls; *u != NULL; u++)
		credential_wipe(u);
	free(*urls);
	*urls = NULL;
}
