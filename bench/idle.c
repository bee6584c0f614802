/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle - connections that do nothing: connect rate, CPU and memory for each.
 *
 * The first tenth, at most 500, warms the server up and is not counted: what
 * a process allocates once is not the price of a connection.
 */
#include <stdio.h>

#include "crowd.h"

#define REST_SECONDS 2.0

static unsigned
warm_up_size(unsigned conns)
{
	return conns / 10 < 500 ? conns / 10 : 500;
}

void
idle_run(const struct options *o)
{
	struct crowd c;
	struct usage begin, end, rest;
	unsigned warm = warm_up_size(o->conns);
	unsigned alive;

	if (!crowd_init(&c, o, o->conns + warm))
		return;
	c.subscribe_at_once = true;
	crowd_connect(&c, warm);
	crowd_settle(&c, REST_SECONDS / 2);
	usage_sample(&begin, o->processes, o->n_processes);
	crowd_connect(&c, warm + o->conns);
	usage_sample_cpu(&end, o->processes, o->n_processes);
	crowd_settle(&c, REST_SECONDS);
	usage_sample(&rest, o->processes, o->n_processes);
	alive = crowd_ping(&c);
	crowd_print_costs(&c, "idle", o->conns, &begin, &end, &rest);
	printf(",\"lost\":%u}\n", c.opened - alive);
	crowd_fini(&c);
}
