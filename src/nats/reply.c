/* SPDX-License-Identifier: Apache-2.0 */
/* reply - what a reply to a published message means under a policy. */
#include "nats/reply.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/xalloc.h"

/* A PubAck is short; what is longer is nothing that we need to parse. */
#define PUBACK_MAX 4096

enum shape { SHAPE_OTHER, SHAPE_PUBACK, SHAPE_ERROR };

static char *
error_text(const json_t *error)
{
	const json_t *description = json_object_get(error, "description");

	if (!json_is_string(description))
		return NULL;
	return xstrdup(json_string_value(description));
}

/* Step over `text`. */
static bool
scan(struct slice *rest, struct slice text)
{
	if (!slice_starts(*rest, text))
		return false;
	*rest = slice_skip(*rest, text.len);
	return true;
}

/* A name up to its quote: no escapes, nothing that is more than one byte. */
static void
scan_name(struct slice *rest)
{
	size_t i = 0;

	while (i < rest->len && rest->ptr[i] >= ' ' && rest->ptr[i] < 0x7f &&
	    rest->ptr[i] != '"' && rest->ptr[i] != '\\')
		i++;
	*rest = slice_skip(*rest, i);
}

/* A number that is not negative and fits in any case. */
static bool
scan_number(struct slice *rest)
{
	size_t n = 0;

	while (n < rest->len && rest->ptr[n] >= '0' && rest->ptr[n] <= '9')
		n++;
	if (n == 0 || n > 18 || (n > 1 && rest->ptr[0] == '0'))
		return false;
	*rest = slice_skip(*rest, n);
	return true;
}

/*
 * What nearly every reply of a stream is, byte for byte. A JSON parser for
 * it was a third of what a message to a stream cost us; what looks in any
 * way different is left to it.
 */
static bool
is_usual_puback(struct slice body)
{
	if (!scan(&body, SLICE("{\"stream\":\"")))
		return false;
	scan_name(&body);
	return (scan(&body, SLICE("\", \"seq\":")) ||
		   scan(&body, SLICE("\",\"seq\":"))) &&
	    scan_number(&body) && slice_eq(body, SLICE("}"));
}

static enum shape
shape_of(struct slice body, char **text)
{
	json_t *root, *error;
	enum shape shape = SHAPE_OTHER;

	if (body.len == 0 || body.len > PUBACK_MAX || body.ptr[0] != '{')
		return SHAPE_OTHER;
	if (is_usual_puback(body))
		return SHAPE_PUBACK;
	root = json_loadb((const char *)body.ptr, body.len, 0, NULL);
	error = json_object_get(root, "error");
	if (json_is_integer(json_object_get(error, "code"))) {
		shape = SHAPE_ERROR;
		*text = error_text(error);
	} else if (json_is_string(json_object_get(root, "stream")) &&
	    json_is_integer(json_object_get(root, "seq"))) {
		shape = SHAPE_PUBACK;
	}
	json_decref(root);
	return shape;
}

bool
reply_settles(enum ack_policy policy, struct slice body, bool no_responders,
    enum bus_result *result, char **text)
{
	char *reason = NULL;
	enum shape shape;
	bool settles;

	*text = NULL;
	if (no_responders) {
		*result = BUS_NO_RESPONDERS;
		return true;
	}
	shape = shape_of(body, &reason);
	if (policy == ACK_STREAM) {
		*result = shape == SHAPE_ERROR ? BUS_REFUSED : BUS_OK;
		settles = shape != SHAPE_OTHER;
	} else {
		*result = BUS_OK;
		settles = shape != SHAPE_ERROR;
	}
	if (settles && *result == BUS_REFUSED)
		*text = reason;
	else
		free(reason);
	return settles;
}
