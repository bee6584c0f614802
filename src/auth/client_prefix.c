/* SPDX-License-Identifier: Apache-2.0 */
/* client_prefix - what the Client Identifiers of a user begin with. */
#include "auth/client_prefix.h"

bool
client_prefix_expand(const char *text, struct slice user, struct buf *out)
{
	for (; *text != '\0'; text++) {
		if (text[0] != '%' || text[1] != 'u') {
			buf_append_byte(out, (uint8_t)*text);
			continue;
		}
		if (user.ptr == NULL)
			return false;
		buf_append_slice(out, user);
		text++;
	}
	return true;
}
