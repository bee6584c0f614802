/* SPDX-License-Identifier: Apache-2.0 */
/* process - what the servers under load use, read from outside. */
#include "process.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "peer.h"

static uint64_t
clock_read(clockid_t clock, const char *name)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) != 0)
		die("process %s is gone", name);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t
cpu_of(const struct process *p)
{
	clockid_t clock;

	if (clock_getcpuclockid(p->pid, &clock) != 0)
		die("process %s (%d) is not there", p->name, (int)p->pid);
	return clock_read(clock, p->name);
}

static uint64_t
rss_of(const struct process *p)
{
	char path[64], line[128];
	uint64_t kilobytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)p->pid);
	f = fopen(path, "r");
	if (f == NULL)
		return 0; /* another user's process: CPU time only */
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Rss: %" SCNu64, &kilobytes) == 1)
			break;
	fclose(f);
	return kilobytes * 1024;
}

void
usage_sample_cpu(struct usage *u, const struct process *processes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		u->cpu_ns[i] = cpu_of(&processes[i]);
	u->own_cpu_ns = clock_read(CLOCK_PROCESS_CPUTIME_ID, "load");
	u->at_ns = now_ns();
}

void
usage_sample(struct usage *u, const struct process *processes, size_t n)
{
	usage_sample_cpu(u, processes, n);
	for (size_t i = 0; i < n; i++)
		u->rss[i] = rss_of(&processes[i]);
}
