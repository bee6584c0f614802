/* SPDX-License-Identifier: Apache-2.0 */
/*
 * renew - other options, users and rights while clients are online.
 *
 * What is read where it is needed (limits, acknowledgements) holds for
 * everybody at once. Who is no longer somebody (the user is gone, or has
 * another password, or strangers are not wanted any more) is disconnected;
 * nobody else is. Rights hold from the next message on.
 */
#pragma once

#include "base/thread.h"

struct broker;
struct broker_options;

/*
 * Borrowed for the life of the broker; may differ from those before only in
 * what can change while it runs. Returns before every worker knows.
 */
void broker_renew(struct broker *b, const struct broker_options *o) MAIN_THREAD;
