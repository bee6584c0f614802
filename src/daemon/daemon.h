/* SPDX-License-Identifier: Apache-2.0 */
/* daemon - start, run and stop everything, in one visible order. */
#pragma once

#include "base/thread.h"

struct config;
struct config_source;

/*
 * Serve until told to stop. The log is open and the configuration resolved;
 * both are borrowed. A reload reads the configuration's source again. Returns
 * the exit status: 0 after a clean stop, else 1.
 */
int daemon_run(struct config *c,
    const struct config_source *source) MAIN_THREAD;
