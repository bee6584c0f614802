/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topic_aliases - numbers that we give to topics towards one client of MQTT
 * 5.0, so that the topic itself is sent once.
 *
 * First come, first served. When all numbers are given, a new topic gets the
 * one that was not used for longest, but only if that is long ago: a client
 * that sees many topics in turn would otherwise get all of them with a new
 * number each time, which costs more than it saves.
 *
 * They belong to a Network Connection and end with it, v5 [MQTT-3.3.2-7].
 * Only clients that ask have one, made for the first topic.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

struct topic_aliases;

/* A shorter topic is no longer than what its alias takes; a longer one is not
 * worth the memory. */
#define TOPIC_ALIASES_SHORTEST 5
#define TOPIC_ALIASES_LONGEST  512

/* `n` numbers, from 1 to n; n > 0. */
struct topic_aliases *topic_aliases_new(uint16_t n) MUST_CHECK;
void topic_aliases_free(struct topic_aliases **t);

/* The number of this topic, which counts as a use of it, or 0. */
uint16_t topic_aliases_find(struct topic_aliases *t, struct slice topic);
/* One for a topic that has none; 0 when it gets none. The topic is copied. */
uint16_t topic_aliases_add(struct topic_aliases *t, struct slice topic);
