/* SPDX-License-Identifier: Apache-2.0 */
/* filters - many filters on few connections: memory and CPU for each. */
#include <stdio.h>

#include "crowd.h"

#define REST_SECONDS 1.0

void
filters_run(const struct options *o)
{
	struct crowd c;
	struct usage begin, end, rest;
	unsigned alive;

	if (!crowd_init(&c, o, o->conns))
		return;
	crowd_connect(&c, o->conns);
	crowd_settle(&c, REST_SECONDS);
	usage_sample(&begin, o->processes, o->n_processes);
	crowd_subscribe(&c);
	usage_sample_cpu(&end, o->processes, o->n_processes);
	crowd_settle(&c, REST_SECONDS);
	usage_sample(&rest, o->processes, o->n_processes);
	alive = crowd_ping(&c);
	crowd_print_costs(&c, "filters", (double)o->conns * o->filters, &begin,
	    &end, &rest);
	printf(",\"lost\":%u}\n", c.opened - alive);
	crowd_fini(&c);
}
