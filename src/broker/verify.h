/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify - passwords of CONNECTs, checked against the password file by the
 * helper thread: hashing takes longer than a turn of a worker's loop may.
 *
 *   client --verify_start--> helper --letter--> client_on_verdict
 *
 * As many as [limits] max_logins may wait; the client hears nothing and is
 * not read from meanwhile, and its time to CONNECT goes on.
 */
#pragma once

#include "auth/users.h"
#include "base/helper.h"
#include "broker/login.h"

struct broker;
struct verify;

/*
 * Have this User Name and password checked, which are copied. False: too many
 * wait already.
 */
bool
verify_start(struct client *c, struct slice user,
    struct slice password) WORKER_THREAD
MUST_CHECK;
/*
 * One more for the helper to check; false: too many wait already. When it is
 * checked, or given up, verify_done.
 */
bool
verify_has_room(struct broker *b) ANY_THREAD
MUST_CHECK;
void verify_done(struct broker *b) ANY_THREAD;
/* Its client is gone: there is no need to do it. */
void verify_forget(struct verify *v) WORKER_THREAD;
