/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - what the program can do: each mode runs once, prints one line of
 * JSON and ends. A mode that cannot do its work ends the program.
 */
#pragma once

#include "options.h"

/* Publishers and subscribers: cost, throughput, loss, order, latency. */
void flow_run(const struct options *o);

/* Connections that do nothing: connect rate and memory. */
void idle_run(const struct options *o);

/* Many filters: memory and CPU for each. */
void filters_run(const struct options *o);

/* Many retained messages: memory for each, time to fetch some. */
void retained_run(const struct options *o);

/* Not a load but a floor: a server that forwards and does nothing else. */
void relay_run(const struct options *o);
