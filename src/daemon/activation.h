/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activation - listening sockets that systemd has opened for us; see
 * sd_listen_fds(3). Main thread only, once per process.
 */
#pragma once

#include "base/thread.h"

/*
 * Take what was passed, if anything was, out of the environment, so that
 * nothing is taken for it later.
 */
void activation_begin(void) MAIN_THREAD;
/*
 * The socket of this name (FileDescriptorName= of the .socket unit), the
 * caller's from now on; -1: there is none, or it is taken.
 */
int activation_take(const char *name) MAIN_THREAD;
/* Close what nobody has taken, and say so. */
void activation_end(void) MAIN_THREAD;
