/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request that opens a WebSocket. The first byte chooses rules. What is
 * taken is waited for in each of its parts, ends with an empty line and is
 * answered; what is refused stays refused whatever follows.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "fuzz/fuzz.h"
#include "net/ws_upgrade.h"

static char *none[] = { NULL };
static char example[] = "https://example.com";
static char *one[] = { example, NULL };
static const struct ws_rules rules[] = { { "/mqtt", none }, { "/", one } };

/* In memory of exactly this size; the key is of no use afterwards. */
static enum ws_upgrade_result
decode(const uint8_t *data, size_t size, const struct ws_rules *r,
    struct ws_upgrade *out)
{
	uint8_t *copy = size > 0 ? xmalloc(size) : NULL;
	enum ws_upgrade_result result;

	if (size > 0)
		memcpy(copy, data, size);
	result = ws_upgrade_decode(slice_of(copy, size), r, out);
	free(copy);
	return result;
}

static void
check_taken(const uint8_t *data, size_t size, const struct ws_rules *r)
{
	struct ws_upgrade u, part;
	struct buf out = { 0 };

	assert(
	    ws_upgrade_decode(slice_of(data, size), r, &u) == WS_UPGRADE_DONE);
	assert(u.size <= size && u.size <= WS_UPGRADE_MAX);
	assert(memcmp(data + u.size - 4, "\r\n\r\n", 4) == 0);
	assert(u.key.ptr >= data && u.key.ptr + 24 < data + u.size);
	ws_upgrade_accept(&u, &out);
	assert(buf_len(&out) > 100 && buf_len(&out) < 300);
	buf_fini(&out);
	for (size_t n = 0; n < u.size; n++)
		assert(decode(data, n, r, &part) == WS_UPGRADE_MORE);
}

static void
check_refused(const uint8_t *data, size_t size, const struct ws_rules *r,
    const struct ws_upgrade *u)
{
	struct ws_upgrade more;
	uint8_t *copy = xmalloc(size + 4);
	struct buf out = { 0 };

	assert(u->status >= 400 && u->status < 500 && u->why != NULL);
	memcpy(copy, data, size);
	memcpy(copy + size, "\r\n\r\n", 4);
	assert(decode(copy, size + 4, r, &more) == WS_UPGRADE_REFUSED);
	assert(more.status == u->status);
	ws_upgrade_refuse(u, &out);
	assert(buf_len(&out) < 500);
	buf_fini(&out);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ws_rules *r;
	struct ws_upgrade u;

	if (size == 0)
		return 0;
	r = &rules[data[0] % 2];
	data++;
	size--;
	switch (decode(data, size, r, &u)) {
	case WS_UPGRADE_MORE:
		assert(size < WS_UPGRADE_MAX);
		break;
	case WS_UPGRADE_DONE:
		check_taken(data, size, r);
		break;
	case WS_UPGRADE_REFUSED:
		check_refused(data, size, r, &u);
		break;
	}
	return 0;
}
