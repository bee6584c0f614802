/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners - the [listener NAME]s of the configuration in force, and what a
 * reload makes of them.
 *
 * A reload opens those that are new or have changed, first all of them and
 * without letting anybody in; then nothing can fail any more, and the others
 * are renewed or closed. Clients stay connected, also those of a listener that
 * is gone. What was opened once stays in memory until the end, since clients
 * borrow it.
 */
#pragma once

#include "base/thread.h"
#include "net/acceptor.h"

struct config;
struct listeners;
struct settings;

/*
 * What acceptor_new needs, of the first configuration; sockets of systemd are
 * taken now.
 */
struct listeners *listeners_new(const struct settings *s) MAIN_THREAD;
/* In *out what the acceptor opens at first; valid until listeners_start. */
const struct listener_options *listeners_options(const struct listeners *l,
    size_t *n) MAIN_THREAD;
void listeners_start(struct listeners *l, struct acceptor *a) MAIN_THREAD;
/* After the workers. */
void listeners_free(struct listeners **l) MAIN_THREAD;

/*
 * Open what the new settings have anew. False, with a line in the log, when
 * one cannot be; then all is as it was.
 */
bool
listeners_prepare(struct listeners *l, const struct settings *s) MAIN_THREAD
MUST_CHECK;
/* These are in force. */
void listeners_apply(struct listeners *l, const struct settings *s) MAIN_THREAD;
