/* SPDX-License-Identifier: Apache-2.0 */
/* topic - Topic Names: validity, levels, the `$` rule. Pure. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* The longest Topic Name and Topic Filter, in bytes. */
#define TOPIC_MAX 65535u

/*
 * At least one character, at most TOPIC_MAX bytes, no wildcard, no U+0000:
 * v3.1.1 [MQTT-4.7.3-1] [MQTT-4.7.3-3] [MQTT-4.7.1-1] [MQTT-4.7.3-2]. UTF-8 is
 * the codec's to check.
 */
bool topic_valid(struct slice topic);

/*
 * Take the next level off the front of `*rest` into `*level`; false when
 * there is none. Start with `*rest` = the topic and `*more` = true. An empty
 * level is a level: "a//b" has three, "/" two.
 */
bool topic_next_level(struct slice *rest, bool *more, struct slice *level);

size_t topic_levels(struct slice topic);

/* Begins with `$`, so no leading wildcard matches: v3.1.1 [MQTT-4.7.2-1]. */
bool topic_is_dollar(struct slice topic);
