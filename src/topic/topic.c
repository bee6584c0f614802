/* SPDX-License-Identifier: Apache-2.0 */
/* topic - Topic Names: validity, levels, the `$` rule. */
#include "topic/topic.h"

#include "topic/split.h"

bool
topic_valid(struct slice topic)
{
	size_t i;

	/* v3.1.1 [MQTT-4.7.3-1] [MQTT-4.7.3-3] */
	if (topic.len == 0 || topic.len > TOPIC_MAX)
		return false;
	for (i = 0; i < topic.len; i++) {
		switch (topic.ptr[i]) {
		case '+': /* v3.1.1 [MQTT-4.7.1-1] [MQTT-3.3.2-2] */
		case '#':
		case '\0': /* v3.1.1 [MQTT-4.7.3-2] */
			return false;
		}
	}
	return true;
}

bool
topic_next_level(struct slice *rest, bool *more, struct slice *level)
{
	return split_next(rest, more, '/', level);
}

size_t
topic_levels(struct slice topic)
{
	size_t i, n = 1;

	for (i = 0; i < topic.len; i++)
		n += topic.ptr[i] == '/';
	return n;
}

bool
topic_is_dollar(struct slice topic)
{
	return topic.len > 0 && topic.ptr[0] == '$';
}
