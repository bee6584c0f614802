/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retained_request - NATS services ask for retained messages.
 *
 * The request is one or more NATS subscriptions separated by commas. The
 * answer is a JSON list of {"subject":S,"payload":TEXT}, or with "payloadEnc"
 * (base64) instead when the payload is not printable ASCII, in order of first
 * retention; [] when nothing matches. What is larger than max_payload comes in
 * several messages, each a list, ended by an empty one. What does not fit into
 * any is left out.
 */
#pragma once

#include "base/thread.h"
#include "broker/home.h"

/* Answer the request in `m` on its reply subject. */
void retained_request_answer(struct home *h, struct message *m) WORKER_THREAD;
