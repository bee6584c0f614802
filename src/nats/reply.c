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

static enum shape
shape_of(struct slice body, char **text)
{
	json_t *root, *error;
	enum shape shape = SHAPE_OTHER;

	if (body.len == 0 || body.len > PUBACK_MAX || body.ptr[0] != '{')
		return SHAPE_OTHER;
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
