/* SPDX-License-Identifier: Apache-2.0 */
/* daemon - start, run and stop everything, in one visible order. */
#pragma once

#include "base/thread.h"

struct config;

/*
 * Serve until told to stop. The log is open and the configuration resolved;
 * it is borrowed. Returns the exit status: 0 after a clean stop, else 1.
 */
int daemon_run(const struct config *c) MAIN_THREAD;
