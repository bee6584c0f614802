/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive - every message from NATS: reply, retained request, or for devices.
 * intake.h says how they come.
 */
#pragma once

#include <nats/nats.h>

#include "nats/link.h"

/*
 * One has come on a subscription of this link. False when it was taken and is
 * not to be freed.
 */
bool receive_message(struct link *l, natsMsg *msg) NATS_THREAD;
/* The same for a queue group, on the link of a side; it stays the caller's. */
void receive_shared(struct link *l, natsMsg *msg, uint64_t share) NATS_THREAD;
/*
 * A message that `consumer` has held back: it came on `subject`, empty: its
 * own. Freed.
 */
void receive_held(struct link *l, natsMsg *msg, struct slice subject);
/*
 * An answer to what the daemon's own link has published, which its own would
 * not hear from NATS: it has no echo. False: it is for somebody else.
 */
bool receive_own_answer(struct bus *b, struct slice reply) NATS_THREAD;
