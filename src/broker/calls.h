/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls - requests from NATS that devices are to answer themselves.
 *
 * [nats] request_subjects: the reply subject of such a message is the
 * device's Response Topic. Most of these are inboxes, which devices may not
 * publish to otherwise, so those that were handed out are remembered for a
 * while; the oldest give way. They cannot be guessed, so who knows one was
 * asked. Any thread, under a lock of its own.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

struct calls;

/* So many can be open on a node, each for so long after its request. */
#define CALLS_MAX         16384u
#define CALLS_LIFETIME_MS 600000u
/* Longer reply subjects are not remembered. */
#define CALLS_SUBJECT_MAX 512u

struct calls *calls_new(void) MUST_CHECK;
void calls_free(struct calls **c);
/* A request with this reply subject has come. */
void calls_add(struct calls *c, struct slice reply, uint64_t now_ms);
/* May a device publish an answer to this subject? */
bool calls_has(struct calls *c, struct slice subject, uint64_t now_ms);
